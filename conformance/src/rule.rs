//! Rules, and looking whether one is kept.

use std::pin::Pin;
use std::sync::Arc;

use super::subject::Subject;
use erp_host_client::HttpExchange;

/// A rule that a connector service must keep. Its number is never used again for another rule; the hundreds are its
/// group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The number.
    pub number: u16,
    /// What must be so.
    pub text: &'static str,
    /// Where that comes from: a section of the contract page, a recording, or why it was inferred.
    pub source: &'static str,
    /// Whether SuperOffice can do without it: then it is worth a warning only.
    pub weight: Weight,
}

/// What it means to break a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// SuperOffice depends on it.
    Must,
    /// Good to have: other clients or later versions may depend on it.
    Should,
}

/// What came of looking at a rule.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It is kept.
    Passed,
    /// It is broken.
    Failed(Vec<Finding>),
    /// It could not be judged, and why.
    Skipped(String),
}

/// Something that breaks a rule, and the exchange that shows it.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What was seen, and what was expected.
    pub text: String,
    /// What travelled.
    pub shown_by: Option<Arc<HttpExchange>>,
}

/// A look at a rule that cannot go on.
#[derive(Debug)]
pub(super) enum Stop {
    /// It is broken.
    Failed(Finding),
    /// It cannot be judged.
    Skip(String),
}

impl Stop {
    /// Nothing can be said before that rule is kept.
    pub(super) fn after(rule: u16) -> Self {
        Stop::Skip(format!("needs rule {rule}, which is not kept"))
    }

    pub(super) fn skip(why: impl Into<String>) -> Self {
        Stop::Skip(why.into())
    }

    pub(super) fn failed(text: impl Into<String>, shown_by: &Arc<HttpExchange>) -> Self {
        Stop::Failed(Finding { text: text.into(), shown_by: Some(Arc::clone(shown_by)) })
    }
}

/// A look at a rule, going on.
pub(super) type Looking<'s> = Pin<Box<dyn Future<Output = Result<(), Stop>> + 's>>;

/// Looks whether a rule is kept.
pub(super) type Check = for<'s> fn(&'s Subject, &'s mut Findings) -> Looking<'s>;

/// What was found about a rule.
#[derive(Debug, Default)]
pub(super) struct Findings {
    found: Vec<Finding>,
    more: usize,
    expectations: usize,
    needs: Option<String>,
}

/// One broken row is like the next.
const MOST_FINDINGS: usize = 12;

impl Findings {
    /// Expects something of an answer.
    pub(super) fn expect(
        &mut self,
        holds: bool,
        shown_by: &Arc<HttpExchange>,
        otherwise: impl FnOnce() -> String,
    ) {
        self.expectations += 1;
        if !holds {
            self.add(otherwise(), Some(Arc::clone(shown_by)));
        }
    }

    /// Expects something that no single answer shows.
    pub(super) fn expect_all(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        self.expectations += 1;
        if !holds {
            self.add(otherwise(), None);
        }
    }

    /// Notes what was found to be wrong.
    pub(super) fn add(&mut self, text: String, shown_by: Option<Arc<HttpExchange>>) {
        self.expectations += 1;
        if self.found.len() < MOST_FINDINGS {
            self.found.push(Finding { text, shown_by });
        } else {
            self.more += 1;
        }
    }

    /// Goes on after a part that failed: the rest can be judged all the same.
    pub(super) fn take<T>(&mut self, part: Result<T, Stop>) -> Option<T> {
        match part {
            Ok(value) => Some(value),
            Err(Stop::Failed(finding)) => {
                self.add(finding.text, finding.shown_by);
                None
            }
            Err(Stop::Skip(why)) => {
                self.needs.get_or_insert(why);
                None
            }
        }
    }

    /// Why nothing could be judged, if nothing is.
    pub(super) fn needs(&mut self, what: impl Into<String>) {
        self.needs = Some(what.into());
    }

    pub(super) fn verdict(mut self, checked: Result<(), Stop>) -> Verdict {
        let mut why = self.needs.take();
        let ended_early = checked.is_err();
        match checked {
            Ok(()) => {}
            Err(Stop::Failed(finding)) => self.found.push(finding),
            Err(Stop::Skip(reason)) => why = Some(reason),
        }
        if self.more > 0 {
            self.found.push(Finding { text: format!("and {} more of the kind", self.more), shown_by: None });
        }
        if !self.found.is_empty() {
            Verdict::Failed(self.found)
        } else if ended_early || self.expectations == 0 {
            Verdict::Skipped(why.unwrap_or_else(|| "there is nothing to judge it by".to_owned()))
        } else {
            Verdict::Passed
        }
    }
}
