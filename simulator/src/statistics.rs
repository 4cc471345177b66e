//! The statistics of a simulation: counters, latencies and anomalies.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::Operation;
use hdrhistogram::Histogram;
use serde_json::json;

/// Anomalies beyond this number are only counted.
const MAX_ANOMALIES: usize = 1000;

/// Something that a correct connector does not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anomaly {
    /// The kind of anomaly.
    pub kind: AnomalyKind,
    /// The number of the connection, from 1.
    pub connection: usize,
    /// The number of the round; 0 during the setup.
    pub round: u64,
    /// Type and key of the actor, such as `Customer 1001`; empty if it is about none.
    pub actor: String,
    /// What happened, and what was expected.
    pub text: String,
}

/// The kinds of anomalies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnomalyKind {
    /// The convergence check found a difference.
    Diverged,
    /// A saved change was not fetched by its stamp.
    LostChange,
    /// A fetched value is not the saved one.
    ChangedValue,
    /// Stamps that are missing, do not grow, or leave out what they should include.
    Stamp,
    /// A reply that does not fit its request.
    Reply,
    /// A fault, or a response that cannot be parsed.
    Broken,
    /// No response until the retries ended.
    Unreachable,
    /// The two sides keep changing each other.
    SyncLoop,
    /// A deleted connection is still known, or a saved one is not.
    Lifecycle,
}

impl AnomalyKind {
    /// The name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            AnomalyKind::Diverged => "diverged",
            AnomalyKind::LostChange => "lost-change",
            AnomalyKind::ChangedValue => "changed-value",
            AnomalyKind::Stamp => "stamp",
            AnomalyKind::Reply => "reply",
            AnomalyKind::Broken => "broken",
            AnomalyKind::Unreachable => "unreachable",
            AnomalyKind::SyncLoop => "sync-loop",
            AnomalyKind::Lifecycle => "lifecycle",
        }
    }
}

/// The counters, in the order of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the labels say what each means")]
pub enum Counter {
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

impl Counter {
    /// The label in the report.
    pub const fn label(self) -> &'static str {
        match self {
            Counter::Rounds => "rounds",
            Counter::Imported => "actors imported",
            Counter::CrmEdits => "edits in the CRM",
            Counter::CrmCreations => "creations in the CRM",
            Counter::ErpEdits => "edits by the ERP user",
            Counter::ErpCreations => "creations by the ERP user",
            Counter::Pulled => "changes fetched from the ERP",
            Counter::OwnWritesBack => "own writes that came back",
            Counter::Pushed => "changes written to the ERP",
            Counter::Conflicts => "conflicts",
            Counter::Adjusted => "values adjusted by the ERP",
            Counter::Refused => "writes refused",
            Counter::SettingsSentAgain => "settings sent again",
            Counter::Retried => "calls tried again",
            Counter::ActorsCompared => "actors compared",
            Counter::FieldsCompared => "fields compared",
        }
    }

    /// The name in JSON.
    fn key(self) -> String {
        self.label().replace(' ', "_").to_lowercase()
    }
}

/// The statistics of all connections of a simulation.
#[derive(Debug, Default)]
pub struct Statistics {
    collected: Mutex<Collected>,
}

#[derive(Debug, Default)]
struct Collected {
    latencies: BTreeMap<&'static str, Histogram<u64>>,
    counters: BTreeMap<Counter, u64>,
    anomalies: Vec<Anomaly>,
    omitted_anomalies: u64,
}

/// The latency of an operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Latency {
    /// The operation.
    pub operation: &'static str,
    /// Number of calls.
    pub calls: u64,
    /// The median, the 90th, 99th and 99.9th percentile, and the longest.
    pub quantiles: [Duration; 5],
}

impl Statistics {
    fn lock(&self) -> MutexGuard<'_, Collected> {
        self.collected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add_latency(&self, operation: Operation, elapsed: Duration) {
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let mut collected = self.lock();
        // Three significant digits; `new` fails only for more than five.
        if let Some(histogram) = match collected.latencies.entry(operation.name()) {
            std::collections::btree_map::Entry::Occupied(entry) => Some(entry.into_mut()),
            std::collections::btree_map::Entry::Vacant(entry) => {
                Histogram::new(3).ok().map(|histogram| entry.insert(histogram))
            }
        } {
            // An auto-resizing histogram rejects no value of this range.
            let _ = histogram.record(micros.max(1));
        }
    }

    pub(super) fn add(&self, counter: Counter, number: u64) {
        *self.lock().counters.entry(counter).or_default() += number;
    }

    pub(super) fn add_anomaly(&self, anomaly: Anomaly) {
        let mut collected = self.lock();
        if collected.anomalies.len() < MAX_ANOMALIES {
            collected.anomalies.push(anomaly);
        } else {
            collected.omitted_anomalies += 1;
        }
    }

    /// The value of a counter.
    pub fn counter(&self, counter: Counter) -> u64 {
        self.lock().counters.get(&counter).copied().unwrap_or_default()
    }

    /// The first 1,000 anomalies, in order.
    pub fn anomalies(&self) -> Vec<Anomaly> {
        self.lock().anomalies.clone()
    }

    /// Number of anomalies.
    pub fn anomaly_count(&self) -> u64 {
        let collected = self.lock();
        collected.omitted_anomalies + u64::try_from(collected.anomalies.len()).unwrap_or(u64::MAX)
    }

    /// The latencies, by operation.
    pub fn latencies(&self) -> Vec<Latency> {
        let collected = self.lock();
        let of = |(operation, histogram): (&&'static str, &Histogram<u64>)| Latency {
            operation,
            calls: histogram.len(),
            quantiles: [0.5, 0.9, 0.99, 0.999, 1.0]
                .map(|quantile| Duration::from_micros(histogram.value_at_quantile(quantile))),
        };
        collected.latencies.iter().map(of).collect()
    }

    /// Every counter that is not 0, in order.
    pub fn counters(&self) -> Vec<(Counter, u64)> {
        self.lock().counters.iter().map(|(count, number)| (*count, *number)).collect()
    }

    /// The statistics as JSON.
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
            self.counters().into_iter().map(|(count, number)| (count.key(), json!(number))).collect();
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
