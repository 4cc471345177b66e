//! The report for people.

use std::fmt;

use super::{Report, word};
use crate::group_name;
use crate::rule::{Finding, Verdict};
use erp_host_client::HttpExchange;

/// As much of a message as shows what is meant; all of it is in the JSON report.
const SHOWN: usize = 700;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut group = 0;
        for (rule, verdict) in &self.results {
            if rule.number / 100 != group {
                group = rule.number / 100;
                writeln!(f, "\n{}", group_name(rule.number))?;
            }
            writeln!(f, "{:>6}  {:<7}  {}", rule.number, word(rule, verdict), rule.text)?;
            if let Verdict::Skipped(why) = verdict {
                writeln!(f, "{:17}({why})", "")?;
            }
        }
        for (rule, verdict) in &self.results {
            if let Verdict::Failed(findings) = verdict {
                writeln!(f, "\nrule {} {}: {}", rule.number, word(rule, verdict), rule.text)?;
                writeln!(f, "  source: {}", rule.source)?;
                for finding in findings {
                    writeln!(f, "  - {}", finding.text)?;
                }
                self.exchange(f, findings)?;
            }
        }
        if !self.left_behind.is_empty() {
            writeln!(f, "\nleft behind, because the contract cannot delete actors:")?;
            self.left_behind.iter().try_for_each(|one| writeln!(f, "  - {one}"))?;
        }
        let counts = self.counts();
        writeln!(
            f,
            "\n{} passed, {} failed, {} warnings, {} skipped: {} in dialect {}",
            counts.passed, counts.failed, counts.warned, counts.skipped, self.address, self.dialect
        )?;
        if self.interrupted {
            writeln!(f, "interrupted: the rules after the last one were not looked at")?;
        }
        Ok(())
    }
}

impl Report {
    /// The first exchange that shows it.
    fn exchange(&self, f: &mut fmt::Formatter<'_>, findings: &[Finding]) -> fmt::Result {
        let Some(traffic) = findings.iter().find_map(|finding| finding.shown_by.as_deref()) else {
            return Ok(());
        };
        let HttpExchange { request, response, .. } = traffic;
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

fn lines(f: &mut fmt::Formatter<'_>, before: &str, text: &str) -> fmt::Result {
    let mut shown: String = text.chars().take(SHOWN).collect();
    let rest = text.chars().count().saturating_sub(SHOWN);
    if rest > 0 {
        shown.push_str(&format!(" .. ({rest} more characters)"));
    }
    shown.lines().try_for_each(|line| writeln!(f, "{before}{line}"))
}
