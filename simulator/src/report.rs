//! The result of a simulation, as text and as JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::statistics::{AnomalyKind, Statistics};

/// The result of a simulation.
#[derive(Debug)]
pub struct Report {
    /// Counters, latencies and anomalies.
    pub statistics: Arc<Statistics>,
    /// The seed of the random edits.
    pub seed: u64,
    /// How long the simulation took.
    pub elapsed: Duration,
    /// Whether it was stopped early.
    pub interrupted: bool,
    /// Whether the convergence check found both sides equal.
    pub converged: bool,
}

impl Report {
    /// Whether both sides are equal and there were no anomalies.
    pub fn is_success(&self) -> bool {
        self.converged && self.statistics.anomaly_count() == 0
    }

    /// Writes the report as text.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        let statistics = &self.statistics;
        writeln!(out)?;
        for (counter, number) in statistics.counters() {
            writeln!(out, "{:28}{number:>10}", counter.label())?;
        }
        let heading =
            ["calls", "p50", "p90", "p99", "p99.9", "max"].map(|name| format!("{name:>9}")).concat();
        writeln!(out, "\n{:28}{heading}   (times in ms)", "")?;
        for latency in statistics.latencies() {
            let times =
                latency.quantiles.map(|time| format!("{:>9.1}", time.as_secs_f64() * 1000.0)).concat();
            writeln!(out, "{:28}{:>9}{times}", latency.operation, latency.calls)?;
        }
        writeln!(out)?;
        let anomalies = statistics.anomaly_count();
        if anomalies > 0 {
            writeln!(out, "{anomalies} anomalies: {}", anomaly_kinds(statistics))?;
        }
        let verdict = match (self.converged, anomalies) {
            (true, 0) => "converged: both sides are equal, and nothing was odd",
            (true, _) => "both sides are equal in the end, but there were anomalies",
            (false, _) => "not converged",
        };
        let early = if self.interrupted { " (stopped early)" } else { "" };
        writeln!(out, "{verdict}{early}; {:.1} s, seed {}", self.elapsed.as_secs_f64(), self.seed)?;
        out.flush()
    }

    /// The report as JSON, with the current time as its end.
    pub fn to_json(&self) -> serde_json::Value {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut report = self.statistics.to_json();
        if let Some(report) = report.as_object_mut() {
            report.insert("converged".to_owned(), json!(self.converged));
            report.insert("interrupted".to_owned(), json!(self.interrupted));
            report.insert("seed".to_owned(), json!(self.seed));
            report.insert("elapsed_s".to_owned(), json!(self.elapsed.as_secs_f64()));
            report.insert("ended_at_unix".to_owned(), json!(now.as_secs()));
        }
        report
    }
}

/// The number of anomalies of each kind, such as `2 stamp, 1 diverged`.
fn anomaly_kinds(statistics: &Statistics) -> String {
    let mut counts: BTreeMap<AnomalyKind, usize> = BTreeMap::new();
    for anomaly in statistics.anomalies() {
        *counts.entry(anomaly.kind).or_default() += 1;
    }
    let parts: Vec<String> =
        counts.into_iter().map(|(kind, number)| format!("{number} {}", kind.as_str())).collect();
    parts.join(", ")
}
