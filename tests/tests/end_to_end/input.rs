//! What a caller sends is checked by the host before the connector is called, in both kinds of isolation.

use contract::{Actor, Dialect, Dictionary, Request, Restriction};
use test_support::soap::{Answer, Client};
use test_support::{HELLO, Setup, TestHost, wait_until};
use values::State;

const GUID: &str = "eeeeeeee-0000-4000-8000-000000000031";

fn customer<'a>(key: &'a str, fields: &[(&'a str, &'a str)]) -> Actor<'a> {
    Actor {
        actor_type: Some("Customer".into()),
        erp_key: Some(key.into()),
        field_values: Some(
            fields.iter().map(|(key, value)| (*key, Some(*value))).collect::<Dictionary<'_>>(),
        ),
        ..Actor::default()
    }
}

fn create<'a>(fields: &[(&'a str, &'a str)]) -> Request<'a> {
    Request::CreateActor { actor: Some(customer("", fields)) }
}

fn save<'a>(fields: &[(&'a str, &'a str)]) -> Request<'a> {
    Request::SaveActors { actors: Some(vec![customer("C1", fields)]) }
}

fn search(actor_type: &'static str, field: &'static str) -> Request<'static> {
    let restriction = Restriction {
        field_key: Some(field.into()),
        operator: Some("=".into()),
        scalar_value: Some("x".into()),
        values: None,
    };
    Request::SearchActorsAdvanced {
        actor_type: Some(actor_type.into()),
        restrictions: Some(vec![restriction]),
        field_keys: None,
    }
}

fn all(client: &Client) -> Answer {
    let all = Request::GetActorsByTimestamp {
        updated_on_or_after: None,
        actor_type: Some("Customer".into()),
        field_keys: None,
    };
    client.ok(all)
}

fn what_does_not_fit_is_refused(configuration: &str) {
    let host: TestHost = Setup::new().plugin(HELLO).configuration(configuration).start();
    let client = host.client(Dialect::Message).connector("Hello").connection(GUID);
    client.ok(Request::SaveConnection { connection_info: Some(Dictionary::default()) });
    let before = all(&client).actors;
    for (request, code, expected, reason) in [
        (
            create(&[("NAME", "x"), ("CREDIT", "s3same")]),
            "INVALID_INPUT",
            "the field CREDIT",
            "a number like 1.5",
        ),
        (
            create(&[("NAME", "x"), ("FOO", "s3same")]),
            "UNKOWN_FIELDKEY",
            "no field \"FOO\"",
            "NAME, CATEGORY, CREDIT",
        ),
        (create(&[("CATEGORY", "A")]), "INVALID_INPUT", "the field NAME (Name)", "is missing or empty"),
        (
            create(&[("NAME", "x"), ("CATEGORY", "s3same")]),
            "UNKOWN_LISTITEM_ID",
            "the field CATEGORY",
            "an item of the list Categories",
        ),
        (
            save(&[("CREDIT", "s3same")]),
            "INVALID_INPUT",
            "Customer \"C1\" is not saved: the field CREDIT",
            "a number like 1.5",
        ),
        (search("Customer", "FOO"), "UNKOWN_FIELDKEY", "no field \"FOO\"", "NAME, CATEGORY, CREDIT"),
        (
            search("Customer", "CREDIT"),
            "INVALID_INPUT",
            "a number like 1.5, not \"x\"",
            "CREDIT of Customer expects a number",
        ),
        (
            search("Customer", "CATEGORY"),
            "INVALID_INPUT",
            "one of oneof, notoneof, not =",
            "one of oneof, notoneof",
        ),
        (
            Request::CreateActor {
                actor: Some(Actor { actor_type: Some("Person".into()), ..customer("", &[("NAME", "x")]) }),
            },
            "INVALID_INPUT",
            "a new Person needs a parent: ParentActorType (Customer) and ParentErpKey are missing",
            "a new Person without a parent, expected one of the type Customer",
        ),
        (search("Alien", "NAME"), "INVALID_INPUT", "no actor type \"Alien\"", "one of Customer, Person"),
    ] {
        let answer = client.call(request);
        assert_eq!((answer.state, answer.code.as_str()), (State::Error, code), "{answer:?}");
        assert!(answer.user.contains(expected), "{answer:?}");
        let line = |line: &str| line.contains("refused=") && line.contains(reason) && line.contains(GUID);
        wait_until("a line with the reason", || host.log().lines().any(line));
    }
    assert!(!host.log().contains("s3same"), "no value in the log: {}", host.log());
    assert_eq!(all(&client).actors, before, "nothing was changed");
    // What fits arrives in the form of its type.
    let created = client.ok(create(&[("NAME", "x"), ("CREDIT", "12.50"), ("CATEGORY", "B")]));
    assert_eq!(created.actors[0].field("CREDIT"), "[F:12.5]");
    let saved = client.ok(save(&[("CREDIT", "[M:7]")]));
    assert_eq!(saved.actors[0].field("CREDIT"), "[F:7]");
}

#[test]
fn input_that_does_not_fit_is_refused_in_the_hosts_process() {
    what_does_not_fit_is_refused("");
}

#[test]
fn input_that_does_not_fit_is_refused_before_a_worker_process() {
    what_does_not_fit_is_refused("isolation = \"process\"\n");
}
