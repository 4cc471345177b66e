//! Calls through one connection as EIS makes them: retried while the service is unavailable, and with the settings saved
//! again when the service does not have the connection any more.

use std::sync::Arc;
use std::time::Duration;

use contract::{Guid, Outcome, Payload, Reply, Request, State};
use erp_host_client::form::FilledForm;
use erp_host_client::{CallError, CallErrorKind, Client};
use tokio::time::Instant;
use values::error_code;

use super::payload::dictionary;
use super::shared_state::SharedState;
use super::statistics::Counter;

/// The wait before the first retry: short, because a restart takes less than a second. It doubles with each retry.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const MAX_BACKOFF: Duration = Duration::from_secs(2);

/// Why a call failed.
#[derive(Debug)]
pub(super) enum CallFailure {
    /// A reply with State=Error.
    Refused(CallError),
    /// A fault, or an answer that cannot be read.
    Broken(CallError),
    /// No response until the retries ended.
    Unreachable(CallError),
    /// No response to a call that must not be repeated, because it may have been carried out.
    Uncertain(CallError),
}

/// A reply with another state than Error.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) outcome: Outcome<'static>,
    pub(super) payload: Payload<'static>,
}

impl Answered {
    /// Why a part of a save was not done; `None` when all of it was. A warning may be about something else: what was saved then
    /// shows in the actors of the reply.
    pub(super) fn warning(&self, language: &str) -> Option<String> {
        let is_warning = self.outcome.state == State::Warning;
        is_warning.then(|| user_explanation(&self.outcome, language).unwrap_or_default())
    }
}

impl CallFailure {
    pub(super) fn error(&self) -> &CallError {
        match self {
            CallFailure::Refused(error)
            | CallFailure::Broken(error)
            | CallFailure::Unreachable(error)
            | CallFailure::Uncertain(error) => error,
        }
    }
}

/// The client of one connection, with the settings of it.
#[derive(Debug, Clone)]
pub(super) struct ConnectionClient {
    client: Client,
    pub(super) guid: Guid,
    settings: FilledForm,
    shared: Arc<SharedState>,
}

impl ConnectionClient {
    pub(super) fn new(client: Client, guid: Guid, settings: FilledForm, shared: Arc<SharedState>) -> Self {
        ConnectionClient { client, guid, settings, shared }
    }

    /// The same connection with these settings.
    pub(super) fn with_settings(&self, settings: FilledForm) -> Self {
        ConnectionClient { settings, ..self.clone() }
    }

    /// Another connection with the same settings.
    pub(super) fn with_guid(&self, guid: Guid) -> Self {
        ConnectionClient { guid, ..self.clone() }
    }

    /// Makes a call. If the connection is unknown, its settings are saved and the call is made once more. If its settings do
    /// not work any more, somebody has to save others: the call is retried until then.
    pub(super) async fn call(&self, request: Request<'_>) -> Result<Payload<'static>, CallFailure> {
        self.call_with_outcome(request).await.map(|answered| answered.payload)
    }

    /// The same, with the outcome of the reply.
    pub(super) async fn call_with_outcome(&self, request: Request<'_>) -> Result<Answered, CallFailure> {
        match self.call_with_retries(Some(self.guid), &request).await {
            Err(CallFailure::Refused(error)) if error.is_unknown_connection() => {
                self.save().await?;
                self.shared.statistics.add(Counter::SettingsSentAgain, 1);
                self.call_with_retries(Some(self.guid), &request).await
            }
            result => result,
        }
    }

    /// Makes a call. If the connection is unknown, that is the result.
    pub(super) async fn call_without_resend(
        &self,
        request: Request<'_>,
    ) -> Result<Payload<'static>, CallFailure> {
        self.call_with_retries(Some(self.guid), &request).await.map(|answered| answered.payload)
    }

    /// Makes a call before the connection is saved.
    pub(super) async fn call_in_setup(
        &self,
        guid: Option<Guid>,
        request: Request<'_>,
    ) -> Result<Payload<'static>, CallFailure> {
        self.call_with_retries(guid, &request).await.map(|answered| answered.payload)
    }

    /// Saves the connection.
    pub(super) async fn save(&self) -> Result<(), CallFailure> {
        let request = Request::SaveConnection { connection_info: Some(dictionary(&self.settings.values)) };
        self.call_with_retries(Some(self.guid), &request).await.map(drop)
    }

    /// Makes a call, with retries while the service is unavailable. A creation is not repeated if it may have been carried
    /// out.
    async fn call_with_retries(
        &self,
        guid: Option<Guid>,
        request: &Request<'_>,
    ) -> Result<Answered, CallFailure> {
        let deadline = Instant::now() + self.shared.retry_timeout;
        let mut backoff = FIRST_BACKOFF;
        loop {
            self.shared.wait_for_rate_limit().await;
            let error = match self.client.call(guid, request.clone()).await {
                Ok(exchange) => {
                    self.shared.statistics.add_latency(exchange.operation, exchange.traffic.elapsed);
                    match exchange.succeeded() {
                        Ok(exchange) => {
                            let outcome = exchange.outcome();
                            return Ok(Answered { outcome, payload: payload(exchange.answer.reply) });
                        }
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            let is_saved = guid == Some(self.guid) && !matches!(request, Request::SaveConnection { .. });
            match unavailability(&error.kind, is_saved) {
                None if matches!(error.kind, CallErrorKind::Refused(_)) => {
                    return Err(CallFailure::Refused(error));
                }
                None => return Err(CallFailure::Broken(error)),
                Some(Unavailable::MayBeProcessed) if matches!(request, Request::CreateActor { .. }) => {
                    return Err(CallFailure::Uncertain(error));
                }
                Some(_) if Instant::now() + backoff > deadline || self.shared.is_stopping_now() => {
                    return Err(CallFailure::Unreachable(error));
                }
                Some(_) => {}
            }
            self.shared.statistics.add(Counter::Retried, 1);
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(MAX_BACKOFF);
        }
    }
}

/// How a service is unavailable.
enum Unavailable {
    /// It did not receive the call.
    NotProcessed,
    /// It may have received the call.
    MayBeProcessed,
}

/// `None` if a retry is of no use. `is_saved`: the call is one of a saved connection, whose settings may be saved anew.
fn unavailability(kind: &CallErrorKind, is_saved: bool) -> Option<Unavailable> {
    match kind {
        CallErrorKind::Name { .. }
        | CallErrorKind::ConnectionRefused { .. }
        | CallErrorKind::Connect { .. }
        | CallErrorKind::ConnectTimeout { .. }
        | CallErrorKind::Status { status: 429 | 503, .. } => Some(Unavailable::NotProcessed),
        CallErrorKind::Refused(outcome) if is_erp_away(outcome) => Some(Unavailable::NotProcessed),
        CallErrorKind::Refused(outcome) => match outcome.error_code.as_deref() {
            Some(error_code::SETTINGS_INVALID) if is_saved => Some(Unavailable::NotProcessed),
            Some(error_code::CONNECTION_REOPENED) => Some(Unavailable::NotProcessed),
            Some(error_code::UNKNOWN_OUTCOME) => Some(Unavailable::MayBeProcessed),
            _ => None,
        },
        CallErrorKind::Timeout { .. }
        | CallErrorKind::Lost { .. }
        | CallErrorKind::Status { status: 502 | 504, .. } => Some(Unavailable::MayBeProcessed),
        _ => None,
    }
}

/// Whether a refusal says that the ERP system is away, so that the same call may work later. The contract has no code for it:
/// a connector shows it by an error code of its own, or in the technical text, where this host writes the kind of the failure
/// and connectors the error of their network.
fn is_erp_away(outcome: &Outcome<'_>) -> bool {
    const ERRORS: [&str; 5] =
        ["connection refused", "connection reset", "timed out", "host is unreachable", "no route to host"];
    let is_code =
        |code: &str| code.eq_ignore_ascii_case("UNAVAILABLE") || code.eq_ignore_ascii_case("ERP_UNAVAILABLE");
    let code = outcome.error_code.as_deref().is_some_and(is_code);
    let technical = outcome.tech_explanation.as_deref().unwrap_or_default().to_lowercase();
    let words = technical.split(|c: char| !c.is_alphabetic());
    code || words.take(2).any(|word| word == "unavailable")
        || ERRORS.iter().any(|error| technical.contains(error))
}

fn payload(reply: Reply<'static>) -> Payload<'static> {
    match reply {
        Reply::Result { payload, .. } => payload,
        Reply::Authentication(_) => Payload::None,
    }
}

/// The explanation of a refusal, in a language.
pub(super) fn explanation(error: &CallError, language: &str) -> String {
    match &error.kind {
        CallErrorKind::Refused(outcome) => {
            user_explanation(outcome, language).unwrap_or_else(|| error.to_string())
        }
        _ => error.to_string(),
    }
}

fn user_explanation(outcome: &Outcome<'_>, language: &str) -> Option<String> {
    let text = outcome.user_explanation.as_deref().filter(|text| !text.is_empty())?;
    Some(contract::LocalizedText::parse(text).get(language).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_of_a_refusal_decides_about_a_retry() {
        let processed = |code: &'static str, is_saved| {
            let outcome = Outcome { error_code: Some(code.into()), ..Outcome::error("it fails") };
            let unavailability = unavailability(&CallErrorKind::Refused(Box::new(outcome)), is_saved);
            unavailability.map(|unavailable| matches!(unavailable, Unavailable::MayBeProcessed))
        };
        for (code, is_saved, expected) in [
            (error_code::UNKNOWN_OUTCOME, true, Some(true)),
            (error_code::CONNECTION_REOPENED, true, Some(false)),
            (error_code::ERP_UNAVAILABLE, true, Some(false)),
            (error_code::SETTINGS_INVALID, true, Some(false)),
            (error_code::SETTINGS_INVALID, false, None),
            (error_code::CONFLICT, true, None),
            (error_code::INVALID_INPUT, true, None),
        ] {
            assert_eq!(processed(code, is_saved), expected, "{code} {is_saved}");
        }
    }

    #[test]
    fn erp_that_is_away_is_seen_in_a_refusal() {
        for (code, technical, expected) in [
            (Some("UNAVAILABLE"), None, true),
            (None, Some("unavailable: the ERP system restarts"), true),
            (None, Some("kind unavailable"), true),
            (None, Some("Connection refused (os error 111)"), true),
            (None, Some("connect to erp:443: operation timed out"), true),
            (None, Some("the value of CREDIT is unavailable here"), false),
            (Some("UNKOWN_FIELDKEY"), None, false),
            (None, None, false),
        ] {
            let outcome = Outcome {
                error_code: code.map(Into::into),
                tech_explanation: technical.map(Into::into),
                ..Outcome::ok()
            };
            assert_eq!(is_erp_away(&outcome), expected, "{code:?} {technical:?}");
        }
    }
}
