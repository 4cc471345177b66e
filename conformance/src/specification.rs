//! Checking a connector in this process: what its author's test runs.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use plugin_api::{Actor, Connector, Settings};

use crate::engine::check_all;
use crate::in_process::InProcess;
use crate::report::{Report, Target};
use crate::subject::{Adapter, Subject, Writes};

/// Checks the rules with a connector in this process.
///
/// It only reads, unless [`writes`](Specification::writes) allows it to write. The connection should be one to a test
/// company with some actors of each type, and nothing else may change that company while the rules are checked.
///
/// See the [example of the crate](crate).
#[derive(Debug)]
pub struct Specification<'c, C: Connector> {
    connector: &'c C,
    settings: Settings,
    writes: Writes,
    examples: Vec<Actor>,
}

impl<'c, C: Connector> Specification<'c, C> {
    /// The specification, for a connection of this connector with these settings.
    pub fn new(connector: &'c C, settings: impl Into<Settings>) -> Self {
        Specification {
            connector,
            settings: settings.into(),
            writes: Writes::Nothing("writing was not allowed: see Specification::writes"),
            examples: Vec::new(),
        }
    }

    /// Allows to create and save actors of every type. What is created stays: the contract cannot delete.
    #[must_use]
    pub fn writes(mut self) -> Self {
        self.writes = Writes::Everything;
        self
    }

    /// Allows to create and save actors of these types only.
    #[must_use]
    pub fn writes_to<T: Into<String>>(mut self, actor_types: impl IntoIterator<Item = T>) -> Self {
        self.writes = Writes::Only(actor_types.into_iter().map(Into::into).collect());
        self
    }

    /// An actor that the connector can create, for actor types whose fields cannot be filled with just anything, such as
    /// a field that must be a valid VAT number. Without it every field that may be written gets a value of its type.
    #[must_use]
    pub fn example(mut self, actor: Actor) -> Self {
        self.examples.push(actor);
        self
    }

    /// Checks every rule. A panic of the connector breaks the rule that was being checked.
    pub fn run(&self) -> Report {
        let given = self.settings.iter().map(|(key, value)| (key.to_owned(), value.map(str::to_owned)));
        let adapter = Adapter::InProcess(Box::new(InProcess::new(self.connector)));
        let mut subject = Subject::new(adapter, given.collect(), self.writes.clone());
        subject.examples.clone_from(&self.examples);
        let (results, _) = block_on(check_all(&subject, std::future::pending(), &mut |_| {}));
        let mut report = Report::new(Target::Connector(C::NAME));
        report.results = results;
        report.left_behind = subject.left_behind.take();
        report
    }
}

/// Runs a future that never waits: every call in process is done when it returns.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}
