//! What HTTP alone decides.

use std::io::Read;

use contract::{Call, Request, SoapVersion, State};
use flate2::read::GzDecoder;

use crate::host::{Host, call, gzip, message, post, soap_headers};

const SERVICE: &str = "/Services/ErpConnectorWS.svc";
const XML: &str = "Content-Type: text/xml; charset=utf-8\r\n";

#[test]
fn rejections_have_status_headers_and_reason() {
    let host = Host::configured("[limits]\nbody = \"4KiB\"");
    let large = vec![b' '; 5000];
    let config = message(&call(Request::TestConnection));
    let chunked = |body: &[u8]| {
        let mut request =
            format!("POST {SERVICE} HTTP/1.1\r\nHost: t\r\n{XML}Transfer-Encoding: chunked\r\n\r\n")
                .into_bytes();
        for chunk in body.chunks(1000) {
            request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            request.extend_from_slice(chunk);
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"0\r\n\r\n");
        request
    };
    let head = |line: &str| format!("{line} HTTP/1.1\r\nHost: t\r\n\r\n").into_bytes();
    let with = |headers: &str, body: &[u8]| post(SERVICE, headers, body);
    for (request, status, header, text) in [
        (head("GET /nothing"), 404, None, SERVICE),
        (head("GET /Services/ErpConnectorWS.svc2"), 404, None, SERVICE),
        (post("/", XML, &config), 405, Some(("allow", "GET, HEAD")), "POST"),
        (head("DELETE /services/erpconnectorws.svc"), 405, Some(("allow", "GET, HEAD, POST")), "DELETE"),
        (head("OPTIONS /Services/ErpConnectorWS.svc"), 405, Some(("allow", "GET, HEAD, POST")), "OPTIONS"),
        (head("GET /Services/ErpConnectorWS.svc?wsdl&dialect=x"), 400, None, "message"),
        (with("", &config), 415, None, "no content type"),
        (with("Content-Type: application/json\r\n", &config), 415, None, "application/json"),
        (with("Content-Type: text/xml; charset=koi8-r\r\n", &config), 415, None, "koi8-r"),
        (
            with(&format!("{XML}Content-Encoding: br\r\n"), &config),
            415,
            Some(("accept-encoding", "gzip")),
            "\"br\"",
        ),
        (with(&format!("{XML}Content-Encoding: gzip\r\n"), b"no"), 400, None, "gzip"),
        (with(XML, &large), 413, Some(("connection", "close")), "4096"),
        (chunked(&large), 413, Some(("connection", "close")), "4096"),
        (
            with(&format!("{XML}Content-Encoding: gzip\r\n"), &gzip(&large)),
            413,
            Some(("connection", "close")),
            "4096",
        ),
    ] {
        let response = host.exchange(&request);
        let request = String::from_utf8_lossy(&request[..request.len().min(200)]).into_owned();
        assert_eq!(response.status, status, "{request}: {}", response.text());
        assert!(response.text().contains(text), "{request}: {}", response.text());
        if let Some((name, value)) = header {
            assert_eq!(response.header(name), Some(value), "{request}");
        }
    }
}

#[test]
fn invalid_messages_get_a_fault() {
    let host = Host::start();
    for body in [&b"<x/>"[..], b"", b"not xml", b"<!DOCTYPE x><x/>", b"\xff\xfe\x00\xd8"] {
        let response = host.post(XML, body);
        assert_eq!(response.status, 500);
        assert_eq!(response.header("content-type"), Some("text/xml; charset=utf-8"));
        let text = response.text();
        assert!(text.contains("<faultcode>s:Client</faultcode><faultstring>"), "{text}");
    }
}

#[test]
fn soap_1_2_is_answered_with_soap_1_2() {
    let host = Host::start();
    let mut call = call(Request::TestConnection);
    call.envelope.soap = SoapVersion::V12;
    let content_type = "application/soap+xml; charset=utf-8";
    let action = format!("Content-Type: {content_type}; action=\"{}\"\r\n", call.soap_action());
    let response = host.post(&action, &message(&call));
    assert_eq!((response.status, response.header("content-type")), (200, Some(content_type)));
    assert!(response.text().contains("http://www.w3.org/2003/05/soap-envelope"));
    let fault = host.post(&action, &message(&call)[..100]);
    assert_eq!(fault.status, 500);
}

#[test]
fn service_path_ignores_case_and_base_path() {
    let host = Host::start();
    let call = call(Request::TestConnection);
    for path in [
        "/services/erpconnectorws.SVC",
        "/base/path/Services/ErpConnectorWS.svc",
        "/Services/ErpConnectorWS.svc/",
        "http://test/Services/ErpConnectorWS.svc",
        "/Services/ErpConnectorWS.svc?x=y",
    ] {
        let response = host.exchange(&post(path, &soap_headers(&call), &message(&call)));
        assert_eq!(response.status, 200, "{path}: {}", response.text());
    }
}

#[test]
fn help_page_root_and_health_are_served() {
    let host = Host::start();
    let get = |line: &str| format!("{line} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n").into_bytes();
    let help = host.exchange(&get("GET /Services/ErpConnectorWS.svc"));
    assert_eq!(help.header("content-type"), Some("text/html; charset=utf-8"));
    let root = host.exchange(&get("GET /"));
    assert_eq!((root.status, root.header("location")), (302, Some("Services/ErpConnectorWS.svc")));
    let health = host.exchange(&get("GET /health"));
    assert_eq!((health.status, health.text().trim()), (200, "ok"));

    let mut client = host.client();
    client.send(&get("HEAD /Services/ErpConnectorWS.svc"));
    let head = client.receive_head();
    assert_eq!(head.header("content-length"), help.header("content-length"));
    assert!(client.is_closed(), "HEAD has no body");
}

#[test]
fn wsdl_has_the_public_url() {
    let plain = Host::start();
    let trusting = Host::configured("trusted_proxies = [\"127.0.0.0/8\"]");
    let own = plain.address.to_string();
    for (host, query, headers, address) in [
        (&plain, "?wsdl", "Host: erp.example:81", "http://erp.example:81/a/Services/ErpConnectorWS.svc"),
        (&plain, "?SINGLEWSDL&dialect=data", "Host: x", "http://x/a/Services/ErpConnectorWS.svc"),
        (
            &plain,
            "?wsdl&connectorname=A%26B",
            "Host: x",
            "http://x/a/Services/ErpConnectorWS.svc?ConnectorName=A%26B",
        ),
        (&plain, "?wsdl", "Host: x\r\nX-Forwarded-Proto: https", "http://x/a/Services/ErpConnectorWS.svc"),
        (
            &trusting,
            "?wsdl",
            "Host: x\r\nX-Forwarded-Proto: https",
            "https://x/a/Services/ErpConnectorWS.svc",
        ),
        (
            &trusting,
            "?wsdl&dialect=plain",
            "Host: x\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: out.example\r\nX-Forwarded-Port: 8443\r\n\
             X-Forwarded-Prefix: /erp/",
            "https://out.example:8443/erp/a/Services/ErpConnectorWS.svc?dialect=plain",
        ),
        (
            &trusting,
            "?wsdl",
            "Host: x\r\nForwarded: for=1.2.3.4;proto=https;host=\"out.example\"",
            "https://out.example/a/Services/ErpConnectorWS.svc",
        ),
        (
            &trusting,
            "?wsdl",
            "Host: x\r\nX-Forwarded-Host: \"><script>",
            "http://x/a/Services/ErpConnectorWS.svc",
        ),
    ] {
        let request = format!("GET /a/Services/ErpConnectorWS.svc{query} HTTP/1.1\r\n{headers}\r\n\r\n");
        let response = host.exchange(request.as_bytes());
        assert_eq!(response.header("content-type"), Some("text/xml; charset=utf-8"), "{request}");
        let text = response.text();
        assert!(text.contains(&format!("location=\"{address}\"")), "{request}: expected {address}");
    }
    // HTTP/1.0 need not say which host it wants.
    let text = plain.exchange(b"GET /Services/ErpConnectorWS.svc?wsdl HTTP/1.0\r\n\r\n").text();
    assert!(text.contains(&format!("location=\"http://{own}{SERVICE}\"")));
}

#[test]
fn request_bodies_may_be_chunked_or_gzip() {
    let host = Host::start();
    host.save(&[]);
    let call = call(Request::TestConnection);
    let (action, body) = (call.soap_action(), message(&call));
    let text = String::from_utf8(body.clone()).unwrap();
    let utf16 = |mark: &[u8], unit: fn(u16) -> [u8; 2]| {
        mark.iter().copied().chain(text.encode_utf16().flat_map(unit)).collect::<Vec<u8>>()
    };
    let marked = [b"\xef\xbb\xbf", body.as_slice()].concat();
    let xml = |charset: &str| format!("Content-Type: text/xml{charset}\r\nSOAPAction: \"{action}\"\r\n");
    for (headers, body) in [
        (xml("; charset=\"UTF-8\""), body.clone()),
        (xml(""), body.clone()),
        (xml(""), marked),
        (xml("; charset=utf-16"), utf16(b"\xff\xfe", u16::to_le_bytes)),
        (xml("; charset=utf-16"), utf16(b"\xfe\xff", u16::to_be_bytes)),
        (xml("; charset=UTF-16"), utf16(b"", u16::to_le_bytes)),
        (format!("{}Content-Encoding: gzip\r\n", xml("")), gzip(&body)),
        (format!("{XML}SOAPAction: {action}\r\n"), body.clone()),
        (
            format!("Content-Type: TEXT/XML; action=\"{action}\"; charset=utf-8\r\nSOAPAction: \"\"\r\n"),
            body.clone(),
        ),
    ] {
        let response = host.post(&headers, &body);
        assert_eq!(response.status, 200, "{headers}: {}", response.text());
        assert!(response.text().contains("mind the step"), "{headers}: {}", response.text());
    }
}

#[test]
fn expect_100_continue_is_answered() {
    let host = Host::start();
    let call = call(Request::TestConnection);
    let request = post(SERVICE, &format!("{}Expect: 100-continue\r\n", soap_headers(&call)), &message(&call));
    let split = request.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    let mut client = host.client();
    client.send(&request[..split]);
    assert_eq!(client.receive_head().status, 100);
    client.send(&request[split..]);
    assert_eq!(client.receive().status, 200);

    // And who asks in vain need not send.
    let mut client = host.client();
    client.send(
        b"POST /nowhere HTTP/1.1\r\nHost: t\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n",
    );
    assert_eq!(client.receive().status, 404);
}

#[test]
fn http_1_0_is_served_with_and_without_keep_alive() {
    let host = Host::start();
    host.save(&[("changed_since", "huge:300")]);
    let call = call(Request::GetActorsByTimestamp {
        updated_on_or_after: None,
        actor_type: Some("Customer".into()),
        field_keys: None,
    });
    let body = message(&call);
    let request = |more: &str| {
        let mut request = format!(
            "POST {SERVICE} HTTP/1.0\r\nContent-Length: {}\r\n{}{more}\r\n",
            body.len(),
            soap_headers(&call)
        )
        .into_bytes();
        request.extend_from_slice(&body);
        request
    };
    let mut client = host.client();
    client.send(&request(""));
    let response = client.receive();
    assert_eq!((response.status, response.version.as_str()), (200, "HTTP/1.0"));
    assert_eq!(response.header("transfer-encoding"), None, "HTTP/1.0 knows no chunks");
    assert!(client.is_closed());

    let mut client = host.client();
    for _ in 0..2 {
        client.send(&request("Connection: keep-alive\r\n"));
        let response = client.receive();
        assert_eq!((response.status, response.header("connection")), (200, Some("keep-alive")));
    }
}

#[test]
fn replies_are_gzip_if_the_client_accepts_it() {
    for limit in ["1MiB", "16KiB"] {
        let host = Host::configured(&format!("[limits]\nreply_in_memory = \"{limit}\""));
        host.save(&[("changed_since", "huge:300")]);
        let actors = call(Request::GetActorsByTimestamp {
            updated_on_or_after: None,
            actor_type: Some("Customer".into()),
            field_keys: None,
        });
        let ask = |call: &Call<'_>, accepted: &str| {
            let accepted = format!("{}Accept-Encoding: {accepted}\r\n", soap_headers(call));
            host.post(&accepted, &message(call))
        };
        let plain = ask(&actors, "identity, deflate, *");
        assert_eq!(plain.header("content-encoding"), None);
        assert_eq!(plain.header("content-length"), Some(plain.body.len().to_string().as_str()));
        assert_eq!(plain.text().matches("<ErpActorWS>").count(), 301);
        for (accepted, packed) in [
            ("gzip", true),
            ("deflate, gzip;q=0.5", true),
            ("GZIP", true),
            ("gzip;q=0", false),
            ("gzip; q=0.0", false),
            ("br", false),
        ] {
            let response = ask(&actors, accepted);
            assert_eq!(response.header("content-encoding"), packed.then_some("gzip"), "{accepted}");
            let mut body = Vec::new();
            if packed {
                assert!(response.body.len() * 5 < plain.body.len());
                GzDecoder::new(response.body.as_slice()).read_to_end(&mut body).unwrap();
            } else {
                body = response.body;
            }
            assert!(body == plain.body, "{accepted}");
        }
        let small = ask(&call(Request::TestConnection), "gzip");
        assert_eq!(small.header("content-encoding"), None, "not worth it");
    }
}

#[test]
fn keep_alive_serves_one_request_after_the_other() {
    let host = Host::start();
    host.save(&[]);
    let call = call(Request::GetSupportedActorTypes);
    let request = post(SERVICE, &soap_headers(&call), &message(&call));
    let mut client = host.client();
    for _ in 0..3 {
        client.send(&request);
        assert!(client.receive().text().contains("Person"));
    }
    // Pipelined, too.
    client.send(&[request.clone(), request].concat());
    for _ in 0..2 {
        assert!(client.receive().text().contains("Person"));
    }
    assert_eq!(host.call(Request::TestConnection).state, State::Warning);
}
