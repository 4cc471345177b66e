//! WSDLs of services that serve them in several forms, badly, or not at all, and of files.

use std::collections::HashMap;
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use contract::learn::{compare, learn};
use contract::{Dialect, MemberOrder};

use super::*;
use crate::tests::{Service, http, run};

const XML: &str = "Content-Type: text/xml; charset=utf-8\r\n";
const HTML: &str = "Content-Type: text/html\r\n";
const PATH: &str = "/Services/ErpConnectorWS.svc";

/// A WSDL that imports these documents.
fn importing(locations: &[&str]) -> String {
    let imports: String = locations
        .iter()
        .map(|location| format!("<wsdl:import namespace=\"urn:x\" location=\"{location}\"/>"))
        .collect();
    format!("<wsdl:definitions xmlns:wsdl=\"http://schemas.xmlsoap.org/wsdl/\">{imports}</wsdl:definitions>")
}

/// A schema that includes these documents.
fn including(locations: &[&str]) -> String {
    let includes: String =
        locations.iter().map(|location| format!("<xs:include schemaLocation=\"{location}\"/>")).collect();
    format!("<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\">{includes}</xs:schema>")
}

/// The path with the query of a request.
fn target(request: &str) -> String {
    request.split(' ').nth(1).unwrap_or_default().to_owned()
}

/// A service with these responses by path and query, and 404 for the rest.
fn serving(responses: impl IntoIterator<Item = (String, Vec<u8>)>) -> Service {
    let responses: HashMap<String, Vec<u8>> = responses.into_iter().collect();
    Service::with(move |request| {
        let missing = || http("404 Not Found", HTML, "<html><title>Not here</title></html>");
        responses.get(&target(request)).cloned().unwrap_or_else(missing)
    })
}

fn xml(query: &str, text: &str) -> (String, Vec<u8>) {
    (format!("{PATH}?{query}"), http("200 OK", XML, text))
}

fn fetched(address: &str) -> Result<Vec<WsdlDocument>, WsdlError> {
    run(fetch(&address.parse().unwrap(), &options(), false))
}

fn options() -> Options {
    Options { timeout: Duration::from_millis(500), ..Options::default() }
}

fn urls(documents: &[WsdlDocument]) -> Vec<&str> {
    documents.iter().map(|document| document.url.as_str()).collect()
}

fn requested(requests: &Receiver<String>) -> Vec<String> {
    requests.try_iter().map(|request| target(&request)).collect()
}

fn assert_sentence(error: &str, expected: &str) {
    assert!(error.contains(expected), "{error:?} lacks {expected:?}");
    assert!(!error.contains('\n') && !error.ends_with('.'), "one sentence: {error}");
}

#[test]
fn wsdl_of_a_service_is_its_single_document_where_there_is_one() {
    let ours = contract::wsdl(Dialect::Data, MemberOrder::Name, "http://erp/");
    let service = serving([xml("singleWsdl&ConnectorName=X", &ours)]);
    let url = format!("{}?ConnectorName=X", service.url());
    let documents = fetched(&url).unwrap();
    assert_eq!(requested(&service.requests), [format!("{PATH}?singleWsdl&ConnectorName=X")]);
    assert_eq!(urls(&documents), [format!("{}?singleWsdl&ConnectorName=X", service.url())]);
    assert_eq!(compare(&learn("x", &documents).unwrap().layout).builtin, "data");
}

#[test]
fn wsdl_of_a_service_comes_with_all_that_it_imports_once() {
    let service = serving([
        // .NET before version 4.5 answers with its help page.
        (format!("{PATH}?singleWsdl"), http("200 OK", HTML, "<html><title>Service</title></html>")),
        xml("wsdl", &importing(&[&format!("{PATH}?wsdl=wsdl0"), "?xsd=xsd0#top"])),
        xml("wsdl=wsdl0", &importing(&["?wsdl", "?xsd=xsd0"])),
        xml("xsd=xsd0", &including(&["ErpConnectorWS.svc?xsd=xsd1", "?xsd=xsd0"])),
        xml("xsd=xsd1", &including(&["?xsd=xsd0", "?wsdl"])),
    ]);
    let documents = fetched(&service.url()).unwrap();
    let expected = ["wsdl", "wsdl=wsdl0", "xsd=xsd0", "xsd=xsd1"];
    assert_eq!(urls(&documents), expected.map(|query| format!("{}?{query}", service.url())));
    let requested = requested(&service.requests);
    let all = ["singleWsdl"].into_iter().chain(expected);
    assert_eq!(requested, all.map(|query| format!("{PATH}?{query}")).collect::<Vec<_>>());
}

#[test]
fn wsdl_address_with_its_own_query_is_used_as_it_is() {
    let service = serving([xml("WSDL&v=2", &importing(&[]))]);
    let documents = fetched(&format!("{}?WSDL&v=2", service.url())).unwrap();
    assert_eq!(urls(&documents), [format!("{}?WSDL&v=2", service.url())]);
    let error = fetched(&format!("{}?singleWsdl", service.url())).unwrap_err().to_string();
    assert_sentence(&error, "?singleWsdl answers with status 404 and the HTML page \"Not here\"");
    assert_eq!(requested(&service.requests), [format!("{PATH}?WSDL&v=2"), format!("{PATH}?singleWsdl")]);
}

#[test]
fn wsdl_error_names_each_kind_of_bad_response_in_one_sentence() {
    let page = "<!DOCTYPE html><html><head><title>Sign\n in</title></head></html>";
    let large = format!("<a>{}</a>", "x".repeat(MAX_DOCUMENT));
    for (response, expected) in [
        (http("200 OK", HTML, page), "?wsdl answers with the HTML page \"Sign in\", expected a WSDL: exempt"),
        (http("200 OK", XML, page), "?wsdl answers with the HTML page \"Sign in\", expected a WSDL: exempt"),
        (
            http("404 Not Found", HTML, page),
            "?wsdl answers with status 404 and the HTML page \"Sign in\", expected 200",
        ),
        (http("500 Internal Server Error", "", ""), "status 500 and no text, expected 200 and a WSDL: check"),
        (http("405 Method Not Allowed", "", "only POST"), "status 405 and the text \"only POST\""),
        (http("401 Unauthorized", "WWW-Authenticate: Basic\r\n", ""), "--credentials FILE"),
        (http("403 Forbidden", "", ""), "singleWsdl cannot be fetched: the service refuses this caller"),
        (
            http("302 Found", "Location: https://sso/login\r\n", ""),
            "redirects to https://sso/login (status 302)",
        ),
        (http("200 OK", "", "{}"), "?wsdl is no XML: "),
        (http("200 OK", XML, ""), "?wsdl is no XML: "),
        (
            http("200 OK", XML, "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"),
            "?wsdl has a DTD, which is not read",
        ),
        (http("200 OK", XML, "<a/>"), "the root element of http://"),
        (
            http("200 OK", "Content-Type: text/xml; charset=koi8-r\r\n", "<a/>"),
            "charset \"koi8-r\" is not supported",
        ),
        (http("200 OK", XML, &large), "the answer is larger than 8388608 bytes"),
        (b"220 ftp ready\r\n".to_vec(), "does not speak HTTP"),
        (Vec::new(), "ended before the answer was complete"),
    ] {
        let service = Service::with(move |_| response.clone());
        let error = fetched(&service.url()).unwrap_err().to_string();
        assert_sentence(&error, expected);
        assert!(error.contains(&service.url()), "{error}");
    }
}

#[test]
fn wsdl_error_of_a_service_that_does_not_answer_comes_after_one_time_limit() {
    // It accepts the connections and sends nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}{PATH}", silent.local_addr().unwrap());
    let error = fetched(&url).unwrap_err();
    assert_sentence(&error.to_string(), "did not answer within 0.5 seconds; --timeout sets how long to wait");
    assert!(matches!(error.into_unreachable(), Ok(CallErrorKind::Timeout { .. })));
    silent.set_nonblocking(true).unwrap();
    assert_eq!(silent.incoming().map_while(Result::ok).count(), 1, "one request");

    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = fetched(&format!("http://{closed}{PATH}")).unwrap_err();
    assert_sentence(&error.to_string(), &format!("nobody listens at {closed}"));
}

#[test]
fn wsdl_imports_from_another_host_are_fetched_only_on_request_and_without_credentials() {
    let other = serving([xml("xsd=xsd0", &including(&[]))]);
    let import = format!("{}?xsd=xsd0", other.url());
    let service = serving([xml("singleWsdl", &importing(&[&import]))]);
    let error = fetched(&service.url()).unwrap_err().to_string();
    assert_sentence(
        &error,
        &format!(
            "{}?singleWsdl imports {import} from another host, which only erp-host contract learn fetches, with --follow-other-hosts",
            service.url()
        ),
    );
    assert_eq!(requested(&other.requests), Vec::<String>::new());

    let options = Options { credentials: Credentials::parse("X-Secret: s3cret").unwrap(), ..options() };
    let documents = run(fetch(&service.url().parse().unwrap(), &options, true)).unwrap();
    assert_eq!(urls(&documents)[1], import);
    let to_service: Vec<String> = service.requests.try_iter().collect();
    assert!(to_service[1].contains("s3cret"), "{to_service:?}");
    let to_other: Vec<String> = other.requests.try_iter().collect();
    assert!(!to_other[0].contains("s3cret"), "{to_other:?}");
}

#[test]
fn wsdl_imports_of_a_server_are_never_files() {
    let folder = tempfile::tempdir().unwrap();
    let schema = write(folder.path(), "a.xsd", &including(&[]));
    let location = Url::from_file_path(&schema).unwrap().to_string();
    let service = serving([xml("singleWsdl", &importing(&[&location]))]);
    let error = run(fetch(&service.url().parse().unwrap(), &options(), true)).unwrap_err().to_string();
    assert_sentence(&error, "a.xsd, and a file is read only for another file of this machine");
    for (location, expected) in [
        ("ftp://erp/a.xsd", "its scheme is ftp, expected http, https or file"),
        ("http://[::1/", "no address of a document"),
        ("http://ola:s3cret@erp/a.xsd", "no address of a document: it has a user or a password"),
    ] {
        let service = serving([xml("singleWsdl", &importing(&[location]))]);
        assert_sentence(&fetched(&service.url()).unwrap_err().to_string(), expected);
    }
}

#[test]
fn wsdl_with_too_many_documents_is_refused() {
    let service = Service::with(|request| {
        let target = target(request);
        let number: usize = target.rsplit("xsd").next().unwrap_or_default().parse().unwrap_or(0);
        let text = importing(&[&format!("?xsd=xsd{}", number + 1)]);
        http("200 OK", XML, &text)
    });
    let error = fetched(&service.url()).unwrap_err().to_string();
    assert_sentence(&error, "the WSDL has more than 40 documents");
    assert_eq!(requested(&service.requests).len(), MAX_DOCUMENTS);

    let padding = " ".repeat(MAX_DOCUMENT / 2);
    let service = Service::with(move |request| {
        let number = target(request).len() + 1;
        let next = "x".repeat(number);
        http("200 OK", XML, &format!("{}{padding}", importing(&[&format!("?{next}")])))
    });
    let options = Options { timeout: Duration::from_secs(60), ..Options::default() };
    let error = run(fetch(&service.url().parse().unwrap(), &options, false)).unwrap_err().to_string();
    assert_sentence(&error, "are larger than 33554432 bytes together");
}

fn write(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn wsdl_source_without_scheme_is_a_service_where_it_looks_like_its_address() {
    let folder = tempfile::tempdir().unwrap();
    let there = write(folder.path(), "erp.example.com", "").display().to_string();
    let missing = folder.path().join("erp.example.com:80").display().to_string();
    let service = "http://erp.example.com/a/B.svc";
    for (text, expected) in [
        ("localhost:8080", "http://localhost:8080/Services/ErpConnectorWS.svc"),
        ("localhost", "http://localhost/Services/ErpConnectorWS.svc"),
        ("localhost/a", "http://localhost/a"),
        ("erp:8080/a", "http://erp:8080/a"),
        ("erp", "http://erp/Services/ErpConnectorWS.svc"),
        ("erp/a/B.svc", "http://erp/a/B.svc"),
        ("[::1]:8080", "http://[::1]:8080/Services/ErpConnectorWS.svc"),
        ("erp.example.com/a/B.svc", service),
        ("erp.example.com/a/B.svc?ConnectorName=X", &format!("{service}?ConnectorName=X")),
        ("erp.example.com/a/B.svc?wsdl", &format!("{service}?wsdl")),
    ] {
        let source: Source = text.parse().unwrap();
        assert_eq!(source.to_string(), expected, "{text}");
        let is_document = matches!(source, Source::Document(_));
        assert_eq!(is_document, text.ends_with("?wsdl"), "{text}");
    }
    for file in [
        "service.wsdl",
        "erp.example.com/service.XML",
        "all.xsd",
        "folder/service",
        "./localhost",
        "../erp:8080",
        "~/service",
        r"C:\service",
        "C:/folder/service",
        "my service",
        "-",
        &there,
        &missing,
    ] {
        let source: Source = file.parse().unwrap();
        assert!(source.to_string().starts_with("file:///"), "{file}: {source}");
    }
    for secret in [
        "http://ola:s3cret@erp/",
        "http://ola:s3cret@erp/?wsdl",
        "ola:s3cret@erp:8080",
        "ftp://ola:s3cret@erp/a.wsdl",
    ] {
        let error = secret.parse::<Source>().unwrap_err().to_string();
        assert_sentence(
            &error,
            "user and password do not belong into the address: give them with --credentials FILE",
        );
        assert!(!error.contains("s3cret"), "{error}");
    }
}

#[test]
fn wsdl_files_import_files_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let service = write(folder.path(), "my service.wsdl", &importing(&["parts/one.wsdl"]));
    let one = write(folder.path(), "parts/one.wsdl", &importing(&["../two.xsd", "../my%20service.wsdl"]));
    let utf_16: Vec<u8> = including(&[]).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let two = folder.path().join("two.xsd");
    std::fs::write(&two, [&[0xff, 0xfe][..], &utf_16].concat()).unwrap();
    let expected: Vec<Url> =
        [&service, &one, &two].into_iter().map(|path| Url::from_file_path(path).unwrap()).collect();
    for source in [service.display().to_string(), expected[0].to_string()] {
        let documents = fetched(&source).unwrap();
        assert_eq!(urls(&documents), expected.iter().map(Url::as_str).collect::<Vec<_>>(), "{source}");
    }
}

#[test]
fn wsdl_error_of_a_file_names_it_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let in_folder = |name: &str| folder.path().join(name).display().to_string();
    let importing = |location: &str| {
        let name = format!("{}.wsdl", location.replace(['/', '.', ':', '?'], "_"));
        write(folder.path(), &name, &importing(&[location])).display().to_string()
    };
    write(folder.path(), "page.html", "<html><title>Sign in</title></html>");
    for (source, expected) in [
        (in_folder("none.wsdl"), "none.wsdl: it cannot be read: "),
        (in_folder("none.wsdl"), "; an address begins with http:// or https://"),
        (in_folder("page.html"), "page.html is an HTML page, perhaps for a login"),
        (importing("none.xsd"), "none.xsd: "),
        (importing("."), "it is no regular file"),
        (importing("http://erp/a?xsd=xsd0"), "imports http://erp/a?xsd=xsd0 from another host"),
        (
            importing("//erp/share/a.xsd"),
            "imports file://erp/share/a.xsd, and a file is read only for another file of this machine",
        ),
    ] {
        assert_sentence(&fetched(&source).unwrap_err().to_string(), expected);
    }
    for wrong in ["ftp://erp/a.wsdl", "http://", "file://erp/a.wsdl"] {
        let error = wrong.parse::<Source>().unwrap_err().to_string();
        assert!(error.contains(wrong), "{error}");
    }
}
