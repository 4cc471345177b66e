//! What is remembered of a simulation: how long calls took, what was done, and what was not as it should be.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::Operation;
use hdrhistogram::Histogram;
use serde_json::json;

/// More anomalies than this are counted, and not kept.
const MOST_KEPT: usize = 1000;

/// Something that a connector that keeps the contract does not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anomaly {
    /// What kind.
    pub kind: AnomalyKind,
    /// The connection, from 1 on.
    pub connection: usize,
    /// The round; 0 before the first one.
    pub round: u64,
    /// The actor, as `Customer 1001`; empty where it is about none.
    pub actor: String,
    /// What was seen, and what was expected.
    pub text: String,
}

/// The kinds of anomalies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnomalyKind {
    /// In the end the two sides differ.
    Diverged,
    /// What was saved never came back by its stamp.
    LostChange,
    /// What came back is not what was saved.
    ChangedValue,
    /// Stamps that are missing, do not grow, or leave out what they should include.
    Stamp,
    /// A reply that does not fit its request.
    Reply,
    /// A fault, or an answer that cannot be read.
    Broken,
    /// The service did not answer for long.
    Unreachable,
    /// The two sides never come to rest.
    Restless,
    /// The end of a connection is not what it should be.
    Lifecycle,
}

impl AnomalyKind {
    /// The kind in a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            AnomalyKind::Diverged => "diverged",
            AnomalyKind::LostChange => "lost-change",
            AnomalyKind::ChangedValue => "changed-value",
            AnomalyKind::Stamp => "stamp",
            AnomalyKind::Reply => "reply",
            AnomalyKind::Broken => "broken",
            AnomalyKind::Unreachable => "unreachable",
            AnomalyKind::Restless => "restless",
            AnomalyKind::Lifecycle => "lifecycle",
        }
    }
}

/// What is counted. The order is that of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the labels say what each means")]
pub enum Count {
    Rounds,
    Imported,
    CrmEdits,
    CrmCreations,
    ErpEdits,
    ErpCreations,
    Pulled,
    OwnWritesBack,
    Pushed,
    Conflicts,
    Adjusted,
    Refused,
    SettingsSentAgain,
    Retried,
    ActorsCompared,
    FieldsCompared,
}

impl Count {
    /// What is counted, for the report.
    pub const fn label(self) -> &'static str {
        match self {
            Count::Rounds => "rounds",
            Count::Imported => "actors imported",
            Count::CrmEdits => "edits in the CRM",
            Count::CrmCreations => "creations in the CRM",
            Count::ErpEdits => "edits by the ERP user",
            Count::ErpCreations => "creations by the ERP user",
            Count::Pulled => "changes fetched from the ERP",
            Count::OwnWritesBack => "own writes that came back",
            Count::Pushed => "changes written to the ERP",
            Count::Conflicts => "conflicts",
            Count::Adjusted => "values adjusted by the ERP",
            Count::Refused => "writes refused",
            Count::SettingsSentAgain => "settings sent again",
            Count::Retried => "calls tried again",
            Count::ActorsCompared => "actors compared",
            Count::FieldsCompared => "fields compared",
        }
    }

    /// The name in JSON.
    fn key(self) -> String {
        self.label().replace(' ', "_").to_lowercase()
    }
}

/// What all connections of a simulation write to.
#[derive(Debug, Default)]
pub struct Record {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    latencies: BTreeMap<&'static str, Histogram<u64>>,
    counts: BTreeMap<Count, u64>,
    anomalies: Vec<Anomaly>,
    not_kept: u64,
}

/// How long the calls of an operation took.
#[derive(Debug, Clone, PartialEq)]
pub struct Latency {
    /// The operation.
    pub operation: &'static str,
    /// How many calls.
    pub calls: u64,
    /// The median, the 90th, 99th and 99.9th percentile, and the longest.
    pub quantiles: [Duration; 5],
}

impl Record {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn took(&self, operation: Operation, elapsed: Duration) {
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let mut kept = self.kept();
        // Three figures are exact; it grows by itself. A histogram of three figures can always be made.
        if let Some(histogram) = match kept.latencies.entry(operation.name()) {
            std::collections::btree_map::Entry::Occupied(entry) => Some(entry.into_mut()),
            std::collections::btree_map::Entry::Vacant(entry) => {
                Histogram::new(3).ok().map(|histogram| entry.insert(histogram))
            }
        } {
            // A wait of longer than any histogram holds is not recorded; nothing waits for centuries.
            let _ = histogram.record(micros.max(1));
        }
    }

    pub(super) fn add(&self, count: Count, number: u64) {
        *self.kept().counts.entry(count).or_default() += number;
    }

    pub(super) fn anomaly(&self, anomaly: Anomaly) {
        let mut kept = self.kept();
        if kept.anomalies.len() < MOST_KEPT {
            kept.anomalies.push(anomaly);
        } else {
            kept.not_kept += 1;
        }
    }

    /// How often something was counted.
    pub fn count(&self, count: Count) -> u64 {
        self.kept().counts.get(&count).copied().unwrap_or_default()
    }

    /// The anomalies, in order, at most 1,000.
    pub fn anomalies(&self) -> Vec<Anomaly> {
        self.kept().anomalies.clone()
    }

    /// How many anomalies there were.
    pub fn anomaly_count(&self) -> u64 {
        let kept = self.kept();
        kept.not_kept + u64::try_from(kept.anomalies.len()).unwrap_or(u64::MAX)
    }

    /// How long calls took, by operation.
    pub fn latencies(&self) -> Vec<Latency> {
        let kept = self.kept();
        let of = |(operation, histogram): (&&'static str, &Histogram<u64>)| Latency {
            operation,
            calls: histogram.len(),
            quantiles: [0.5, 0.9, 0.99, 0.999, 1.0]
                .map(|quantile| Duration::from_micros(histogram.value_at_quantile(quantile))),
        };
        kept.latencies.iter().map(of).collect()
    }

    /// Every count that there is, in order.
    pub fn counts(&self) -> Vec<(Count, u64)> {
        self.kept().counts.iter().map(|(count, number)| (*count, *number)).collect()
    }

    /// For machines.
    pub fn to_json(&self) -> serde_json::Value {
        let milliseconds = |duration: Duration| duration.as_secs_f64() * 1000.0;
        let latencies: Vec<_> = self
            .latencies()
            .into_iter()
            .map(|latency| {
                let [p50, p90, p99, p999, longest] = latency.quantiles.map(milliseconds);
                json!({
                    "operation": latency.operation, "calls": latency.calls,
                    "p50_ms": p50, "p90_ms": p90, "p99_ms": p99, "p99_9_ms": p999, "max_ms": longest,
                })
            })
            .collect();
        let counts: serde_json::Map<_, _> =
            self.counts().into_iter().map(|(count, number)| (count.key(), json!(number))).collect();
        let anomalies: Vec<_> = self
            .anomalies()
            .into_iter()
            .map(|anomaly| {
                json!({
                    "kind": anomaly.kind.as_str(), "connection": anomaly.connection, "round": anomaly.round,
                    "actor": anomaly.actor, "text": anomaly.text,
                })
            })
            .collect();
        json!({
            "anomaly_count": self.anomaly_count(),
            "anomalies": anomalies,
            "counts": counts,
            "latencies": latencies,
        })
    }
}
