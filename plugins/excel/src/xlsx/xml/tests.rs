use proptest::prelude::*;
use test_support::scale::cases;

use super::*;

/// Whether our reader takes a document, whole.
fn ours(text: &str) -> Result<(), String> {
    let mut reader = XmlReader::of(text);
    while reader.next().map_err(|error| error.to_string())? != Token::Eof {}
    Ok(())
}

#[test]
fn malformed_xml_is_refused() {
    for text in [
        "",
        " ",
        "x",
        "<a>",
        "</a>",
        "<a></b>",
        "<a/><b/>",
        "<a/>x",
        "x<a/>",
        "<a/>&amp;",
        "<a/><![CDATA[x]]>",
        "<a b/>",
        "<a b=c/>",
        "<a b=\"c/>",
        "<a b='1'c='2'/>",
        "<a b='1' b='2'/>",
        "<a b='<'/>",
        "<a b='&x;'/>",
        "<a b='&amp'/>",
        "<a>&x;</a>",
        "<a>&#0;</a>",
        "<a>&#xFFFE;</a>",
        "<a>&#xD800;</a>",
        "<a>&#x110000;</a>",
        "<a>&#+5;</a>",
        "<a>&amp</a>",
        "<a>]]></a>",
        "<a>\u{1}</a>",
        "<a>\u{ffff}</a>",
        "<a b='\u{1}'/>",
        "<a><!-- -- --></a>",
        "<a><!-- --->",
        "<a><!-- \u{1} --></a>",
        "<a><?xml x?></a>",
        "<a><?X:y z?></a>",
        " <?xml version='1.0'?><a/>",
        "<?xml?><a/>",
        "<?xml encoding='UTF-8'?><a/>",
        "<?xml version='1.1'?><a/>",
        "<?xml version='1.0' standalone='maybe'?><a/>",
        "<!DOCTYPE a><a/>",
        "<1/>",
        "<a 1='x'/>",
        "<-a/>",
        "<p:a/>",
        "<a p:b='1'/>",
        "<a:b:c xmlns:a='x'/>",
        "<:a/>",
        "<a:/>",
        "< a/>",
        "<a / >",
        "<a//>",
        "<a xmlns:p=''/>",
        "<xmlns:a/>",
        "<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>",
        "<a xmlns:xmlns='u'/>",
        "<a><b xmlns:p='u'/><p:c/></a>",
        "<a b='1'></a b='1'>",
    ] {
        assert!(ours(text).is_err(), "{text:?}");
    }
}

#[test]
fn well_formed_xml_is_read() {
    for text in [
        "<a/>",
        "<a></a>",
        "<a ></a >",
        "\n<a b = 'c'  d=\"e\"\n/>\n<!-- x -->\n<?p q?>\n",
        "<?xml version=\"1.0\" encoding='UTF-8' standalone=\"yes\" ?><a/>",
        "<a><![CDATA[<&]]]]></a>",
        "<a>&#9;&#x10FFFF;&lt;]] &gt;</a>",
        "<p:a xmlns:p='u'><p:b p:c='1' c='2'/></p:a>",
        "<a xmlns='u'><b xmlns=''><c/></b></a>",
        "<a xml:space='preserve' xml:lang='no'/>",
        "<å.ä-ö/>",
        "<a b='&#10;&quot;&apos;'/>",
        "<a b='x > y'/>",
    ] {
        ours(text).unwrap_or_else(|why| panic!("{text:?}: {why}"));
        roxmltree::Document::parse(text).unwrap();
    }
}

#[test]
fn tokens_hold_names_attributes_and_text() {
    let text = "<w xmlns='m' xmlns:x='m' xmlns:r='http://o/relationships'><x:c r:id='I' r='&lt;'>a&amp;b\r\n</x:c><y xmlns='z'/></w>";
    let mut reader = XmlReader::of(text);
    assert_eq!(reader.next().unwrap(), Token::Start);
    assert_eq!((reader.local_name(), reader.depth()), (Some("w"), 1));
    assert_eq!(reader.next().unwrap(), Token::Start);
    assert_eq!((reader.name(), reader.local_name(), reader.depth()), ("x:c", Some("c"), 2));
    assert_eq!(reader.foreign_attribute("/relationships", "id").as_deref(), Some("I"));
    assert_eq!(reader.attribute("r").as_deref(), Some("<"));
    assert_eq!(&text[reader.span()], "<x:c r:id='I' r='&lt;'>");
    let mut content = String::new();
    while reader.next().unwrap() == Token::Text {
        content.push_str(reader.text());
    }
    assert_eq!(content, "a&b\n");
    assert_eq!(reader.next().unwrap(), Token::Empty);
    assert_eq!((reader.name(), reader.local_name(), reader.depth()), ("y", None, 1));
    assert_eq!(reader.next().unwrap(), Token::End);
    assert_eq!(reader.next().unwrap(), Token::Eof);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(20_000)))]

    /// Whatever we take, another strict reader takes: roxmltree checks most of what XML demands.
    #[test]
    fn accepted_xml_is_accepted_by_another_parser(pieces in prop::collection::vec(prop::sample::select(vec![
        "<a", "<p:a", "</a>", "</p:a>", ">", "/>", " ", "\n", " b='1'", " c=\"&amp;\"", " p:b='2'", " xmlns:p='u'", " xmlns='v'",
        "<!--", "-->", "-", "<![CDATA[", "]]>", "<?p ", "?>", "<?xml version='1.0'?>", "&lt;", "&#x41;", "&", "text", "\u{1}", "'", "=", "<",
    ]), 0..14)) {
        let text = format!("<r>{}</r>", pieces.concat());
        for text in [text, pieces.concat()] {
            if ours(&text).is_ok() {
                prop_assert!(roxmltree::Document::parse(&text).is_ok(), "{}", text);
            }
        }
    }
}
