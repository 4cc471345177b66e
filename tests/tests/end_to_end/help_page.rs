//! What GET gives.

use test_support::exchange::PATH;
use test_support::http::Request;
use test_support::{EXCEL, HELLO, Setup, TestHost};

#[test]
fn help_page_says_what_runs_here() {
    let host = Setup::new().plugin(EXCEL).plugin(HELLO).start();
    let page = Request::get(PATH).send(host.address()).unwrap();
    assert_eq!(page.status, 200);
    assert!(page.header("Content-Type").unwrap().starts_with("text/html"));
    let text = page.text();
    for expected in ["Excel", "Hello", "?singleWsdl", "<title>", "erp-host"] {
        assert!(text.contains(expected), "no {expected} in {text}");
    }
}

#[test]
fn path_has_no_case() {
    let host = TestHost::with_excel();
    for path in ["/services/erpconnectorws.svc", "/SERVICES/ERPCONNECTORWS.SVC?singlewsdl"] {
        assert_eq!(Request::get(path).send(host.address()).unwrap().status, 200, "{path}");
    }
}

#[test]
fn wsdl_names_the_address_that_was_asked() {
    let host = TestHost::with_excel();
    let address = |request: Request| {
        let wsdl = request.send(host.address()).unwrap();
        assert_eq!(wsdl.status, 200);
        assert!(wsdl.header("Content-Type").unwrap().starts_with("text/xml"));
        let text = wsdl.text();
        let document = roxmltree::Document::parse(&text).expect("well-formed");
        let ports: Vec<_> = document
            .descendants()
            .filter(|node| node.has_tag_name(("http://schemas.xmlsoap.org/wsdl/soap/", "address")))
            .map(|node| node.attribute("location").unwrap().to_owned())
            .collect();
        assert!(!ports.is_empty());
        ports[0].clone()
    };
    let own = format!("http://{}{PATH}", host.address());
    assert_eq!(address(Request::get(&format!("{PATH}?wsdl"))), own);
    assert_eq!(
        address(Request::get(&format!("{PATH}?singleWsdl")).header("Host", "erp:81")),
        format!("http://erp:81{PATH}")
    );
    // Nobody is trusted unless the operator says so.
    let forged = Request::get(&format!("{PATH}?wsdl")).header("X-Forwarded-Host", "evil.example");
    assert_eq!(address(forged), own);
}
