//! The report for programs: everything, exchanges whole.

use serde_json::{Value as Json, json};

use super::{Report, word};
use crate::group_name;
use crate::rule::Verdict;
use erp_host_client::HttpExchange;

impl Report {
    /// The whole report.
    pub fn to_json(&self) -> Json {
        let rules = self.results.iter().map(|(rule, verdict)| {
            let (reason, findings) = match verdict {
                Verdict::Passed => (None, Vec::new()),
                Verdict::Skipped(why) => (Some(why), Vec::new()),
                Verdict::Failed(findings) => (None, findings.iter().collect()),
            };
            json!({
                "rule": rule.number,
                "group": group_name(rule.number),
                "text": rule.text,
                "source": rule.source,
                "verdict": word(rule, verdict).to_lowercase(),
                "reason": reason,
                "findings": findings.iter().map(|finding| json!({
                    "text": finding.text,
                    "exchange": finding.shown_by.as_deref().map(|traffic| self.traffic(traffic)),
                })).collect::<Vec<_>>(),
            })
        });
        let counts = self.counts();
        json!({
            "service": self.address,
            "dialect": self.dialect,
            "interrupted": self.interrupted,
            "passed": counts.passed,
            "failed": counts.failed,
            "warnings": counts.warned,
            "skipped": counts.skipped,
            "left_behind": self.left_behind,
            "rules": rules.collect::<Vec<_>>(),
        })
    }

    fn traffic(&self, traffic: &HttpExchange) -> Json {
        let headers = |headers: &[(String, String)]| {
            headers.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>()
        };
        json!({
            "request": {
                "method": traffic.request.method.as_str(),
                "url": traffic.request.url.as_str(),
                "headers": headers(&traffic.request.headers),
                "body": self.shown_body(&traffic.request.body),
            },
            "answer": {
                "status": traffic.response.status,
                "headers": headers(&traffic.response.headers),
                "body": self.shown_body(&traffic.response.body),
            },
            "milliseconds": traffic.elapsed.as_secs_f64() * 1000.0,
        })
    }
}
