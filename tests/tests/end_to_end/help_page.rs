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
fn help_page_has_addresses_and_security_headers() {
    let host = Setup::new().plugin(EXCEL).plugin(HELLO).start();
    let page = Request::get(PATH).header("Host", "erp.example.com").send(host.address()).unwrap();
    let policy = page.header("Content-Security-Policy").unwrap();
    for part in ["default-src 'none'", "style-src 'sha256-", "frame-ancestors 'none'", "form-action 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    for (name, value) in [
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
    ] {
        assert_eq!(page.header(name), Some(value), "{name}");
    }
    let text = page.text();
    assert!(text.contains(&format!(">http://erp.example.com{PATH}<")), "{text}");
    for connector in ["Excel", "Hello"] {
        assert!(
            text.contains(&format!(">http://erp.example.com{PATH}?ConnectorName={connector}<")),
            "{text}"
        );
        assert!(text.contains(&format!("href=\"?singleWsdl&amp;ConnectorName={connector}\"")), "{text}");
    }
    for path in
        ["/ready", "/health", "/", "/nothing", &format!("{PATH}?wsdl"), &format!("{PATH}?ConnectorName=X")]
    {
        let response = Request::get(path).send(host.address()).unwrap();
        assert_eq!(response.header("X-Content-Type-Options"), Some("nosniff"), "{path}");
    }
}

#[test]
fn help_page_of_an_unknown_connector_is_not_found() {
    let host = Setup::new().plugin(EXCEL).start();
    assert_eq!(
        Request::get(&format!("{PATH}?ConnectorName=excel")).send(host.address()).unwrap().status,
        200
    );
    let unknown = |forwarded: bool| {
        let mut request = Request::get(&format!("{PATH}?ConnectorName=%3Cb%3E"));
        if forwarded {
            request = request.header("X-Forwarded-For", "203.0.113.9");
        }
        request.send(host.address()).unwrap()
    };
    let response = unknown(false);
    assert_eq!(response.status, 404);
    assert!(response.header("Content-Type").unwrap().starts_with("text/plain"));
    assert_eq!(response.text(), "there is no connector \"<b>\" here; here: Excel\n");
    assert_eq!(unknown(true).text(), "there is no connector \"<b>\" here\n");
}

#[test]
fn strangers_see_no_connectors_and_no_versions() {
    // A proxy that the configuration does not trust, or one that is trusted and forwards a stranger.
    for configuration in ["", "trusted_proxies = [\"127.0.0.1\"]\n"] {
        let host = Setup::new().plugin(EXCEL).configuration(configuration).start();
        for (header, value) in [("X-Forwarded-For", "203.0.113.9"), ("Forwarded", "for=203.0.113.9")] {
            let page = Request::get(PATH).header(header, value).send(host.address()).unwrap();
            assert_eq!(page.status, 200);
            let text = page.text();
            assert!(!text.contains("Excel") && !text.contains(env!("CARGO_PKG_VERSION")), "{text}");
            assert!(text.contains(PATH) && text.contains("?singleWsdl"), "{text}");
        }
        assert!(Request::get(PATH).send(host.address()).unwrap().text().contains("Excel"), "this machine");
    }
    let configuration =
        "trusted_proxies = [\"127.0.0.1\"]\n[access]\ndetails_networks = [\"192.0.2.0/24\", \"0.0.0.0/0\"]\n";
    let host = Setup::new().plugin(EXCEL).configuration(configuration).start();
    for (client, is_shown) in [("192.0.2.9", true), ("203.0.113.9", false)] {
        let page = Request::get(PATH).header("X-Forwarded-For", client).send(host.address()).unwrap().text();
        assert_eq!(page.contains("Excel"), is_shown, "{client}");
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
