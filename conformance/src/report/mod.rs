//! The report of a verification.

mod json;
mod junit;
mod text;

use super::rule::{Rule, Verdict, Weight};

/// What came of a verification.
#[derive(Debug)]
pub struct Report {
    /// The address of the service.
    pub address: String,
    /// The dialect it was called in.
    pub dialect: String,
    /// Rules and verdicts, in the order in which they were looked at.
    pub results: Vec<(Rule, Verdict)>,
    /// What was left behind in the service, as what the contract cannot delete.
    pub left_behind: Vec<String>,
    /// It was ended before its time.
    pub interrupted: bool,
    /// Values that must not be shown, in the form that they travel in.
    pub(super) secrets: Vec<String>,
}

/// How many rules came to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Rules that are kept.
    pub passed: usize,
    /// Rules that are broken.
    pub failed: usize,
    /// Rules that are broken and that SuperOffice can do without.
    pub warned: usize,
    /// Rules that could not be judged.
    pub skipped: usize,
}

impl Report {
    /// How many rules came to what.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for (rule, verdict) in &self.results {
            *match (verdict, rule.weight) {
                (Verdict::Passed, _) => &mut counts.passed,
                (Verdict::Failed(_), Weight::Must) => &mut counts.failed,
                (Verdict::Failed(_), Weight::Should) => &mut counts.warned,
                (Verdict::Skipped(_), _) => &mut counts.skipped,
            } += 1;
        }
        counts
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

    /// A body as it may be shown: without the secrets among the settings.
    fn shown_body(&self, body: &[u8]) -> String {
        let mut text = String::from_utf8_lossy(body).into_owned();
        for secret in &self.secrets {
            text = text.replace(secret, ">********<");
        }
        text
    }
}

/// `passed`, `FAILED`, `warning`, `skipped`.
pub(super) fn word(rule: &Rule, verdict: &Verdict) -> &'static str {
    match (verdict, rule.weight) {
        (Verdict::Passed, _) => "passed",
        (Verdict::Failed(_), Weight::Must) => "FAILED",
        (Verdict::Failed(_), Weight::Should) => "warning",
        (Verdict::Skipped(_), _) => "skipped",
    }
}
