//! Metrics of a connector: counters, gauges and histograms that the host records.

use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::encoding::{Malformed, Message, MessageRef};

/// Bytes of a name or of the value of a label at most.
const MAX_TEXT: usize = 128;
/// Labels of a metric at most.
const MAX_LABELS: usize = 8;
/// Mistakes that are logged at most: a connector that makes names up would fill the log.
const MAX_LOGGED: usize = 32;

/// Where measurements go: the host that has loaded the connector.
static RECORDER: OnceLock<Box<dyn Recorder>> = OnceLock::new();

/// The host's side of the metrics of a connector.
pub(crate) trait Recorder: Send + Sync {
    /// Whether anything is recorded.
    fn is_recording(&self) -> bool;

    /// Records a measurement.
    fn record(&self, measurement: MessageRef<'_>);
}

/// Connects the metrics of this plugin to its host. Later calls do nothing: the first host stays.
pub(crate) fn install(recorder: Box<dyn Recorder>) {
    let _ = RECORDER.set(recorder);
}

/// Metrics of the connector, which the host adds its own to. The host keeps them apart by connector, so a name needs no prefix.
///
/// Names and labels are those of Prometheus: a name has letters, digits, `_` and `:`, a label letters, digits and `_`, and
/// neither begins with a digit. Each combination of label values is a time series of its own: use values of a small set,
/// such as the kind of a request, and never a key or a text of a user. A measurement that breaks these rules is dropped, with
/// a line in the log.
///
/// ```
/// use std::time::Instant;
/// use plugin_api::Context;
///
/// fn read_page(cx: &Context) {
///     let begun = Instant::now();
///     // ...
///     cx.metrics().counter("pages_total").labels(&[("type", "Customer")]).add(1);
///     cx.metrics().histogram("page_seconds").observe_duration(begun.elapsed());
///     cx.metrics().gauge("sessions").set(2.0);
/// }
/// # read_page(&Context::default());
/// ```
///
/// Cheap where nothing is recorded: this version of the host records nothing yet.
#[derive(Debug, Clone, Copy)]
pub struct Metrics(());

impl Metrics {
    pub(crate) fn new() -> Self {
        Metrics(())
    }

    /// A number that only grows, such as `requests_total`.
    pub fn counter<'a>(&self, name: &'a str) -> Counter<'a> {
        Counter(Metric { kind: MetricKind::Counter, name, labels: &[] })
    }

    /// A number that goes up and down, such as `sessions`.
    pub fn gauge<'a>(&self, name: &'a str) -> Gauge<'a> {
        Gauge(Metric { kind: MetricKind::Gauge, name, labels: &[] })
    }

    /// The distribution of numbers, such as `request_seconds`.
    pub fn histogram<'a>(&self, name: &'a str) -> Histogram<'a> {
        Histogram(Metric { kind: MetricKind::Histogram, name, labels: &[] })
    }
}

/// A counter.
#[must_use = "it counts nothing until add is called"]
#[derive(Debug, Clone, Copy)]
pub struct Counter<'a>(Metric<'a>);

/// A gauge.
#[must_use = "it has no value until set is called"]
#[derive(Debug, Clone, Copy)]
pub struct Gauge<'a>(Metric<'a>);

/// A histogram.
#[must_use = "it observes nothing until observe is called"]
#[derive(Debug, Clone, Copy)]
pub struct Histogram<'a>(Metric<'a>);

impl<'a> Counter<'a> {
    /// With these labels: names and values.
    pub fn labels(self, labels: &'a [(&'a str, &'a str)]) -> Self {
        Counter(Metric { labels, ..self.0 })
    }

    /// Adds to it.
    #[allow(clippy::cast_precision_loss, reason = "no counter is added more than 2^53 at once")]
    pub fn add(self, count: u64) {
        self.0.record(count as f64);
    }
}

impl<'a> Gauge<'a> {
    /// With these labels: names and values.
    pub fn labels(self, labels: &'a [(&'a str, &'a str)]) -> Self {
        Gauge(Metric { labels, ..self.0 })
    }

    /// Sets its value.
    pub fn set(self, value: f64) {
        self.0.record(value);
    }
}

impl<'a> Histogram<'a> {
    /// With these labels: names and values.
    pub fn labels(self, labels: &'a [(&'a str, &'a str)]) -> Self {
        Histogram(Metric { labels, ..self.0 })
    }

    /// Adds a number to the distribution.
    pub fn observe(self, value: f64) {
        self.0.record(value);
    }

    /// Adds a duration to the distribution, in seconds.
    pub fn observe_duration(self, duration: Duration) {
        self.observe(duration.as_secs_f64());
    }
}

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// The value is added.
    Counter,
    /// The value is set.
    Gauge,
    /// The value belongs to a distribution.
    Histogram,
}

#[derive(Debug, Clone, Copy)]
struct Metric<'a> {
    kind: MetricKind,
    name: &'a str,
    labels: &'a [(&'a str, &'a str)],
}

/// A measurement, as the host reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement<'a> {
    /// The kind of its metric.
    pub kind: MetricKind,
    /// The name of its metric.
    pub name: &'a str,
    /// The value.
    pub value: f64,
    /// Names and values of the labels.
    pub labels: Vec<(&'a str, &'a str)>,
}

impl Metric<'_> {
    fn record(self, value: f64) {
        let recorder = RECORDER.get().filter(|recorder| recorder.is_recording());
        // In a debug build the author finds a mistake also where nothing is recorded.
        if recorder.is_none() && !cfg!(debug_assertions) {
            return;
        }
        if let Err(problem) = self.check() {
            log_mistake(self.name, &problem);
        } else if let Some(recorder) = recorder {
            let labels = self.labels.to_vec();
            let measurement = Measurement { kind: self.kind, name: self.name, value, labels };
            recorder.record(measurement.encode().as_ref());
        }
    }

    fn check(&self) -> Result<(), String> {
        check_name(self.name, true)?;
        if self.labels.len() > MAX_LABELS {
            return Err(format!("it has {} labels, expected {MAX_LABELS} at most", self.labels.len()));
        }
        for (number, (name, value)) in self.labels.iter().enumerate() {
            check_name(name, false)?;
            if name.starts_with("__") {
                return Err(format!("the label {name:?} begins with __, which Prometheus reserves"));
            }
            if self.labels[..number].iter().any(|(other, _)| other == name) {
                return Err(format!("it has the label {name:?} twice"));
            }
            if value.len() > MAX_TEXT {
                let size = value.len();
                return Err(format!("the label {name:?} has {size} bytes, expected {MAX_TEXT} at most"));
            }
        }
        Ok(())
    }
}

fn check_name(name: &str, may_have_colons: bool) -> Result<(), String> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || (may_have_colons && c == ':');
    if name.is_empty() || name.len() > MAX_TEXT {
        return Err(format!("a name has {} bytes, expected 1 to {MAX_TEXT}", name.len()));
    }
    if name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(is_allowed) {
        return Err(format!(
            "the name {name:?} has other characters than letters, digits and _, or begins with a digit"
        ));
    }
    Ok(())
}

/// Logs a mistake once for each metric.
fn log_mistake(metric: &str, problem: &str) {
    static LOGGED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
    if logged.len() < MAX_LOGGED && !logged.contains(metric) {
        logged.insert(metric.to_owned());
        drop(logged);
        log::warn!("a measurement of the metric {metric:?} is dropped: {problem}");
    }
}

const COUNTER: u32 = 1;
const GAUGE: u32 = 2;
const HISTOGRAM: u32 = 3;

impl<'a> Measurement<'a> {
    /// Encodes it: kind, name, value, then names and values of the labels.
    pub fn encode(&self) -> Message {
        let mut message = Message::with_room(64, 8);
        message.put_number(match self.kind {
            MetricKind::Counter => COUNTER,
            MetricKind::Gauge => GAUGE,
            MetricKind::Histogram => HISTOGRAM,
        });
        message.put_text(self.name);
        message.put_display(self.value);
        message.put_count(self.labels.len());
        for (name, value) in &self.labels {
            message.put_text(name);
            message.put_text(value);
        }
        message
    }

    /// Decodes it.
    ///
    /// # Errors
    /// The message has another content.
    pub fn decode(message: MessageRef<'a>) -> Result<Self, Malformed> {
        let mut reader = message.reader();
        let kind = match reader.number()? {
            COUNTER => MetricKind::Counter,
            GAUGE => MetricKind::Gauge,
            HISTOGRAM => MetricKind::Histogram,
            _ => return Err(Malformed),
        };
        let name = reader.text()?;
        let value = reader.text()?.parse().map_err(|_| Malformed)?;
        let count = reader.count()?;
        let labels =
            (0..count).map(|_| Ok((reader.text()?, reader.text()?))).collect::<Result<_, Malformed>>()?;
        Ok(Measurement { kind, name, value, labels })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(name: &str, labels: &[(&str, &str)]) -> Option<String> {
        Metric { kind: MetricKind::Counter, name, labels }.check().err()
    }

    #[test]
    fn metric_names_and_labels_are_those_of_prometheus() {
        let long = "x".repeat(MAX_TEXT + 1);
        let many = ["a", "b", "c", "d", "e", "f", "g", "h", "i"].map(|name| (name, ""));
        let twice = [("kind", "read"), ("kind", "write")];
        for (name, labels) in
            [("requests_total", &[][..]), ("erp:_9", &[("kind", "any text: é")]), ("_", &many[..8])]
        {
            assert_eq!(problem(name, labels), None, "{name}");
        }
        for (name, labels, expected) in [
            ("", &[][..], "0 bytes"),
            (&long, &[], "129 bytes"),
            ("9lives", &[], "begins with a digit"),
            ("with space", &[], "other characters"),
            ("größe", &[], "other characters"),
            ("ok", &[("a:b", "")], "other characters"),
            ("ok", &[("__name__", "")], "reserves"),
            ("ok", &[("key", &long)], "129 bytes"),
            ("ok", &twice, "twice"),
            ("ok", &many, "9 labels"),
        ] {
            let problem = problem(name, labels).unwrap_or_default();
            assert!(problem.contains(expected), "{name:?} {labels:?}: {problem:?}");
        }
    }

    #[test]
    fn measurement_is_read_back() {
        for kind in [MetricKind::Counter, MetricKind::Gauge, MetricKind::Histogram] {
            for value in [0.0, -1.5, f64::MAX, f64::INFINITY] {
                let labels = vec![("type", "Customer"), ("empty", "")];
                let measurement = Measurement { kind, name: "pages", value, labels };
                assert_eq!(Measurement::decode(measurement.encode().as_ref()), Ok(measurement.clone()));
            }
        }
        assert_eq!(Measurement::decode(Message::new().as_ref()), Err(Malformed));
    }
}
