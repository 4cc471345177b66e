//! All 17 operations in every dialect, against the Excel connector on the sample workbook.

use std::fs;
use std::sync::Arc;

use contract::learn::WsdlDocument;
use contract::{Actor, ContractFile, Dialect, Dictionary, Envelope, Request, Restriction, SoapVersion};
use test_support::other_contract::OtherContract;
use test_support::soap::Client;
use test_support::{EXCEL, Setup, TestHost, WORKBOOK};
use values::{State, error_code};

const GUID: &str = "3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf";

pub(crate) fn settings(file: &'static str) -> Option<Dictionary<'static>> {
    Some(Dictionary::from_iter([("Filename", Some(file))]))
}

/// A customer to create or save.
pub(crate) fn customer<'a>(key: Option<&'a str>, fields: &[(&'a str, &'a str)]) -> Actor<'a> {
    Actor {
        actor_type: Some("Customer".into()),
        erp_key: key.map(Into::into),
        field_values: Some(fields.iter().map(|(key, value)| (*key, Some(*value))).collect()),
        ..Actor::default()
    }
}

fn texts<'a>(texts: &[&'a str]) -> Option<contract::Texts<'a>> {
    Some(texts.iter().map(|text| Some((*text).into())).collect())
}

fn all_operations(client: &Client) {
    // Setting up.
    let form = client.ok(Request::GetConfigData);
    assert!(
        form.fields.iter().any(|field| field.key == "Filename" && field.access == "Mandatory"),
        "{form:?}"
    );
    assert_eq!(
        client.call(Request::TestConfigData { connection_info: settings("none.xlsx") }).state,
        State::Error
    );
    client.ok(Request::TestConfigData { connection_info: settings(WORKBOOK) });
    let unknown = client.call(Request::TestConnection);
    assert_eq!((unknown.state, unknown.code.as_str()), (State::Error, error_code::UNKNOWN_CONNECTION_ID));
    client.ok(Request::SaveConnection { connection_info: settings(WORKBOOK) });
    client.ok(Request::TestConnection);

    // What there is.
    let types = client.ok(Request::GetSupportedActorTypes).items;
    for known in ["Customer", "Supplier", "Person", "Project"] {
        assert!(types.iter().any(|actor_type| actor_type == known), "{types:?}");
    }
    let fields =
        client.ok(Request::GetSupportedActorTypeFields { actor_type: Some("Customer".into()) }).fields;
    assert!(fields.iter().any(|field| field.key == "NAME" && field.field_type == "Text"), "{fields:?}");
    let searchable = client.ok(Request::GetSearchableFields { actor_type: Some("Customer".into()) }).items;
    assert!(searchable.iter().any(|key| key == "NAME"), "{searchable:?}");

    // Searching: by text, and by the name that was found.
    let search = |text: &'static str, field_keys| {
        client.ok(Request::SearchActors {
            actor_type: Some("Customer".into()),
            search_text: Some(text.into()),
            field_keys,
        })
    };
    let found = search("a", texts(&["NAME", "NO_SUCH_FIELD"]));
    assert!(!found.actors.is_empty());
    let first = &found.actors[0];
    assert_eq!(first.fields.len(), 1, "only the field that was asked for: {first:?}");
    assert!(search("a", texts(&[])).actors[0].fields.is_empty(), "an empty array returns no field");
    assert!(search("a", None).actors[0].fields.len() > 3, "null returns all");
    assert!(search("no customer is called so", None).actors.is_empty());

    let advanced = client.ok(Request::SearchActorsAdvanced {
        actor_type: Some("Customer".into()),
        restrictions: Some(vec![Restriction {
            field_key: Some("NAME".into()),
            operator: Some("=".into()),
            scalar_value: None,
            values: texts(&[&first.field("NAME").to_uppercase()]),
        }]),
        field_keys: texts(&["NAME"]),
    });
    assert!(advanced.keys().contains(&first.key.as_str()), "{advanced:?}");
    let got = client.ok(Request::GetActors {
        actor_type: Some("Customer".into()),
        erp_keys: texts(&["no such key", &first.key]),
        field_keys: texts(&["NAME"]),
    });
    assert_eq!(got.actors, std::slice::from_ref(first), "unknown keys are left out");

    // Writing.
    let name = "Ærlig & Sønn <AS> \u{1F41F}";
    let created = client.ok(Request::CreateActor { actor: Some(customer(None, &[("NAME", name)])) });
    let company = created.actors[0].clone();
    assert!(!company.key.is_empty() && !company.stamp.is_empty(), "{company:?}");
    assert_eq!(company.field("NAME"), name);
    let person = client.ok(Request::CreateActor {
        actor: Some(Actor {
            actor_type: Some("Person".into()),
            parent_actor_type: Some("Customer".into()),
            parent_erp_key: Some(company.key.as_str().into()),
            field_values: Some(Dictionary::from_iter([("FIRSTNAME", Some("Åse")), ("LASTNAME", Some("Ås"))])),
            ..Actor::default()
        }),
    });
    let below = |text: &'static str| {
        client.ok(Request::SearchActorByParent {
            actor_type: Some("Person".into()),
            search_text: Some(text.into()),
            parent_actor_type: Some("Customer".into()),
            parent_actor_erp_key: Some(company.key.as_str().into()),
            field_keys: None,
        })
    };
    assert_eq!(below("ås").keys(), person.keys(), "without regard to case, below this parent only");
    assert_eq!(below("").keys(), person.keys());
    assert!(below("nobody").actors.is_empty());

    let saved = client
        .ok(Request::SaveActors { actors: Some(vec![customer(Some(&company.key), &[("NAME", "Renamed")])]) });
    assert_eq!(saved.actors[0].field("NAME"), "Renamed");
    assert!(saved.actors[0].stamp > company.stamp, "{saved:?} after {company:?}");
    let changed = client.ok(Request::GetActorsByTimestamp {
        updated_on_or_after: Some(saved.actors[0].stamp.as_str().into()),
        actor_type: Some("Customer".into()),
        field_keys: texts(&["NAME"]),
    });
    assert_eq!(changed.keys(), [company.key.as_str()], "equal stamps count, older ones do not");

    // Lists.
    let list =
        fields.iter().find(|field| field.field_type == "List").expect("the sample has a list").list.clone();
    let items = client.ok(Request::GetList { list_name: Some(list.as_str().into()) }).list;
    assert!(items.len() > 1, "{items:?}");
    let some = client.ok(Request::GetListItems {
        list_name: Some(list.as_str().into()),
        list_item_keys: texts(&[&items[1].0]),
    });
    assert_eq!(some.list, [items[1].clone()]);

    client.ok(Request::DeleteConnection);
    assert_eq!(client.call(Request::GetSupportedActorTypes).code, error_code::UNKNOWN_CONNECTION_ID);
}

#[test]
fn operations_in_message() {
    all_operations(&TestHost::with_excel().client(Dialect::Message).connection(GUID));
}

#[test]
fn operations_in_message_by_operation() {
    all_operations(&TestHost::with_excel().client(Dialect::MessageByOperation).connection(GUID));
}

#[test]
fn operations_in_data() {
    all_operations(&TestHost::with_excel().client(Dialect::Data).connection(GUID));
}

#[test]
fn operations_in_plain() {
    all_operations(&TestHost::with_excel().client(Dialect::Plain).connection(GUID));
}

#[test]
fn operations_in_another_version_of_the_contract() {
    let host = TestHost::with_excel();
    let envelope =
        Envelope::new(Dialect::Message).with_namespace(0, "http://www.superoffice.net/EIS/Connector/2.0");
    all_operations(&host.client(Dialect::Message).envelope(envelope).connection(GUID));
}

/// A host with the contract files of other contracts.
fn host_of_other_contracts() -> (TestHost, [OtherContract; 3]) {
    let contracts = ["quote-style", "reversed", "split"].map(OtherContract::new);
    let files = contracts.each_ref().map(|contract| format!("{}.toml", contract.profile().name()));
    let mut host =
        Setup::new().plugin(EXCEL).configuration(&format!("[contract]\nprofiles = {files:?}")).prepare();
    for (contract, file) in contracts.iter().zip(&files) {
        fs::write(host.folder().join(file), contract.file()).unwrap();
    }
    host.start();
    (host, contracts)
}

/// Contracts with other orders, with SOAP headers, with wrappers in a second namespace, and with members and operations that
/// the host does not have.
#[test]
fn operations_in_other_contracts() {
    let (host, contracts) = host_of_other_contracts();
    for contract in &contracts {
        // The name counts only for requests that show no profile, such as an empty body.
        let query = format!("?dialect={}", contract.profile().name());
        let envelope = Envelope::from(Arc::clone(contract.profile()));
        let client = host.client(Dialect::Message).envelope(envelope).connection(GUID);
        all_operations(&client.clone().query(&query));
        client.query("").call(Request::GetSupportedActorTypeFields { actor_type: Some("Customer".into()) });
    }
    // The built-in ones are still recognised.
    all_operations(&host.client(Dialect::Data).connection(GUID));
}

/// What is learned from the WSDL that a host serves for a contract file is the profile of the file. One WSDL is in five
/// documents, of which four are imported from addresses of the host that name the profile.
#[test]
fn contract_learned_from_a_host_that_serves_a_learned_one_is_the_same() {
    let (host, contracts) = host_of_other_contracts();
    let documents = ["wsdl", "wsdl=wsdl0", "xsd=xsd0", "xsd=xsd1", "xsd=xsd2"].map(|query| {
        let file =
            test_support::build::workspace().join(format!("tests/fixtures/contracts/split/{query}.xml"));
        let url = format!("http://localhost:8080/Services/ErpConnectorWS.svc?{query}");
        WsdlDocument { url, text: fs::read_to_string(file).unwrap() }
    });
    let layout = contracts[2].profile().layout().clone();
    let split = ContractFile { layout, source: None, documents: documents.to_vec() };
    fs::write(host.folder().join("split.toml"), split.to_toml()).unwrap();
    let reload = host.command(&["reload"]);
    assert!(reload.status.success(), "{}", String::from_utf8_lossy(&reload.stdout));
    for contract in &contracts {
        let name = contract.profile().name();
        let again = host.folder().join(format!("{name}-again.toml"));
        let learned = host.command(&[
            "contract",
            "learn",
            &host.wsdl_url(name),
            "--name",
            name,
            "--out",
            &again.display().to_string(),
        ]);
        assert!(learned.status.success(), "{}", String::from_utf8_lossy(&learned.stderr));
        let again = ContractFile::parse(&fs::read_to_string(again).unwrap()).unwrap();
        assert_eq!(&again.layout, contract.profile().layout());
        assert_eq!(again.documents.len(), if name == "split" { 5 } else { 1 });
    }
}

#[test]
fn guid_forms_mean_the_same_connection() {
    let host = TestHost::with_excel();
    host.client(Dialect::Message)
        .connection(GUID)
        .ok(Request::SaveConnection { connection_info: settings(WORKBOOK) });
    for form in [
        "3AEF3AF6-8642-4FC1-8DC9-4E08BD76A6BF",
        "3aef3af686424fc18dc94e08bd76a6bf",
        "{3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf}",
        "(3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf)",
    ] {
        host.client(Dialect::Data).connection(form).ok(Request::TestConnection);
    }
}

#[test]
fn operations_in_soap_12() {
    let host = TestHost::with_excel();
    let envelope = Envelope::new(Dialect::Message).with_soap(SoapVersion::V12);
    let call = contract::Call { envelope, connection_guid: None, request: Request::GetConfigData };
    let mut body = Vec::new();
    contract::write_request(&mut body, &call);
    let content_type = format!("application/soap+xml; charset=utf-8; action=\"{}\"", call.soap_action());
    let response = test_support::http::Request::soap(test_support::exchange::PATH, "", body)
        .without("SOAPAction")
        .header("Content-Type", &content_type)
        .send(host.address())
        .unwrap();
    assert_eq!(response.status, 200, "{}", response.text());
    assert!(response.header("Content-Type").unwrap().starts_with("application/soap+xml"));
    let answer = contract::read_reply(&response.body, call.operation()).unwrap();
    assert_eq!(answer.envelope.soap, SoapVersion::V12);
}
