//! Rules, what is found while one is checked, and the verdict.

use crate::reply::{Evidence, HttpExchange};
use std::sync::Arc;

/// A rule that connectors must keep. Its number is never used again for another rule; the hundreds are its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The number.
    pub number: u16,
    /// What must hold.
    pub text: &'static str,
    /// Where that comes from: a section of the contract page, a recording, or why it was inferred.
    pub source: &'static str,
    /// What it means to break it, for the kind of subject that is checked.
    pub weight: Weight,
}

/// What it means to break a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// SuperOffice depends on it, or the plugin API promises it: breaking it is a failure.
    Must,
    /// SuperOffice can do without it: breaking it is a warning.
    Should,
}

/// The result of checking a rule.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It is kept.
    Passed,
    /// It is broken.
    Failed(Vec<Finding>),
    /// It could not be checked, and why.
    Skipped(String),
    /// It is a rule for the other kind of subject: a service, or a connector in process.
    NotApplicable,
}

/// Something that breaks a rule.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What was seen, and what was expected.
    pub text: String,
    /// The exchange of messages that shows it, if there was one.
    pub shown_by: Option<Arc<HttpExchange>>,
}

/// Why the check of a rule ends early.
#[derive(Debug, Clone)]
pub(crate) enum Stop {
    /// The rule is broken.
    Failed(Finding),
    /// The rule cannot be checked.
    Skip(String),
}

impl Stop {
    /// The rule depends on another one, which is broken.
    pub(crate) fn after(rule: u16) -> Self {
        Stop::Skip(format!("needs rule {rule}, which is not kept"))
    }

    pub(crate) fn skip(why: impl Into<String>) -> Self {
        Stop::Skip(why.into())
    }

    pub(crate) fn failed(text: impl Into<String>, shown_by: impl Into<Evidence>) -> Self {
        Stop::Failed(Finding { text: text.into(), shown_by: shown_by.into().0 })
    }
}

/// What is found while a rule is checked.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    found: Vec<Finding>,
    more: usize,
    expectations: usize,
    needs: Option<String>,
}

/// Findings of one rule that are kept; more are only counted, for one broken row is like the next.
const MOST_FINDINGS: usize = 12;

impl Findings {
    /// Expects something of a reply.
    pub(crate) fn expect(
        &mut self,
        holds: bool,
        shown_by: impl Into<Evidence>,
        otherwise: impl FnOnce() -> String,
    ) {
        self.expectations += 1;
        if !holds {
            self.add(otherwise(), shown_by.into().0);
        }
    }

    /// Expects something that no single reply shows.
    pub(crate) fn expect_all(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        self.expect(holds, Evidence::default(), otherwise);
    }

    /// Adds something that breaks the rule.
    pub(crate) fn add(&mut self, text: String, shown_by: Option<Arc<HttpExchange>>) {
        self.expectations += 1;
        // A rule whose time is over finds that for each call that it still would make.
        if self.found.last().is_some_and(|last| last.text == text) {
            return;
        }
        if self.found.len() < MOST_FINDINGS {
            self.found.push(Finding { text, shown_by });
        } else {
            self.more += 1;
        }
    }

    /// Goes on after a part that failed: the rest can be checked all the same.
    pub(crate) fn take<T>(&mut self, part: Result<T, Stop>) -> Option<T> {
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

    /// The reason for skipping the rule if nothing is checked.
    pub(crate) fn needs(&mut self, what: impl Into<String>) {
        self.needs = Some(what.into());
    }

    pub(crate) fn verdict(mut self, checked: Result<(), Stop>) -> Verdict {
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
            Verdict::Skipped(why.unwrap_or_else(|| "there is nothing to check it with".to_owned()))
        } else {
            Verdict::Passed
        }
    }
}
