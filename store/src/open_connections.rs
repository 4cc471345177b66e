//! The cache of open connections, with single flight: if many calls need the same connection, one opens it and the others
//! wait for the result. A connection stays open until its settings change, nobody has used it for a while, or it is old; one
//! that cannot be opened is not tried again for a while (`backoff`).
//!
//! Hand-written because of the revision check, which the caches on crates.io do not have: a change of the settings must
//! also reach an opening that is under way. One that has not read the settings yet reads them again; one that has read
//! older settings finishes for the calls that wait for it, but is not cached, and later calls do not join it.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dashmap::{DashMap, Entry};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Instrument;
use values::Guid;

pub use self::backoff::{Backoff, RetryPolicy};
pub use self::refresh::DueRefresh;
use self::refresh::RefreshSchedule;
use crate::repository::StoredConnection;
use crate::store::{Revision, StoreError};

mod backoff;
mod refresh;

/// An open connection. Dropping it closes it, and must not block: it is dropped wherever it is used last.
pub trait Live: Send + 'static {
    /// How long it stays open.
    fn lifetime(&self) -> Lifetime;

    /// How often it is refreshed; `None`: never.
    fn refresh_every(&self) -> Option<Duration>;
}

impl OpeningFailure for Infallible {
    fn retry(&self) -> RetryPolicy {
        match *self {}
    }
}

/// How long a connection stays open. [`Duration::MAX`] is without an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// Without a call.
    pub idle: Duration,
    /// In all: a session of the ERP system may be broken in a way that only opening it again heals.
    pub age: Duration,
}

impl Lifetime {
    /// Until its settings change.
    pub const UNLIMITED: Lifetime = Lifetime { idle: Duration::MAX, age: Duration::MAX };
}

/// The error of an opening.
pub trait OpeningFailure {
    /// When it is tried again: at once if the ERP system was not asked.
    fn retry(&self) -> RetryPolicy;
}

/// An open connection, with what the host needs on every call.
pub struct OpenConnection<T: Send + 'static> {
    guid: Guid,
    connector: Box<str>,
    revision: Revision,
    opened: Instant,
    /// When a call got it last: milliseconds after `opened`.
    last_used: AtomicU64,
    refresh: RefreshSchedule,
    connection: T,
}

impl<T: Send + 'static> OpenConnection<T> {
    fn new(guid: Guid, connector: String, revision: Revision, connection: T) -> Self
    where
        T: Live,
    {
        OpenConnection {
            guid,
            connector: connector.into_boxed_str(),
            revision,
            opened: Instant::now(),
            last_used: AtomicU64::new(0),
            refresh: RefreshSchedule::new(connection.refresh_every()),
            connection,
        }
    }

    fn touch(&self) {
        let age = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_used.store(age, Ordering::Relaxed);
    }

    /// The GUID of the connection.
    pub fn guid(&self) -> Guid {
        self.guid
    }

    /// The name of the connector it belongs to, as stored.
    pub fn connector(&self) -> &str {
        &self.connector
    }

    /// The revision of the settings that it was opened with.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The result of opening it.
    pub fn connection(&self) -> &T {
        &self.connection
    }
}

impl<T: Send + 'static> fmt::Debug for OpenConnection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} at revision {}", self.guid, self.connector, self.revision)
    }
}

/// Why a connection could not be opened. All calls that waited for the same opening get the same error.
#[derive(Debug, thiserror::Error)]
pub enum OpenError<E> {
    /// The settings could not be read.
    #[error(transparent)]
    Store(Arc<StoreError>),
    /// Opening it failed.
    #[error("the connection cannot be opened: {cause}")]
    Connection {
        /// Why.
        cause: Arc<E>,
        /// When it is tried again; `None`: at the next call, as it was not attempted.
        retry: Option<Retry>,
    },
    /// The opening panicked, or the host is shutting down.
    #[error("opening the connection ended without a result")]
    Ended,
}

/// A connection that cannot be opened is not tried again for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The time until then; [`Duration::MAX`] until its settings are saved.
    pub after: Duration,
    /// Whether it was not attempted for this call, because an earlier attempt had failed.
    pub is_held_back: bool,
}

impl<E> Clone for OpenError<E> {
    fn clone(&self) -> Self {
        match self {
            OpenError::Store(error) => OpenError::Store(Arc::clone(error)),
            OpenError::Connection { cause, retry } => {
                OpenError::Connection { cause: Arc::clone(cause), retry: *retry }
            }
            OpenError::Ended => OpenError::Ended,
        }
    }
}

/// The result of an opening for all calls that wait for it: `None` if the connection is not stored.
type OpenResult<T, E> = Result<Option<Arc<OpenConnection<T>>>, OpenError<E>>;

/// The cache: open connections by GUID. No lock is held while a connection is opened or used.
pub struct OpenConnections<T: Send + 'static, E> {
    pub(crate) slots: DashMap<Guid, Slot<T, E>>,
}

pub(crate) enum Slot<T: Send + 'static, E> {
    Open(Arc<OpenConnection<T>>),
    Opening(Arc<Opening<T, E>>),
    Failed(FailedOpening<E>),
}

/// The last failure of a connection that could not be opened with the settings of this revision.
pub(crate) struct FailedOpening<E> {
    connector: Box<str>,
    revision: Revision,
    cause: Arc<E>,
    backoff: Backoff,
}

/// An opening that is under way.
pub(crate) struct Opening<T: Send + 'static, E> {
    state: Mutex<OpeningState>,
    /// Of the attempts before, which have failed.
    before: Option<Backoff>,
    pub(crate) result: watch::Sender<Option<OpenResult<T, E>>>,
}

/// Which settings an opening uses.
#[derive(Default)]
struct OpeningState {
    /// The revision of the settings, and the connector that they belong to. `None` until the settings are read.
    read: Option<(Revision, String)>,
    /// The newest revision that the settings were invalidated with before they were read.
    invalidated: Revision,
}

impl<T: Send + 'static, E> Opening<T, E> {
    fn state(&self) -> MutexGuard<'_, OpeningState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the opening is stale, because it uses settings older than `newer`. If it has not read the settings
    /// yet, makes sure that it does not read older ones.
    fn invalidate(&self, newer: Revision) -> bool {
        let mut state = self.state();
        match state.read {
            Some((read, _)) => read < newer,
            None => {
                state.invalidated = state.invalidated.max(newer);
                false
            }
        }
    }

    /// Reads the settings, and reads them again if they were invalidated in the meantime: a call that begins to wait after
    /// a change must not get the settings from before it.
    async fn read_settings<L, S>(&self, load: L) -> Result<Option<StoredConnection>, StoreError>
    where
        L: Fn() -> S,
        S: Future<Output = Result<Option<StoredConnection>, StoreError>>,
    {
        loop {
            let invalidated = self.state().invalidated;
            let stored = load().await?;
            let revision = stored.as_ref().map_or(Revision::NONE, |stored| stored.revision);
            let mut state = self.state();
            if state.invalidated == invalidated || revision >= state.invalidated {
                let connector = stored.as_ref().map(|stored| stored.connector.clone());
                state.read = Some((revision, connector.unwrap_or_default()));
                return Ok(stored);
            }
        }
    }
}

impl<T: Send + 'static, E> Slot<T, E> {
    /// Returns whether the slot is stale, because it has settings older than `newer`.
    fn invalidate(&self, newer: Revision) -> bool {
        match self {
            Slot::Open(connection) => connection.revision < newer,
            Slot::Opening(opening) => opening.invalidate(newer),
            Slot::Failed(failed) => failed.revision < newer,
        }
    }

    /// Whether it belongs to this connector. An opening that has not read its settings yet belongs to none.
    fn belongs_to(&self, connector: &str) -> bool {
        match self {
            Slot::Open(connection) => connection.connector.eq_ignore_ascii_case(connector),
            Slot::Opening(opening) => {
                opening.state().read.as_ref().is_some_and(|(_, own)| own.eq_ignore_ascii_case(connector))
            }
            Slot::Failed(failed) => failed.connector.eq_ignore_ascii_case(connector),
        }
    }

    fn is_connection(&self, other: &Arc<OpenConnection<T>>) -> bool {
        matches!(self, Slot::Open(connection) if Arc::ptr_eq(connection, other))
    }

    fn is_opening(&self, other: &Arc<Opening<T, E>>) -> bool {
        matches!(self, Slot::Opening(opening) if Arc::ptr_eq(opening, other))
    }
}

impl<T: Live, E> Slot<T, E> {
    /// Why it is to be closed or forgotten now, for the log.
    fn expiry(&self, now: Instant) -> Option<&'static str> {
        match self {
            Slot::Open(connection) => connection.expiry(now, Arc::strong_count(connection) > 1),
            Slot::Opening(_) => None,
            Slot::Failed(failed) => failed.backoff.is_forgotten().then_some("its failure is forgotten"),
        }
    }
}

impl<T: Live> OpenConnection<T> {
    fn expiry(&self, now: Instant, is_in_use: bool) -> Option<&'static str> {
        let Lifetime { idle, age } = self.connection().lifetime();
        let own_age = now.saturating_duration_since(self.opened);
        let last_used = Duration::from_millis(self.last_used.load(Ordering::Relaxed));
        if own_age >= age {
            Some("it has reached its greatest age")
        } else if !is_in_use && own_age.saturating_sub(last_used) >= idle {
            Some("no call has used it for a while")
        } else {
            None
        }
    }
}

impl<T: Send + 'static, E> Default for OpenConnections<T, E> {
    fn default() -> Self {
        OpenConnections { slots: DashMap::new() }
    }
}

impl<T: Send + 'static, E> fmt::Debug for OpenConnections<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} open connections", self.slots.len())
    }
}

impl<T: Send + 'static, E> OpenConnections<T, E> {
    /// The connection, if it is open. A lookup in a sharded map.
    pub fn get(&self, guid: Guid) -> Option<Arc<OpenConnection<T>>> {
        match self.slots.get(&guid)?.value() {
            Slot::Open(connection) => {
                connection.touch();
                Some(Arc::clone(connection))
            }
            Slot::Opening(_) | Slot::Failed(_) => None,
        }
    }

    /// The number of open connections.
    pub fn count(&self) -> usize {
        self.slots.iter().filter(|slot| matches!(slot.value(), Slot::Open(_))).count()
    }

    /// Removes the connection from the cache if it was opened, or is being opened, with settings older than `newer`. Running
    /// calls keep it until they end; the next call opens it again.
    pub fn invalidate(&self, guid: Guid, newer: Revision) {
        self.slots.remove_if(&guid, |_, slot| slot.invalidate(newer));
    }

    /// Closes this connection: the next call opens it again. Running calls keep it until they end.
    pub fn close(&self, connection: &Arc<OpenConnection<T>>) {
        self.slots.remove_if(&connection.guid, |_, slot| slot.is_connection(connection));
    }

    /// Removes all connections of a connector from the cache, open or being opened, because the connector was replaced.
    /// Running calls keep them until they end; the next calls open them with the new connector.
    pub fn invalidate_connector(&self, connector: &str) {
        self.slots.retain(|_, slot| !slot.belongs_to(connector));
    }

    /// Removes all connections from the cache. Each is closed when no call uses it any more.
    pub fn close_all(&self) {
        self.slots.clear();
    }
}

impl<T: Live, E> OpenConnections<T, E> {
    /// The refreshes that are due. They are no use of their connections, whose idle time goes on.
    pub fn due_refreshes(&self) -> Vec<DueRefresh<T>> {
        let now = Instant::now();
        let due = |slot: &Slot<T, E>| match slot {
            Slot::Open(connection) => DueRefresh::of(connection, now),
            Slot::Opening(_) | Slot::Failed(_) => None,
        };
        self.slots.iter().filter_map(|slot| due(slot.value())).collect()
    }

    /// Removes connections that are idle for too long or too old from the cache. Running calls keep theirs until they end; the
    /// next call opens it again.
    pub fn close_expired(&self) {
        let now = Instant::now();
        self.slots.retain(|guid, slot| {
            let expiry = slot.expiry(now);
            if let (Some(why), Slot::Open(connection)) = (expiry, &*slot) {
                tracing::info!(connection = %guid, connector = connection.connector(), "closed: {why}");
            }
            expiry.is_none()
        });
    }
}

impl<T: Send + 'static, E: OpeningFailure> OpenConnections<T, E> {
    /// Closes this connection, because one of its calls has failed in a way that an opening would too: it is opened again when
    /// the failure allows it. Running calls keep it until they end.
    pub fn fail(&self, connection: &Arc<OpenConnection<T>>, cause: E) {
        if let Entry::Occupied(mut slot) = self.slots.entry(connection.guid)
            && slot.get().is_connection(connection)
        {
            let policy = cause.retry();
            let backoff = Backoff::after(None, policy);
            let (connector, revision) = (connection.connector.clone(), connection.revision);
            let when = if policy == RetryPolicy::WhenSaved { "when its settings are saved" } else { "later" };
            tracing::warn!(
                connection = %connection.guid,
                connector = &*connector,
                "closed: a call has failed as opening it would; it is opened again {when}"
            );
            slot.insert(Slot::Failed(FailedOpening { connector, revision, cause: Arc::new(cause), backoff }));
        }
    }

    /// Whether a connection could not be opened because its ERP system is away.
    pub fn is_any_unavailable(&self) -> bool {
        let is_away = |slot: &Slot<T, E>| matches!(slot, Slot::Failed(failed) if failed.cause.retry() == RetryPolicy::Soon);
        self.slots.iter().any(|slot| is_away(slot.value()))
    }
}

impl<T: Live + Sync, E: OpeningFailure + Send + Sync + 'static> OpenConnections<T, E> {
    /// The connection; opens it if it is not open: `load` reads its settings, and `open` opens it with them.
    ///
    /// Single flight: calls that come while it is being opened wait for the same result. The opening runs in its own task to
    /// the end, even if no call waits for it any more. After a failure of an attempt, calls get the same error for a while;
    /// it is forgotten when the settings change or the connector is replaced.
    ///
    /// # Errors
    /// Reading the settings or opening the connection failed.
    pub async fn get_or_open<L, S, F, O>(
        self: &Arc<Self>,
        guid: Guid,
        load: L,
        open: F,
    ) -> Result<Option<Arc<OpenConnection<T>>>, OpenError<E>>
    where
        L: Fn() -> S + Send + 'static,
        S: Future<Output = Result<Option<StoredConnection>, StoreError>> + Send + 'static,
        F: FnOnce(StoredConnection) -> O + Send + 'static,
        O: Future<Output = Result<T, E>> + Send + 'static,
    {
        let begin = |before| {
            let (sender, receiver) = watch::channel(None);
            let opening = Arc::new(Opening { state: Mutex::default(), before, result: sender });
            let task = OpeningTask { cache: Arc::clone(self), guid, opening: Arc::clone(&opening) };
            tokio::spawn(async move { task.run(load, open).await }.in_current_span());
            (Slot::Opening(opening), receiver)
        };
        let mut result = match self.slots.entry(guid) {
            Entry::Occupied(mut slot) => match slot.get() {
                Slot::Open(connection) => {
                    connection.touch();
                    return Ok(Some(Arc::clone(connection)));
                }
                Slot::Opening(opening) => opening.result.subscribe(),
                Slot::Failed(failed) => {
                    if let Some(after) = failed.backoff.time_left() {
                        let retry = Some(Retry { after, is_held_back: true });
                        return Err(OpenError::Connection { cause: Arc::clone(&failed.cause), retry });
                    }
                    let (opening, receiver) = begin(Some(failed.backoff));
                    slot.insert(opening);
                    receiver
                }
            },
            Entry::Vacant(slot) => {
                let (opening, receiver) = begin(None);
                slot.insert(opening);
                receiver
            }
        };
        let result = result.wait_for(Option::is_some).await.map_err(|_| OpenError::Ended)?;
        result.clone().unwrap_or(Err(OpenError::Ended))
    }
}

/// The task that opens a connection. Its slot is removed from the cache when it is dropped without a connection, because of
/// a failure, a panic or a shutdown.
struct OpeningTask<T: Send + 'static, E> {
    cache: Arc<OpenConnections<T, E>>,
    guid: Guid,
    opening: Arc<Opening<T, E>>,
}

impl<T: Live, E: OpeningFailure> OpeningTask<T, E> {
    async fn run<L, S, F, O>(self, load: L, open: F)
    where
        L: Fn() -> S,
        S: Future<Output = Result<Option<StoredConnection>, StoreError>>,
        F: FnOnce(StoredConnection) -> O,
        O: Future<Output = Result<T, E>>,
    {
        let result = match self.opening.read_settings(load).await {
            Ok(Some(stored)) => {
                let (revision, connector) = (stored.revision, stored.connector.clone());
                match open(stored).await {
                    Ok(opened) => Ok(Some(self.publish(connector, revision, opened))),
                    Err(error) => Err(self.keep_failure(&connector, revision, error)),
                }
            }
            Ok(None) => Ok(None),
            Err(error) => Err(OpenError::Store(Arc::new(error))),
        };
        // Without a connection the slot is removed, or has the failure, before the waiting calls get the error, so that a
        // call that tries again at once does not join this opening.
        let opening = Arc::clone(&self.opening);
        drop(self);
        opening.result.send_replace(Some(result));
    }

    /// Puts the connection in the cache, unless it was invalidated since its settings were read. Then the slot is gone or
    /// belongs to another opening, and only the calls that came before the change get this connection.
    fn publish(&self, connector: String, revision: Revision, opened: T) -> Arc<OpenConnection<T>> {
        let connection = Arc::new(OpenConnection::new(self.guid, connector, revision, opened));
        self.replace(Slot::Open(Arc::clone(&connection)));
        connection
    }

    /// Keeps the failure of an attempt, under the same condition.
    fn keep_failure(&self, connector: &str, revision: Revision, error: E) -> OpenError<E> {
        let cause = Arc::new(error);
        let policy = cause.retry();
        if policy == RetryPolicy::AtOnce {
            return OpenError::Connection { cause, retry: None };
        }
        let backoff = Backoff::after(self.opening.before, policy);
        let after = backoff.time_left().unwrap_or_default();
        let (connection, failures) = (self.guid, backoff.failures());
        if after == Duration::MAX {
            tracing::warn!(
                %connection,
                connector,
                failures,
                "the connection could not be opened: its settings do not work; it is not tried again before they are saved"
            );
        } else {
            tracing::warn!(
                %connection,
                connector,
                failures,
                "the connection could not be opened; it is tried again in {} seconds, or when its settings are saved",
                after.as_secs_f64().ceil()
            );
        }
        let failed =
            FailedOpening { connector: connector.into(), revision, cause: Arc::clone(&cause), backoff };
        self.replace(Slot::Failed(failed));
        OpenError::Connection { cause, retry: Some(Retry { after, is_held_back: false }) }
    }

    /// Replaces this opening in the cache, if it is still there.
    fn replace(&self, slot: Slot<T, E>) {
        if let Entry::Occupied(mut own) = self.cache.slots.entry(self.guid)
            && own.get().is_opening(&self.opening)
        {
            own.insert(slot);
        }
    }
}

impl<T: Send + 'static, E> Drop for OpeningTask<T, E> {
    fn drop(&mut self) {
        self.cache.slots.remove_if(&self.guid, |_, slot| slot.is_opening(&self.opening));
    }
}
