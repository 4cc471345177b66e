//! The report: what was checked, and the verdict on each rule.

#[cfg(feature = "soap")]
mod contract;
#[cfg(feature = "soap")]
mod json;
#[cfg(feature = "soap")]
mod junit;
mod text;

use std::collections::BTreeMap;

#[cfg(feature = "soap")]
pub(crate) use self::contract::Contract;
pub use self::text::Detail;
use crate::rule::{Rule, Verdict, Weight};

/// The verdicts on all rules. Its `Display` shows them for people.
#[derive(Debug)]
pub struct Report {
    /// Rules and verdicts, in the order in which they were checked.
    pub results: Vec<(Rule, Verdict)>,
    /// Actors that were created, which the contract cannot delete, and connections that could not be deleted.
    pub left_behind: Vec<String>,
    /// How many actors of each type were created and stay.
    pub created: BTreeMap<String, usize>,
    /// Whether the check was interrupted: then the results end early.
    pub interrupted: bool,
    /// How many requests were sent, or calls made.
    pub requests: usize,
    pub(crate) target: Target,
    /// Values that must not be shown, in the form that they travel in.
    #[cfg(feature = "soap")]
    pub(crate) secrets: Vec<String>,
}

/// What was checked.
#[derive(Debug)]
pub(crate) enum Target {
    /// The connector of this name, in process.
    Connector(&'static str),
    #[cfg(feature = "soap")]
    Service { address: String, contract: Contract },
}

/// How many rules have which verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Rules that are kept.
    pub passed: usize,
    /// Rules that are broken.
    pub failed: usize,
    /// Rules that are broken and that SuperOffice can do without.
    pub warned: usize,
    /// Rules that could not be checked.
    pub skipped: usize,
    /// Rules for the other kind of subject: a service, or a connector in process.
    pub not_applicable: usize,
}

impl Report {
    pub(crate) fn new(target: Target) -> Self {
        Report {
            results: Vec::new(),
            left_behind: Vec::new(),
            created: BTreeMap::new(),
            interrupted: false,
            requests: 0,
            target,
            #[cfg(feature = "soap")]
            secrets: Vec::new(),
        }
    }

    /// How many rules have which verdict.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for (rule, verdict) in &self.results {
            *match (verdict, rule.weight) {
                (Verdict::Passed, _) => &mut counts.passed,
                (Verdict::Failed(_), Weight::Must) => &mut counts.failed,
                (Verdict::Failed(_), Weight::Should) => &mut counts.warned,
                (Verdict::Skipped(_), _) => &mut counts.skipped,
                (Verdict::NotApplicable, _) => &mut counts.not_applicable,
            } += 1;
        }
        counts
    }

    /// The numbers of the rules that are broken, without warnings.
    pub fn failed(&self) -> Vec<u16> {
        let failed = self.results.iter().filter(|(rule, _)| rule.weight == Weight::Must);
        failed
            .filter(|(_, verdict)| matches!(verdict, Verdict::Failed(_)))
            .map(|(rule, _)| rule.number)
            .collect()
    }

    /// The numbers of the rules that are broken, warnings included.
    pub fn broken(&self) -> Vec<u16> {
        let broken = self.results.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Failed(_)));
        broken.map(|(rule, _)| rule.number).collect()
    }

    /// The numbers of the rules that were skipped, and why.
    pub fn skipped(&self) -> Vec<(u16, &str)> {
        let skipped = self.results.iter().filter_map(|(rule, verdict)| match verdict {
            Verdict::Skipped(why) => Some((rule.number, why.as_str())),
            _ => None,
        });
        skipped.collect()
    }

    /// Passes when no rule is broken; warnings pass too.
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

    /// A body as it may be shown: without the secrets among the settings.
    #[cfg(feature = "soap")]
    fn shown_body(&self, body: &[u8]) -> String {
        let mut text = String::from_utf8_lossy(body).into_owned();
        for secret in &self.secrets {
            text = text.replace(secret, ">********<");
        }
        text
    }
}

/// `passed`, `FAILED`, `warning`, `skipped`, `not applicable`.
fn word(rule: &Rule, verdict: &Verdict) -> &'static str {
    match (verdict, rule.weight) {
        (Verdict::Passed, _) => "passed",
        (Verdict::Failed(_), Weight::Must) => "FAILED",
        (Verdict::Failed(_), Weight::Should) => "warning",
        (Verdict::Skipped(_), _) => "skipped",
        (Verdict::NotApplicable, _) => "not applicable",
    }
}
