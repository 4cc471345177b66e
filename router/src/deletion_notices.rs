//! Notices of deletion: a connector is called for each connection that was deleted, when it is not in use any more.
//!
//! Deletions by a call of this host are noticed at once. All others, by another process or while the connector was not loaded,
//! are found by their folders: a folder without a stored connection. So a notice comes at least once for a connection with a
//! folder, because the folder is removed after it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use values::Guid;

use super::connector::{CallError, Connector, LiveConnection};
use super::connectors::Connectors;
use super::early_outcome::NotOpened;
use super::share::Share;
use erp_host_runtime::LogContext;
use erp_host_store::{Connections, StoreError};

/// The operation in the log.
const CONNECTION_DELETED: &str = "connection_deleted";

/// The pause after a failure; it doubles with each further one, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// The notices that connectors have not got yet.
#[derive(Debug, Default)]
pub(super) struct DeletionNotices {
    pending: Mutex<HashMap<(Arc<str>, Guid), Notice>>,
    /// Which deletions the folders of each connector were compared with last.
    compared: Mutex<HashMap<Arc<str>, Comparison>>,
}

#[derive(Debug, Default)]
struct Notice {
    attempts: Attempts,
    is_running: bool,
}

#[derive(Debug)]
struct Comparison {
    connector: Weak<Connector>,
    /// `None`: it has not been done, or has failed.
    deletions: Option<u64>,
    attempts: Attempts,
    is_running: bool,
}

/// When something is tried again that has failed.
#[derive(Debug, Default)]
struct Attempts {
    pause: Duration,
    not_before: Option<Instant>,
}

impl Attempts {
    fn may_begin(&self) -> bool {
        self.not_before.is_none_or(|time| time <= Instant::now())
    }

    fn fail(&mut self) {
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        self.not_before = Some(Instant::now() + self.pause);
    }
}

/// What a notice came to.
enum Ended {
    /// The connector has got it, or must not get it.
    Done,
    /// It could not begin.
    Later,
    Failed,
}

impl DeletionNotices {
    /// A connection of this connector was deleted.
    pub(super) fn add(&self, connector: &Arc<str>, guid: Guid) {
        self.pending().entry((Arc::clone(connector), guid)).or_default();
    }

    /// Finds deletions that were missed, and sends the notices that can be sent now, as tasks.
    pub(super) fn send(
        self: &Arc<Self>,
        connections: &Connections<LiveConnection, NotOpened>,
        connectors: &Arc<Connectors>,
        tasks: &mut JoinSet<()>,
    ) {
        let deletions = connections.deletions();
        for connector in connectors.serving().into_iter().filter(|it| self.begin_comparison(it, deletions)) {
            let (notices, connections) = (Arc::clone(self), connections.clone());
            tasks.spawn(async move {
                let found = deleted_with_folder(&connections, &connector).await;
                notices.end_comparison(&connector, deletions, found);
            });
        }
        let mut due = Vec::new();
        for (key, notice) in &mut *self.pending() {
            if !notice.is_running && notice.attempts.may_begin() {
                notice.is_running = true;
                due.push(key.clone());
            }
        }
        for (name, guid) in due {
            let (notices, connections, connectors) =
                (Arc::clone(self), connections.clone(), Arc::clone(connectors));
            tasks.spawn(async move {
                let ended = notify(&connections, &connectors, &name, guid).await;
                notices.end((name, guid), &ended);
            });
        }
    }

    fn end(&self, key: (Arc<str>, Guid), ended: &Ended) {
        let mut pending = self.pending();
        match (ended, pending.get_mut(&key)) {
            (Ended::Done, _) => drop(pending.remove(&key)),
            (_, None) => {}
            (Ended::Later, Some(notice)) => notice.is_running = false,
            (Ended::Failed, Some(notice)) => {
                notice.is_running = false;
                notice.attempts.fail();
            }
        }
    }

    /// Begins to compare the folders of a connector with the stored connections, when connections were deleted since that was done
    /// last, or the connector is newly loaded.
    fn begin_comparison(&self, connector: &Arc<Connector>, deletions: u64) -> bool {
        let mut compared = self.compared();
        let is_same = |of: &Comparison| Weak::as_ptr(&of.connector) == Arc::as_ptr(connector);
        if !compared.get(connector.name()).is_some_and(is_same) {
            let new = Comparison {
                connector: Arc::downgrade(connector),
                deletions: None,
                attempts: Attempts::default(),
                is_running: false,
            };
            compared.insert(Arc::clone(connector.name()), new);
        }
        let Some(comparison) = compared.get_mut(connector.name()) else { return false };
        let is_due = comparison.deletions != Some(deletions) && comparison.attempts.may_begin();
        let begins = is_due && !comparison.is_running;
        comparison.is_running |= begins;
        begins
    }

    fn end_comparison(
        &self,
        connector: &Arc<Connector>,
        deletions: u64,
        found: Result<Vec<Guid>, Uncompared>,
    ) {
        let mut compared = self.compared();
        let Some(comparison) = compared.get_mut(connector.name()) else { return };
        comparison.is_running = false;
        match found {
            Ok(found) => {
                comparison.deletions = Some(deletions);
                comparison.attempts = Attempts::default();
                drop(compared);
                found.into_iter().for_each(|guid| self.add(connector.name(), guid));
            }
            Err(Uncompared::Busy) => {}
            Err(Uncompared::Failed(why)) => {
                comparison.attempts.fail();
                tracing::warn!(connector = %connector.name(), "folders of deleted connections cannot be found: {why}");
            }
        }
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<(Arc<str>, Guid), Notice>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn compared(&self) -> MutexGuard<'_, HashMap<Arc<str>, Comparison>> {
        self.compared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why folders were not compared.
enum Uncompared {
    /// The connector has other calls.
    Busy,
    Failed(String),
}

/// The deleted connections that have a folder. Folders are listed first: a connection is stored before it has one.
async fn deleted_with_folder(
    connections: &Connections<LiveConnection, NotOpened>,
    connector: &Arc<Connector>,
) -> Result<Vec<Guid>, Uncompared> {
    let log_context = LogContext {
        operation: "connection_folders",
        connector: Some(Arc::clone(connector.name())),
        connection: None,
    };
    let worker = Arc::clone(connector);
    let list = move || worker.client().connection_folders();
    let names = match connector.call_in_background(Share::SettingsForm, log_context, list).await {
        Ok(Ok(names)) => names,
        Ok(Err(outcome)) => return Err(Uncompared::Failed(text_of(&outcome))),
        Err(CallError::QueueFull(_) | CallError::NoThread(_)) => return Err(Uncompared::Busy),
        Err(error) => return Err(Uncompared::Failed(format!("{error:?}"))),
    };
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let stored = connections.list().await.map_err(|error| Uncompared::Failed(error.to_string()))?;
    let is_stored = |guid: Guid| {
        stored.iter().any(|own| own.guid == guid && own.connector.eq_ignore_ascii_case(connector.name()))
    };
    // A folder is named as the host writes a GUID.
    let guid = |name: &String| name.parse::<Guid>().ok().filter(|guid| guid.to_string() == *name);
    Ok(names.iter().filter_map(guid).filter(|guid| !is_stored(*guid)).collect())
}

/// Notifies a connector that a connection was deleted, unless it is stored again.
async fn notify(
    connections: &Connections<LiveConnection, NotOpened>,
    connectors: &Arc<Connectors>,
    name: &str,
    guid: Guid,
) -> Ended {
    // When it is loaded again, the folder is found.
    let Some(connector) = connectors.get(name) else { return Ended::Done };
    let Some(excluded) = connectors.in_use().try_exclude(guid) else { return Ended::Later };
    match is_stored(connections, &connector, guid).await {
        Ok(true) => return Ended::Done,
        Ok(false) => {}
        Err(_) => return Ended::Failed,
    }
    let log_context = LogContext {
        operation: CONNECTION_DELETED,
        connector: Some(Arc::clone(connector.name())),
        connection: Some(guid),
    };
    let worker = Arc::clone(&connector);
    let work = move || {
        let outcome = worker.client().connection_deleted(&guid.to_string());
        drop(excluded);
        outcome
    };
    let why = match connector.call_in_background(Share::Connection(guid), log_context, work).await {
        Ok(outcome) if outcome.state.is_ok() => {
            let connector = &**connector.name();
            tracing::debug!(connection = %guid, connector, operation = CONNECTION_DELETED, "the connector has removed what it kept");
            return Ended::Done;
        }
        Ok(outcome) => format!("{} ({})", text_of(&outcome), outcome.kind),
        Err(CallError::QueueFull(_) | CallError::NoThread(_) | CallError::OutOfService(_)) => {
            return Ended::Later;
        }
        Err(error) => format!("{error:?}"),
    };
    tracing::warn!(
        connection = %guid,
        connector = %connector.name(),
        operation = CONNECTION_DELETED,
        "the connector has not removed what it keeps for a deleted connection, and is asked again later: {why}"
    );
    Ended::Failed
}

async fn is_stored(
    connections: &Connections<LiveConnection, NotOpened>,
    connector: &Connector,
    guid: Guid,
) -> Result<bool, StoreError> {
    let owner = connections.connector_of(guid).await?;
    Ok(owner.is_some_and(|owner| owner.eq_ignore_ascii_case(connector.name())))
}

fn text_of(outcome: &plugin_api::Outcome) -> String {
    let texts: Vec<_> = [&outcome.user, &outcome.tech].into_iter().flatten().map(String::as_str).collect();
    texts.join(": ")
}
