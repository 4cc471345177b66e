//! What a connector learns of the call that it works on.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use crate::abi::adapter::connector_object;
use crate::abi::client::{ConnectionClient, ConnectorClient};
use crate::abi::{ActorCall, ActorOperation, CallWatch};
use crate::{
    Actor, Call, Connection, Connector, Field, Host, Outcome, Result, Rows, Settings, State, testing,
};

/// Says in its outcome what it knows of its call.
struct Asking;

impl Connector for Asking {
    const NAME: &'static str = "Asking";
    type Connection = Asking;

    fn new(_: &Host) -> Result<Self> {
        Ok(Asking)
    }

    fn settings(&self) -> Result<Vec<Field>> {
        Ok(Vec::new())
    }

    fn connect(&self, _: &Settings) -> Result<Asking> {
        Call::current().progress("connecting");
        Ok(Asking)
    }
}

impl Connection for Asking {
    fn test(&self) -> Result<Outcome> {
        let call = Call::current();
        call.progress(format_args!(
            "asking,\nwith {} left",
            if call.time_left().is_some() { "time" } else { "all time" }
        ));
        // Also from another thread.
        let there = std::thread::spawn(move || (call.is_cancelled(), call.time_left())).join().unwrap();
        Ok(Outcome::warning(format!("{there:?}")))
    }

    fn actor_types(&self) -> Result<Vec<String>> {
        Ok(vec!["Customer".to_owned()])
    }

    fn fields(&self, _: &str) -> Result<Vec<Field>> {
        Ok(vec![Field::text("NAME")])
    }

    fn actors(&self, _: &str, rows: &mut Rows<'_>) -> Result<Outcome> {
        for key in 0.. {
            rows.row(key).field("NAME", "a name").end()?;
        }
        Ok(Outcome::ok())
    }

    fn save(&self, actors: &[Actor], rows: &mut Rows<'_>) -> Result<Outcome> {
        actors.iter().try_for_each(|actor| rows.push(actor))?;
        Ok(Outcome::ok())
    }
}

fn connection() -> ConnectionClient {
    let connector = ConnectorClient::new("Asking".into(), Arc::new(connector_object(Asking)));
    connector.connect(&Settings::default()).unwrap()
}

fn asked(watch: &CallWatch) -> String {
    watch.during(|| connection().test()).user.unwrap_or_default()
}

#[test]
fn a_connector_knows_how_long_somebody_waits() {
    assert_eq!(connection().test().user.as_deref(), Some("(false, None)"), "a host that says nothing");
    assert_eq!(asked(&CallWatch::new(None)), "(false, None)");
    assert_eq!(asked(&CallWatch::new(Some(Instant::now()))), "(false, Some(0ns))");
    let told = asked(&CallWatch::new(Instant::now().checked_add(Duration::from_secs(3600))));
    assert!(told.starts_with("(false, Some(35"), "{told}");
    let watch = CallWatch::new(Instant::now().checked_add(Duration::from_secs(3600)));
    watch.cancel();
    assert_eq!(asked(&watch), "(true, Some(0ns))");
}

#[test]
fn progress_comes_to_the_host() {
    let watch = CallWatch::new(None);
    assert_eq!(watch.progress(), None);
    watch.during(connection);
    assert_eq!(watch.progress().as_deref(), Some("connecting"));
    asked(&watch);
    assert_eq!(watch.progress().as_deref(), Some("asking, with all time left"));
}

/// A search without an end, whose caller goes away.
#[test]
fn a_call_that_reads_ends_when_nobody_waits() {
    for operation in [
        ActorOperation::ChangedSince { stamp: None },
        ActorOperation::SearchText { text: "nobody has this name", parent: None },
    ] {
        let watch = CallWatch::new(None);
        let gone = watch.clone();
        let (begun, begins) = mpsc::channel();
        let caller = std::thread::spawn(move || {
            begins.recv().unwrap();
            gone.cancel();
        });
        begun.send(()).unwrap();
        let call = ActorCall { actor_type: "Customer", fields: None, operation };
        let outcome = watch.during(|| connection().actors(call, &mut |_| ControlFlow::Continue(())));
        caller.join().unwrap();
        assert_eq!((outcome.state, outcome.user.as_deref()), (State::Error, Some("the call was given up")));
    }
}

#[test]
fn a_call_that_writes_ends_where_its_author_says() {
    let actors = vec![Actor::new("Customer", "1"), Actor::new("Customer", "2")];
    let call = ActorCall {
        actor_type: "Customer",
        fields: None,
        operation: ActorOperation::Save { actors: actors.into() },
    };
    let mut rows = 0;
    let outcome = testing::cancelled(|| {
        connection().actors(call, &mut |_| {
            rows += 1;
            ControlFlow::Continue(())
        })
    });
    assert_eq!((outcome.state, rows), (State::Ok, 2));
}

#[test]
fn the_call_is_the_one_that_runs() {
    let is_cancelled = || Call::current().is_cancelled();
    assert!(Call::current().check().is_ok());
    testing::cancelled(|| {
        assert!(is_cancelled());
        assert!(Call::current().check().is_err());
        testing::within(Duration::from_secs(3600), || {
            assert!(!is_cancelled() && Call::current().time_left().is_some());
        });
        assert!(is_cancelled());
    });
    assert!(!is_cancelled() && Call::current().time_left().is_none());
}

#[test]
fn who_wants_to_know_of_the_end_is_told_once() {
    let told = Arc::new(AtomicBool::new(false));
    let tell = || {
        let told = Arc::clone(&told);
        move || assert!(!told.swap(true, Ordering::SeqCst))
    };
    let watch = CallWatch::new(None);
    watch.on_cancel(tell());
    assert!(!told.load(Ordering::SeqCst));
    watch.cancel();
    watch.cancel();
    assert!(told.swap(false, Ordering::SeqCst));
    watch.on_cancel(tell());
    assert!(told.load(Ordering::SeqCst), "told at once when it is over");
}
