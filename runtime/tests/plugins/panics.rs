//! Panics of a connector: each is an error of its call, and harms no other call.

use std::borrow::Cow;
use std::ops::ControlFlow;

use plugin_api::abi::client::{ConnectionClient, ConnectorClient};
use plugin_api::abi::{ActorCall, ActorOperation};
use plugin_api::{Actor, Outcome, Settings, State};

use super::fixture::{connection, rogue_with};

const PANICS: [&str; 3] = ["panic", "panic-any", "panic-in-error"];

/// The reference of the panic, from the text for the user.
fn reference(outcome: &Outcome) -> &str {
    let user = outcome.user.as_deref().unwrap_or_default();
    let reference = user.strip_prefix("the connector failed unexpectedly, reference ");
    let reference = reference.unwrap_or(user);
    assert!(reference.len() == 8 && reference.chars().all(|c| c.is_ascii_hexdigit()), "{user}");
    reference
}

/// Checks the texts of the outcome after a panic.
fn check(method: &str, command: &str, outcome: &Outcome) {
    assert_eq!(outcome.state, State::Error, "{method}");
    reference(outcome);
    let tech = outcome.tech.as_deref().unwrap_or_default();
    assert!(tech.starts_with("panicked at ") && tech.contains("fault.rs:"), "{method}: {tech}");
    if command == "panic" {
        assert!(tech.ends_with(": rogue panic, café"), "{method}: {tech}");
    }
}

#[test]
fn panic_in_every_method_of_a_connector() {
    type Call = fn(&ConnectorClient, &Settings) -> Outcome;
    let methods: [(&str, Call); 4] = [
        ("settings", |connector, _| connector.settings_form().unwrap_err()),
        ("list", |connector, _| connector.setup_list("Companies").unwrap_err()),
        ("test", |connector, settings| connector.test_settings(settings)),
        ("connect", |connector, settings| connector.connect(settings).unwrap_err()),
    ];
    for command in PANICS {
        let (_folder, plugin) = rogue_with(&[("settings", command), ("list", command)]);
        for (method, call) in methods {
            check(method, command, &call(&plugin.connector, &Settings::from([(method, command)])));
        }
        let connection = plugin.connector.connect(&Settings::default()).unwrap();
        assert_eq!(connection.test(), Outcome::warning("mind the step"));
    }
}

#[test]
fn panic_in_every_method_of_a_connection() {
    fn actors(connection: &ConnectionClient, operation: ActorOperation<'_>) -> Outcome {
        let call = ActorCall { actor_type: "Customer", fields: None, operation };
        connection.actors(call, &mut |_| ControlFlow::Continue(()))
    }
    type Call = fn(&ConnectionClient) -> Outcome;
    let methods: [(&str, Call); 13] = [
        ("test_connection", |connection| connection.test()),
        ("actor_types", |connection| connection.actor_types().unwrap_err()),
        ("fields", |connection| connection.fields("Customer").unwrap_err()),
        ("searchable_fields", |connection| connection.searchable_fields("Customer").unwrap_err()),
        ("get", |connection| actors(connection, ActorOperation::Get { keys: Cow::Borrowed(&["1"]) })),
        ("search", |connection| {
            actors(connection, ActorOperation::Search { restrictions: Cow::Borrowed(&[]) })
        }),
        ("search_text", |connection| {
            actors(connection, ActorOperation::SearchText { text: "", parent: None })
        }),
        ("changed_since", |connection| actors(connection, ActorOperation::ChangedSince { stamp: None })),
        ("create", |connection| {
            actors(connection, ActorOperation::Create { actor: Cow::Owned(Actor::default()) })
        }),
        ("save", |connection| connection.save(&[], &mut |_, _| ControlFlow::Continue(()))),
        ("connection_list", |connection| connection.list("FromHost").unwrap_err()),
        ("list_items", |connection| connection.list_items("FromHost", &[]).unwrap_err()),
        // After rows were sent.
        ("get", |connection| actors(connection, ActorOperation::Get { keys: Cow::Borrowed(&["1"]) })),
    ];
    for command in PANICS {
        for (method, call) in methods {
            let (_folder, connection) = connection([(method, command)]);
            check(method, command, &call(&connection));
            // The same connection, in a method that does not panic.
            let other = if method == "fields" {
                connection.actor_types().is_ok()
            } else {
                connection.fields("Person").is_ok()
            };
            assert!(other, "the connection is usable after a panic in {method}");
        }
    }
}

#[test]
fn panic_after_rows_were_sent() {
    let (_folder, connection) = connection([("changed_since", "panic-after:5000")]);
    let mut rows = 0;
    let operation = ActorOperation::ChangedSince { stamp: None };
    let outcome =
        connection.actors(ActorCall { actor_type: "Customer", fields: None, operation }, &mut |_| {
            rows += 1;
            ControlFlow::Continue(())
        });
    check("changed_since", "panic", &outcome);
    assert!(rows > 0);
    assert!(connection.fields("Customer").is_ok());
}

#[test]
fn panic_with_a_hook_of_the_author() {
    let (_folder, connection) = connection([("fields", "own-hook")]);
    let outcome = connection.fields("Customer").unwrap_err();
    reference(&outcome);
    assert_eq!(outcome.tech.as_deref(), Some("panicked: a panic with a hook of its own"));
}

#[test]
fn panic_in_the_drop_of_a_connector() {
    for command in PANICS {
        let (_folder, plugin) = rogue_with(&[("drop", command)]);
        let connection = plugin.connector.connect(&Settings::default()).unwrap();
        // This drops the connector; the connection does not keep it.
        assert!(std::sync::Arc::into_inner(plugin).is_some(), "this is the only owner");
        assert!(connection.fields("Person").is_ok());
    }
}

#[test]
fn panic_in_the_drop_of_a_connection() {
    for command in PANICS {
        let (_folder, plugin) = rogue_with(&[]);
        drop(plugin.connector.connect(&Settings::from([("drop", command)])).unwrap());
        assert!(plugin.connector.connect(&Settings::default()).is_ok());
    }
}
