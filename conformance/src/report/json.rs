//! The report for programs: everything, exchanges whole.

use erp_host_client::HttpExchange;
use serde_json::{Value as Json, json};

use super::{Report, Target, word};
use crate::rule::Verdict;
use crate::rules::group_name;

impl Report {
    /// The whole report.
    pub fn to_json(&self) -> Json {
        let rules = self.results.iter().map(|(rule, verdict)| {
            let (reason, findings) = match verdict {
                Verdict::Passed | Verdict::NotApplicable => (None, Vec::new()),
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
                    "exchange": finding.shown_by.as_deref().map(|exchange| self.exchange(exchange)),
                })).collect::<Vec<_>>(),
            })
        });
        let counts = self.counts();
        let (service, contract) = match &self.target {
            Target::Connector(_) => (None, None),
            Target::Service { address, contract } => (Some(address), Some(contract)),
        };
        json!({
            "service": service,
            "contract": contract.map(|contract| json!({
                "profile": contract.profile,
                "source": contract.source,
                "reason": contract.reason,
                "reply_order": contract.order,
                "nearest": contract.comparison.builtin,
                "differences": contract.comparison.differences,
                "unknown": contract.unknown,
            })),
            "interrupted": self.interrupted,
            "requests": self.requests,
            "passed": counts.passed,
            "failed": counts.failed,
            "warnings": counts.warned,
            "skipped": counts.skipped,
            "not_applicable": counts.not_applicable,
            "left_behind": self.left_behind,
            "created": self.created,
            "rules": rules.collect::<Vec<_>>(),
        })
    }

    fn exchange(&self, exchange: &HttpExchange) -> Json {
        let headers = |headers: &[(String, String)]| {
            headers.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>()
        };
        json!({
            "request": {
                "method": exchange.request.method.as_str(),
                "url": exchange.request.url.as_str(),
                "headers": headers(&exchange.request.headers),
                "body": self.shown_body(&exchange.request.body),
            },
            "answer": {
                "status": exchange.response.status,
                "headers": headers(&exchange.response.headers),
                "body": self.shown_body(&exchange.response.body),
            },
            "milliseconds": exchange.elapsed.as_secs_f64() * 1000.0,
        })
    }
}
