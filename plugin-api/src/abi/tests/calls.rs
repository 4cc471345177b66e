//! Both sides in one process: calls, and how the host handles invalid replies.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::std_types::RBox;

use crate::abi::adapter::connector_object;
use crate::abi::client::{ConnectionClient, ConnectorClient, INVALID_ANSWER, call};
use crate::abi::objects::{ConnectionBox, ConnectionObject, ConnectionObject_TO, SinkRef, Wire};
use crate::abi::{
    ActorCall, ActorOperation, ConnectorTransport, Kind, Message, MessageRef, Opened, Operation, RowWriter,
    replies,
};
use crate::{
    ActorType, Connection, Connector, Context, Field, Host, Input, ListBased, Outcome, Result, Rows,
    Settings, State, Value,
};

/// A correct connector with four customers, which gets what is sent as it is.
pub(super) struct Plain;

impl Connector for Plain {
    const NAME: &'static str = "Plain";
    const INPUT: Input = Input::Raw;
    type Connection = Plain;

    fn new(_: &Host) -> Result<Self> {
        Ok(Plain)
    }

    fn settings(&self, _cx: &Context) -> Result<Vec<Field>> {
        Ok(Vec::new())
    }

    fn connect(&self, _cx: &Context, _: &Settings) -> Result<Plain> {
        Ok(Plain)
    }
}

impl Connection for Plain {
    fn actor_types(&self, _cx: &Context) -> Result<Vec<ActorType>> {
        Ok(vec![ActorType::new("Customer").below("Partner")])
    }

    fn fields(&self, _cx: &Context, _: &str) -> Result<Vec<Field>> {
        Ok(vec![Field::text("NAME")])
    }

    fn description_lifetime(&self, _cx: &Context) -> Duration {
        Duration::from_millis(1500)
    }

    crate::list_based!(get, search, search_text, changed_since);
}

impl ListBased for Plain {
    fn actors(&self, _cx: &Context, _: &str, rows: &mut Rows<'_>) -> Result<()> {
        for key in 1..=4 {
            rows.row(key).field("NAME", "a name").end()?;
        }
        Ok(())
    }
}

/// Pushes one reply: a kind, and a function that writes the message.
type PushOne<'p> = dyn FnMut(Kind, &dyn Fn(&mut Message)) -> bool + 'p;

/// Pushes the replies to a call.
type Push = fn(&mut dyn FnMut(Kind, &dyn Fn(&mut Message)) -> bool);

/// A connection that pushes any replies.
struct FaultyConnection(Push);

impl ConnectionObject for FaultyConnection {
    fn call(&self, _: Operation, _: Wire<'_>, mut sink: SinkRef<'_>) {
        (self.0)(&mut |kind, encode| {
            let mut message = Message::new();
            encode(&mut message);
            sink.push(kind, message.as_ref().into())
        });
    }
}

fn faulty(push: Push) -> ConnectionClient {
    let object: ConnectionBox = ConnectionObject_TO::from_ptr(RBox::new(FaultyConnection(push)), TD_Opaque);
    ConnectionClient::new("Faulty".into(), Box::new(object))
}

fn ok(message: &mut Message) {
    replies::put_outcome(message, &Outcome::ok());
}

fn all() -> ActorCall<'static> {
    let operation = ActorOperation::ChangedSince { stamp: None };
    ActorCall { actor_type: "Customer", fields: None, operation }
}

fn plain() -> ConnectionClient {
    ConnectorClient::new("Plain".into(), Arc::new(connector_object(Plain, PathBuf::new())))
        .connect(&Settings::default())
        .unwrap()
}

/// Replies that are well-formed and not acceptable.
const UNUSABLE: [(Push, &str); 4] = [
    (
        |push| push_row(push, &"k".repeat(4097), &[]),
        "the key of a row has 4097 bytes; at most 4096 are taken",
    ),
    (
        |push| push_row(push, "1", &[(&"N".repeat(4097), "")]),
        "the key of a field has 4097 bytes; at most 4096 are taken",
    ),
    (
        |push| push_row(push, "1", &[("NAME", &"v".repeat((16 << 20) + 1))]),
        "the value of the field NAME has 16777217 bytes; at most 16777216 are taken",
    ),
    (
        |push| push_row(push, "1", &vec![("NAME", ""); 10_001]),
        "a row of 10001 fields; at most 10000 are taken",
    ),
];

fn push_row(push: &mut PushOne<'_>, key: &str, fields: &[(&str, &str)]) {
    push(Kind::ROWS, &|message| {
        let mut row = RowWriter::new(message);
        row.begin("Customer", key);
        for &(name, value) in fields {
            row.field(name, &Value::from(value));
        }
        row.end();
    });
    push(Kind::OUTCOME, &ok);
}

#[test]
fn opened_connection_has_what_its_connector_sets() {
    let expected =
        Opened { input: Input::Raw, description_lifetime: Duration::from_millis(1500), ..Opened::default() };
    assert_eq!(plain().opened(), expected);
}

#[test]
fn values_of_the_maximum_length_are_accepted() {
    let push: Push = |push| push_row(push, &"k".repeat(4096), &[("NAME", &"v".repeat(1 << 20))]);
    let outcome = faulty(push).actors(all(), &mut |_| ControlFlow::Continue(()));
    assert_eq!(outcome, Outcome::ok());
}

#[test]
fn unknown_field_type_is_named_in_the_error() {
    let push: Push = |push| {
        push(Kind::FIELD, &|message| {
            message.put_text("NAME");
            message.put_optional(None);
            message.put_optional(None);
            message.put_text("Rainbow");
            message.put_text("Normal");
        });
        push(Kind::OUTCOME, &ok);
    };
    let outcome = faulty(push).fields("Customer").unwrap_err();
    assert_eq!(outcome.tech.as_deref(), Some("the field \"NAME\" is of the unknown type \"Rainbow\""));
}

#[test]
fn invalid_replies_are_an_error_of_the_call() {
    let cases: [(Push, &str); 6] = [
        (|_| {}, "ended without an outcome"),
        (
            |push| {
                push(Kind(99), &|_| {});
                push(Kind::OUTCOME, &ok);
            },
            "does not hold what was expected",
        ),
        (
            |push| {
                push(Kind::ROWS, &|message| message.put_number(12));
                push(Kind::OUTCOME, &ok);
            },
            "does not hold what was expected",
        ),
        (
            |push| {
                push(Kind::OUTCOME, &|message| message.put_text("Splendid"));
            },
            "the outcome has the unknown state \"Splendid\"",
        ),
        (
            |push| {
                push(Kind::OUTCOME, &ok);
                push(Kind::OUTCOME, &ok);
            },
            "does not hold what was expected",
        ),
        (
            |push| {
                push(Kind::OUTCOME, &ok);
                push(Kind::ROWS, &|_| {});
            },
            "does not hold what was expected",
        ),
    ];
    for (push, expected) in cases.into_iter().chain(UNUSABLE) {
        let outcome = faulty(push).actors(all(), &mut |_| ControlFlow::Continue(()));
        assert_eq!(outcome.code.as_deref(), Some(INVALID_ANSWER), "{outcome:?}");
        assert_eq!(outcome.state, State::Error);
        assert!(outcome.user.as_deref().is_some_and(|user| user.contains("connector Faulty")), "{outcome:?}");
        assert!(outcome.tech.as_deref().is_some_and(|tech| tech.contains(expected)), "{outcome:?}");
    }
    // Rows as the reply to calls that have none.
    let rows: Push = |push| {
        push(Kind::ROWS, &|_| {});
        push(Kind::OUTCOME, &ok);
    };
    assert_eq!(faulty(rows).fields("Customer").unwrap_err().state, State::Error);
    assert_eq!(faulty(rows).test().state, State::Error);
    assert_eq!(faulty(rows).list("List").unwrap_err().state, State::Error);
}

#[test]
fn actor_types_cross_with_their_parents() {
    assert_eq!(plain().actor_types(), Ok(vec![ActorType::new("Customer").below("Partner")]));
}

#[test]
fn unknown_operation_is_an_error_of_the_call() {
    let connector: Arc<dyn ConnectorTransport> = Arc::new(connector_object(Plain, PathBuf::new()));
    let nothing = MessageRef { text: "", marks: &[] };
    let receive = |_: Kind, _: MessageRef<'_>| Ok(ControlFlow::Continue(()));
    let ((), outcome) = call("Plain", |replies| connector.call(Operation(4711), nothing, replies), receive);
    assert_eq!(outcome.state, State::Error);
    assert_eq!(outcome.user.as_deref(), Some("not supported by this connector (API 2.0.0, operation 4711)"));
}

#[test]
fn host_can_stop_an_answer() {
    let mut keys = Vec::new();
    plain().actors(all(), &mut |row| {
        keys.push(row.key.to_owned());
        if keys.len() == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(keys, ["1", "2"]);
}

/// A panic of the host does not unwind through the plugin, which would end the process.
#[test]
fn panic_of_the_host_resumes_in_the_host() {
    let connection = plain();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        connection.actors(all(), &mut |_| std::panic::resume_unwind(Box::new("ours")))
    }));
    assert_eq!(panic.unwrap_err().downcast_ref::<&str>(), Some(&"ours"));
    assert_eq!(connection.test(), Outcome::ok());
}
