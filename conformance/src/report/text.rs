//! The report for people.

use std::fmt;

use super::{Report, Target, word};
use crate::rule::{Verdict, Weight};
use crate::rules::group_name;

/// As much of a message as shows what is meant; all of it is in the JSON report.
#[cfg(feature = "soap")]
const SHOWN: usize = 700;

/// What the report for people has besides the summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Every rule, and what breaks it.
    Everything,
    /// The rules that are broken, warnings included.
    Broken,
    /// The rules that are broken, without warnings.
    Failed,
}

/// A report as text: see [`Report::text`].
#[derive(Debug)]
struct ReportText<'r>(&'r Report, Detail);

impl Report {
    /// The report for people.
    pub fn text(&self, detail: Detail) -> impl fmt::Display {
        ReportText(self, detail)
    }

    /// A line for each rule, by groups.
    fn write_rules(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut group = 0;
        for (rule, verdict) in
            self.results.iter().filter(|(_, verdict)| !matches!(verdict, Verdict::NotApplicable))
        {
            if rule.number / 100 != group {
                group = rule.number / 100;
                writeln!(f, "\n{}", group_name(rule.number))?;
            }
            writeln!(f, "{:>6}  {:<7}  {}", rule.number, word(rule, verdict), rule.text)?;
            if let Verdict::Skipped(why) = verdict {
                writeln!(f, "{:17}({why})", "")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ReportText(self, Detail::Everything).fmt(f)
    }
}

impl fmt::Display for ReportText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ReportText(report, detail) = self;
        if *detail == Detail::Everything {
            report.write_rules(f)?;
        }
        report.write_rest(f, *detail)
    }
}

impl Report {
    /// What breaks rules, what is left behind, and the summary.
    fn write_rest(&self, f: &mut fmt::Formatter<'_>, detail: Detail) -> fmt::Result {
        for (rule, verdict) in &self.results {
            if let Verdict::Failed(findings) = verdict
                && (detail != Detail::Failed || rule.weight == Weight::Must)
            {
                writeln!(f, "\nrule {} {}: {}", rule.number, word(rule, verdict), rule.text)?;
                writeln!(f, "  source: {}", rule.source)?;
                for finding in findings {
                    writeln!(f, "  - {}", finding.text)?;
                }
                #[cfg(feature = "soap")]
                self.write_exchange(f, findings)?;
            }
        }
        if !self.left_behind.is_empty() {
            let count = |(name, count): (&String, &usize)| format!("{count} {name}");
            let counts: Vec<_> = self.created.iter().map(count).collect();
            let counts = if counts.is_empty() { String::new() } else { format!(" ({})", counts.join(", ")) };
            writeln!(f, "\nleft behind, because the contract cannot delete actors{counts}:")?;
            self.left_behind.iter().try_for_each(|one| writeln!(f, "  - {one}"))?;
        }
        let counts = self.counts();
        write!(
            f,
            "\n{} passed, {} failed, {} warnings, {} skipped, {} not applicable: ",
            counts.passed, counts.failed, counts.warned, counts.skipped, counts.not_applicable
        )?;
        match &self.target {
            Target::Connector(name) => writeln!(f, "the connector {name} in process")?,
            #[cfg(feature = "soap")]
            Target::Service { address, contract } => {
                writeln!(f, "{address} in profile {}", contract.profile)?;
                write_contract(f, contract)?;
            }
        }
        writeln!(f, "{} requests", self.requests)?;
        if self.interrupted {
            writeln!(f, "interrupted: the rules after the last one were not checked")?;
        }
        Ok(())
    }
}

#[cfg(feature = "soap")]
impl Report {
    /// The first exchange that shows it.
    fn write_exchange(&self, f: &mut fmt::Formatter<'_>, findings: &[crate::rule::Finding]) -> fmt::Result {
        let Some(exchange) = findings.iter().find_map(|finding| finding.shown_by.as_deref()) else {
            return Ok(());
        };
        let erp_host_client::HttpExchange { request, response, .. } = exchange;
        writeln!(f, "  > {} {}", request.method, request.url)?;
        for (name, value) in &request.headers {
            writeln!(f, "  > {name}: {value}")?;
        }
        lines(f, "  > ", &self.shown_body(&request.body))?;
        writeln!(
            f,
            "  < status {}, {}",
            response.status,
            response.header("Content-Type").unwrap_or("no content type")
        )?;
        lines(f, "  < ", &self.shown_body(&response.body))
    }
}

#[cfg(feature = "soap")]
fn write_contract(f: &mut fmt::Formatter<'_>, contract: &super::Contract) -> fmt::Result {
    let (source, order) = (contract.source_in_words(), contract.order_in_words());
    writeln!(f, "contract: the profile {}, {source}; members of replies {order}", contract.profile)?;
    if let Some(reason) = &contract.reason {
        writeln!(f, "  the WSDL is not used: {reason}")?;
    }
    let different = format!("it differs from {}, the nearest built-in one:", contract.comparison.builtin);
    for (what, sentences) in [
        (different.as_str(), &contract.comparison.differences),
        ("it has what the contract page does not:", &contract.unknown),
    ] {
        if !sentences.is_empty() {
            writeln!(f, "  {what}")?;
            sentences.iter().try_for_each(|sentence| writeln!(f, "  - {sentence}"))?;
        }
    }
    Ok(())
}

#[cfg(feature = "soap")]
fn lines(f: &mut fmt::Formatter<'_>, before: &str, text: &str) -> fmt::Result {
    let mut shown: String = text.chars().take(SHOWN).collect();
    let rest = text.chars().count().saturating_sub(SHOWN);
    if rest > 0 {
        shown.push_str(&format!(" .. ({rest} more characters)"));
    }
    shown.lines().try_for_each(|line| writeln!(f, "{before}{line}"))
}
