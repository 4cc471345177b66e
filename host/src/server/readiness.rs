//! Readiness: whether a load balancer should send calls to this host, and the reasons if something is wrong (`GET /ready`).

use serde::Serialize;

/// What is wrong with this host. The text of a reason never changes: monitoring compares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Reason {
    /// `limits.calls` calls are in progress: more are rejected.
    #[serde(rename = "call limit reached")]
    CallLimitReached,
    /// There is no room for more request bodies (`limits.total_body_memory`, `limits.total_body_spool`): large ones are rejected.
    #[serde(rename = "body memory exhausted")]
    BodyMemoryExhausted,
    /// Connectors have used up all threads, with calls that do not come back.
    #[serde(rename = "threads exhausted")]
    ThreadsExhausted,
    /// A connector has used up its threads: its calls are rejected, and others are served.
    #[serde(rename = "threads of a connector exhausted")]
    ConnectorThreadsExhausted,
    /// No plugin file is loaded.
    #[serde(rename = "no connector loaded")]
    NoConnectorLoaded,
    /// The store of connections cannot be read.
    #[serde(rename = "store unreachable")]
    StoreUnreachable,
    /// The disk of the store is full: changes are refused, other calls are served.
    #[serde(rename = "disk full")]
    DiskFull,
    /// The ERP system of a connection is away, so that the connection could not be opened when it was last tried. Another host would
    /// not reach it either.
    #[serde(rename = "ERP system unavailable")]
    ErpSystemUnavailable,
}

impl Reason {
    /// Whether calls should go to another host: this one would reject them.
    fn rejects_calls(self) -> bool {
        match self {
            Reason::CallLimitReached
            | Reason::BodyMemoryExhausted
            | Reason::ThreadsExhausted
            | Reason::NoConnectorLoaded
            | Reason::StoreUnreachable => true,
            Reason::DiskFull | Reason::ConnectorThreadsExhausted | Reason::ErpSystemUnavailable => false,
        }
    }
}

/// The answer of `GET /ready`, as JSON: `{"ready":false,"reasons":["no connector loaded"]}`. It has no names, paths or
/// versions, because it is answered without a secret.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Readiness {
    /// `false`: the status is 503.
    pub(super) ready: bool,
    reasons: Vec<Reason>,
}

impl Readiness {
    /// From pairs of a reason and whether it holds now.
    pub(super) fn new(conditions: impl IntoIterator<Item = (Reason, bool)>) -> Self {
        let reasons: Vec<Reason> =
            conditions.into_iter().filter(|(_, holds)| *holds).map(|(reason, _)| reason).collect();
        Readiness { ready: !reasons.iter().any(|reason| reason.rejects_calls()), reasons }
    }

    pub(super) fn to_json(&self) -> String {
        // Serialising texts and a flag cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_stays_true_on_a_full_disk_and_not_without_a_store() {
        let full = Readiness::new([(Reason::DiskFull, true)]);
        assert_eq!(full.to_json(), r#"{"ready":true,"reasons":["disk full"]}"#);
        let away = Readiness::new([(Reason::ErpSystemUnavailable, true)]);
        assert_eq!(away.to_json(), r#"{"ready":true,"reasons":["ERP system unavailable"]}"#);
        let unreachable = Readiness::new([(Reason::StoreUnreachable, true)]);
        assert_eq!(unreachable.to_json(), r#"{"ready":false,"reasons":["store unreachable"]}"#);
    }

    #[test]
    fn readiness_is_json_with_the_reasons_that_hold() {
        let none = Readiness::new([(Reason::CallLimitReached, false), (Reason::NoConnectorLoaded, false)]);
        assert_eq!(none.to_json(), r#"{"ready":true,"reasons":[]}"#);
        let both = Readiness::new([(Reason::CallLimitReached, true), (Reason::NoConnectorLoaded, true)]);
        assert_eq!(
            both.to_json(),
            r#"{"ready":false,"reasons":["call limit reached","no connector loaded"]}"#
        );
    }
}
