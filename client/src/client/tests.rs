//! Clients of services with a WSDL of another contract, of a dialect, of none, and with one that is not true.

use std::net::TcpListener;

use contract::{Outcome, Payload, ReadOptions, Reply, losses};

use super::*;
use crate::tests::{Service, http, run};

const XML: &str = "Content-Type: text/xml; charset=utf-8\r\n";

fn quote_style() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/contracts/quote-style.wsdl");
    std::fs::read_to_string(path).unwrap()
}

fn client(url: &str) -> Client {
    Client::new(url.parse().unwrap(), &Options::default()).unwrap()
}

fn types() -> Reply<'static> {
    Reply::with(Outcome::ok(), Payload::Items(Some(vec![Some("Customer".into())])))
}

fn form() -> Reply<'static> {
    Reply::with(Outcome::ok(), Payload::Fields(Some(vec![contract::Field::default()])))
}

/// A service that serves this WSDL, and answers what it reads in these profiles.
fn service(wsdl: String, profiles: Profiles) -> Service {
    Service::with(move |request| {
        if request.starts_with("GET ") {
            return http("200 OK", XML, &wsdl);
        }
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let action = head.lines().find_map(|line| line.strip_prefix("soapaction: ").map(str::to_owned));
        let options = ReadOptions { action: action.as_deref(), ..ReadOptions::default() };
        let mut out = Vec::new();
        let status = match profiles.read_call(body.as_bytes(), &options) {
            Ok(call) => {
                let reply = if matches!(call.request, Request::GetConfigData) { form() } else { types() };
                contract::write_reply(&mut out, &call.envelope, call.operation(), &reply);
                "200 OK"
            }
            Err(error) => {
                contract::write_fault(&mut out, error.soap, &contract::Fault::client(error.to_string()));
                "500 Internal Server Error"
            }
        };
        http(status, XML, std::str::from_utf8(&out).unwrap())
    })
}

fn learned_profiles(wsdl: &str) -> Profiles {
    let document = contract::learn::WsdlDocument { url: "http://erp/".to_owned(), text: wsdl.to_owned() };
    let contract = ServiceContract::learn(&[document]).unwrap();
    Profiles::new(vec![contract.profile().unwrap()], MemberOrder::Name)
}

#[test]
fn client_speaks_the_contract_of_the_services_wsdl() {
    let wsdl = quote_style();
    let service = service(wsdl.clone(), learned_profiles(&wsdl));
    let choice = client(&service.url()).choose(ProfileChoice::Service, Operation::GetConfigData);
    let (client, source) = run(choice).unwrap();
    let ProfileSource::Wsdl(contract) = source else { panic!("the WSDL is used otherwise") };
    assert_eq!(contract.learned.missing, Vec::<String>::new());
    assert!(contract.learned.unknown[0].contains("ApplicationToken"), "{:?}", contract.learned.unknown);
    let is_header = |one: &String| one.ends_with(": ConnectionGuid is a SOAP header");
    assert!(contract.comparison.differences.iter().any(is_header), "{:#?}", contract.comparison);
    assert_eq!(client.profile().name(), "learned");
    assert!(service.requests.recv().unwrap().contains("?singleWsdl "));

    let exchange = run(client.call(Some(Guid::from_u128(7)), Request::GetSupportedActorTypes)).unwrap();
    assert_eq!(exchange.answer.reply, types());
    assert_eq!(exchange.answer.envelope.profile(), client.profile());
    assert_eq!(losses(&exchange.traffic.response.body, exchange.operation, client.envelope()), vec![]);
    let request = service.requests.recv().unwrap();
    let header = request.find("<s:Header>").unwrap();
    let guid = request.find("00000000-0000-0000-0000-000000000007").unwrap();
    let wrapper = request.find("WSGetSupportedActorTypes xmlns").unwrap();
    assert!(header < guid && guid < wrapper, "{request}");
}

#[test]
fn client_uses_the_built_in_profile_that_a_wsdl_equals() {
    for profile in Profile::all_builtin() {
        let (dialect, order) = (profile.dialect().unwrap(), profile.order().unwrap());
        let wsdl = contract::wsdl(dialect, order, "http://erp/");
        let service = service(wsdl, Profiles::new(Vec::new(), order));
        let (client, source) = run(client(&service.url()).choose_and_try(ProfileChoice::Service)).unwrap();
        assert!(matches!(source, ProfileSource::Wsdl(_)));
        assert_eq!(client.profile(), profile);
    }
}

#[test]
fn client_without_a_usable_wsdl_keeps_to_the_dialects_and_says_why() {
    let other_service = quote_style().replace("\"WS", "\"").replace("Authenticate", "SignIn");
    let rpc = quote_style().replace("style=\"document\"", "style=\"rpc\"");
    for (response, expected) in [
        (http("404 Not Found", "", ""), "status 404 and no text, expected 200 and a WSDL"),
        (http("401 Unauthorized", "WWW-Authenticate: Negotiate\r\n", ""), "the service asks for credentials"),
        (http("302 Found", "Location: https://sso/login\r\n", ""), "redirects to https://sso/login"),
        (http("200 OK", "Content-Type: text/html\r\n", "<html/>"), "answers with the HTML page"),
        (http("200 OK", XML, &other_service), "it is that of another service"),
        (http("200 OK", XML, &rpc), "its style is rpc, expected document"),
        (Vec::new(), "ended before the answer was complete"),
    ] {
        let service = Service::with(move |request| {
            if request.starts_with("GET ") {
                return response.clone();
            }
            let mut out = Vec::new();
            let envelope = Envelope::new(Dialect::Data);
            contract::write_reply(&mut out, &envelope, Operation::GetConfigData, &form());
            http("200 OK", XML, std::str::from_utf8(&out).unwrap())
        });
        let choice = client(&service.url()).choose(ProfileChoice::Service, Operation::GetActors);
        let (chosen, source) = run(choice).unwrap();
        let ProfileSource::Detected(why) = source else { panic!("the WSDL is used otherwise") };
        let why = why.to_string();
        assert!(why.contains(expected) && !why.contains('\n') && !why.ends_with('.'), "{why}");
        assert_eq!(chosen.profile().name(), "message");
        let (detected, _) = run(client(&service.url()).choose_and_try(ProfileChoice::Service)).unwrap();
        assert_eq!(detected.profile().name(), "data");
    }
}

#[test]
fn client_of_a_service_that_does_not_answer_waits_once() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let options = Options { timeout: std::time::Duration::from_millis(300), ..Options::default() };
    let of_call = |url: &str| {
        let client = Client::new(url.parse().unwrap(), &options).unwrap();
        let error = run(client.call(None, Request::GetSupportedActorTypes)).unwrap_err();
        error.to_string()
    };
    let of_choice = |url: &str| {
        let client = Client::new(url.parse().unwrap(), &options).unwrap();
        let choice = client.choose(ProfileChoice::Service, Operation::GetSupportedActorTypes);
        run(choice).unwrap_err().to_string()
    };
    let expected = of_call(&url);
    silent.accept().unwrap();
    assert_eq!(of_choice(&url), expected);
    silent.set_nonblocking(true).unwrap();
    assert_eq!(silent.incoming().map_while(Result::ok).count(), 1, "one request");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for url in [format!("http://{closed}/"), "http://no-such-host.invalid/".to_owned()] {
        assert_eq!(of_choice(&url), of_call(&url));
    }
}

#[test]
fn client_calls_in_a_dialect_where_the_wsdl_is_not_true() {
    // It has the actions of the contract page.
    let of_contract = "soapAction=\"http://www.superoffice.net/EIS/Connector/1.0/IErpConnectorWS/";
    let wsdl = quote_style().replace(of_contract, "soapAction=\"urn:");
    let service = service(wsdl, Profiles::new(Vec::new(), MemberOrder::Name));
    let (detected, source) = run(client(&service.url()).choose_and_try(ProfileChoice::Service)).unwrap();
    let ProfileSource::Detected(why) = source else { panic!("the WSDL is used otherwise") };
    assert_eq!(detected.profile().name(), "message");
    let why = why.to_string();
    let expected = "the service does not understand a call as its WSDL has it: WSGetConfigData: the service answers with a SOAP fault";
    assert!(why.starts_with(expected), "{why}");
    // A single call is made once more in the dialect.
    let choice = client(&service.url()).choose(ProfileChoice::Service, Operation::GetSupportedActorTypes);
    let (client, _) = run(choice).unwrap();
    let exchange = run(client.call_detecting_dialect(None, Request::GetSupportedActorTypes)).unwrap();
    assert_eq!(exchange.answer.envelope.profile().name(), "message");
}

#[test]
fn client_refuses_to_call_what_the_contract_of_the_service_does_not_have() {
    let wsdl = quote_style().replace("\"WSGetList\"", "\"WSLists\"");
    let service = service(wsdl.clone(), learned_profiles(&wsdl));
    let (client, _) = run(client(&service.url()).choose_and_try(ProfileChoice::Service)).unwrap();
    let error = run(client.call(None, Request::GetList { list_name: None })).unwrap_err();
    let expected = "WSGetList: the contract of the service does not have this operation; --dialect message calls it all the same";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn given_profiles_are_used_without_the_wsdl() {
    let wsdl = quote_style();
    let service = service(wsdl.clone(), learned_profiles(&wsdl));
    let profile = Arc::clone(&learned_profiles(&wsdl).all()[0]);
    let message = Arc::clone(Profile::builtin(Dialect::Message, MemberOrder::Name));
    for given in [profile, message] {
        let choice = ProfileChoice::Given(Arc::clone(&given));
        let (client, source) = run(client(&service.url()).choose_and_try(choice)).unwrap();
        assert_eq!(*client.profile(), given);
        assert!(matches!(source, ProfileSource::Given));
        assert!(run(client.call(None, Request::GetSupportedActorTypes)).is_ok());
        assert!(service.requests.recv().unwrap().starts_with("POST "));
    }
}
