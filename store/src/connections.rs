//! The connections of a running host: the repository, and the cache of open connections kept in step with it.

use std::future::Future;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use plugin_api::Settings;
use tokio::sync::{Mutex, RwLock};
use tokio::task::AbortHandle;
use tokio::time::MissedTickBehavior;
use tracing::Instrument;
use values::Guid;

use crate::address_orders::AddressOrders;
use crate::audit::{Event, Origin};
use crate::open_connections::{DueRefresh, Live, OpenConnection, OpenConnections, OpenError, OpeningFailure};
use crate::repository::{ConnectionRepository, StoredConnection};
use crate::store::{AddressOrder, ConnectionSummary, IfMissing, Revision, StoreError};

/// How often to poll the store for changes of other processes.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How often to check whether the disk is full.
const DISK_INTERVAL: Duration = Duration::from_secs(10);

/// How often to check whether a full disk has room again.
const FULL_DISK_INTERVAL: Duration = Duration::from_secs(2);

/// The connections of a host: the stored ones, and those of them that are open. `T` is an open connection, `E` the error of
/// opening one. Clones share everything.
#[derive(Debug)]
pub struct Connections<T: Send + 'static, E> {
    pub(crate) shared: Arc<Shared<T, E>>,
    pub(crate) poller: AbortHandle,
}

impl<T: Send + 'static, E> Clone for Connections<T, E> {
    fn clone(&self) -> Self {
        Connections { shared: Arc::clone(&self.shared), poller: self.poller.clone() }
    }
}

#[derive(Debug)]
pub(crate) struct Shared<T: Send + 'static, E> {
    pub(crate) repository: ConnectionRepository,
    pub(crate) open: Arc<OpenConnections<T, E>>,
    address_orders: AddressOrders,
    /// The newest revision that is applied to the cache. Locked during a poll.
    polled: Mutex<Revision>,
    /// Whether the last poll failed.
    is_unreachable: AtomicBool,
    /// How often connections were deleted, here or by another process, as far as it is known.
    deletions: AtomicU64,
    /// Shared by each change that runs. The store is closed when none runs any more.
    pub(crate) changes: Arc<RwLock<()>>,
}

impl<T: Live + Sync, E: OpeningFailure + Send + Sync + 'static> Connections<T, E> {
    /// Opens the SQLite store in the data folder, with the key file there or at the given path. Creates both on the first
    /// start. Changes that other processes make to the store are applied within about a second.
    ///
    /// # Errors
    /// The store cannot be used (damaged, locked, of a newer version, of another program, read-only), or the key is
    /// missing or belongs to another store. The message says what to do. Nothing is overwritten.
    pub async fn open_store(data: &Path, key_file: Option<&Path>) -> Result<Self, StoreError> {
        Connections::new(ConnectionRepository::open(data, key_file, IfMissing::Create).await?).await
    }

    /// The same with a repository that is open already.
    ///
    /// # Errors
    /// The store fails.
    pub async fn new(repository: ConnectionRepository) -> Result<Self, StoreError> {
        let polled = Mutex::new(repository.store().latest_revision().await?);
        repository.store().check_disk().await?;
        let address_orders = AddressOrders::default();
        address_orders.sync(repository.store()).await?;
        let is_unreachable = AtomicBool::new(false);
        let shared = Arc::new(Shared {
            repository,
            open: Arc::default(),
            address_orders,
            polled,
            is_unreachable,
            deletions: AtomicU64::new(0),
            changes: Arc::default(),
        });
        let poller = tokio::spawn(poll_periodically(Arc::downgrade(&shared))).abort_handle();
        Ok(Connections { shared, poller })
    }

    /// The stored connection, its secrets decrypted; `None` if it is not stored. Reads the store.
    ///
    /// # Errors
    /// The store fails, or a secret cannot be decrypted.
    pub async fn find(&self, guid: Guid) -> Result<Option<StoredConnection>, StoreError> {
        self.shared.repository.find(guid).await
    }

    /// The name of the connector that the connection belongs to; `None` if it is not stored. Needs no secret, so it works
    /// even if the secrets of the connection cannot be decrypted.
    ///
    /// # Errors
    /// The store fails.
    pub async fn connector_of(&self, guid: Guid) -> Result<Option<String>, StoreError> {
        self.shared.repository.store().connector_of(guid).await
    }

    /// All stored connections, ordered by GUID, without their settings.
    ///
    /// # Errors
    /// The store fails.
    pub async fn list(&self) -> Result<Vec<ConnectionSummary>, StoreError> {
        self.shared.repository.store().list().await
    }

    /// Grows when connections were deleted, here or by another process.
    pub fn deletions(&self) -> u64 {
        self.shared.deletions.load(Ordering::Acquire)
    }

    /// The names of the stored connection's settings, and whether each is a secret.
    ///
    /// # Errors
    /// The store fails.
    pub async fn setting_names(&self, guid: Guid) -> Result<Vec<(String, bool)>, StoreError> {
        self.shared.repository.store().setting_names(guid).await
    }

    /// The connection, if it is open. Cheap: no access to the store, no allocation.
    pub fn get(&self, guid: Guid) -> Option<Arc<OpenConnection<T>>> {
        self.shared.open.get(guid)
    }

    /// The connection; opens it with `open` if it is not open; `None` if it is not stored.
    ///
    /// Single flight: calls that come while it is being opened wait for the same result, error included. So `open` must
    /// use only the stored settings, and nothing of its call. It runs in its own task to the end, even if no call waits
    /// for it any more. A failure is kept for a few seconds, and for longer when it fails again.
    ///
    /// # Errors
    /// The store or `open` fails.
    pub async fn get_or_open<F, O>(
        &self,
        guid: Guid,
        open: F,
    ) -> Result<Option<Arc<OpenConnection<T>>>, OpenError<E>>
    where
        F: FnOnce(StoredConnection) -> O + Send + 'static,
        O: Future<Output = Result<T, E>> + Send + 'static,
    {
        if let Some(connection) = self.get(guid) {
            return Ok(Some(connection));
        }
        let repository = self.shared.repository.clone();
        let load = move || {
            let repository = repository.clone();
            async move { repository.find(guid).await }
        };
        self.shared.open.get_or_open(guid, load, open).await
    }

    /// Saves the connection durably; it replaces one with the same GUID as a whole. The settings named by `secret_keys` are
    /// encrypted. If the connection is open, it is invalidated: the next call opens it with the new settings. A save that has
    /// begun runs to its end, also if nobody waits for it any more.
    ///
    /// # Errors
    /// The connection belongs to another connector, a limit is exceeded, or the store fails. Then nothing changed.
    pub async fn save(
        &self,
        guid: Guid,
        connector: &str,
        settings: &Settings,
        secret_keys: &[&str],
        by: &Origin,
    ) -> Result<Revision, StoreError> {
        let (shared, connector, settings, by) =
            (Arc::clone(&self.shared), connector.to_owned(), settings.clone(), by.clone());
        let secret_keys: Vec<String> = secret_keys.iter().map(|&key| key.to_owned()).collect();
        self.run_to_end(async move {
            let secret_keys: Vec<_> = secret_keys.iter().map(String::as_str).collect();
            let revision = shared.repository.save(guid, &connector, &settings, &secret_keys, &by).await?;
            shared.open.invalidate(guid, revision);
            Ok(revision)
        })
        .await
    }

    /// Deletes the connection, and invalidates it if it is open; `false` if it was not stored. Runs to its end, as a save does.
    ///
    /// # Errors
    /// The store fails. Then nothing changed.
    pub async fn delete(&self, guid: Guid, by: &Origin) -> Result<bool, StoreError> {
        let (shared, by) = (Arc::clone(&self.shared), by.clone());
        self.run_to_end(async move {
            let Some(revision) = shared.repository.delete(guid, &by).await? else { return Ok(false) };
            shared.open.invalidate(guid, revision);
            shared.deletions.fetch_add(1, Ordering::AcqRel);
            Ok(true)
        })
        .await
    }

    /// Writes events that are not changes of the store to the audit log.
    ///
    /// # Errors
    /// The store fails.
    pub async fn record(&self, events: Vec<Event>, by: &Origin) -> Result<(), StoreError> {
        let (shared, by) = (Arc::clone(&self.shared), by.clone());
        self.run_to_end(async move { shared.repository.record(events, &by).await }).await
    }

    /// The order of members of an address that names this connector, or none (`""`), in any case; `read` makes it out. Reads
    /// no store and takes no lock: made for every call.
    pub fn address_order<R>(
        &self,
        connector: &str,
        read: impl FnOnce(&AddressOrder) -> Option<R>,
    ) -> Option<R> {
        self.shared.address_orders.find(connector, read)
    }

    /// The orders of all connector addresses that have one.
    pub fn address_orders(&self) -> Arc<Vec<AddressOrder>> {
        self.shared.address_orders.current()
    }

    /// Sets the order of an address, because a request for this connection showed it. It counts at once, and is stored within
    /// about a second, off the path of calls; or later, while the store cannot be written.
    pub fn set_address_order(&self, connector: &str, order: &str, connection: Guid) {
        self.shared.address_orders.set(connector, order, connection);
    }

    /// Runs a change as a task of its own, so that it runs to its end although its caller may leave: what follows the commit
    /// (the audit files, the cache) must not be left out.
    async fn run_to_end<R: Send + 'static>(
        &self,
        change: impl Future<Output = Result<R, StoreError>> + Send + 'static,
    ) -> Result<R, StoreError> {
        let running = Arc::clone(&self.shared.changes).read_owned().await;
        let task = tokio::spawn(
            async move {
                let _running = running;
                change.await
            }
            .in_current_span(),
        );
        match task.await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(StoreError::Stopping),
            },
        }
    }

    /// Closes this connection: the next call opens it again. Running calls keep it until they end.
    pub fn close(&self, connection: &Arc<OpenConnection<T>>) {
        self.shared.open.close(connection);
    }

    /// Closes this connection, because one of its calls has failed in a way that an opening would too: it is opened again when
    /// the failure allows it.
    pub fn fail(&self, connection: &Arc<OpenConnection<T>>, cause: E) {
        self.shared.open.fail(connection, cause);
    }

    /// Whether a connection could not be opened because its ERP system is away.
    pub fn is_any_unavailable(&self) -> bool {
        self.shared.open.is_any_unavailable()
    }

    /// Invalidates all open connections of a connector, because it was replaced: the next call opens each of them again.
    /// Running calls keep theirs until they end.
    pub fn invalidate_connector(&self, connector: &str) {
        self.shared.open.invalidate_connector(connector);
    }

    /// The refreshes of open connections that are due.
    pub fn due_refreshes(&self) -> Vec<DueRefresh<T>> {
        self.shared.open.due_refreshes()
    }

    /// The number of open connections.
    pub fn open_count(&self) -> usize {
        self.shared.open.count()
    }

    /// Polls the store: invalidates every open connection that another process has changed or deleted since the last poll, and
    /// takes over the address orders that another process has set. Also runs by itself every second.
    ///
    /// # Errors
    /// The store fails. Then the next poll finds the same changes.
    pub async fn poll_changes(&self) -> Result<(), StoreError> {
        self.shared.poll_changes().await
    }

    /// Whether the disk of the store is full. Then changes are refused, and calls are served. Found out by each change, and
    /// every few seconds.
    pub fn is_disk_full(&self) -> bool {
        self.shared.repository.store().is_disk_full()
    }

    /// Whether the store could not be read when it was last polled. Then only connections that are open are served.
    pub fn is_store_unreachable(&self) -> bool {
        self.shared.is_unreachable.load(Ordering::Relaxed)
    }

    /// Closes all open connections and the store, when the host ends. Later calls fail.
    pub async fn shut_down(&self) {
        self.poller.abort();
        let _no_change_runs = self.shared.changes.write().await;
        self.shared.open.close_all();
        // Orders of the last second.
        if let Err(error) = self.shared.address_orders.sync(self.shared.repository.store()).await {
            tracing::warn!("{error}");
        }
        if let Err(error) = self.shared.repository.store().close().await {
            tracing::warn!("{error}");
        }
    }
}

impl<T: Send + 'static, E> Shared<T, E> {
    async fn poll_changes(&self) -> Result<(), StoreError> {
        let mut polled = self.polled.lock().await;
        let store = self.repository.store();
        match store.changes_since(*polled).await? {
            Some(changes) => {
                let mut is_any_deleted = false;
                for change in changes {
                    self.open.invalidate(change.guid, change.revision);
                    *polled = change.revision;
                    is_any_deleted |= change.is_deleted;
                }
                self.deletions.fetch_add(is_any_deleted.into(), Ordering::AcqRel);
            }
            None => {
                let latest = store.latest_revision().await?;
                self.open.close_all();
                *polled = latest;
                self.deletions.fetch_add(1, Ordering::AcqRel);
            }
        }
        self.repository.sync_audit_files().await;
        self.repository.reload_rotated_keys().await?;
        self.address_orders.sync(store).await
    }
}

impl<T: Send + 'static, E> Shared<T, E> {
    /// Checks the disk, and does the maintenance of the store while there is room.
    async fn look_after_store(&self) -> Result<(), StoreError> {
        let store = self.repository.store();
        store.check_disk().await?;
        if store.is_disk_full() { Ok(()) } else { store.maintain().await }
    }
}

/// Polls for changes of other processes, checks the disk, and closes connections that are idle or old, until the connections
/// are dropped.
async fn poll_periodically<T: Live + Sync, E: Send + Sync + 'static>(shared: Weak<Shared<T, E>>) {
    let mut ticks = tokio::time::interval(POLL_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut disk_checked = Instant::now();
    loop {
        ticks.tick().await;
        let Some(shared) = shared.upgrade() else { return };
        shared.open.close_expired();
        let store = shared.repository.store();
        let interval = if store.is_disk_full() { FULL_DISK_INTERVAL } else { DISK_INTERVAL };
        if disk_checked.elapsed() >= interval {
            disk_checked = Instant::now();
            if let Err(error) = shared.look_after_store().await {
                tracing::warn!("the store cannot be maintained at the moment: {error}");
            }
        }
        let result = shared.poll_changes().await;
        // Logged once, not every second.
        let is_unreachable = !matches!(result, Ok(()) | Err(StoreError::Full { .. }));
        let was_unreachable = shared.is_unreachable.swap(is_unreachable, Ordering::Relaxed);
        match result {
            Err(error) if is_unreachable && !was_unreachable => {
                tracing::error!(
                    "the store cannot be read, and changes made by other programs are not noticed: {error}"
                );
            }
            Ok(()) if was_unreachable => tracing::info!("the store can be read again"),
            _ => {}
        }
    }
}
