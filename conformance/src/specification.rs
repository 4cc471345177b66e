//! Checking a connector in this process: what its author's test runs.

use std::fmt;
use std::pin::pin;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use plugin_api::{Actor, Connector, Settings};

use crate::clock::DEFAULT_LIMIT;
use crate::engine::{Progress, check_all};
use crate::erp_control::ErpControl;
use crate::in_process::InProcess;
use crate::report::{Report, Target};
use crate::rule::Rule;
use crate::rules::{delete_saved, is_rule};
use crate::subject::{Adapter, Subject, Writes};

/// Checks the rules with a connector in this process.
///
/// It only reads, unless [`writes`](Specification::writes) allows it to write. The connection should be one to a test
/// company with some actors of each type, and nothing else may change that company while the rules are checked.
///
/// See the [example of the crate](crate).
pub struct Specification<'c, C: Connector> {
    connector: &'c C,
    settings: Settings,
    writes: Writes,
    examples: Vec<Actor>,
    only: Vec<u16>,
    rule_timeout: Duration,
    erp: Result<&'c dyn ErpControl, &'static str>,
}

impl<C: Connector> fmt::Debug for Specification<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Specification").field("connector", &C::NAME).finish_non_exhaustive()
    }
}

impl<'c, C: Connector> Specification<'c, C> {
    /// The specification, for a connection of this connector with these settings.
    pub fn new(connector: &'c C, settings: impl Into<Settings>) -> Self {
        Specification {
            connector,
            settings: settings.into(),
            writes: Writes::Nothing("writing was not allowed: see Specification::writes"),
            examples: Vec::new(),
            only: Vec::new(),
            rule_timeout: DEFAULT_LIMIT,
            erp: Err("no control of the ERP system was given: see Specification::erp"),
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

    /// Checks only these rules, and those that they need: `only([801, 802])`.
    ///
    /// # Panics
    /// There is no rule of such a number.
    #[must_use]
    #[track_caller]
    pub fn only(mut self, rules: impl IntoIterator<Item = u16>) -> Self {
        self.only = rules.into_iter().collect();
        for rule in &self.only {
            assert!(is_rule(*rule), "there is no rule {rule}; docs/verify.md lists them");
        }
        self
    }

    /// How long each rule may take; five minutes unless it is set. A call cannot be ended from outside, so a rule fails when its
    /// call has come back.
    #[must_use]
    pub fn rule_timeout(mut self, limit: Duration) -> Self {
        self.rule_timeout = limit;
        self
    }

    /// Checks also what happens while the ERP system is slow or away: the test shows how to make it so.
    #[must_use]
    pub fn erp(mut self, control: &'c dyn ErpControl) -> Self {
        self.erp = Ok(control);
        self
    }

    /// Checks every rule. A panic of the connector breaks the rule that was being checked. Standard error has a line for a rule that
    /// takes longer than ten seconds.
    pub fn run(&self) -> Report {
        let (checking, checked) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(move || name_slow_rules(&checked));
            self.run_with(move |progress| {
                let rule = match progress {
                    Progress::Checking(rule, ..) => Some(*rule),
                    _ => None,
                };
                // The thread ends after this closure.
                let _ = checking.send(rule);
            })
        })
    }

    /// Checks every rule as [`run`](Self::run), and reports what happens.
    pub fn run_with(&self, mut progress: impl FnMut(Progress<'_>)) -> Report {
        let given = self.settings.iter().map(|(key, value)| (key.to_owned(), value.map(str::to_owned)));
        let adapter = Adapter::InProcess(Box::new(InProcess::new(self.connector)));
        let mut subject = Subject::new(adapter, given.collect(), self.writes.clone());
        subject.examples.clone_from(&self.examples);
        subject.erp = self.erp;
        subject.clock.set_limit(self.rule_timeout);
        let checking = check_all(&subject, &self.only, std::future::pending(), &mut progress);
        let (results, _) = block_on(checking);
        progress(Progress::CleaningUp);
        subject.clock.start_rule();
        let saved = subject.saved.borrow().clone();
        for guid in saved {
            // Its error is a matter of the log.
            block_on(delete_saved(&subject, guid));
        }
        let mut report = Report::new(Target::Connector(C::NAME));
        report.results = results;
        report.left_behind = subject.left_behind.take();
        report.created = subject.created_count.take();
        report.requests = subject.clock.requests();
        report
    }
}

/// Names rules that take long on standard error, so that a test against a slow ERP system is not silent.
fn name_slow_rules(checked: &Receiver<Option<Rule>>) {
    const SLOW: Duration = Duration::from_secs(10);
    let mut rule: Option<Rule> = None;
    let mut waited = Duration::ZERO;
    loop {
        match checked.recv_timeout(SLOW) {
            Ok(next) => (rule, waited) = (next, Duration::ZERO),
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                waited += SLOW;
                if let Some(rule) = rule {
                    eprintln!("rule {} takes {} s so far: {}", rule.number, waited.as_secs(), rule.text);
                }
            }
        }
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
