//! What came of checking the rules.

use std::fmt;

use crate::Error;

/// Problems of one rule that are told; more are only counted.
const TOLD: usize = 5;

/// A rule of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// Its number; never used for another rule.
    pub number: u16,
    /// What must hold.
    pub text: &'static str,
    /// Where it comes from.
    pub source: &'static str,
}

/// What came of checking a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The connector keeps it.
    Kept,
    /// The connector breaks it: what was seen, and what is expected.
    Failed(Vec<String>),
    /// It could not be checked, and why.
    Skipped(String),
}

/// What came of checking all rules. Its `Display` tells it rule by rule, broken ones first.
#[derive(Debug, Clone)]
pub struct Report {
    connector: &'static str,
    results: Vec<(Rule, Verdict)>,
}

impl Report {
    pub(super) fn new(connector: &'static str, results: Vec<(Rule, Verdict)>) -> Self {
        Report { connector, results }
    }

    /// All rules by number, and what came of each.
    pub fn results(&self) -> &[(Rule, Verdict)] {
        &self.results
    }

    /// The numbers of the rules that are broken.
    pub fn failed(&self) -> Vec<u16> {
        self.numbers(|verdict| matches!(verdict, Verdict::Failed(_)))
    }

    /// The numbers of the rules that could not be checked.
    pub fn skipped(&self) -> Vec<u16> {
        self.numbers(|verdict| matches!(verdict, Verdict::Skipped(_)))
    }

    /// Passes when no rule is broken.
    ///
    /// # Panics
    /// A rule is broken. The message is the whole report.
    #[track_caller]
    #[allow(clippy::panic, reason = "it is how a test fails")]
    pub fn assert(&self) {
        if !self.failed().is_empty() {
            panic!("{self}");
        }
    }

    fn numbers(&self, wanted: fn(&Verdict) -> bool) -> Vec<u16> {
        self.results.iter().filter(|(_, verdict)| wanted(verdict)).map(|(rule, _)| rule.number).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (failed, skipped) = (self.failed().len(), self.skipped().len());
        let (all, kept) = (self.results.len(), self.results.len() - failed - skipped);
        let name = self.connector;
        writeln!(
            f,
            "the connector {name} breaks {failed} of {all} rules, keeps {kept}; {skipped} could not be checked"
        )?;
        for (rule, verdict) in &self.results {
            if let Verdict::Failed(problems) = verdict {
                writeln!(f, "\nrule {} is broken: {}", rule.number, rule.text)?;
                problems.iter().try_for_each(|problem| writeln!(f, "  - {problem}"))?;
                writeln!(f, "  source: {}", rule.source)?;
            }
        }
        writeln!(f)?;
        for (rule, verdict) in &self.results {
            match verdict {
                Verdict::Kept => writeln!(f, "rule {} is kept", rule.number)?,
                Verdict::Skipped(why) => writeln!(f, "rule {} was not checked: {why}", rule.number)?,
                Verdict::Failed(_) => writeln!(f, "rule {} is broken", rule.number)?,
            }
        }
        Ok(())
    }
}

/// Why the check of a rule ends early.
pub(super) enum Stop {
    /// A call failed that must not fail.
    Failed(String),
    /// It cannot be checked.
    Skipped(String),
}

impl Stop {
    /// A call failed that must not fail.
    pub(super) fn call(what: &str, error: &Error) -> Self {
        Stop::Failed(format!("{what} failed, expected an answer: {error}"))
    }
}

/// What is found while a rule is checked.
#[derive(Default)]
pub(super) struct Findings {
    checked: bool,
    problems: Vec<String>,
    lacking: Option<String>,
}

impl Findings {
    /// Something was looked at; `problem` tells what is wrong if it is not as it should be.
    pub(super) fn expect(&mut self, right: bool, problem: impl FnOnce() -> String) {
        self.checked = true;
        if !right {
            self.problems.push(problem());
        }
    }

    /// What would have been needed to check the rule, if nothing else is looked at.
    pub(super) fn needs(&mut self, what: impl Into<String>) {
        self.lacking = Some(what.into());
    }

    pub(super) fn verdict(mut self, checked: Result<(), Stop>) -> Verdict {
        match checked {
            Ok(()) => {}
            Err(Stop::Failed(problem)) => self.problems.push(problem),
            Err(Stop::Skipped(why)) if self.problems.is_empty() => return Verdict::Skipped(why),
            Err(Stop::Skipped(_)) => {}
        }
        if self.problems.len() > TOLD {
            let more = self.problems.len() - TOLD;
            self.problems.truncate(TOLD);
            self.problems.push(format!("and {more} more"));
        }
        match (self.problems.is_empty(), self.checked) {
            (false, _) => Verdict::Failed(self.problems),
            (true, true) => Verdict::Kept,
            (true, false) => {
                Verdict::Skipped(self.lacking.unwrap_or_else(|| "there is nothing to check".to_owned()))
            }
        }
    }
}
