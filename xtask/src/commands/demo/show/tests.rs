use super::*;
use test_support::http::Response;

#[test]
fn indented_keeps_all_text() {
    let xml = r#"<a x="1"><b>text</b><c/><d><e></e>  </d></a>"#;
    let shown = indented(xml);
    assert_eq!(shown, "  <a x=\"1\">\n    <b>text</b>\n    <c/>\n    <d>\n      <e></e>  </d>\n  </a>");
    assert_eq!(indented("no xml"), "no xml");
    assert_eq!(indented("<cut off"), "  <cut off");
}

#[test]
fn curl_quotes_for_the_shell() {
    let exchange = Exchange {
        action: "urn:x".into(),
        request: "<a>it's</a>".into(),
        response: Response::new(200, "text/xml", ""),
    };
    let command = curl("http://127.0.0.1:1/x", &exchange);
    assert!(command.contains(r#"-H 'SOAPAction: "urn:x"'"#), "{command}");
    assert!(command.ends_with(r"--data-binary '<a>it'\''s</a>'"), "{command}");
}
