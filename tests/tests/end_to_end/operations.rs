//! All 17 operations in every dialect, against the Excel connector on the sample workbook.

use contract::{Actor, Dialect, Dictionary, Envelope, Request, Restriction, SoapVersion};
use test_support::soap::Client;
use test_support::{TestHost, WORKBOOK};
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
