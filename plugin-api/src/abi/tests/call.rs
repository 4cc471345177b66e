//! Cancellation, deadline and progress of a call, as the connector sees them in its context.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use crate::abi::adapter::connector_object;
use crate::abi::client::{ConnectionClient, ConnectorClient};
use crate::abi::{ActorCall, ActorOperation, CallWatch};
use crate::{
    Actor, ActorType, Connection, Connector, Context, Field, Host, ListBased, ListItem, Result, Rows, Saves,
    Settings, State,
};

/// Returns the state of its call in its outcome, and a callback's in a list.
#[derive(Clone, Default)]
struct CallReporter(Arc<AtomicUsize>);

impl Connector for CallReporter {
    const NAME: &'static str = "CallReporter";
    type Connection = CallReporter;

    fn new(_: &Host) -> Result<Self> {
        Ok(CallReporter::default())
    }

    fn settings(&self, _cx: &Context) -> Result<Vec<Field>> {
        Ok(Vec::new())
    }

    fn connect(&self, cx: &Context, _: &Settings) -> Result<CallReporter> {
        cx.progress("connecting");
        Ok(self.clone())
    }
}

impl Connection for CallReporter {
    fn test(&self, cx: &Context) -> Result<()> {
        cx.progress(format_args!(
            "testing,\nwith {} left",
            if cx.time_left().is_some() { "time" } else { "unlimited time" }
        ));
        // Also on another thread.
        let call = cx.clone();
        let seen = std::thread::spawn(move || (call.is_cancelled(), call.time_left())).join().unwrap();
        cx.warn(format!("{seen:?}"));
        Ok(())
    }

    fn actor_types(&self, _cx: &Context) -> Result<Vec<ActorType>> {
        Ok(vec!["Customer".into()])
    }

    fn fields(&self, _cx: &Context, _: &str) -> Result<Vec<Field>> {
        Ok(vec![Field::text("NAME")])
    }

    crate::list_based!(get, search, search_text, changed_since);

    /// `each` checks for the cancellation, and a loop of the author's own does not.
    fn save(&self, _cx: &Context, saves: &mut Saves<'_>) -> Result<()> {
        if saves.actors().iter().any(|actor| actor.has("EACH")) {
            return saves.each(|actor, rows| rows.push(actor));
        }
        for actor in saves.actors() {
            saves.saved(actor, |rows| rows.push(actor))?;
        }
        Ok(())
    }

    /// Has two callbacks: one counts, the other one panics. `until cancelled` waits for the first one.
    fn list(&self, cx: &Context, name: &str) -> Result<Option<Vec<ListItem>>> {
        let count = Arc::clone(&self.0);
        let (done, is_done) = mpsc::channel();
        cx.on_cancel(|| std::panic::resume_unwind(Box::new("the author's callback")));
        cx.on_cancel(move || {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = done.send(());
        });
        if name == "until cancelled" {
            cx.progress("waiting");
            is_done.recv()?;
        }
        Ok(None)
    }
}

impl ListBased for CallReporter {
    fn actors(&self, _cx: &Context, _: &str, rows: &mut Rows<'_>) -> Result<()> {
        for key in 0.. {
            rows.row(key).field("NAME", "a name").end()?;
        }
        Ok(())
    }
}

fn connection() -> ConnectionClient {
    connection_to(CallReporter::default())
}

fn connection_to(reporter: CallReporter) -> ConnectionClient {
    let connector = ConnectorClient::new(
        "CallReporter".into(),
        Arc::new(connector_object(reporter, std::path::PathBuf::new())),
    );
    connector.connect(&Settings::default()).unwrap()
}

fn call_state(watch: &CallWatch) -> String {
    watch.during(|| connection().test()).user.unwrap_or_default()
}

#[test]
fn call_has_the_deadline_and_cancellation_of_its_host() {
    assert_eq!(connection().test().user.as_deref(), Some("(false, None)"), "a host without a deadline");
    assert_eq!(call_state(&CallWatch::new(None)), "(false, None)");
    assert_eq!(call_state(&CallWatch::new(Some(Instant::now()))), "(false, Some(0ns))");
    let state = call_state(&CallWatch::new(Instant::now().checked_add(Duration::from_secs(3600))));
    assert!(state.starts_with("(false, Some(35"), "{state}");
    let watch = CallWatch::new(Instant::now().checked_add(Duration::from_secs(3600)));
    watch.cancel();
    assert_eq!(call_state(&watch), "(true, Some(0ns))");
}

#[test]
fn progress_reaches_the_host() {
    let watch = CallWatch::new(None);
    assert_eq!(watch.progress(), None);
    watch.during(connection);
    assert_eq!(watch.progress().as_deref(), Some("connecting"));
    call_state(&watch);
    assert_eq!(watch.progress().as_deref(), Some("testing, with unlimited time left"));
}

/// A search without an end, which is cancelled.
#[test]
fn cancelled_search_ends() {
    for operation in [
        ActorOperation::ChangedSince { stamp: None },
        ActorOperation::SearchText { text: "nobody has this name", parent: None },
    ] {
        let watch = CallWatch::new(None);
        let canceller = watch.clone();
        let (begun, has_begun) = mpsc::channel();
        let caller = std::thread::spawn(move || {
            has_begun.recv().unwrap();
            canceller.cancel();
        });
        begun.send(()).unwrap();
        let call = ActorCall { actor_type: "Customer", fields: None, operation };
        let outcome = watch.during(|| connection().actors(call, &mut |_| ControlFlow::Continue(())));
        caller.join().unwrap();
        assert_eq!((outcome.state, outcome.user.as_deref()), (State::Error, Some("the call was given up")));
    }
}

#[test]
fn cancelled_save_goes_on_until_the_author_checks() {
    let watch = CallWatch::new(None);
    watch.cancel();
    let save = |actors: &[Actor]| {
        let mut results = 0;
        let outcome = watch.during(|| {
            connection().save(actors, &mut |_, _| {
                results += 1;
                ControlFlow::Continue(())
            })
        });
        (outcome.state, results)
    };
    let actors = [Actor::new("Customer", "1"), Actor::new("Customer", "2")];
    assert_eq!(save(&actors), (State::Ok, 2));
    assert_eq!(save(&actors.map(|actor| actor.with("EACH", true))), (State::Error, 0), "between the actors");
}

#[test]
fn cancellation_callback_runs_once() {
    let has_run = Arc::new(AtomicBool::new(false));
    let callback = || {
        let has_run = Arc::clone(&has_run);
        move || assert!(!has_run.swap(true, Ordering::SeqCst))
    };
    let watch = CallWatch::new(None);
    watch.on_cancel(callback());
    assert!(!has_run.load(Ordering::SeqCst));
    watch.cancel();
    watch.cancel();
    assert!(has_run.swap(false, Ordering::SeqCst));
    watch.on_cancel(callback());
    assert!(has_run.load(Ordering::SeqCst), "runs at once after the cancellation");
}

#[test]
fn on_cancel_runs_the_callback_of_a_connector_once() {
    let reporter = CallReporter::default();
    let connection = connection_to(reporter.clone());
    let count = || reporter.0.load(Ordering::SeqCst);
    let watch = CallWatch::new(None);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while watch.progress().is_none() {
                std::thread::yield_now();
            }
            watch.cancel();
            watch.cancel();
        });
        assert_eq!(watch.during(|| connection.list("until cancelled")), Ok(None));
    });
    assert_eq!(count(), 1);
    assert_eq!(watch.during(|| connection.list("until cancelled")), Ok(None));
    assert_eq!(count(), 2, "runs at once after the cancellation");
}

#[test]
fn on_cancel_drops_the_callback_when_the_call_ends() {
    let reporter = CallReporter::default();
    let connection = connection_to(reporter.clone());
    let references = Arc::strong_count(&reporter.0);
    let watch = CallWatch::new(None);
    assert_eq!(watch.during(|| connection.list("at once")), Ok(None));
    assert_eq!(Arc::strong_count(&reporter.0), references);
    watch.cancel();
    assert_eq!(connection.list("without a call"), Ok(None));
    assert_eq!((Arc::strong_count(&reporter.0), reporter.0.load(Ordering::SeqCst)), (references, 0));
}

/// The host's calls inside each other, such as a connection that is opened for a call.
#[test]
fn during_is_the_innermost_call() {
    let is_cancelled = || connection().test().user.unwrap().starts_with("(true");
    let cancelled = CallWatch::new(None);
    cancelled.cancel();
    cancelled.during(|| {
        assert!(is_cancelled());
        CallWatch::new(None).during(|| assert!(!is_cancelled()));
        assert!(is_cancelled());
    });
    assert!(!is_cancelled());
}
