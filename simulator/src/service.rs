//! A connection of a connector, called as EIS calls it: with patience, and with its settings again when the service does
//! not know it (any more).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use contract::{Actor, Dictionary, Guid, Outcome, Payload, Reply, Request};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::record::{Count, Record};
use erp_host_client::form::FilledForm;
use erp_host_client::{CallError, CallErrorKind, Client};

/// A wait between two attempts: short at first, a restart takes less than a second.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// What all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) record: Arc<Record>,
    /// The time of the next call, where there may be only so many a second.
    pace: Option<(Duration, Mutex<Instant>)>,
    /// How long to wait for a service that does not answer.
    patience: Duration,
    /// No more edits: come to rest and report.
    stop: AtomicBool,
    /// No more waiting either.
    stop_now: AtomicBool,
}

impl Shared {
    pub(super) fn new(rate: Option<f64>, patience: Duration) -> Self {
        let pace = rate.map(|rate| (Duration::from_secs_f64(1.0 / rate), Mutex::new(Instant::now())));
        Shared {
            record: Arc::default(),
            pace,
            patience,
            stop: AtomicBool::new(false),
            stop_now: AtomicBool::new(false),
        }
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(super) fn stops(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Ends waits for a service that does not answer.
    pub(super) fn stop_now(&self) {
        self.stop();
        self.stop_now.store(true, Ordering::Relaxed);
    }

    fn stops_now(&self) -> bool {
        self.stop_now.load(Ordering::Relaxed)
    }

    async fn wait_for_turn(&self) {
        let Some((interval, next)) = &self.pace else { return };
        let turn = {
            let mut next = next.lock().await;
            let turn = (*next).max(Instant::now());
            *next = turn + *interval;
            turn
        };
        tokio::time::sleep_until(turn).await;
    }
}

/// Why a call gave nothing.
#[derive(Debug)]
pub(super) enum Failed {
    /// The connector says no: State=Error.
    Refused(CallError),
    /// A fault, or an answer that cannot be read.
    Broken(CallError),
    /// No answer for as long as patience lasts.
    Unreachable(CallError),
    /// No answer to a call that must not be made twice: it may have been carried out.
    Uncertain(CallError),
}

impl Failed {
    pub(super) fn error(&self) -> &CallError {
        match self {
            Failed::Refused(error)
            | Failed::Broken(error)
            | Failed::Unreachable(error)
            | Failed::Uncertain(error) => error,
        }
    }
}

/// An actor, as the ERP system gives it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ErpActor {
    pub(super) actor_type: String,
    pub(super) key: String,
    pub(super) stamp: Option<String>,
    /// Actor type and key.
    pub(super) parent: Option<(String, String)>,
    pub(super) fields: BTreeMap<String, Option<String>>,
}

/// A connection.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) client: Client,
    pub(super) guid: Guid,
    settings: FilledForm,
    shared: Arc<Shared>,
}

impl Service {
    pub(super) fn new(client: Client, guid: Guid, settings: FilledForm, shared: Arc<Shared>) -> Self {
        Service { client, guid, settings, shared }
    }

    /// Another connection with the same settings.
    pub(super) fn under(&self, guid: Guid) -> Self {
        Service { guid, ..self.clone() }
    }

    /// Makes a call of the connection.
    pub(super) async fn call(&self, request: Request<'_>) -> Result<Payload<'static>, Failed> {
        match self.once(Some(self.guid), &request).await {
            Err(Failed::Refused(error)) if error.is_unknown_connection() => {
                self.save().await?;
                self.shared.record.add(Count::SettingsSentAgain, 1);
                self.once(Some(self.guid), &request).await
            }
            answered => answered,
        }
    }

    /// Makes a call as it is: an unknown connection is an answer.
    pub(super) async fn call_as_it_is(&self, request: Request<'_>) -> Result<Payload<'static>, Failed> {
        self.once(Some(self.guid), &request).await
    }

    /// Makes a call of a connection that is not there yet.
    pub(super) async fn call_in_setup(
        &self,
        guid: Option<Guid>,
        request: Request<'_>,
    ) -> Result<Payload<'static>, Failed> {
        self.once(guid, &request).await
    }

    /// Sends the settings.
    pub(super) async fn save(&self) -> Result<(), Failed> {
        let request = Request::SaveConnection { connection_info: Some(dictionary(&self.settings.values)) };
        self.once(Some(self.guid), &request).await.map(drop)
    }

    /// Waits for a service that is away. What may not be done twice is tried again only if it cannot have been done.
    async fn once(&self, guid: Option<Guid>, request: &Request<'_>) -> Result<Payload<'static>, Failed> {
        let given_up = Instant::now() + self.shared.patience;
        let mut wait = FIRST_WAIT;
        loop {
            self.shared.wait_for_turn().await;
            let error = match self.client.call(guid, request.clone()).await {
                Ok(exchange) => {
                    self.shared.record.took(exchange.operation, exchange.traffic.elapsed);
                    match exchange.succeeded() {
                        Ok(exchange) => return Ok(payload(exchange.answer.reply)),
                        Err(error) => return Err(Failed::Refused(error)),
                    }
                }
                Err(error) => error,
            };
            match away(&error.kind) {
                None => return Err(Failed::Broken(error)),
                Some(Away::InTheMiddle) if matches!(request, Request::CreateActor { .. }) => {
                    return Err(Failed::Uncertain(error));
                }
                Some(_) if Instant::now() + wait > given_up || self.shared.stops_now() => {
                    return Err(Failed::Unreachable(error));
                }
                Some(_) => {}
            }
            self.shared.record.add(Count::Retried, 1);
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }
}

/// How a service is away.
enum Away {
    /// It never got the call.
    Before,
    /// It may have got it.
    InTheMiddle,
}

fn away(trouble: &CallErrorKind) -> Option<Away> {
    match trouble {
        CallErrorKind::Name { .. }
        | CallErrorKind::ConnectionRefused { .. }
        | CallErrorKind::Connect { .. }
        | CallErrorKind::ConnectTimeout { .. }
        | CallErrorKind::NoConnector { status: 429 | 503, .. } => Some(Away::Before),
        CallErrorKind::Timeout { .. }
        | CallErrorKind::Lost { .. }
        | CallErrorKind::NoConnector { status: 502 | 504, .. } => Some(Away::InTheMiddle),
        _ => None,
    }
}

fn payload(reply: Reply<'static>) -> Payload<'static> {
    match reply {
        Reply::Result { payload, .. } => payload,
        Reply::Authentication(_) => Payload::None,
    }
}

/// Keys and values as the contract carries them.
pub(super) fn dictionary<'a>(
    values: impl IntoIterator<Item = &'a (String, Option<String>)>,
) -> Dictionary<'a> {
    values.into_iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect()
}

/// The texts of an array; null ones left out.
pub(super) fn items(payload: Payload<'static>) -> Vec<String> {
    match payload {
        Payload::Items(items) => items.into_iter().flatten().flatten().map(Cow::into_owned).collect(),
        _ => Vec::new(),
    }
}

pub(super) fn fields(payload: Payload<'static>) -> Vec<contract::Field<'static>> {
    match payload {
        Payload::Fields(fields) => fields.unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// Keys and texts of a list.
pub(super) fn list(payload: Payload<'static>) -> Vec<(String, String)> {
    let Payload::ListItems(Some(items)) = payload else { return Vec::new() };
    let entries = items.entries.into_iter();
    entries.map(|(key, text)| (key.into_owned(), text.map(Cow::into_owned).unwrap_or_default())).collect()
}

pub(super) fn actors(payload: Payload<'static>) -> Vec<ErpActor> {
    match payload {
        Payload::Actors(actors) => actors.into_iter().flatten().map(actor).collect(),
        Payload::Actor(one) => one.into_iter().map(actor).collect(),
        _ => Vec::new(),
    }
}

fn actor(actor: Actor<'static>) -> ErpActor {
    let text = |text: Option<Cow<'static, str>>| text.map(Cow::into_owned);
    let filled = |given: Option<Cow<'static, str>>| text(given).filter(|text| !text.is_empty());
    ErpActor {
        actor_type: text(actor.actor_type).unwrap_or_default(),
        key: text(actor.erp_key).unwrap_or_default(),
        stamp: filled(actor.last_modified),
        parent: filled(actor.parent_actor_type).zip(filled(actor.parent_erp_key)),
        fields: actor
            .field_values
            .into_iter()
            .flat_map(|fields| fields.entries)
            .map(|(key, value)| (key.into_owned(), text(value)))
            .collect(),
    }
}

/// The explanation of a refusal, in a language.
pub(super) fn explanation(error: &CallError, language: &str) -> String {
    match &error.kind {
        CallErrorKind::Refused(outcome) => said(outcome, language).unwrap_or_else(|| error.to_string()),
        _ => error.to_string(),
    }
}

fn said(outcome: &Outcome<'_>, language: &str) -> Option<String> {
    let text = outcome.user_explanation.as_deref().filter(|text| !text.is_empty())?;
    Some(contract::LocalizedText::parse(text).get(language).to_owned())
}
