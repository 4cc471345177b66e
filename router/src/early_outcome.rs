//! The early outcomes of a call: it ends before its operation was carried out, or without waiting for its result. All of
//! them are made here.

use std::time::Duration;

use contract::{Call, Outcome, State};
use plugin_api::abi::new_reference;
use plugin_api::{ErrorKind, Field};
use values::{Guid, error_code};

use super::circuit_breaker::Open;
use super::concurrency_limit::QueueFull;
use super::connector::{CallError, Connector};
use super::convert;
use super::other_settings::{MAX_OTHER_BYTES, MAX_OTHERS};
use super::share::Share;
use super::threads::Exhausted;
use erp_host_store::audit::shortened;
use erp_host_store::{OpenError, OpeningFailure, Retry, RetryPolicy, StoreError};

/// Why a call ends early.
#[derive(Debug, Clone)]
pub(super) enum EarlyOutcome {
    /// The caller gets a reply with this outcome; with the kind of an error of the connector.
    Reply(Outcome<'static>, Option<ErrorKind>),
    /// The same, for a connection that is not tried again yet: its failure was logged when it was tried.
    HeldBack(Outcome<'static>),
    /// The caller gets 503: see [`super::RejectedCall::Busy`]. The text says what is busy.
    Busy(String),
}

/// Why a connection was not opened.
#[derive(Debug)]
pub(super) struct NotOpened {
    pub(super) outcome: EarlyOutcome,
    /// When it is tried again.
    pub(super) retry: RetryPolicy,
}

impl EarlyOutcome {
    /// A reply of the host.
    fn reply(outcome: Outcome<'static>) -> Self {
        EarlyOutcome::Reply(outcome, None)
    }
}

impl OpeningFailure for NotOpened {
    fn retry(&self) -> RetryPolicy {
        self.retry
    }
}

impl NotOpened {
    /// The connector could not be called.
    pub(super) fn not_attempted(outcome: EarlyOutcome) -> Self {
        NotOpened { outcome, retry: RetryPolicy::AtOnce }
    }

    /// The call that opens it gave no result.
    pub(super) fn no_result(error: CallError, connector: &Connector) -> Self {
        let retry = match error {
            CallError::DeadlineExceeded(_) | CallError::Panicked => RetryPolicy::Later,
            CallError::QueueFull(_)
            | CallError::CallerLeft
            | CallError::NoThread(_)
            | CallError::OutOfService(_) => RetryPolicy::AtOnce,
        };
        NotOpened { outcome: no_result(error, connector), retry }
    }

    /// The connector answered with an error.
    pub(super) fn connector_error(outcome: &plugin_api::Outcome) -> Self {
        NotOpened { outcome: connector_error(outcome), retry: retry_after(outcome.kind) }
    }

    /// A call of the open connection has shown that it has to be opened again, and that this would fail now.
    pub(super) fn call_failed(outcome: Outcome<'static>, kind: ErrorKind) -> Self {
        NotOpened { outcome: EarlyOutcome::Reply(outcome, Some(kind)), retry: retry_after(kind) }
    }
}

/// When a connection whose opening failed is opened again.
fn retry_after(kind: ErrorKind) -> RetryPolicy {
    match kind {
        ErrorKind::Settings => RetryPolicy::WhenSaved,
        ErrorKind::Unavailable | ErrorKind::Reopen => RetryPolicy::Soon,
        ErrorKind::Cancelled => RetryPolicy::AtOnce,
        _ => RetryPolicy::Later,
    }
}

/// The error code of a call that was not started because its caller has left. Only the log shows it.
const CALLER_LEFT: &str = "CallerLeft";

/// Parses the ConnectionGuid of a call.
pub(super) fn parse_guid(call: &Call<'_>) -> Result<Guid, EarlyOutcome> {
    let text = call.connection_guid.as_deref().unwrap_or_default();
    if text.trim().is_empty() {
        return Err(error(
            "ConnectionGuid is missing from the request, expected one like 3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf",
        ));
    }
    text.parse().map_err(|why| error(format!("ConnectionGuid {why}")))
}

/// The address names another connector than the one that the connection belongs to.
pub(super) fn other_connector(guid: Guid, owner: &str, addressed: &str) -> EarlyOutcome {
    error(format!(
        "the connection {guid} belongs to the connector '{owner}', but the address names '{addressed}'; use the address with \
         ?ConnectorName={owner}, or set up another connection"
    ))
}

/// The connection is not stored. The error code makes SuperOffice send the settings again (contract page, section 2).
pub(super) fn unknown_connection(guid: Guid) -> EarlyOutcome {
    let why = format!("the connection {guid} is not known here; its settings must be saved first");
    EarlyOutcome::reply(Outcome::error(why).with_error_code(error_code::UNKNOWN_CONNECTION_ID))
}

/// No connector has the name that the address or the configuration gives. `loaded`: the names of those that are here, for a
/// caller that may see them.
pub(super) fn unknown_connector(name: &str, loaded: Option<&str>) -> EarlyOutcome {
    error(match loaded {
        Some(loaded) => format!("connector '{name}' was not found; here: {loaded}"),
        None => format!("connector '{name}' was not found"),
    })
}

/// No connector is loaded at all.
pub(super) fn no_connector() -> EarlyOutcome {
    EarlyOutcome::reply(
        Outcome::error("no connector is installed on this host")
            .with_tech_explanation("put a plugin file into the plugins folder"),
    )
}

/// The connector of a stored connection is not loaded.
pub(super) fn not_loaded(name: &str, is_any_loaded: bool) -> EarlyOutcome {
    let none = if is_any_loaded { "" } else { "; here: none" };
    let why = format!("the connection belongs to the connector '{name}', which is not installed{none}");
    EarlyOutcome::reply(Outcome::error(why).with_tech_explanation(
        "put its plugin file into the plugins folder; the connection is kept until then",
    ))
}

/// The all-zero ConnectionGuid was to be saved.
pub(super) fn zero_guid_saved() -> EarlyOutcome {
    error("the all-zero ConnectionGuid cannot be saved: it stands for a connection that is being set up")
}

/// Mandatory settings are missing or empty.
pub(super) fn missing_settings(keys: &[&str]) -> EarlyOutcome {
    error(format!("these settings must be filled in: {}", keys.join(", ")))
}

/// More settings than may be stored beside those of the connector's form, or larger ones: these.
pub(super) fn unknown_settings(connector: &str, unknown: &[&str], form: &[Field]) -> EarlyOutcome {
    let own: Vec<_> = form.iter().map(|field| field.key.as_str()).collect();
    let (unknown, own) = (first_few(unknown), first_few(&own));
    error(format!(
        "the connector '{connector}' has no settings with these names: {unknown}; it has {own}; of others at most \
         {MAX_OTHERS} are stored, with {MAX_OTHER_BYTES} bytes each; nothing was changed"
    ))
}

/// Up to ten names. Those of a caller may be long.
fn first_few(names: &[&str]) -> String {
    let first: Vec<_> = names.iter().take(10).map(|name| shortened(name)).collect();
    let first = first.join(", ");
    match names.len().saturating_sub(10) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// The connection could not be opened.
pub(super) fn not_opened(error: &OpenError<NotOpened>) -> EarlyOutcome {
    let (why, for_caller) = match error {
        OpenError::Connection { cause, retry } => return with_retry(&cause.outcome, *retry),
        OpenError::Store(error) => (error.to_string(), error.without_paths()),
        OpenError::Ended => {
            let why = "opening it ended without a result";
            (why.to_owned(), why.to_owned())
        }
    };
    let reference = new_reference();
    tracing::error!(%reference, "a connection is not opened: {why}");
    let outcome = Outcome::error("the connection could not be opened, see the host's log");
    EarlyOutcome::reply(outcome.with_tech_explanation(format!("{for_caller} (reference {reference})")))
}

/// The outcome, and when the connection is tried again.
fn with_retry(outcome: &EarlyOutcome, retry: Option<Retry>) -> EarlyOutcome {
    let (EarlyOutcome::Reply(outcome, kind), Some(Retry { after, is_held_back })) = (outcome, retry) else {
        return outcome.clone();
    };
    let outcome = outcome_with_retry(outcome, after, "its settings are saved");
    if is_held_back { EarlyOutcome::HeldBack(outcome) } else { EarlyOutcome::Reply(outcome, *kind) }
}

/// An outcome that says when it is tried again: after this time, or at once when something happens.
fn outcome_with_retry(outcome: &Outcome<'static>, after: Duration, at_once: &str) -> Outcome<'static> {
    let retry = if after == Duration::MAX {
        format!("it is not tried again before {at_once}")
    } else {
        let seconds = after.as_secs_f64().ceil();
        format!("it is tried again in {seconds} seconds at the earliest, or at once when {at_once}")
    };
    let tech = match outcome.tech_explanation.as_deref() {
        Some(tech) if !tech.is_empty() => format!("{tech}; {retry}"),
        _ => retry,
    };
    Outcome { tech_explanation: Some(tech.into()), ..outcome.clone() }
}

/// These settings have failed a few times, and are not tested again yet.
pub(super) fn test_held_back(outcome: &Outcome<'static>, after: Duration) -> EarlyOutcome {
    EarlyOutcome::HeldBack(outcome_with_retry(outcome, after, "the settings are other ones"))
}

/// The call of a connector gave no result.
pub(super) fn no_result(error: CallError, connector: &Connector) -> EarlyOutcome {
    match error {
        CallError::QueueFull(full) => EarlyOutcome::Busy(busy(connector.name(), full)),
        CallError::CallerLeft => EarlyOutcome::reply(
            Outcome::error("the caller has left before the call was started").with_error_code(CALLER_LEFT),
        ),
        CallError::NoThread(exhausted) => EarlyOutcome::Busy(threads_exhausted(connector.name(), exhausted)),
        CallError::DeadlineExceeded(progress) => {
            deadline_exceeded(connector.name(), connector.deadline(), progress.as_deref())
        }
        CallError::OutOfService(open) => out_of_service(connector.name(), open),
        CallError::Panicked => self::error("the host failed to serve this call, see its log"),
    }
}

/// The connector still works on the call after its deadline; `progress` is what it has reported last.
pub(super) fn deadline_exceeded(connector: &str, deadline: Duration, progress: Option<&str>) -> EarlyOutcome {
    let seconds = deadline.as_secs_f64();
    let goes_on = "the call may go on in the connector, and what it changes may still happen";
    let tech = match progress {
        Some(progress) => format!("{goes_on}; it said last: {progress}"),
        None => goes_on.to_owned(),
    };
    let why = format!("the connector '{connector}' did not answer within {seconds} seconds");
    EarlyOutcome::reply(Outcome::error(why).with_tech_explanation(tech))
}

/// As many calls run and wait as may.
fn busy(connector: &str, full: QueueFull) -> String {
    match full {
        QueueFull::Share(share) => {
            format!("{share} has as many calls in the connector '{connector}' as one may have")
        }
        QueueFull::Connector => format!("the connector '{connector}' is busy with other calls"),
    }
}

/// All threads are taken by calls that run.
fn threads_exhausted(connector: &str, exhausted: Exhausted) -> String {
    match exhausted {
        Exhausted::Connector(threads) => format!(
            "threads exhausted: calls of the connector '{connector}', with those of versions before, run on all of its \
             {threads} threads"
        ),
        Exhausted::All(threads) => {
            format!("threads exhausted: calls of connectors run on all {threads} threads of the host")
        }
    }
}

/// The circuit breaker is open.
fn out_of_service(connector: &str, open: Open) -> EarlyOutcome {
    let (what, timed_out_calls) = match open {
        Open::Share(share @ Share::Connection(_), timed_out_calls) => (share.to_string(), timed_out_calls),
        Open::Share(share, timed_out_calls) => {
            (format!("{share} of the connector '{connector}'"), timed_out_calls)
        }
        Open::Connector(timed_out_calls) => (format!("the connector '{connector}'"), timed_out_calls),
    };
    let why = format!("{what} is out of service, because its calls do not come back; try again later");
    EarlyOutcome::reply(Outcome::error(why).with_tech_explanation(format!(
        "{timed_out_calls} calls have not ended by their deadlines; it serves again as soon as enough of them have; check \
         whether the ERP system answers"
    )))
}

/// The connector answered with an error.
pub(super) fn connector_error(outcome: &plugin_api::Outcome) -> EarlyOutcome {
    let owned = |text: contract::Text<'_>| text.map(|text| text.into_owned().into());
    let Outcome { user_explanation, tech_explanation, error_code, .. } = convert::outcome(outcome);
    let reply = Outcome {
        state: State::Error,
        user_explanation: owned(user_explanation),
        tech_explanation: owned(tech_explanation),
        error_code: owned(error_code),
    };
    EarlyOutcome::Reply(reply, Some(outcome.kind))
}

impl From<StoreError> for EarlyOutcome {
    fn from(error: StoreError) -> Self {
        let reference = new_reference();
        let user = match error {
            StoreError::TooLarge { .. }
            | StoreError::NameTooLong { .. }
            | StoreError::TooManyConnections { .. } => {
                tracing::warn!("a connection is not saved: {error}");
                return self::error(error.to_string());
            }
            StoreError::Full { .. } => {
                "the disk of the host is full, so nothing was changed; its administrator has to make room on it"
            }
            _ => "the host cannot use its store of connections, see its log; nothing was changed",
        };
        tracing::error!(%reference, "the connection store failed: {error}");
        let tech = format!("{} (reference {reference})", error.without_paths());
        EarlyOutcome::reply(Outcome::error(user).with_tech_explanation(tech))
    }
}

fn error(why: impl Into<std::borrow::Cow<'static, str>>) -> EarlyOutcome {
    EarlyOutcome::reply(Outcome::error(why))
}
