//! The connections of a running host: the repository, and the cache of open connections kept in step with it.

use std::future::Future;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use plugin_api::Settings;
use tokio::sync::Mutex;
use tokio::task::AbortHandle;
use tokio::time::MissedTickBehavior;
use values::Guid;

use crate::audit::{Event, Origin};
use crate::open_connections::{OpenConnection, OpenConnections, OpenError};
use crate::repository::{ConnectionRepository, StoredConnection};
use crate::store::{IfMissing, Revision, StoreError};

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
    /// The newest revision that is applied to the cache. Locked during a poll.
    polled: Mutex<Revision>,
    /// Whether the last poll failed.
    is_unreachable: AtomicBool,
}

impl<T: Send + Sync + 'static, E: Send + Sync + 'static> Connections<T, E> {
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
        let is_unreachable = AtomicBool::new(false);
        let shared = Arc::new(Shared { repository, open: Arc::default(), polled, is_unreachable });
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
        Ok(self.shared.repository.store().get(guid).await?.map(|sealed| sealed.connector))
    }

    /// The connection, if it is open. Cheap: no access to the store, no allocation.
    pub fn get(&self, guid: Guid) -> Option<Arc<OpenConnection<T>>> {
        self.shared.open.get(guid)
    }

    /// The connection; opens it with `open` if it is not open; `None` if it is not stored.
    ///
    /// Single flight: calls that come while it is being opened wait for the same result, error included. So `open` must
    /// use only the stored settings, and nothing of its call. It runs in its own task to the end, even if no call waits
    /// for it any more. A failure is not cached: the next call tries again.
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
    /// encrypted. If the connection is open, it is invalidated: the next call opens it with the new settings.
    ///
    /// # Errors
    /// The connection belongs to another connector, or the store fails. Then nothing changed.
    pub async fn save(
        &self,
        guid: Guid,
        connector: &str,
        settings: &Settings,
        secret_keys: &[&str],
        by: &Origin,
    ) -> Result<Revision, StoreError> {
        let revision = self.shared.repository.save(guid, connector, settings, secret_keys, by).await?;
        self.shared.open.invalidate(guid, revision);
        Ok(revision)
    }

    /// Deletes the connection, and invalidates it if it is open; `false` if it was not stored.
    ///
    /// # Errors
    /// The store fails. Then nothing changed.
    pub async fn delete(&self, guid: Guid, by: &Origin) -> Result<bool, StoreError> {
        let Some(revision) = self.shared.repository.delete(guid, by).await? else { return Ok(false) };
        self.shared.open.invalidate(guid, revision);
        Ok(true)
    }

    /// Writes events that are not changes of the store to the audit log.
    ///
    /// # Errors
    /// The store fails.
    pub async fn record(&self, events: Vec<Event>, by: &Origin) -> Result<(), StoreError> {
        self.shared.repository.record(events, by).await
    }

    /// Invalidates all open connections of a connector, because it was replaced: the next call opens each of them again.
    /// Running calls keep theirs until they end.
    pub fn invalidate_connector(&self, connector: &str) {
        self.shared.open.invalidate_connector(connector);
    }

    /// The number of open connections.
    pub fn open_count(&self) -> usize {
        self.shared.open.count()
    }

    /// Polls the store, and invalidates every open connection that another process has changed or deleted since the last
    /// poll. Also runs by itself every second.
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
        self.shared.open.close_all();
        if let Err(error) = self.shared.repository.store().close().await {
            tracing::warn!("{error}");
        }
    }
}

impl<T: Send + 'static, E> Shared<T, E> {
    async fn poll_changes(&self) -> Result<(), StoreError> {
        let mut polled = self.polled.lock().await;
        for change in self.repository.store().changes_since(*polled).await? {
            self.open.invalidate(change.guid, change.revision);
            *polled = change.revision;
        }
        self.repository.sync_audit_files().await;
        self.repository.reload_rotated_keys().await
    }
}

/// Polls for changes of other processes, and checks the disk, until the connections are dropped.
async fn poll_periodically<T: Send + Sync + 'static, E: Send + Sync + 'static>(shared: Weak<Shared<T, E>>) {
    let mut ticks = tokio::time::interval(POLL_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut disk_checked = Instant::now();
    loop {
        ticks.tick().await;
        let Some(shared) = shared.upgrade() else { return };
        let store = shared.repository.store();
        let interval = if store.is_disk_full() { FULL_DISK_INTERVAL } else { DISK_INTERVAL };
        if disk_checked.elapsed() >= interval {
            disk_checked = Instant::now();
            if let Err(error) = store.check_disk().await {
                tracing::warn!("the disk cannot be checked: {error}");
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
