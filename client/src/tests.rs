//! The client against services that reply correctly, incorrectly and not at all.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use contract::{
    Call, Dialect, Envelope, Fault, Guid, MemberOrder, Operation, Outcome, Payload, Profile, Reply,
    ReplyMessage, Request, SoapVersion,
};

use super::*;

/// A service that sends the same bytes on each connection, and passes on the requests that it received.
pub(crate) struct Service {
    address: SocketAddr,
    pub(crate) requests: mpsc::Receiver<String>,
}

impl Service {
    fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Service::with(move |_| answer.clone())
    }

    pub(crate) fn with(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = receive(&mut stream);
                let answer = answer(&request);
                // A test that has ended does not receive any more.
                let _ = sender.send(request);
                let _ = stream.write_all(&answer);
            }
        });
        Service { address, requests }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/Services/ErpConnectorWS.svc", self.address)
    }
}

/// A request with its body.
fn receive(stream: &mut impl Read) -> String {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lower = head.to_ascii_lowercase();
            let length =
                lower.lines().find_map(|line| line.strip_prefix("content-length: ")).map(str::to_owned);
            let is_whole = match length {
                Some(length) => body.len() >= length.parse::<usize>().unwrap(),
                None => !lower.contains("transfer-encoding: chunked") || body.ends_with("0\r\n\r\n"),
            };
            if is_whole {
                return text;
            }
        }
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return text,
            Ok(count) => request.extend_from_slice(&piece[..count]),
        }
    }
}

pub(crate) fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
        .into_bytes()
}

const XML: &str = "Content-Type: text/xml; charset=utf-8\r\n";

fn reply(dialect: Dialect, operation: Operation, reply: &Reply<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    contract::write_reply(&mut body, &Envelope::new(dialect), operation, reply);
    http("200 OK", XML, std::str::from_utf8(&body).unwrap())
}

fn reply_body(reply: &Reply<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    contract::write_reply(
        &mut body,
        &Envelope::new(Dialect::Message),
        Operation::GetSupportedActorTypes,
        reply,
    );
    body
}

fn fault(text: &str) -> Vec<u8> {
    let mut body = Vec::new();
    contract::write_fault(&mut body, SoapVersion::V11, &Fault::client(text));
    http("500 Internal Server Error", XML, std::str::from_utf8(&body).unwrap())
}

fn items() -> Reply<'static> {
    Reply::with(Outcome::ok(), Payload::Items(Some(vec![Some("Customer".into()), None])))
}

fn short_timeout() -> Options {
    Options {
        timeout: Duration::from_millis(300),
        connect_timeout: Duration::from_secs(5),
        max_response_bytes: 4000,
        ..Options::default()
    }
}

pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn client(url: &str, options: &Options) -> Client {
    Client::new(url.parse().unwrap(), options).unwrap()
}

/// The error of a call of WSGetSupportedActorTypes.
fn error_at(url: &str) -> String {
    let client = client(url, &short_timeout());
    match run(client.call(Some(Guid::ZERO), Request::GetSupportedActorTypes)) {
        Ok(exchange) => exchange.succeeded().map(|exchange| exchange.traffic).unwrap_err().to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn call_returns_the_reply_and_the_http_exchange() {
    for &dialect in Dialect::ALL {
        let service = Service::answering(reply(dialect, Operation::GetSupportedActorTypes, &items()));
        let client = client(&service.url(), &Options::default()).in_dialect(dialect);
        let exchange = run(client.call(Some(Guid::from_u128(7)), Request::GetSupportedActorTypes)).unwrap();
        assert_eq!(exchange.answer, ReplyMessage { envelope: Envelope::new(dialect), reply: items() });
        assert_eq!(exchange.traffic.response.status, 200);
        let request = service.requests.recv().unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let head = head.to_ascii_lowercase();
        let action = "ierpconnectorws/wsgetsupportedactortypes\"";
        assert!(head.contains("soapaction: \"http://") && head.contains(action), "{head}");
        assert!(head.contains("content-type: text/xml; charset=utf-8"), "{head}");
        assert!(body.contains("00000000-0000-0000-0000-000000000007"), "{body}");
        assert_eq!(exchange.traffic.request.body, body.as_bytes());
    }
}

#[test]
fn call_error_names_each_kind_of_bad_response_in_one_sentence() {
    let html = "<!DOCTYPE html><html><head><title>IIS\n Windows Server</title></head></html>";
    let long = format!("<a>{}</a>", "x".repeat(5000));
    let other_reply = {
        let mut body = Vec::new();
        let empty = Reply::with(Outcome::ok(), Payload::Actors(None));
        contract::write_reply(&mut body, &Envelope::new(Dialect::Message), Operation::GetActors, &empty);
        String::from_utf8(body).unwrap()
    };
    let cases: &[(Vec<u8>, &str)] = &[
        (
            http("200 OK", "Content-Type: text/html\r\n", html),
            "no connector at this address: it answers with status 200 and the HTML page \"IIS Windows Server\"",
        ),
        (
            http("404 Not Found", "Content-Type: text/html\r\n", html),
            "no connector at this address: it answers with status 404 and the HTML page",
        ),
        (
            http("404 Not Found", "Content-Type: text/plain\r\n", "no such path"),
            "status 404 and the text \"no such path\"",
        ),
        (http("502 Bad Gateway", "", ""), "status 502 and no text"),
        (
            http(
                "401 Unauthorized",
                "WWW-Authenticate: Basic realm=\"erp\"\r\nContent-Type: text/html\r\n",
                html,
            ),
            "asks for a name and a password: it answers with status 401, WWW-Authenticate: Basic realm=\"erp\"",
        ),
        (
            http("401 Unauthorized", "WWW-Authenticate: Negotiate\r\nContent-Type: text/html\r\n", html),
            "asks for credentials: it answers with status 401, WWW-Authenticate: Negotiate",
        ),
        (http("401 Unauthorized", "Content-Type: text/xml\r\n", "<a/>"), "--credentials FILE"),
        (
            http("403 Forbidden", "Content-Type: text/html\r\n", html),
            "refuses this caller: it answers with status 403",
        ),
        (
            http("503 Service Unavailable", "Retry-After: 5\r\nContent-Type: text/plain\r\n", "busy"),
            "not available at the moment: it answers with status 503, Retry-After: 5 and the text \"busy\"; try again",
        ),
        (
            http("302 Found", "Location: https://sso.example.com/login?to=x\r\n", ""),
            "(status 302), which SuperOffice does not follow: this is a page to sign in",
        ),
        (
            http("200 OK", "Content-Type: text/xml; charset=iso-8859-1\r\n", "<a/>"),
            "the answer cannot be decoded: charset \"iso-8859-1\" is not supported",
        ),
        (
            http("302 Found", "Location: https://erp.example.com/\r\n", ""),
            "redirects to https://erp.example.com/ (status 302), which SuperOffice does not follow",
        ),
        (
            http("200 OK", "Content-Type: application/json\r\n", "{\"a\": 1}"),
            "no SOAP message: status 200, content type \"application/json\", expected text/xml; it begins with \"{\\\"a\\\": 1}\"",
        ),
        (http("200 OK", XML, "<a b"), "the answer cannot be read: the message is not well-formed"),
        (
            http("200 OK", XML, "<a/>"),
            "the answer cannot be read: the root element is <a>, expected a SOAP <Envelope>",
        ),
        (
            http("200 OK", XML, &other_reply),
            "<ActorArrayPluginResponseWS>, expected <StringArrayPluginResponseWS>",
        ),
        (http("200 OK", XML, &long), "the answer is larger than 4000 bytes"),
        (fault("no such thing"), "a SOAP fault, Client: no such thing"),
        (
            reply(
                Dialect::Message,
                Operation::GetSupportedActorTypes,
                &Reply::with(
                    Outcome::error("US:\"Not now\";NO:\"Ikke nå\"")
                        .with_tech_explanation("disk full")
                        .with_error_code("X1"),
                    Payload::Items(None),
                ),
            ),
            "WSGetSupportedActorTypes: Not now (disk full) [X1]",
        ),
        (b"220 ftp.example.com FTP server ready\r\n".to_vec(), "does not speak HTTP"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 100\r\n\r\n<a/>".to_vec(),
            "ended before the answer was complete",
        ),
        (Vec::new(), "ended before the answer was complete"),
    ];
    for (answer, expected) in cases {
        let service = Service::answering(answer.as_slice());
        let error = error_at(&service.url());
        assert!(error.contains(expected), "{error:?} lacks {expected:?}");
        assert!(!error.contains('\n') && !error.ends_with('.'), "one sentence: {error}");
    }
}

#[test]
fn call_reads_replies_in_utf_16() {
    let message = String::from_utf8(reply_body(&items())).unwrap();
    let little: Vec<u8> = message.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = message.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let marked = |mark: [u8; 2], text: &[u8]| [&mark, text].concat();
    for (content_type, body) in [
        ("text/xml; charset=utf-16", marked([0xff, 0xfe], &little)),
        ("text/xml; charset=\"UTF-16\"", marked([0xfe, 0xff], &big)),
        ("text/xml; charset=utf-16le", little.clone()),
        ("text/xml;charset=utf-16BE", big.clone()),
        ("text/xml; charset=unicode", little.clone()),
        ("text/xml", marked([0xff, 0xfe], &little)),
        ("text/xml; charset=utf-8", [&[0xef, 0xbb, 0xbf], message.as_bytes()].concat()),
    ] {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let service = Service::answering([head.as_bytes(), &body].concat());
        let client = client(&service.url(), &Options::default());
        let exchange = run(client.call(None, Request::GetSupportedActorTypes)).unwrap();
        assert_eq!(exchange.answer.reply, items(), "{content_type}");
    }
}

#[test]
fn credentials_are_headers_or_a_name_and_a_password() {
    let credentials =
        Credentials::parse("# of the test system\n\nX-Connector-Secret:  s3cret \neis:pass word:1\n")
            .unwrap();
    assert!(!format!("{credentials:?}").contains("s3cret"), "{credentials:?}");
    let (sender, received) = mpsc::channel();
    let service = Service::with(move |request| {
        sender.send(request.to_ascii_lowercase()).unwrap();
        reply(Dialect::Message, Operation::GetSupportedActorTypes, &items())
    });
    let options = Options { credentials, ..Options::default() };
    run(client(&service.url(), &options).call(None, Request::GetSupportedActorTypes)).unwrap();
    let request = received.recv().unwrap();
    assert!(request.contains("x-connector-secret: s3cret\r\n"), "{request}");
    let basic = "authorization: basic ZWlzOnBhc3Mgd29yZDox".to_ascii_lowercase();
    assert!(request.contains(&basic), "{request}");
    for wrong in ["s3cret", ":s3cret", "X Y: s3cret"] {
        let error = Credentials::parse(wrong).unwrap_err();
        assert!(error.contains("line 1") && !error.contains("s3cret"), "{error}");
    }
}

#[test]
fn call_error_names_why_a_service_cannot_be_reached() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = error_at(&format!("http://{closed}/"));
    assert!(error.contains(&format!("nobody listens at {closed}: the connection was refused")), "{error}");

    let error = error_at("http://no-such-host.invalid/");
    assert!(error.contains("the host name \"no-such-host.invalid\" cannot be resolved"), "{error}");

    // It accepts the connection and sends nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = error_at(&format!("http://{}/", silent.local_addr().unwrap()));
    assert!(error.contains("did not answer within 0.3 seconds"), "{error}");

    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", plain.local_addr().unwrap());
    thread::spawn(move || plain.accept().unwrap().0.write_all(&http("400 Bad Request", "", "")));
    let error = error_at(&url);
    assert!(
        error.contains("the TLS connection to") && error.contains("check that the port speaks TLS"),
        "{error}"
    );
}

#[test]
fn tls_accepts_only_trusted_certificates() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, made.cert.pem()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(session, stream.unwrap());
            if !receive(&mut stream).is_empty() {
                stream
                    .write_all(&reply(Dialect::Message, Operation::GetSupportedActorTypes, &items()))
                    .unwrap();
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    let answer = |options: &Options| run(client(&url, options).call(None, Request::GetSupportedActorTypes));
    let options = Options::default();
    assert!(answer(&Options { ca: Some(ca.clone()), ..options.clone() }).is_ok());
    assert!(answer(&Options { insecure: true, ..options.clone() }).is_ok());
    // Another certificate is trusted, so this one is not.
    let other = folder.path().join("other.pem");
    std::fs::write(&other, rcgen::generate_simple_self_signed(["other".to_owned()]).unwrap().cert.pem())
        .unwrap();
    let error = answer(&Options { ca: Some(other), ..options.clone() }).unwrap_err().to_string();
    assert!(error.contains("the TLS connection to localhost") && error.contains("--ca FILE"), "{error}");

    let none = folder.path().join("none.pem");
    let error =
        |ca| Client::new(url.parse().unwrap(), &Options { ca: Some(ca), ..options.clone() }).unwrap_err();
    assert!(error(none.clone()).to_string().contains("none.pem cannot be read"));
    std::fs::write(&none, "no certificate").unwrap();
    assert!(error(none).to_string().contains("there is no certificate in it"));
}

#[test]
fn detect_dialect_finds_the_dialect_of_the_service() {
    let form = Reply::with(Outcome::ok(), Payload::Fields(Some(vec![contract::Field::default()])));
    for &dialect in Dialect::ALL {
        let form = form.clone();
        let service = Service::with(move |request| {
            let is_empty_body = !request.contains("WSGetConfigData xmlns");
            if is_empty_body == (dialect == Dialect::Message) {
                reply(dialect, Operation::GetConfigData, &form)
            } else {
                fault("what is that?")
            }
        });
        let client = client(&service.url(), &Options::default());
        assert_eq!(run(client.detect_dialect()).unwrap().profile().dialect(), Some(dialect));
    }
    let service = Service::answering(fault("nothing works"));
    let error = run(client(&service.url(), &Options::default()).detect_dialect()).unwrap_err();
    assert!(error.to_string().contains("nothing works"), "{error}");
}

#[test]
fn requests_can_use_http_10_and_chunks() {
    let service = Service::answering(reply(Dialect::Message, Operation::GetSupportedActorTypes, &items()));
    let client = client(&service.url(), &Options::default());
    let call = Call {
        envelope: Envelope::new(Dialect::Message),
        connection_guid: None,
        request: Request::GetSupportedActorTypes,
    };
    let mut request = client.request(&call);
    request.use_http_10 = true;
    run(client.send(request.clone())).unwrap();
    assert!(service.requests.recv().unwrap().starts_with("POST /Services/ErpConnectorWS.svc HTTP/1.0\r\n"));
    request.use_http_10 = false;
    request.framing = BodyFraming::Chunked(7);
    run(client.send(request)).unwrap();
    let seen = service.requests.recv().unwrap().to_ascii_lowercase();
    assert!(seen.contains("transfer-encoding: chunked") && seen.contains("\r\n7\r\n"), "{seen}");
}

#[test]
fn service_address_accepts_common_forms() {
    let read = |text: &str| text.parse::<ServiceAddress>().map(|address| address.to_string());
    let path = "Services/ErpConnectorWS.svc";
    for (text, expected) in [
        ("http://erp:8080", format!("http://erp:8080/{path}")),
        (" http://erp/ ", format!("http://erp/{path}")),
        ("localhost:8080", format!("http://localhost:8080/{path}")),
        ("https://erp/a/b.svc?wsdl", "https://erp/a/b.svc".to_owned()),
        (
            "https://erp/a/b.svc?singleWsdl&ConnectorName=X#top",
            "https://erp/a/b.svc?ConnectorName=X".to_owned(),
        ),
    ] {
        assert_eq!(read(text), Ok(expected), "{text}");
    }
    assert!(read("ftp://erp/").unwrap_err().to_string().contains("http:// or https://"));
    assert!(read("http://").unwrap_err().to_string().contains("\"http://\" is not a URL"));
    for secret in
        ["http://ola:s3cret@erp/", "ola:s3cret@erp:8080", "http://s3cret@erp:999999/", "ftp://ola:s3cret@erp"]
    {
        let error = read(secret).unwrap_err().to_string();
        assert!(error.contains("--credentials FILE") && !error.contains("s3cret"), "{error}");
    }
    assert_eq!(read("erp/a@b?c=d@e"), Ok("http://erp/a@b?c=d@e".to_owned()));
    let address: ServiceAddress = "http://erp/?a=1&connectorname=Old".parse().unwrap();
    let named = address.connector("Æ & Ø");
    let plain = Profile::builtin(Dialect::Plain, MemberOrder::Name);
    assert_eq!(named.connector_name().as_deref(), Some("Æ & Ø"));
    assert!(named.for_profile(plain).as_str().ends_with("&dialect=plain"));
    let wsdl = named.wsdl_url("singleWsdl");
    assert!(wsdl.as_str().contains("svc?singleWsdl&a=1&ConnectorName="), "{wsdl}");
    let wsdl = named.wsdl_url_of_profile("wsdl", plain);
    assert!(wsdl.as_str().contains("svc?wsdl&a=1&") && wsdl.as_str().ends_with("&dialect=plain"), "{wsdl}");
}
