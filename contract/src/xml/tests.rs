//! Tests of the tokenizer and the escaping.

use std::borrow::Cow;
use std::fmt::Write;

use proptest::prelude::*;

use super::XmlErrorKind as Kind;
use super::*;

/// The document in one line: `<name{namespace} attr=value>`, texts joined, `</>`.
fn read(text: &str) -> Result<String, XmlError> {
    let mut xml = Tokenizer::new(text, Limits::REQUEST);
    let mut out = String::new();
    while let Some(token) = xml.next()? {
        match token {
            Token::Start(local) if xml.namespace().is_empty() => write!(out, "<{local}>").unwrap(),
            Token::Start(local) => write!(out, "<{local}{{{}}}>", xml.namespace()).unwrap(),
            Token::End => out.push_str("</>"),
            Token::Text(text) => out.push_str(&text),
            Token::Instruction(target) => write!(out, "<?{target}>").unwrap(),
        }
    }
    Ok(out)
}

#[test]
fn well_formed_documents_are_read() {
    for (text, wanted) in [
        ("<a/>", "<a></>"),
        ("<a></a >", "<a></>"),
        ("<a\n/>", "<a></>"),
        ("<?xml version='1.0'?><a/>", "<a></>"),
        ("<?xml version=\"1.0\" encoding=\"utf-8\" standalone='no' ?>\n<a/>\n", "<a></>"),
        ("<?xml version=\"1.1\"?><a/>", "<a></>"),
        ("<!-- c --><?p q?><a/><!-- d --> <?p?>", "<a></>"),
        ("<?xml-stylesheet href='x'?><a/>", "<a></>"),
        ("<a>x<!-- - -> < & -->y</a>", "<a>xy</>"),
        ("<a>x<?p <&?>y</a>", "<a>x<?p>y</>"),
        ("<a>&lt;&gt;&amp;&apos;&quot;</a>", "<a><>&'\"</>"),
        ("<a>&#65;&#x42;&#x1F600;&#00067;</a>", "<a>AB\u{1F600}C</>"),
        ("<a>&#x1;&#0;&#xFFFF;</a>", "<a>\u{1}\0\u{FFFF}</>"),
        ("<a>1\r\n2\r3\n\t</a>", "<a>1\n2\n3\n\t</>"),
        ("<a>&#xD;&#xA;</a>", "<a>\r\n</>"),
        ("<a><![CDATA[<&]]]]><![CDATA[>\r\n]]></a>", "<a><&]]>\n</>"),
        ("<a>]] ]> ></a>", "<a>]] ]> ></>"),
        ("<a xmlns='u'><b/><c xmlns=''/></a>", "<a{u}><b{u}></><c></></>"),
        ("<p:a xmlns:p='u'><p:b xmlns:p='v'/><p:c/></p:a>", "<a{u}><b{v}></><c{u}></></>"),
        ("<a xmlns='u&amp;v'/>", "<a{u&v}></>"),
        ("<xml:a/>", "<a{http://www.w3.org/XML/1998/namespace}></>"),
        ("<a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:lang='en'/>", "<a></>"),
        ("<a xmlns:p='u' xmlns:q='v' p:x='1' q:x='2' x='3'/>", "<a></>"),
        ("<_é.-1 ñ='1'>ﷀ￼</_é.-1>", "<_é.-1>ﷀ￼</>"),
        ("<a>\u{7F}\u{85}\u{2028}\u{FFFD}\u{10FFFF}</a>", "<a>\u{7F}\u{85}\u{2028}\u{FFFD}\u{10FFFF}</>"),
    ] {
        assert_eq!(read(text).as_deref(), Ok(wanted), "{text}");
    }
}

#[test]
fn malformed_documents_are_refused_with_reason_and_place() {
    let text = |text: &str| text.to_owned();
    for (document, kind, at) in [
        ("", Kind::NoRoot, 0),
        ("  <!-- only -->", Kind::NoRoot, 15),
        ("x<a/>", Kind::BeforeRoot, 0),
        ("\u{FEFF}<a/>", Kind::BeforeRoot, 0),
        ("&lt;<a/>", Kind::BeforeRoot, 0),
        ("<a/>x", Kind::AfterRoot, 4),
        ("<a/><b/>", Kind::AfterRoot, 4),
        ("<a/>&#32;", Kind::AfterRoot, 4),
        ("<a/></a>", Kind::NotOpen(text("a")), 4),
        ("</a>", Kind::NotOpen(text("a")), 0),
        ("<a>", Kind::NotClosed(text("a")), 3),
        ("<a><b></a></b>", Kind::EndTag { open: text("b"), close: text("a") }, 6),
        ("<a></ab>", Kind::EndTag { open: text("a"), close: text("ab") }, 3),
        ("<ab></a>", Kind::EndTag { open: text("ab"), close: text("a") }, 4),
        ("<p:a xmlns:p='u'></a>", Kind::EndTag { open: text("p:a"), close: text("a") }, 17),
        ("<a></a/>", Kind::Expected("'>' of an end tag"), 6),
        ("<a></ a>", Kind::Expected("an element's name"), 5),
        ("< a/>", Kind::Expected("an element's name"), 1),
        ("<1a/>", Kind::Expected("an element's name"), 1),
        ("<-a/>", Kind::Expected("an element's name"), 1),
        ("<a$/>", Kind::Expected("white space or '>' in a start tag"), 2),
        ("<a / >", Kind::Expected("'>' after '/'"), 4),
        ("<", Kind::End("markup"), 0),
        ("<a", Kind::End("'>' of a start tag"), 2),
        ("<a b", Kind::End("'=' after an attribute's name"), 4),
        ("<a b>", Kind::Expected("'=' after an attribute's name"), 4),
        ("<a b=1>", Kind::Expected("an attribute's value in quotes"), 5),
        ("<a b='1'c='2'/>", Kind::Expected("white space or '>' in a start tag"), 8),
        ("<a b='1", Kind::End("the quote that ends an attribute's value"), 7),
        ("<a b='<'/>", Kind::LessThanInAttribute, 6),
        ("<a b='\u{1}'/>", Kind::Character(1), 6),
        ("<a b='&'/>", Kind::Expected("a reference such as &amp; after '&'"), 6),
        ("<a b='1' b='2'/>", Kind::AttributeTwice(text("b")), 0),
        ("<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>", Kind::AttributeTwice(text("q:b")), 0),
        ("<a xmlns='u' xmlns='v'/>", Kind::AttributeTwice(text("xmlns")), 13),
        ("<a xmlns:p='u' xmlns:p='u'/>", Kind::AttributeTwice(text("xmlns:p")), 15),
        ("<p:a/>", Kind::PrefixNotBound(text("p")), 0),
        ("<a p:b='1'/>", Kind::PrefixNotBound(text("p")), 0),
        ("<a><b xmlns:p='u'/><p:c/></a>", Kind::PrefixNotBound(text("p")), 19),
        ("<a xmlns:p=''/>", Kind::NamespaceDeclaration(text("xmlns:p")), 3),
        ("<a xmlns:xml='u'/>", Kind::NamespaceDeclaration(text("xmlns:xml")), 3),
        ("<a xmlns:xmlns='u'/>", Kind::NamespaceDeclaration(text("xmlns:xmlns")), 3),
        ("<a xmlns='http://www.w3.org/2000/xmlns/'/>", Kind::NamespaceDeclaration(text("xmlns")), 3),
        ("<xmlns:a/>", Kind::PrefixNotBound(text("xmlns")), 0),
        ("<a:b:c xmlns:a='u'/>", Kind::QualifiedName(text("a:b")), 1),
        ("<:a/>", Kind::QualifiedName(text(":a")), 1),
        ("<a:/>", Kind::QualifiedName(text("a:")), 1),
        ("<a:1 xmlns:a='u'/>", Kind::QualifiedName(text("a:1")), 1),
        ("<a>]]></a>", Kind::SectionEndInText, 3),
        ("<a>\u{0}</a>", Kind::Character(0), 3),
        ("<a>\u{B}</a>", Kind::Character(11), 3),
        ("<a>\u{FFFE}</a>", Kind::Character(0xFFFE), 3),
        ("<a><![CDATA[\u{FFFF}]]></a>", Kind::Character(0xFFFF), 12),
        ("<a><!--\u{1}--></a>", Kind::Character(1), 7),
        ("<a><?p \u{1}?></a>", Kind::Character(1), 7),
        ("<a>&nbsp;</a>", Kind::Entity(text("nbsp")), 3),
        ("<a>&LT;</a>", Kind::Entity(text("LT")), 3),
        ("<a>&;</a>", Kind::Entity(text("")), 3),
        ("<a>&lt</a>", Kind::Expected("a reference such as &amp; after '&'"), 3),
        ("<a>& </a>", Kind::Expected("a reference such as &amp; after '&'"), 3),
        ("<a>&#;</a>", Kind::CharacterReference(text("")), 3),
        ("<a>&#x;</a>", Kind::CharacterReference(text("x")), 3),
        ("<a>&#X41;</a>", Kind::CharacterReference(text("X41")), 3),
        ("<a>&#+65;</a>", Kind::CharacterReference(text("+65")), 3),
        ("<a>&#4A;</a>", Kind::CharacterReference(text("4A")), 3),
        ("<a>&#xD800;</a>", Kind::CharacterReference(text("xD800")), 3),
        ("<a>&#x110000;</a>", Kind::CharacterReference(text("x110000")), 3),
        ("<a>&#99999999999999999999;</a>", Kind::CharacterReference(text("99999999999999999999")), 3),
        ("<a><!-- -- --></a>", Kind::HyphensInComment, 10),
        ("<a><!-- ---></a>", Kind::HyphensInComment, 10),
        ("<a><!-- ></a>", Kind::End("'-->' of a comment"), 13),
        ("<a><!- x --></a>", Kind::Expected("a comment or an element"), 3),
        ("<a><![CDATA[x]]</a>", Kind::End("']]>' of a CDATA section"), 19),
        ("<a><![cdata[x]]></a>", Kind::Expected("a comment or an element"), 3),
        ("<![CDATA[x]]><a/>", Kind::Expected("a comment or an element"), 0),
        ("<a/><![CDATA[x]]>", Kind::Expected("a comment or an element"), 4),
        ("<!DOCTYPE a><a/>", Kind::Doctype, 0),
        ("<!doctype a><a/>", Kind::Expected("a comment or an element"), 0),
        ("<a><?p x></a>", Kind::End("'?>' of a processing instruction"), 13),
        ("<a><?p+x?></a>", Kind::Expected("white space after the target of a processing instruction"), 6),
        ("<a><? p?></a>", Kind::Expected("the target of a processing instruction"), 5),
        ("<a><?p:q x?></a>", Kind::QualifiedName(text("p:q")), 3),
        ("<a><?xml version='1.0'?></a>", Kind::DeclarationPlace, 3),
        (" <?xml version='1.0'?><a/>", Kind::DeclarationPlace, 1),
        ("<?XML version='1.0'?><a/>", Kind::DeclarationPlace, 0),
        ("<?xml?><a/>", Kind::DeclarationPlace, 0),
        ("<?xml ?><a/>", Kind::Declaration, 0),
        ("<?xml encoding='utf-8'?><a/>", Kind::Declaration, 6),
        ("<?xml version='2.0'?><a/>", Kind::Declaration, 6),
        ("<?xml version='1.0' version='1.0'?><a/>", Kind::Declaration, 20),
        ("<?xml version='1.0' standalone='yes' encoding='utf-8'?><a/>", Kind::Declaration, 37),
        ("<?xml version='1.0'encoding='utf-8'?><a/>", Kind::Declaration, 19),
        ("<?xml version='1.0' standalone='maybe'?><a/>", Kind::Declaration, 20),
        ("<?xml version='1.0' encoding=''?><a/>", Kind::Declaration, 20),
        ("<?xml version='1.0' ><a/>", Kind::Declaration, 20),
        ("<?xml version='1.0", Kind::Declaration, 6),
    ] {
        assert_eq!(read(document), Err(XmlError { kind, at }), "{document:?}");
    }
}

#[test]
fn attributes_are_found_by_namespace_and_normalised() {
    let mut xml =
        Tokenizer::new("<a xmlns:p='u' p:x=' 1\r\n\t2&#xD;&lt;\"' x=\"3'\"><b/></a>", Limits::REQUEST);
    xml.next().unwrap();
    assert_eq!(xml.attribute("u", "x"), Some(" 1  2\r<\""));
    assert_eq!(xml.attribute("", "x"), Some("3'"));
    assert_eq!(
        (xml.attribute("v", "x"), xml.attribute("", "p:x"), xml.attribute("", "xmlns")),
        (None, None, None)
    );
    xml.next().unwrap();
    assert_eq!(xml.attribute("", "x"), None);
}

#[test]
fn text_is_borrowed_unless_it_was_unescaped() {
    let mut xml = Tokenizer::new("<a>]plain é ￼ text<b>with &amp;</b></a>", Limits::REQUEST);
    let mut texts = Vec::new();
    while let Some(token) = xml.next().unwrap() {
        if let Token::Text(text) = token {
            texts.push(matches!(text, Cow::Borrowed(_)));
        }
    }
    assert_eq!(texts, [true, false]);
}

#[test]
fn limits_are_exact() {
    const LIMITS: Limits = Limits { depth: 3, elements: 5, attributes: 2, text: 4 };
    let read = |document: &str| {
        let mut xml = Tokenizer::new(document, LIMITS);
        loop {
            match xml.next() {
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(error) => return Some(error.kind),
            }
        }
    };
    for (allowed, refused, kind) in [
        ("<a><a><a/></a></a>", "<a><a><a><a/></a></a></a>", Kind::Depth(3)),
        ("<a><b/><b/><b/><b/></a>", "<a><b/><b/><b/><b/><b/></a>", Kind::Elements(5)),
        ("<a b='' c='' xmlns='d'/>", "<a b='' c='' d=''/>", Kind::Attributes(2)),
        ("<a>1234</a>", "<a>12345</a>", Kind::TextLength(4)),
        ("<a>&lt;</a>", "<a>&quot;</a>", Kind::TextLength(4)),
        ("<a b='12'/>", "<a b='12345'/>", Kind::TextLength(4)),
    ] {
        assert_eq!((read(allowed), read(refused)), (None, Some(kind)), "{refused}");
    }
}

#[test]
fn namespace_declarations_are_limited() {
    let bindings = |count: usize| {
        let bindings: String = (0..count).map(|number| format!(" xmlns:a{number}='u'")).collect();
        format!("<r><a{bindings}/><a{bindings}/></r>")
    };
    assert!(read(&bindings(MAX_BINDINGS)).is_ok());
    assert_eq!(read(&bindings(MAX_BINDINGS + 1)).unwrap_err().kind, Kind::Bindings);
}

#[test]
fn duplicate_attribute_is_found_among_many() {
    let many: String = (0..50).map(|number| format!(" a{number}=''")).collect();
    assert!(read(&format!("<a{many}/>")).is_ok());
    assert_eq!(read(&format!("<a{many} a17=''/>")).unwrap_err().kind, Kind::AttributeTwice("a17".to_owned()));
    let same = format!("<a xmlns:p='u' xmlns:q='u'{many} p:x='' q:x=''/>");
    assert!(matches!(read(&same).unwrap_err().kind, Kind::AttributeTwice(_)));
}

#[test]
fn text_is_escaped_as_dotnet_does() {
    for (text, wanted) in [
        ("", ""),
        ("plain \"quotes\" 'too' é€𝄞", "plain \"quotes\" 'too' é€𝄞"),
        ("<a> & </a>", "&lt;a&gt; &amp; &lt;/a&gt;"),
        ("]]>", "]]&gt;"),
        ("a\tb\nc\rd\r\n", "a\tb\nc&#xD;d&#xD;\n"),
        ("\0\u{1}\u{F}\u{10}\u{1F}\u{7F}", "&#x0;&#x1;&#xF;&#x10;&#x1F;\u{7F}"),
        ("\u{FFFD}\u{FFFE}\u{FFFF}\u{FF0C}", "\u{FFFD}&#xFFFE;&#xFFFF;\u{FF0C}"),
    ] {
        let mut out = Vec::new();
        escape(&mut out, text);
        assert_eq!(std::str::from_utf8(&out).unwrap(), wanted);
    }
}

proptest! {
    #[test]
    fn escaped_text_reads_as_itself(characters in proptest::collection::vec(any::<char>(), 0..40)) {
        let text: String = characters.into_iter().collect();
        let (mut content, mut value) = (Vec::new(), Vec::new());
        escape(&mut content, &text);
        escape::escape_attribute(&mut value, &text);
        let document = format!(
            "<a b=\"{}\">{}</a>",
            String::from_utf8(value).unwrap(),
            String::from_utf8(content).unwrap()
        );
        let mut xml = Tokenizer::new(&document, Limits::REQUEST);
        xml.next().unwrap();
        prop_assert_eq!(xml.attribute("", "b"), Some(text.as_str()));
        match xml.next().unwrap() {
            Some(Token::Text(read)) => prop_assert_eq!(read.as_ref(), text.as_str()),
            token => prop_assert!(token == Some(Token::End) && text.is_empty()),
        }
    }

    /// Fragments of markup, put together at random: whatever we accept, another parser accepts, and sees the same
    /// elements. The other way round our names and references differ, see the table above.
    #[test]
    fn accepted_documents_are_accepted_by_another_parser(
        fragments in proptest::collection::vec(proptest::sample::select(FRAGMENTS), 0..12)
    ) {
        let document = format!("<r xmlns:p='u'>{}</r>", fragments.concat());
        if let Ok(read) = read(&document) {
            let other = roxmltree::Document::parse(&document);
            prop_assert!(other.is_ok(), "{} but {:?}", document, other);
            let starts = other.unwrap().descendants().filter(|node| node.is_element()).count();
            prop_assert_eq!(read.matches("</>").count(), starts);
        }
    }
}

const FRAGMENTS: &[&str] = &[
    "<a>",
    "</a>",
    "<a/>",
    "<p:a>",
    "</p:a>",
    "<b x='1'>",
    "</b>",
    "<b x='1' p:x='2'/>",
    "<b x='1' x='1'/>",
    "text",
    "&amp;",
    "&lt;",
    "&",
    "<",
    ">",
    "]]",
    "]]>",
    "<![CDATA[",
    "<!--",
    "-->",
    "--",
    "<?p ",
    "?>",
    "'",
    "\"",
    "=",
    " ",
    "\r\n",
    "xmlns:q='v'",
    "<q:a xmlns:q='v'>",
    "</q:a>",
    "<a xmlns='w'>",
    "é",
    "\u{1}",
    "/",
    "<a ",
    "x='<'",
    "x=\"1\"",
];
