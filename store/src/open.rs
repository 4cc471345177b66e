//! The connections that are open: opened once however many calls ask at the same time, kept, and let go of when their
//! settings change.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dashmap::{DashMap, Entry};
use tokio::sync::watch;
use tracing::Instrument;
use values::Guid;

use super::store::{Revision, StoreError};
use super::stored::StoredConnection;

/// An open connection, with what the host needs to know of it on every call.
pub struct OpenConnection<T: Send + 'static> {
    guid: Guid,
    connector: Box<str>,
    revision: Revision,
    /// Taken out only by `drop`.
    connection: Option<T>,
}

impl<T: Send + 'static> OpenConnection<T> {
    fn new(guid: Guid, connector: String, revision: Revision, connection: T) -> Self {
        OpenConnection { guid, connector: connector.into_boxed_str(), revision, connection: Some(connection) }
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

    /// What opening it gave.
    pub fn connection(&self) -> &T {
        match &self.connection {
            Some(connection) => connection,
            None => unreachable!("the connection is taken out only by drop"),
        }
    }
}

/// Closing a connection may take its time: whoever lets go of it last, it is closed away from the I/O threads.
impl<T: Send + 'static> Drop for OpenConnection<T> {
    fn drop(&mut self) {
        let connection = self.connection.take();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(move || drop(connection));
        }
    }
}

impl<T: Send + 'static> fmt::Debug for OpenConnection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} at revision {}", self.guid, self.connector, self.revision)
    }
}

/// Why a connection is not open. Everybody who waited for the same opening gets the same error.
#[derive(Debug, thiserror::Error)]
pub enum OpenError<E> {
    /// Its settings could not be read.
    #[error(transparent)]
    Store(Arc<StoreError>),
    /// Opening it failed.
    #[error("the connection cannot be opened: {0}")]
    Connection(Arc<E>),
    /// The code that opens it panicked, or the host is shutting down.
    #[error("opening the connection ended without a result")]
    Ended,
}

impl<E> Clone for OpenError<E> {
    fn clone(&self) -> Self {
        match self {
            OpenError::Store(error) => OpenError::Store(Arc::clone(error)),
            OpenError::Connection(error) => OpenError::Connection(Arc::clone(error)),
            OpenError::Ended => OpenError::Ended,
        }
    }
}

/// What an opening gives to all who wait: `None` when the connection is not stored.
type Opened<T, E> = Result<Option<Arc<OpenConnection<T>>>, OpenError<E>>;

/// The open connections by GUID. No lock is held while one is opened or called.
pub struct OpenConnections<T: Send + 'static, E> {
    pub(super) slots: DashMap<Guid, Slot<T, E>>,
}

pub(super) enum Slot<T: Send + 'static, E> {
    Open(Arc<OpenConnection<T>>),
    Opening(Arc<Opening<T, E>>),
}

/// An opening under way.
pub(super) struct Opening<T: Send + 'static, E> {
    knows: Mutex<Known>,
    pub(super) result: watch::Sender<Option<Opened<T, E>>>,
}

/// What an opening knows of its settings.
#[derive(Default)]
struct Known {
    /// The revision it works with, and the connector that they are for, once it has read them.
    read: Option<(Revision, String)>,
    /// The newest change that it was told of before that.
    changed: Revision,
}

impl<T: Send + 'static, E> Opening<T, E> {
    fn knows(&self) -> MutexGuard<'_, Known> {
        self.knows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells it of a change; whether it is too late, because it works with older settings.
    fn is_overtaken_by(&self, newer: Revision) -> bool {
        let mut knows = self.knows();
        match knows.read {
            Some((read, _)) => read < newer,
            None => {
                knows.changed = knows.changed.max(newer);
                false
            }
        }
    }

    /// Reads the settings, again if they changed while they were read: those who begin to wait after a change must not
    /// get what was before it.
    async fn read<L, S>(&self, load: L) -> Result<Option<StoredConnection>, StoreError>
    where
        L: Fn() -> S,
        S: Future<Output = Result<Option<StoredConnection>, StoreError>>,
    {
        loop {
            let known = self.knows().changed;
            let stored = load().await?;
            let revision = stored.as_ref().map_or(Revision::NONE, |stored| stored.revision);
            let mut knows = self.knows();
            if knows.changed == known || revision >= knows.changed {
                let connector = stored.as_ref().map(|stored| stored.connector.clone());
                knows.read = Some((revision, connector.unwrap_or_default()));
                return Ok(stored);
            }
        }
    }
}

impl<T: Send + 'static, E> Slot<T, E> {
    /// Whether it has settings older than `newer`. An opening is told of the change, if it can still heed it.
    fn is_overtaken_by(&self, newer: Revision) -> bool {
        match self {
            Slot::Open(connection) => connection.revision < newer,
            Slot::Opening(opening) => opening.is_overtaken_by(newer),
        }
    }

    /// Whether it is of this connector. An opening that has not read its settings yet is of none.
    fn is_of(&self, connector: &str) -> bool {
        match self {
            Slot::Open(connection) => connection.connector.eq_ignore_ascii_case(connector),
            Slot::Opening(opening) => {
                opening.knows().read.as_ref().is_some_and(|(_, own)| own.eq_ignore_ascii_case(connector))
            }
        }
    }

    fn is(&self, other: &Arc<Opening<T, E>>) -> bool {
        matches!(self, Slot::Opening(opening) if Arc::ptr_eq(opening, other))
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
    /// The connection if it is open: one look into a sharded map.
    pub fn get(&self, guid: Guid) -> Option<Arc<OpenConnection<T>>> {
        match self.slots.get(&guid)?.value() {
            Slot::Open(connection) => Some(Arc::clone(connection)),
            Slot::Opening(_) => None,
        }
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.slots.iter().filter(|slot| matches!(slot.value(), Slot::Open(_))).count()
    }

    /// Stops keeping what was opened with settings older than `newer`, open or just being opened. Whoever uses it at the
    /// moment finishes with it; the next call opens it anew.
    pub fn invalidate(&self, guid: Guid, newer: Revision) {
        self.slots.remove_if(&guid, |_, slot| slot.is_overtaken_by(newer));
    }

    /// Stops keeping those of a connector, open or just being opened, because another version of it is in its place now:
    /// what is opened from now on must be opened on that one. Whoever uses one at the moment finishes with it.
    pub fn let_go_of(&self, connector: &str) {
        self.slots.retain(|_, slot| !slot.is_of(connector));
    }

    /// Stops keeping any.
    pub fn close_all(&self) {
        self.slots.clear();
    }
}

impl<T: Send + Sync + 'static, E: Send + Sync + 'static> OpenConnections<T, E> {
    /// The connection, opened first if need be: `load` reads its settings, `open` opens it with them.
    ///
    /// Calls that come while it is being opened wait for the same result. A failure is not kept: the next call tries
    /// again. The opening runs to its end in a task of its own, whether or not its callers still wait.
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
        let mut result = match self.slots.entry(guid) {
            Entry::Occupied(slot) => match slot.get() {
                Slot::Open(connection) => return Ok(Some(Arc::clone(connection))),
                Slot::Opening(opening) => opening.result.subscribe(),
            },
            Entry::Vacant(slot) => {
                let (sender, receiver) = watch::channel(None);
                let opening = Arc::new(Opening { knows: Mutex::default(), result: sender });
                slot.insert(Slot::Opening(Arc::clone(&opening)));
                let place = Place { open: Arc::clone(self), guid, opening };
                tokio::spawn(async move { place.fill(load, open).await }.in_current_span());
                receiver
            }
        };
        let result = result.wait_for(Option::is_some).await.map_err(|_| OpenError::Ended)?;
        result.clone().unwrap_or(Err(OpenError::Ended))
    }
}

/// The place of a connection that is being opened. Dropped without a connection (failure, panic, shutdown), it leaves
/// the map as if nobody had asked, and those who wait learn of it.
struct Place<T: Send + 'static, E> {
    open: Arc<OpenConnections<T, E>>,
    guid: Guid,
    opening: Arc<Opening<T, E>>,
}

impl<T: Send + 'static, E> Place<T, E> {
    async fn fill<L, S, F, O>(self, load: L, open: F)
    where
        L: Fn() -> S,
        S: Future<Output = Result<Option<StoredConnection>, StoreError>>,
        F: FnOnce(StoredConnection) -> O,
        O: Future<Output = Result<T, E>>,
    {
        let result = match self.opening.read(load).await {
            Ok(Some(stored)) => {
                let (revision, connector) = (stored.revision, stored.connector.clone());
                open(stored)
                    .await
                    .map(|opened| Some(Arc::new(OpenConnection::new(self.guid, connector, revision, opened))))
                    .map_err(|error| OpenError::Connection(Arc::new(error)))
            }
            Ok(None) => Ok(None),
            Err(error) => Err(OpenError::Store(Arc::new(error))),
        };
        if let Ok(Some(connection)) = &result {
            self.keep(connection);
        }
        // Out of the map before the waiting calls learn of a failure, so that one that tries again at once does try.
        let opening = Arc::clone(&self.opening);
        drop(self);
        opening.result.send_replace(Some(result));
    }

    /// Keeps the connection, unless its settings were changed or deleted since they were read: then the place is no
    /// longer ours, and only the calls that came before the change get this connection.
    fn keep(&self, connection: &Arc<OpenConnection<T>>) {
        if let Entry::Occupied(mut slot) = self.open.slots.entry(self.guid)
            && slot.get().is(&self.opening)
        {
            slot.insert(Slot::Open(Arc::clone(connection)));
        }
    }
}

impl<T: Send + 'static, E> Drop for Place<T, E> {
    fn drop(&mut self) {
        self.open.slots.remove_if(&self.guid, |_, slot| slot.is(&self.opening));
    }
}
