//! The time that calls take, and the limit of it for each rule.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use contract::Operation;

use crate::reply::Evidence;
use crate::rule::Stop;

/// How long a rule may take unless it is set otherwise: a slow ERP system needs seconds for a call, and a rule up to a hundred
/// calls.
pub(crate) const DEFAULT_LIMIT: Duration = Duration::from_secs(300);

/// Counts calls, and measures them for the rule that is checked.
#[derive(Debug)]
pub(crate) struct Clock {
    limit: Cell<Duration>,
    requests: Cell<usize>,
    rule: RefCell<RuleTime>,
}

/// The calls of the rule that is checked.
#[derive(Debug)]
struct RuleTime {
    started: Instant,
    calls: usize,
    longest: Option<(Operation, Duration)>,
}

impl Default for Clock {
    fn default() -> Self {
        let rule = RuleTime { started: Instant::now(), calls: 0, longest: None };
        Clock { limit: Cell::new(DEFAULT_LIMIT), requests: Cell::default(), rule: RefCell::new(rule) }
    }
}

impl Clock {
    pub(crate) fn set_limit(&self, limit: Duration) {
        self.limit.set(limit);
    }

    /// The check of a rule begins.
    pub(crate) fn start_rule(&self) {
        *self.rule.borrow_mut() = RuleTime { started: Instant::now(), calls: 0, longest: None };
    }

    /// How many requests there were, of all rules.
    pub(crate) fn requests(&self) -> usize {
        self.requests.get()
    }

    /// Counts requests that are sent.
    pub(crate) fn count(&self, requests: usize) {
        self.requests.set(self.requests.get() + requests);
        self.rule.borrow_mut().calls += requests;
    }

    /// A call has taken this long.
    pub(crate) fn measured(&self, operation: Operation, elapsed: Duration) {
        let mut rule = self.rule.borrow_mut();
        if rule.longest.is_none_or(|(_, longest)| longest < elapsed) {
            rule.longest = Some((operation, elapsed));
        }
    }

    /// What is left for the next call of the rule.
    pub(crate) fn left(&self, next: Operation) -> Result<Duration, Stop> {
        let left = self.limit.get().saturating_sub(self.rule.borrow().started.elapsed());
        if left.is_zero() { Err(self.exceeded(next)) } else { Ok(left) }
    }

    /// The rule takes too long. `at` is the call that it is at.
    pub(crate) fn exceeded(&self, at: Operation) -> Stop {
        let rule = self.rule.borrow();
        let limit = self.limit.get();
        let longest = match rule.longest {
            Some((operation, elapsed)) => {
                format!("the longest of its {} calls, {operation}, took {elapsed:.1?}", rule.calls)
            }
            None => format!("it has not come to {at}"),
        };
        Stop::failed(
            format!("the rule is not checked within its time limit of {limit:?}: {longest}"),
            Evidence::default(),
        )
    }
}
