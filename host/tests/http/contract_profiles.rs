//! Contract profiles of a running host: contract files that are reloaded, the profile that an address names, and the order of
//! members that requests show.

use std::path::PathBuf;

use contract::learn::WsdlDocument;
use contract::{ContractFile, Dialect, Envelope, MemberOrder, Operation, Profile, Request, read_reply};
use tempfile::TempDir;
use test_support::exchange::{self, Exchange};
use test_support::http::Response;

use crate::host::{GUID, Host};

const SERVICE: &str = "/Services/ErpConnectorWS.svc";
const STRANGER: &str = "11111111-2222-3333-4444-555555555555";

fn profile(order: MemberOrder) -> Envelope {
    Profile::builtin(Dialect::Message, order).clone().into()
}

/// Makes a call in this envelope, and gives what travelled.
fn exchange(host: &Host, query: &str, envelope: Envelope, guid: &str, request: Request<'static>) -> Exchange {
    let call = contract::Call { envelope, connection_guid: Some(guid.into()), request };
    exchange::exchange(host.address, &format!("{SERVICE}{query}"), &call).unwrap()
}

/// The names of the members of a reply, in their order.
fn members(response: &Response) -> Vec<String> {
    let text = response.text();
    let document = roxmltree::Document::parse(&text).unwrap();
    let body = document
        .descendants()
        .find(|node| node.has_tag_name(("http://schemas.xmlsoap.org/soap/envelope/", "Body")));
    let reply = body.unwrap().first_element_child().unwrap();
    reply.children().filter(|node| node.is_element()).map(|node| node.tag_name().name().to_owned()).collect()
}

/// A request that fits both orders.
fn test_connection(host: &Host, query: &str) -> Vec<String> {
    let sent = exchange(host, query, profile(MemberOrder::Name), GUID, Request::TestConnection);
    members(&sent.response)
}

/// A request of a client whose members are in this order.
fn show(host: &Host, query: &str, order: MemberOrder, guid: &str) -> Vec<String> {
    let request = Request::GetSupportedActorTypeFields { actor_type: Some("Customer".into()) };
    members(&exchange(host, query, profile(order), guid, request).response)
}

const BY_NAME: [&str; 5] = ["ErrorCode", "IsOk", "State", "TechExplanation", "UserExplanation"];
const DECLARED: [&str; 5] = ["State", "IsOk", "UserExplanation", "TechExplanation", "ErrorCode"];

fn get(host: &Host, query: &str) -> Response {
    host.exchange(format!("GET {SERVICE}{query} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n").as_bytes())
}

/// The order of members that the WSDL promises. Its address names no profile, so that its clients show theirs by requests.
fn order_of_wsdl(host: &Host) -> MemberOrder {
    let text = get(host, "?wsdl").text();
    assert!(text.contains(&format!("location=\"http://t{SERVICE}\"")), "{text}");
    let document = WsdlDocument { url: "http://t/".to_owned(), text };
    let learned = contract::learn::learn("learned", &[document]).unwrap();
    let equals = |order: &&MemberOrder| {
        let mut layout = Profile::builtin(Dialect::Message, **order).layout().clone();
        layout.name = "learned".to_owned();
        layout.operations.iter().map(|operation| &operation.reply.members).eq(learned
            .layout
            .operations
            .iter()
            .map(|operation| &operation.reply.members))
    };
    *MemberOrder::ALL.iter().find(equals).expect("one of the two")
}

/// The members of the reply to WSGetConfigData, whose request shows no order.
fn form(host: &Host, query: &str) -> Vec<String> {
    members(&exchange(host, query, profile(MemberOrder::Name), GUID, Request::GetConfigData).response)
}

#[test]
fn member_order_of_an_address_follows_the_requests_of_known_connections() {
    let host = Host::start();
    host.save(&[]);
    assert_eq!(test_connection(&host, ""), BY_NAME);
    assert_eq!(order_of_wsdl(&host), MemberOrder::Name);
    // A stranger changes nothing, though its own reply has its order.
    assert_eq!(show(&host, "", MemberOrder::Declared, STRANGER)[0], "State");
    assert_eq!(test_connection(&host, ""), BY_NAME);
    assert!(host.router.noticed_orders().is_empty());

    let fields = show(&host, "", MemberOrder::Declared, GUID);
    assert_eq!(fields[..5], DECLARED);
    assert_eq!(fields[5], "FieldMetaDataObjects");
    assert_eq!(test_connection(&host, ""), DECLARED);
    // The WSDL of the address promises it, and needs no dialect in the address.
    assert_eq!(order_of_wsdl(&host), MemberOrder::Declared);
    // Other addresses are others, but the connection has its order there, too.
    assert_eq!(
        (form(&host, "")[0].as_str(), form(&host, "?ConnectorName=rogue")[0].as_str()),
        ("State", "ErrorCode")
    );
    assert_eq!(test_connection(&host, "?ConnectorName=rogue"), DECLARED);
    let noticed = host.router.noticed_orders();
    assert_eq!(noticed.len(), 1);
    assert_eq!((noticed[0].connector.as_str(), noticed[0].order), ("", MemberOrder::Declared));
    let page = get(&host, "").text();
    assert!(page.contains("without ConnectorName</td><td>as declared"), "{page}");
    assert!(!page.contains(GUID), "who has the GUID can use the connection");

    // A request that shows the other order has it in its reply, and changes the address back.
    assert_eq!(show(&host, "", MemberOrder::Name, GUID)[0], "ErrorCode");
    assert_eq!(test_connection(&host, ""), BY_NAME);
}

#[test]
fn member_order_of_an_address_ignores_the_case_of_its_connector() {
    let host = Host::start();
    host.save(&[]);
    show(&host, "?ConnectorName=Rogue", MemberOrder::Declared, GUID);
    assert_eq!(
        (form(&host, "?connectorname=ROGUE")[0].as_str(), form(&host, "")[0].as_str()),
        ("State", "ErrorCode")
    );
    // An address of a connector that the connection does not belong to.
    show(&host, "?ConnectorName=Other", MemberOrder::Declared, GUID);
    assert_eq!(host.router.noticed_orders().len(), 1);
}

#[test]
fn member_order_that_is_neither_changes_nothing() {
    let host = Host::start();
    host.save(&[]);
    let own = |members: &str| {
        let body = format!(
            r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><SearchActorsRequestWS xmlns="{}">{members}</SearchActorsRequestWS></s:Body></s:Envelope>"#,
            contract::namespace::CONTRACT
        );
        let action = Operation::SearchActors.action(contract::namespace::CONTRACT);
        host.post(&format!("Content-Type: text/xml\r\nSOAPAction: \"{action}\"\r\n"), body.as_bytes())
    };
    let guid = format!("<ConnectionGuid>{GUID}</ConnectionGuid>");
    let (text, actor_type) = ("<SearchText>x</SearchText>", "<ActorType>Customer</ActorType>");
    assert_eq!(members(&own(&format!("{text}{actor_type}{guid}")))[0], "Actors");
    assert!(host.router.noticed_orders().is_empty());
    assert_eq!(members(&own(&format!("{guid}{actor_type}{text}")))[0], "State");
    assert_eq!(host.router.noticed_orders().len(), 1);
}

#[test]
fn member_order_of_an_address_with_clients_of_both_orders_stays() {
    let host = Host::start();
    host.save(&[]);
    for _ in 0..6 {
        assert_eq!(show(&host, "", MemberOrder::Declared, GUID)[0], "State");
        assert_eq!(show(&host, "", MemberOrder::Name, GUID)[0], "ErrorCode");
    }
    let noticed = host.router.noticed_orders();
    assert!(noticed[0].is_mixed, "{noticed:?}");
    // An address that names a profile has its order.
    assert_eq!(test_connection(&host, ""), BY_NAME);
    assert_eq!(test_connection(&host, "?dialect=message-declared"), DECLARED);
    assert!(get(&host, "").text().contains("requests come in both orders"));
}

/// Whoever has a connection can change the order of an address, but not that of a connection which has shown its own.
#[test]
fn member_order_of_a_connection_is_not_changed_by_another_one() {
    const OTHER: &str = "7b0f7c1e-2d3a-4f5b-8c6d-9e0f1a2b3c4d";
    let host = Host::start();
    host.save(&[]);
    let settings = [("Server", Some("somewhere"))].into_iter().collect();
    let save = Request::SaveConnection { connection_info: Some(settings) };
    exchange(&host, "", profile(MemberOrder::Name), OTHER, save);
    for _ in 0..6 {
        assert_eq!(show(&host, "", MemberOrder::Declared, GUID)[0], "State");
        assert_eq!(show(&host, "", MemberOrder::Name, OTHER)[0], "ErrorCode");
    }
    assert!(!host.router.noticed_orders()[0].is_mixed, "each connection has changed the address once");
    assert_eq!(
        (form(&host, "")[0].as_str(), test_connection(&host, "")[0].as_str()),
        ("ErrorCode", DECLARED[0])
    );
    // It may change its own.
    assert_eq!(show(&host, "", MemberOrder::Name, GUID)[0], "ErrorCode");
    assert_eq!(test_connection(&host, ""), BY_NAME);
}

#[test]
fn reply_order_counts_where_nothing_shows_another_one() {
    let host = Host::configured("[contract]\nreply_order = \"declared\"");
    let settings = [("Server", Some("somewhere"))].into_iter().collect();
    let save = Request::SaveConnection { connection_info: Some(settings) };
    assert_eq!(members(&exchange(&host, "", profile(MemberOrder::Name), GUID, save).response), DECLARED);
    assert_eq!(test_connection(&host, ""), DECLARED);
    for dialect in [Dialect::Data, Dialect::MessageByOperation] {
        let request = Request::TestConnection;
        let envelope = Profile::builtin(dialect, MemberOrder::Declared).clone().into();
        let sent = exchange(&host, "", envelope, GUID, request);
        let reply = read_reply(&sent.response.body, Operation::TestConnection).unwrap();
        assert_eq!(reply.envelope.profile().order(), Some(MemberOrder::Declared), "{dialect}");
    }
    assert_eq!(show(&host, "", MemberOrder::Name, GUID)[0], "ErrorCode");
    assert_eq!(test_connection(&host, ""), BY_NAME);
    assert_eq!(host.router.noticed_orders()[0].order, MemberOrder::Name);
}

/// A contract file that a test can change.
struct Contract {
    folder: TempDir,
}

impl Contract {
    fn new() -> Self {
        let contract = Contract { folder: tempfile::tempdir().unwrap() };
        contract.put("learned", "IsOk");
        contract
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("contract.toml")
    }

    /// Replaces the file: a profile that is `message`, with `first` as the first member of each reply.
    fn put(&self, name: &str, first: &str) {
        let mut layout = Profile::builtin(Dialect::Message, MemberOrder::Name).layout().clone();
        layout.name = name.to_owned();
        for operation in &mut layout.operations {
            operation.reply.members.sort_by_key(|member| member.element.local != first);
        }
        let document = |part: &str, text: &str| WsdlDocument {
            url: format!("http://inside.example/a.svc?{part}"),
            text: text.to_owned(),
        };
        let main = r#"<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
            xmlns:xsd="http://www.w3.org/2001/XMLSchema"><wsdl:types><xsd:schema>
            <xsd:import schemaLocation="http://inside.example/a.svc?xsd=xsd7"/></xsd:schema></wsdl:types>
            <wsdl:service><wsdl:port><soap:address location="http://inside.example/a.svc"/></wsdl:port></wsdl:service>
            </wsdl:definitions>"#;
        let schema =
            r#"<xsd:schema xmlns:xsd="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:learned"/>"#;
        let documents = vec![document("wsdl", main), document("xsd=xsd7", schema)];
        self.write(&ContractFile { layout, source: None, documents }.to_toml());
    }

    fn write(&self, text: &str) {
        let new = self.folder.path().join("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.path()).unwrap();
    }

    fn configuration(&self) -> String {
        format!("[contract]\nprofiles = [{:?}]", self.path())
    }
}

#[test]
fn contract_file_is_served_and_reloaded() {
    let contract = Contract::new();
    let host = Host::configured(&contract.configuration());
    host.save(&[]);
    assert_eq!(test_connection(&host, "")[0], "IsOk");
    assert!(host.reload_files().is_empty(), "nothing has changed");

    contract.put("learned", "TechExplanation");
    let reloaded = host.reload_files();
    assert!(reloaded[0].as_ref().unwrap().contains("contract.toml: read again"), "{reloaded:?}");
    assert_eq!(test_connection(&host, "")[0], "TechExplanation");

    let toml = std::fs::read_to_string(contract.path()).unwrap();
    for (broken, problem) in [
        (toml.replacen("wrappers = [\"c:", "wrappers = [\"x:", 1), "contract.toml, line "),
        (toml.replacen("name = \"learned\"", "name = \"Plain\"", 1), "give it a name of its own"),
        (String::from("name"), "contract.toml, line 1: "),
    ] {
        assert_ne!(broken, toml);
        contract.write(&broken);
        let failed = host.reload_files().remove(0).unwrap_err();
        assert!(failed.contains("what was read before serves on") && failed.contains(problem), "{failed}");
        assert_eq!(test_connection(&host, "")[0], "TechExplanation");
    }
    contract.put("learned", "State");
    assert!(host.reload_files()[0].is_ok());
    assert_eq!(test_connection(&host, "")[0], "State");
}

#[test]
fn contract_files_that_cannot_be_used_refuse_the_start() {
    let contract = Contract::new();
    let toml = std::fs::read_to_string(contract.path()).unwrap();
    let twice = contract.folder.path().join("twice.toml");
    std::fs::write(&twice, toml.replacen("\"learned\"", "\"LEARNED\"", 1)).unwrap();
    let [path, other] = [contract.path(), twice].map(|path| path.display().to_string());
    let large = contract.folder.path().join("large.toml");
    std::fs::File::create(&large).unwrap().set_len(contract::MAX_CONTRACT_FILE + 1).unwrap();
    let large = large.display().to_string();
    let missing = contract.folder.path().join("missing.toml").display().to_string();
    for (files, problem) in [
        (vec![&large], format!("the contract file {large}: it is larger than 8388608 bytes")),
        (vec![&missing], format!("the contract file {missing}: it cannot be read")),
        (
            vec![&path, &other],
            format!("the contract file {other}: the name \"LEARNED\" is also that of {path}"),
        ),
    ] {
        let error = Host::not_started(&format!("[contract]\nprofiles = {files:?}"));
        assert!(error.starts_with(&problem), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        std::fs::set_permissions(&path, mode).unwrap();
        let error = Host::not_started(&contract.configuration());
        assert!(error.contains("others than its owner may change it"), "{error}");
    }
}

#[test]
fn address_names_any_profile() {
    let contract = Contract::new();
    let host = Host::configured(&contract.configuration());
    host.save(&[]);
    for (query, first) in [
        ("", "IsOk"),
        ("?dialect=LEARNED", "IsOk"),
        ("?dialect=message", "ErrorCode"),
        ("?dialect=Message-Declared", "State"),
    ] {
        assert_eq!(test_connection(&host, query)[0], first, "{query}");
    }
    let sent = exchange(&host, "?dialect=other", profile(MemberOrder::Name), GUID, Request::TestConnection);
    assert_eq!(sent.response.status, 400);
    let text = sent.response.text();
    assert!(
        text.contains("unknown dialect \"other\", expected one of learned, message, data, plain"),
        "{text}"
    );
}

#[test]
fn wsdl_of_a_contract_file_has_our_address_in_every_document() {
    let contract = Contract::new();
    let host = Host::configured(&contract.configuration());
    for query in ["?wsdl", "?singleWsdl"] {
        let wsdl = get(&host, query);
        assert_eq!((wsdl.status, wsdl.header("content-type")), (200, Some("text/xml; charset=utf-8")));
        let text = wsdl.text();
        assert!(text.contains(&format!("schemaLocation=\"http://t{SERVICE}?xsd=xsd0\"")), "{text}");
        assert!(text.contains(&format!("soap:address location=\"http://t{SERVICE}\"")), "{text}");
        assert!(!text.contains("inside.example"), "{text}");
    }
    let text = get(&host, "?wsdl&ConnectorName=Rogue").text();
    assert!(text.contains(&format!("http://t{SERVICE}?ConnectorName=Rogue&amp;xsd=xsd0\"")), "{text}");
    let schema = get(&host, "?ConnectorName=Rogue&xsd=xsd0").text();
    assert!(schema.contains("targetNamespace=\"urn:learned\""), "{schema}");
    assert_eq!(get(&host, "?xsd=xsd1").status, 404);
    assert_eq!(get(&host, "?wsdl=wsdl0").status, 404);
    // A built-in one, whose requests fit the configured profile too.
    let builtin = get(&host, "?wsdl&dialect=message").text();
    assert!(builtin.contains(&format!("location=\"http://t{SERVICE}?dialect=message\"")), "{builtin}");
    let page = get(&host, "").text();
    assert!(page.contains("learned <span class=\"tag\">default</span>"), "{page}");
    assert!(page.contains("the contract file <code>contract.toml</code>"), "{page}");
    assert!(page.contains("href=\"?singleWsdl&amp;dialect=message\""), "{page}");
}
