//! Every call of a connector and of a connection, across the boundary and back.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::mpsc;
use std::thread;

use plugin_api::abi::client::ConnectionClient;
use plugin_api::abi::{ActorCall, ActorOperation, SaveResult};
use plugin_api::{
    Access, Actor, ActorType, Error, FieldType, Operator, Outcome, Parent, Restriction, Settings, State,
};

use super::fixture::{connection, rogue_with};

/// Makes a call and collects its actors.
fn actors(connection: &ConnectionClient, operation: ActorOperation<'_>) -> (Vec<Actor>, Outcome) {
    select(connection, None, operation)
}

fn select<'a>(
    connection: &ConnectionClient,
    fields: Option<&'a [&'a str]>,
    operation: ActorOperation<'a>,
) -> (Vec<Actor>, Outcome) {
    let mut actors = Vec::new();
    let call = ActorCall { actor_type: "Customer", fields: fields.map(Cow::Borrowed), operation };
    let outcome = connection.actors(call, &mut |row| {
        actors.push(row.to_actor());
        ControlFlow::Continue(())
    });
    (actors, outcome)
}

const ALL: ActorOperation<'static> = ActorOperation::ChangedSince { stamp: None };

#[test]
fn connector_returns_its_settings_form_and_lists() {
    let (_folder, plugin) = rogue_with(&[]);
    let form = plugin.connector.settings_form().unwrap();
    assert_eq!(form[0].key, "Server");
    assert_eq!(form[0].label.as_deref(), Some("US:\"Server\";NO:\"Tjener\""));
    assert_eq!((form[0].access, form[0].max_length, form[0].rank), (Access::Mandatory, 40, Some(7)));
    assert_eq!(
        (form[1].field_type, form[1].description.as_deref()),
        (FieldType::Password, Some("never shown"))
    );
    assert_eq!((form[2].field_type, form[2].list.as_deref()), (FieldType::List, Some("Companies")));
    assert_eq!((form[3].default.as_deref(), form[3].rank), (Some("[I:443]"), None));

    let list = plugin.connector.setup_list("Companies").unwrap().unwrap();
    assert_eq!((list[0].key.as_str(), list[0].text.as_str(), list.len()), ("A", "US:\"Company A\"", 2));
    assert_eq!(plugin.connector.setup_list("None").unwrap(), None);

    let outcome = plugin.connector.test_settings(&Settings::from([("Server", "erp.example.org")]));
    let expected = Outcome::info("it works").tech("erp.example.org").code("TESTED");
    assert_eq!(outcome, expected);
}

#[test]
fn connection_returns_its_actor_types_fields_and_lists() {
    let (_folder, connection) = connection([]);
    assert_eq!(connection.connector(), "Rogue");
    assert_eq!(connection.test(), Outcome::warning("mind the step"));
    assert_eq!(connection.actor_types().unwrap(), ["Customer", "Person"].map(ActorType::new));
    assert_eq!(connection.fields("Person").unwrap()[0].key, "NAME");
    assert_eq!(connection.searchable_fields("Person").unwrap(), ["NAME", "NUMBER"]);
    assert_eq!(connection.fields("Ghost").unwrap_err().user.as_deref(), Some("there is no actor type Ghost"));
    assert_eq!(connection.list("None").unwrap(), None);
    assert_eq!(connection.list("FromHost").unwrap().unwrap().len(), 2);
    assert_eq!(connection.list_items("FromHost", &["greeting", "x"]).unwrap().unwrap().len(), 1);
    assert_eq!(connection.list_items("FromHost", &[]).unwrap(), Some(Vec::new()));
    assert_eq!(connection.list_items("None", &["x"]).unwrap(), None);
}

#[test]
fn every_actor_operation_returns_its_actors() {
    let (_folder, connection) = connection([]);
    let keys = |operation| {
        let (actors, outcome) = actors(&connection, operation);
        assert_eq!(outcome, Outcome::ok());
        actors.into_iter().map(|actor| actor.key).collect::<Vec<_>>()
    };
    assert_eq!(keys(ActorOperation::Get { keys: Cow::Borrowed(&["b", "", "a"]) }), ["b", "", "a"]);
    assert_eq!(keys(ActorOperation::SearchText { text: "été", parent: None }), ["été"]);
    assert_eq!(keys(ActorOperation::ChangedSince { stamp: Some("2026") }), ["1"]);
    assert_eq!(keys(ActorOperation::Create { actor: Cow::Owned(Actor::new("Customer", "")) }), ["new"]);

    let parent = Parent { actor_type: "Customer".to_owned(), key: "7".to_owned() };
    let search = ActorOperation::SearchText { text: "", parent: Some(Cow::Borrowed(&parent)) };
    assert_eq!(actors(&connection, search).0[0].parent.as_ref(), Some(&parent));

    let restrictions = [
        Restriction::new("NAME", Operator::Between, ["a", "b"]),
        Restriction::new("X", Operator::IsNot, [""]),
    ];
    let (found, _) =
        actors(&connection, ActorOperation::Search { restrictions: Cow::Borrowed(&restrictions) });
    assert_eq!(found[0].key, "NAME");
    assert_eq!(found[0].field("OPERATOR"), Some(Some("between")));
    assert_eq!(found[0].field("VALUES"), Some(Some("a,b")));
    assert_eq!(found[1].field("OPERATOR"), Some(Some("isnot")));

    let mut changed = Actor::new("Customer", "1");
    changed.fields = vec![("NAME".to_owned(), None), ("ZIP".to_owned(), Some("0123".to_owned()))];
    let changed = [changed, Actor::new("Person", "2")];
    let mut saved = Vec::new();
    let outcome = connection.save(&changed, &mut |position, result| {
        let SaveResult::Saved(row) = result else { panic!("{result:?}") };
        saved.push((position, row.to_actor()));
        ControlFlow::Continue(())
    });
    assert_eq!(outcome, Outcome::ok());
    assert_eq!(saved, changed.into_iter().enumerate().collect::<Vec<_>>());
}

#[test]
fn rows_have_the_fields_that_were_requested() {
    let (_folder, connection) = connection([("search", "huge:3")]);
    let everything = || ActorOperation::Search { restrictions: Cow::Borrowed(&[]) };
    let (all, outcome) = select(&connection, None, everything());
    assert_eq!((outcome, all.len(), all[2].fields.len()), (Outcome::ok(), 3, 20));
    assert_eq!(all[0].last_modified.as_deref(), Some("2026-01-01T00:00:00"));
    assert_eq!(all[0].field("URL"), Some(Some("a value of usual length")));
    let (some, _) = select(&connection, Some(&["URL", "NO_SUCH_FIELD"]), everything());
    assert_eq!((some.len(), some[1].fields.len()), (3, 1));
    let (none, _) = select(&connection, Some(&[]), everything());
    assert_eq!((none.len(), none[1].fields.len()), (3, 0));
}

#[test]
fn error_after_rows_keeps_its_texts() {
    let (_folder, connection) = connection([("changed_since", "error-after:5000"), ("fields", "error")]);
    let (rows, outcome) = actors(&connection, ALL);
    assert!(!rows.is_empty(), "rows come while the connector still runs");
    let error = Error::user("US:\"rogue error\";NO:\"slem feil\"").tech("the disk is on fire").code("ROGUE");
    let expected = error.to_outcome();
    assert_eq!(outcome, expected);
    assert_eq!(connection.fields("Customer").unwrap_err(), expected);
}

#[test]
fn failed_connect_returns_the_outcome() {
    let (_folder, plugin) = rogue_with(&[]);
    let outcome = plugin.connector.connect(&Settings::from([("connect", "error")])).unwrap_err();
    assert_eq!((outcome.state, outcome.code.as_deref()), (State::Error, Some("ROGUE")));
}

#[test]
fn unfinished_row_is_not_sent() {
    let (_folder, connection) = connection([("get", "unfinished")]);
    let (rows, outcome) = actors(&connection, ActorOperation::Get { keys: Cow::Borrowed(&["1"]) });
    assert_eq!((rows, outcome), (vec![Actor::new("Customer", "1")], Outcome::ok()));
}

#[test]
fn huge_answer_arrives_in_batches_and_can_be_stopped() {
    let (_folder, connection) = connection([("changed_since", "huge:10000")]);
    let mut count = 0;
    let call = ActorCall { actor_type: "Customer", fields: None, operation: ALL };
    connection.actors(call, &mut |_| {
        count += 1;
        if count == 100 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(count, 100);
    // The connection still works.
    assert_eq!(actors(&connection, ALL).0.len(), 10_001);
}

#[test]
fn concurrent_calls_on_one_connection() {
    let (_folder, connection) = connection([("search", "huge:200")]);
    let everything = || ActorOperation::Search { restrictions: Cow::Borrowed(&[]) };
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5 {
                    assert_eq!(actors(&connection, everything()).0.len(), 200);
                }
            });
        }
    });
}

/// Also not on the same connection.
#[test]
fn blocked_call_does_not_block_other_calls() {
    let (_folder, connection) = connection([("fields", "block"), ("list_items", "release")]);
    let (done, result) = mpsc::channel();
    thread::scope(|scope| {
        let connection = &connection;
        scope.spawn(move || {
            done.send(connection.fields("Customer")).unwrap();
        });
        let fields = loop {
            // Repeated, because the call may not be blocked yet.
            connection.list_items("FromHost", &[]).unwrap();
            if let Ok(fields) = result.try_recv() {
                break fields;
            }
            thread::yield_now();
        };
        assert_eq!(fields.unwrap().len(), 2);
    });
}
