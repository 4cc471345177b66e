//! Whatever a caller gets wrong ends in an answer that says what was wrong. The cases stand in
//! docs/operators/troubleshooting.md, too: a case that is not there, or is answered differently, fails.

use std::io::Write;
use std::sync::LazyLock;

use contract::{
    Actor, Call, Dialect, Dictionary, Envelope, Operation, ReplyError, Request, Restriction, read_reply,
};
use test_support::documentation::read;
use test_support::exchange::PATH;
use test_support::http;
use test_support::{EXCEL, HELLO, Setup, TestHost, WORKBOOK};
use values::{State, error_code};

use crate::operations::{customer, settings};

const GUID: &str = "99999999-0000-4000-8000-000000000001";
const ACTION: &str = "http://www.superoffice.net/EIS/Connector/1.0/IErpConnectorWS/";
const NS: &str = "http://www.superoffice.net/EIS/Connector/1.0";

/// The first words of a row of the documentation's tables, and all of the row.
static DOCUMENTED: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let page = read("docs/operators/troubleshooting.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| "));
    rows.filter_map(|row| row.split_once(" | ").map(|(case, rest)| (case.to_owned(), rest.to_owned())))
        .collect()
});

/// Checks that a case is documented with this status.
fn documented(case: &str, status: &str) {
    let row = DOCUMENTED.iter().find(|(name, _)| name == case);
    let (_, row) = row.unwrap_or_else(|| panic!("troubleshooting.md has no case {case:?}"));
    assert!(row.starts_with(status), "troubleshooting.md says of {case:?}: {row}; it is {status}");
}

fn host() -> TestHost {
    let host = Setup::new().plugin(EXCEL).start();
    let client = host.client(Dialect::Message).connection(GUID);
    client.ok(Request::SaveConnection { connection_info: settings(WORKBOOK) });
    host
}

/// A host without a workbook, for what never reaches a connector.
fn small_host() -> TestHost {
    // A small limit, so that what exceeds it is made quickly.
    let host = Setup::new().plugin(HELLO).configuration("[limits]\nbody = \"2MiB\"\n").start();
    let client = host.client(Dialect::Message).connection(GUID);
    client
        .ok(Request::SaveConnection { connection_info: Some([("Prefix", Some("N"))].into_iter().collect()) });
    host
}

/// After everything that was tried the host must still serve.
fn still_serves(host: &TestHost) {
    host.client(Dialect::Message).connection(GUID).ok(Request::TestConnection);
}

fn request(body: &str) -> http::Request {
    http::Request::soap(PATH, &format!("{ACTION}WSTestConnection"), body)
}

fn envelope(body: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>{body}</s:Body></s:Envelope>"
    )
}

fn test_connection() -> String {
    envelope(&format!(
        "<RequestBaseWS xmlns=\"{NS}\"><ConnectionGuid>{GUID}</ConnectionGuid></RequestBaseWS>"
    ))
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn http_errors_are_answered_as_documented() {
    let host = small_host();
    let good = request(&test_connection());
    let large = "x".repeat((2 << 20) + 1);
    // What packs as well as text does, and no better.
    let numbers: String = (0..400_000).map(|number| number.to_string()).collect();
    let table = [
        ("another path", http::Request::get("/erp"), 404, "/Services/ErpConnectorWS.svc"),
        ("another method", http::Request::new("PUT", PATH), 405, "POST"),
        ("no content type", good.clone().without("Content-Type"), 415, "text/xml"),
        (
            "another content type",
            good.clone().header("Content-Type", "application/json"),
            415,
            "application/json",
        ),
        (
            "a charset that is not known",
            good.clone().header("Content-Type", "text/xml; charset=klingon"),
            415,
            "klingon",
        ),
        ("a body over the limit", request(&large), 413, "2097152"),
        (
            "gzip that is too large when unpacked",
            good.clone().header("Content-Encoding", "gzip").body(gzip(numbers.as_bytes())),
            413,
            "2097152",
        ),
        (
            "gzip that unpacks to hundreds of times its size",
            good.clone().header("Content-Encoding", "gzip").body(gzip(large.as_bytes())),
            413,
            "100 times",
        ),
        ("gzip that is none", good.clone().header("Content-Encoding", "gzip"), 400, "gzip"),
        ("another content encoding", good.clone().header("Content-Encoding", "br"), 415, "br"),
        (
            "a WSDL of an unknown dialect",
            http::Request::get(&format!("{PATH}?wsdl&dialect=x")),
            400,
            "message",
        ),
        (
            "a call of an unknown dialect",
            http::Request::soap(
                &format!("{PATH}?dialect=x"),
                &format!("{ACTION}WSTestConnection"),
                test_connection(),
            ),
            400,
            "message",
        ),
        ("a part of a WSDL that has none", http::Request::get(&format!("{PATH}?xsd=xsd0")), 404, "xsd0"),
    ];
    for (case, request, status, text) in table {
        documented(case, &status.to_string());
        let response = request.send(host.address()).unwrap();
        assert_eq!(response.status, status, "{case}: {}", response.text());
        assert!(response.text().contains(text), "{case}: {}", response.text());
        if status == 405 {
            assert!(response.header("Allow").is_some_and(|allow| allow.contains("POST")), "{case}");
        }
    }
    for nonsense in
        [&b"nonsense\r\n\r\n"[..], b"\x16\x03\x01\x02\x00\x01\x00", b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n"]
    {
        // Bytes that are no HTTP get a 400 or a closed connection, never a hang.
        if let Ok(response) = http::exchange(host.address(), nonsense) {
            assert_eq!(response.status, 400);
        }
    }
    still_serves(&host);
}

#[test]
fn bad_messages_get_a_fault() {
    let host = small_host();
    let body = test_connection();
    let deep = format!("{}{}", "<a>".repeat(70), "</a>".repeat(70));
    let with = |from: &str, to: &str| {
        assert!(body.contains(from));
        request(&body.replace(from, to))
    };
    let action = |action: &str| request(&body).header("SOAPAction", &format!("\"{action}\""));
    let table = [
        ("an empty body", request(""), "no root element"),
        ("XML that ends early", request(&body[..body.len() - 20]), "ends"),
        ("tags that do not match", with("</RequestBaseWS>", "</RequestBase>"), "RequestBase"),
        ("a DOCTYPE", request(&format!("<!DOCTYPE s [<!ENTITY e \"x\">]>{body}")), "DOCTYPE"),
        ("an entity of one's own", with(GUID, "&guid;"), "guid"),
        ("a processing instruction", with("<s:Body>", "<?php exit ?><s:Body>"), "instruction"),
        ("text after the envelope", request(&format!("{body} and more")), "after"),
        ("a second root", request(&format!("{body}<more/>")), "root"),
        ("two elements in the body", with("</s:Body>", "<more/></s:Body>"), "more"),
        ("elements over 64 levels deep", with("</RequestBaseWS>", &format!("{deep}</RequestBaseWS>")), "64"),
        (
            "bytes that are no UTF-8",
            {
                let mut bytes = body.clone().into_bytes();
                let at = body.find(GUID).unwrap();
                bytes[at] = 0xff;
                request("").body(bytes)
            },
            "UTF-8",
        ),
        ("a prefix that is not declared", with("<s:Body>", "<t:Body>"), "t"),
        ("XML that is no SOAP", request("<hello/>"), "Envelope"),
        (
            "a SOAP header that must be understood",
            with("<s:Body>", "<s:Header><x s:mustUnderstand=\"1\"/></s:Header><s:Body>"),
            "x",
        ),
        ("an unknown SOAPAction", action("urn:hello"), "urn:hello"),
        ("an unknown operation", action(&format!("{ACTION}WSHello")), "WSHello"),
        (
            "an unknown body element",
            request(&envelope(&format!("<Hello xmlns=\"{NS}\"/>"))).without("SOAPAction"),
            "Hello",
        ),
        (
            "no SOAPAction, and a body of several operations",
            request(&body).without("SOAPAction"),
            "SOAPAction",
        ),
        ("SOAPAction and body disagree", action(&format!("{ACTION}WSGetList")), "GetListRequestWS"),
    ];
    let mut problems = Vec::new();
    for (case, request, text) in table {
        documented(case, "fault");
        let response = request.send(host.address()).unwrap();
        assert_eq!(response.status, 500, "{case}: {response:?}");
        assert!(response.header("Content-Type").is_some_and(|kind| kind.starts_with("text/xml")), "{case}");
        match read_reply(&response.body, Operation::TestConnection) {
            Err(ReplyError::Fault(fault)) if fault.text.contains(text) => {}
            other => problems.push(format!("{case}: {other:?}, expected a fault about {text:?}")),
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    still_serves(&host);
}

/// The requests that are answered with State=Error, and a word that the explanation must hold.
fn wrong_values() -> Vec<(&'static str, Option<&'static str>, Request<'static>, &'static str)> {
    fn restricted(field: &'static str, operator: &'static str, value: &'static str) -> Request<'static> {
        Request::SearchActorsAdvanced {
            actor_type: Some("Customer".into()),
            restrictions: Some(vec![Restriction {
                field_key: Some(field.into()),
                operator: Some(operator.into()),
                scalar_value: Some(value.into()),
                values: None,
            }]),
            field_keys: None,
        }
    }
    fn save(actor: Actor<'static>) -> Request<'static> {
        Request::SaveActors { actors: Some(vec![actor]) }
    }
    let here = Some(GUID);
    vec![
        ("a GUID that is none", Some("not a guid"), Request::TestConnection, "not a guid"),
        ("no GUID", None, Request::TestConnection, "ConnectionGuid"),
        (
            "an unknown actor type",
            here,
            Request::GetSupportedActorTypeFields { actor_type: Some("Alien".into()) },
            "Alien",
        ),
        ("no actor type", here, Request::GetSupportedActorTypeFields { actor_type: None }, "ActorType"),
        ("a restriction on an unknown field", here, restricted("NOFIELD", "=", "1"), "NOFIELD"),
        ("an operator that does not exist", here, restricted("NAME", "~~", "a"), "~~"),
        ("an operator of another type", here, restricted("NAME", ">", "a"), "NAME"),
        ("a value of another type", here, restricted("LIMIT", ">", "[I:many]"), "LIMIT"),
        (
            "saving a key that does not exist",
            here,
            save(customer(Some("no-such-key"), &[("NAME", "x")])),
            "no-such-key",
        ),
        (
            "saving a field that does not exist",
            here,
            save(customer(Some("1001"), &[("NOFIELD", "x")])),
            "NOFIELD",
        ),
        ("saving a value of another type", here, save(customer(Some("1001"), &[("LIMIT", "much")])), "LIMIT"),
        (
            "saving a list item that does not exist",
            here,
            save(customer(Some("1001"), &[("PAYMENTTERMS", "99")])),
            "99",
        ),
        (
            "creating without a mandatory field",
            here,
            Request::CreateActor { actor: Some(customer(None, &[("POSTALCITY", "Oslo")])) },
            "NAME",
        ),
        ("creating nothing", here, Request::CreateActor { actor: None }, "Actor"),
        (
            "settings that are missing",
            here,
            Request::TestConfigData { connection_info: Some(Dictionary::default()) },
            "File name",
        ),
        (
            "a workbook that does not exist",
            here,
            Request::TestConfigData { connection_info: settings("none.xlsx") },
            "none.xlsx",
        ),
        (
            "a workbook outside the folder",
            here,
            Request::TestConfigData { connection_info: settings("../../etc/passwd.xlsx") },
            "passwd",
        ),
        (
            "saving the all-zero GUID",
            Some("00000000-0000-0000-0000-000000000000"),
            Request::SaveConnection { connection_info: settings(WORKBOOK) },
            "zero",
        ),
    ]
}

#[test]
fn wrong_values_get_an_error_that_names_them() {
    let host = host();
    let before = std::fs::read(host.workbook()).unwrap();
    let mut problems = Vec::new();
    for (case, guid, request, text) in wrong_values() {
        documented(case, "State=Error");
        let client = host.client(Dialect::Message);
        let answer = guid.map_or(client.clone(), |guid| client.connection(guid)).try_call(request);
        match answer {
            Ok(answer)
                if answer.state == State::Error
                    && format!("{} {}", answer.user, answer.tech).contains(text) => {}
            other => problems.push(format!("{case}: {other:?}")),
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(before == std::fs::read(host.workbook()).unwrap(), "nothing was written");
    for value in ["many", "much"] {
        assert!(!host.log().contains(value), "no value in the log: {value}");
    }
    // An actor that is not saved is named by its key, and only there.
    let names_key = |line: &&str| line.contains("no-such-key");
    assert!(host.log().lines().filter(names_key).all(|line| line.contains("an actor is not saved")));
    still_serves(&host);
}

#[test]
fn unknown_keys_and_lists_are_left_out() {
    let host = host();
    let client = host.client(Dialect::Message).connection(GUID);
    documented("unknown field keys to return", "left out");
    documented("unknown keys to fetch", "left out");
    documented("an unknown list", "Ok, and null");
    let list = client.ok(Request::GetList { list_name: Some("NoList".into()) });
    assert!(list.list.is_empty() && list.response.text().contains("<ListItems i:nil=\"true\"/>"), "{list:?}");
    let keys = ["nobody", "1001"].map(|key| Some(key.into()));
    let got = client.ok(Request::GetActors {
        actor_type: Some("Customer".into()),
        erp_keys: Some(keys.to_vec()),
        field_keys: Some(vec![Some("NOFIELD".into())]),
    });
    assert_eq!(got.keys(), ["1001"]);
    assert!(got.actors[0].fields.is_empty());
}

#[test]
fn unknown_connections_are_asked_for() {
    let host = host();
    let requests = [
        Request::TestConnection,
        Request::DeleteConnection,
        Request::GetSupportedActorTypes,
        Request::GetSearchableFields { actor_type: Some("Customer".into()) },
        Request::SaveActors { actors: Some(vec![]) },
    ];
    documented("a GUID that is not stored", "UNKNOWN_CONNECTION_ID");
    for dialect in Dialect::ALL {
        for request in &requests {
            let client = host.client(*dialect).connection("12345678-0000-4000-8000-000000000000");
            let answer = client.call(request.clone());
            assert_eq!(
                (answer.state, answer.code.as_str()),
                (State::Error, error_code::UNKNOWN_CONNECTION_ID)
            );
        }
    }
}

#[test]
fn failing_settings_do_not_replace_working_ones() {
    let host = host();
    let client = host.client(Dialect::Message).connection(GUID);
    let answer = client.call(Request::SaveConnection { connection_info: Some(Dictionary::default()) });
    assert_eq!(answer.state, State::Error);
    still_serves(&host);
}

#[test]
fn incomplete_requests_time_out() {
    let host = Setup::new()
        .plugin(HELLO)
        .configuration("[limits]\nstall_timeout = \"300ms\"\nheader_timeout = \"300ms\"\n")
        .start();
    documented("a caller that stops in the middle", "408");
    let call = Call {
        envelope: Envelope::new(Dialect::Message),
        connection_guid: None,
        request: Request::GetConfigData,
    };
    let mut body = Vec::new();
    contract::write_request(&mut body, &call);
    let whole = http::Request::soap(PATH, &call.soap_action(), body).to_bytes("x");
    let response = http::exchange(host.address(), &whole[..whole.len() - 10]).unwrap();
    assert_eq!(response.status, 408, "{}", response.text());
    documented("a caller that stops in the middle of its head", "408");
    assert_eq!(http::exchange(host.address(), &whole[..40]).unwrap().status, 408);
    host.client(Dialect::Message).ok(Request::GetConfigData);
}
