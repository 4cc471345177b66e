//! What becomes of calls: the rules of connections, and what a connector may do without harm.

use contract::{Actor, Dialect, Operation, Request, Restriction, State, error_code};
use test_support::soap::Answer;

use crate::host::{GUID, Host};

const OTHER: &str = "11111111-2222-3333-4444-555555555555";
const ZERO: &str = "00000000-0000-0000-0000-000000000000";

fn by_stamp() -> Request<'static> {
    Request::GetActorsByTimestamp {
        updated_on_or_after: None,
        actor_type: Some("Customer".into()),
        field_keys: None,
    }
}

fn get(keys: Option<&[Option<&'static str>]>, fields: Option<&[&'static str]>) -> Request<'static> {
    let text = |text: Option<&'static str>| text.map(Into::into);
    Request::GetActors {
        actor_type: Some("Customer".into()),
        erp_keys: keys.map(|keys| keys.iter().map(|&key| text(key)).collect()),
        field_keys: fields.map(|fields| fields.iter().map(|&field| text(Some(field))).collect()),
    }
}

fn refused(given: &Answer, texts: &[&str]) {
    assert_eq!(given.state, State::Error);
    for text in texts {
        assert!(given.user.contains(text), "{:?} should say {text:?}", given.user);
    }
}

/// A request of each operation that names a connection, with nothing else in it.
fn requests() -> Vec<Request<'static>> {
    let actor = || Actor { actor_type: Some("Customer".into()), ..Actor::default() };
    let some = |text: &'static str| Some(text.into());
    vec![
        Request::TestConnection,
        Request::DeleteConnection,
        Request::GetSupportedActorTypes,
        Request::GetSupportedActorTypeFields { actor_type: some("Customer") },
        get(None, None),
        Request::GetSearchableFields { actor_type: some("Customer") },
        Request::SearchActorsAdvanced { actor_type: some("Customer"), restrictions: None, field_keys: None },
        Request::SearchActors { actor_type: some("Customer"), search_text: None, field_keys: None },
        Request::SearchActorByParent {
            actor_type: some("Person"),
            search_text: None,
            parent_actor_type: some("Customer"),
            parent_actor_erp_key: some("1"),
            field_keys: None,
        },
        Request::CreateActor { actor: Some(actor()) },
        Request::SaveActors { actors: Some(vec![actor()]) },
        Request::GetList { list_name: some("FromHost") },
        Request::GetListItems { list_name: some("FromHost"), list_item_keys: None },
        by_stamp(),
    ]
}

#[test]
fn calls_for_unknown_connections_get_unknown_connection_id() {
    let host = Host::start();
    let requests = requests();
    // All but those that come before a connection is stored, and Authenticate.
    assert_eq!(requests.len(), Operation::ALL.len() - 4);
    for request in requests {
        for dialect in [Dialect::Message, Dialect::Data, Dialect::Plain] {
            let given = host.call_in(dialect, Some(OTHER), "", request.clone());
            refused(&given, &[OTHER]);
            assert_eq!(given.code, error_code::UNKNOWN_CONNECTION_ID, "{request:?}");
        }
    }
}

#[test]
fn calls_of_every_operation_reach_the_connector_in_every_dialect() {
    let host = Host::start();
    for &dialect in Dialect::ALL {
        host.save(&[]);
        for request in requests() {
            let operation = request.operation();
            let given = host.call_in(dialect, Some(&GUID.to_uppercase()), "?connectorname=rogue", request);
            assert!(given.state.is_ok(), "{operation} in {dialect}: {given:?}");
            if operation == Operation::DeleteConnection {
                host.save(&[]);
            }
        }
        // Without members, a body element of the operation's name shows no dialect; the address may.
        let query = if dialect == Dialect::Plain { "?dialect=plain" } else { "" };
        if dialect != Dialect::MessageByOperation {
            let form = host.call_in(dialect, None, query, Request::GetConfigData);
            assert_eq!(form.rows(), ["Server", "Password", "Company", "Port"]);
        }
        let settings = Some([("Server", Some("here"))].into_iter().collect());
        let tested = host.call_in(dialect, None, "", Request::TestConfigData { connection_info: settings });
        assert_eq!(
            (tested.state, tested.user.as_str(), tested.tech.as_str(), tested.code.as_str()),
            (State::OkWithInfo, "it works", "here", "TESTED")
        );
    }
}

#[test]
fn connection_guid_is_parsed_strictly() {
    let host = Host::start();
    host.save(&[]);
    for guid in ["{3AEF3AF6-8642-4fc1-8dc9-4e08bd76a6bf}", "3aef3af686424fc18dc94e08bd76a6bf"] {
        let given = host.call_in(Dialect::Message, Some(guid), "", Request::TestConnection);
        assert_eq!(given.state, State::Warning, "{guid}");
    }
    for (guid, text) in [(None, "missing"), (Some(""), "missing"), (Some("4711"), "\"4711\" is not a GUID")] {
        for request in [Request::TestConnection, Request::DeleteConnection] {
            let given = host.call_in(Dialect::Message, guid, "", request);
            refused(&given, &["ConnectionGuid", text, "3aef3af6-"]);
            assert_eq!(given.code, "", "there are no settings to send again");
        }
    }
}

#[test]
fn connection_is_saved_changed_and_deleted() {
    let host = Host::start();
    let incomplete = [("Password", Some("x"))].into_iter().collect();
    let incomplete = host.call(Request::SaveConnection { connection_info: Some(incomplete) });
    refused(&incomplete, &["Server"]);
    refused(&host.call(Request::SaveConnection { connection_info: None }), &["Server"]);
    refused(&host.save(&[("Port", " ")]), &["Port"]); // which has a default for when it does not come
    assert_eq!(host.call(Request::TestConnection).code, error_code::UNKNOWN_CONNECTION_ID);

    // Settings that do not work are stored all the same, and the administrator learns why they do not.
    let failing = host.save(&[("connect", "error")]);
    assert_eq!((failing.state, failing.code.as_str()), (State::Warning, "ROGUE"));
    assert!(failing.user.starts_with("US:\"rogue error\""), "the connector's own text: {}", failing.user);
    assert!(failing.tech.contains("are saved") && failing.tech.contains("on fire"), "{}", failing.tech);
    let unopened = host.call(Request::TestConnection);
    assert_eq!((unopened.state, unopened.code.as_str()), (State::Error, "ROGUE"));

    assert_eq!(host.save(&[]).state, State::Ok);
    assert_eq!(host.call(Request::TestConnection).state, State::Warning);
    assert_eq!(host.save(&[("test_connection", "error")]).state, State::Ok);
    assert_eq!(host.call(Request::TestConnection).state, State::Error, "opened again with the new settings");
    assert_eq!(host.call(Request::DeleteConnection).state, State::Ok);
    assert_eq!(host.call(Request::DeleteConnection).code, error_code::UNKNOWN_CONNECTION_ID);
    assert_eq!(host.call(Request::TestConnection).code, error_code::UNKNOWN_CONNECTION_ID);
}

#[test]
fn settings_that_may_not_be_stored_are_refused() {
    let host = Host::configured(
        "[limits]\nsetting = \"1KiB\"\nsettings_per_connection = \"2KiB\"\nstored_connections = 1",
    );
    let (fits, long) = ("x".repeat(900), "x".repeat(1025));
    let text = |length: usize| "x".repeat(length);
    let many: Vec<_> = (0..1000).map(|number| format!("{number}{}", text(1000))).collect();
    let many: Vec<_> = many.iter().map(|key| (key.as_str(), "x")).collect();
    let answer = host.save(&many);
    refused(&answer, &["'Rogue'", "and 990 more", "it has Server, Password,", "nothing was changed"]);
    assert!(answer.user.len() < 10_000, "{}", answer.user.len());
    refused(
        &host.save(&[("Z", &long)]),
        &["setting \"Z\"", "1025 bytes, expected 1024 at most (limits.setting "],
    );
    refused(&host.save(&[("Password", &long)]), &["setting \"Password\"", "1025 bytes"]);
    refused(
        &host.save(&[("Z", &fits), ("get", &fits), ("fields", &fits)]),
        &["all 4 settings", "limits.settings_per_connection"],
    );
    assert_eq!(
        host.call(Request::TestConnection).code,
        error_code::UNKNOWN_CONNECTION_ID,
        "nothing is stored"
    );
    assert_eq!(host.save(&[("Z", &fits), ("get", &fits)]).state, State::Ok);
    refused(&host.save_as(OTHER, &[]), &["2 connections, expected 1 at most (limits.stored_connections"]);
    assert_eq!(host.save(&[]).state, State::Ok, "one that is stored can be changed");
    assert_eq!(host.call(Request::DeleteConnection).state, State::Ok);
    assert_eq!(host.save_as(OTHER, &[]).state, State::Ok);
}

#[test]
fn connection_guid_of_zeros_is_a_connection_in_setup() {
    let host = Host::start();
    let list = |name: &'static str| Request::GetList { list_name: Some(name.into()) };
    let ask = |query, request| host.call_in(Dialect::Data, Some(ZERO), query, request);
    assert_eq!(ask("", list("Companies")).rows(), ["A", "B"]);
    assert_eq!(ask("?ConnectorName=Rogue", list("Companies")).rows(), ["A", "B"]);
    let unknown = ask("", list("Nothing"));
    assert_eq!((unknown.state, unknown.rows().len()), (State::Ok, 0));
    refused(&ask("", Request::GetList { list_name: None }), &["ListName"]);
    refused(&ask("", Request::SaveConnection { connection_info: None }), &["all-zero"]);
    assert_eq!(ask("", Request::TestConnection).code, error_code::UNKNOWN_CONNECTION_ID);
}

#[test]
fn connector_name_selects_the_connector() {
    let host = Host::start();
    host.save(&[]);
    let config = host.call_in(Dialect::Message, None, "?ConnectorName=Nobody", Request::GetConfigData);
    refused(&config, &["connector 'Nobody' was not found", "Rogue"]);
    for request in requests() {
        let given = host.call_in(Dialect::Message, Some(GUID), "?ConnectorName=Excel", request);
        refused(&given, &[GUID, "'Rogue'", "'Excel'", "?ConnectorName=Rogue"]);
    }
    let save = Request::SaveConnection { connection_info: None };
    refused(&host.call_in(Dialect::Message, Some(GUID), "?ConnectorName=Excel", save.clone()), &["'Excel'"]);
    refused(&host.call_in(Dialect::Message, Some(OTHER), "?ConnectorName=Excel", save), &["Rogue"]);

    let host = Host::configured("default_connector = \"Gone\"");
    refused(
        &host.call_in(Dialect::Message, None, "", Request::GetConfigData),
        &["connector 'Gone' was not found", "here: Rogue"],
    );
}

#[test]
fn nulls_follow_the_contract() {
    let host = Host::start();
    host.save(&[]);
    assert_eq!(host.call(get(Some(&[Some("1"), None, Some("")]), None)).rows(), ["1:", ":"]);
    assert_eq!(host.call(get(Some(&[]), None)).rows(), [""; 0]);
    let all = host.call(Request::SearchActors {
        actor_type: Some("Customer".into()),
        search_text: Some("x".into()),
        field_keys: None,
    });
    assert_eq!(all.rows(), ["x:"]);
    assert_eq!(host.call(Request::SaveActors { actors: None }).state, State::Ok);
    for (request, member) in [
        (Request::GetSupportedActorTypeFields { actor_type: None }, "ActorType"),
        (Request::CreateActor { actor: None }, "Actor"),
        (Request::CreateActor { actor: Some(Actor::default()) }, "ActorType"),
        (Request::GetListItems { list_name: None, list_item_keys: None }, "ListName"),
    ] {
        refused(&host.call(request), &[member, "missing"]);
    }
}

/// A connector that has done what was asked must not look as if it had failed.
#[test]
fn writes_whose_reply_has_a_nul_character_succeed() {
    let host = Host::start();
    host.save(&[("create", "nul"), ("save_nul", "nul")]);
    let actor =
        Actor { actor_type: Some("Customer".into()), erp_key: Some("nul".into()), ..Actor::default() };
    for request in [
        Request::CreateActor { actor: Some(actor.clone()) },
        Request::SaveActors { actors: Some(vec![actor.clone()]) },
    ] {
        let written = host.call(request);
        assert_eq!(written.state, State::Ok, "{written:?}");
        assert_eq!(written.rows()[0], "1:NAME=a\u{fffd}b");
        roxmltree::Document::parse(&written.response.text()).unwrap();
    }
}

#[test]
fn operators_that_are_unknown_are_refused() {
    let host = Host::start();
    host.save(&[]);
    let search = |operator: &'static str, scalar: Option<&'static str>, values: &[&'static str]| {
        let restriction = Restriction {
            field_key: Some("NAME".into()),
            operator: Some(operator.into()),
            scalar_value: scalar.map(Into::into),
            values: Some(values.iter().map(|&value| Some(value.into())).collect()),
        };
        host.call(Request::SearchActorsAdvanced {
            actor_type: Some("Customer".into()),
            restrictions: Some(vec![restriction]),
            field_keys: None,
        })
    };
    assert_eq!(search("between", Some("c"), &["a", "b"]).rows(), ["NAME:OPERATOR=between,VALUES=a,b"]);
    assert_eq!(search("=", Some("c"), &[]).rows(), ["NAME:OPERATOR==,VALUES=c"]);
    refused(&search("like", None, &["a"]), &["NAME", "\"like\"", "begins, contains"]);
}

#[test]
fn authenticate_without_configuration_fails_without_a_reason() {
    let host = Host::start();
    let call = contract::Call {
        envelope: contract::Envelope::new(Dialect::Message),
        connection_guid: None,
        request: Request::Authenticate { signed_token: Some("x.y.z".into()) },
    };
    let response = host.post(&crate::host::soap_headers(&call), &crate::host::message(&call));
    assert_eq!(response.status, 200);
    let answer = contract::read_reply(&response.body, Operation::Authenticate).unwrap();
    let contract::Reply::Authentication(reply) = answer.reply else { panic!("{answer:?}") };
    assert!(!reply.succeeded && reply.signed_application_token.is_none());
    assert_eq!(reply.reason.as_deref(), Some("Failed to validate authentication request"));
}

#[test]
fn reply_with_an_error_after_many_rows_has_no_rows() {
    // In memory, and long after the reply has gone to its file.
    for (limit, rows) in [("1MiB", 10), ("4KiB", 2000)] {
        let host = Host::configured(&format!("[limits]\nreply_in_memory = \"{limit}\""));
        host.save(&[("changed_since", &format!("error-after:{rows}"))]);
        host.save_as(OTHER, &[("changed_since", &format!("huge:{rows}"))]);
        for &dialect in Dialect::ALL {
            let failed = host.call_in(dialect, Some(GUID), "", by_stamp());
            assert_eq!((failed.state, failed.code.as_str(), failed.rows().len()), (State::Error, "ROGUE", 0));
            let whole = host.call_in(dialect, Some(OTHER), "", by_stamp());
            assert_eq!((whole.state, whole.rows().len()), (State::Ok, rows + 1));
        }
        let left = std::fs::read_dir(host.data.join("spool")).unwrap().count();
        assert_eq!(left, 0, "files of replies have no names");
    }
}

#[test]
fn reply_beyond_its_limit_is_an_error() {
    let host = Host::configured("[limits]\nreply_in_memory = \"4KiB\"");
    host.save(&[("changed_since", "huge:1000")]);
    std::fs::remove_dir(host.data.join("spool")).unwrap();
    refused(&host.call(by_stamp()), &["no room"]);
    std::fs::create_dir(host.data.join("spool")).unwrap();
    assert_eq!(host.call(by_stamp()).rows().len(), 1001);
}

#[test]
fn panic_of_a_connector_fails_only_its_call() {
    let host = Host::start();
    host.save(&[("changed_since", "panic-after:3"), ("fields", "panic")]);
    for request in [by_stamp(), Request::GetSupportedActorTypeFields { actor_type: Some("Customer".into()) }]
    {
        let given = host.call(request);
        assert_eq!((given.state, given.rows().len()), (State::Error, 0));
        assert!(!given.user.is_empty());
    }
    assert_eq!(host.call(Request::TestConnection).state, State::Warning);
}
