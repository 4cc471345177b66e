//! Every connection of a host: stored, and open.

use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use plugin_api::Settings;
use tokio::sync::Mutex;
use tokio::task::AbortHandle;
use tokio::time::MissedTickBehavior;
use values::Guid;

use crate::audit::{Event, Origin};

use crate::open::{OpenConnection, OpenConnections, OpenError};
use crate::store::{Revision, StoreError};
use crate::stored::{IfMissing, StoredConnection, StoredConnections};

/// How often to look for changes that another process made.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Every connection of the host: those stored, and those of them that are open. `T` is an open connection, `E` why one
/// could not be opened. Clones share everything.
#[derive(Debug)]
pub struct Connections<T: Send + 'static, E> {
    pub(crate) shared: Arc<Shared<T, E>>,
    pub(crate) watcher: AbortHandle,
}

impl<T: Send + 'static, E> Clone for Connections<T, E> {
    fn clone(&self) -> Self {
        Connections { shared: Arc::clone(&self.shared), watcher: self.watcher.clone() }
    }
}

#[derive(Debug)]
pub(crate) struct Shared<T: Send + 'static, E> {
    pub(crate) stored: StoredConnections,
    pub(crate) open: Arc<OpenConnections<T, E>>,
    /// The newest change that the open connections have heard of. Held while looking for newer ones.
    seen: Mutex<Revision>,
}

impl<T: Send + Sync + 'static, E: Send + Sync + 'static> Connections<T, E> {
    /// Opens the SQLite store in the data folder, with the key file there or at the given path; makes both on the first
    /// start. From then on, changes that another process makes to the store are noticed within a second or so.
    ///
    /// # Errors
    /// The store cannot be used (damaged, locked, of a newer version, not ours, read-only), or the key is missing or
    /// not the one of this store. The text says what to do; nothing is overwritten.
    pub async fn open_store(data: &Path, key_file: Option<&Path>) -> Result<Self, StoreError> {
        Connections::new(StoredConnections::open(data, key_file, IfMissing::Create).await?).await
    }

    /// The same on a store that is open already.
    ///
    /// # Errors
    /// The store fails.
    pub async fn new(stored: StoredConnections) -> Result<Self, StoreError> {
        let seen = Mutex::new(stored.store().latest_revision().await?);
        let shared = Arc::new(Shared { stored, open: Arc::default(), seen });
        let watcher = tokio::spawn(watch(Arc::downgrade(&shared))).abort_handle();
        Ok(Connections { shared, watcher })
    }

    /// The connection as stored, its secrets readable; `None` when there is none. Reads the store.
    ///
    /// # Errors
    /// The store fails, or a secret cannot be decrypted.
    pub async fn find(&self, guid: Guid) -> Result<Option<StoredConnection>, StoreError> {
        self.shared.stored.find(guid).await
    }

    /// The name of the connector that the connection belongs to; `None` when it is not stored. Needs no secret, so it
    /// can be said even of a connection whose secrets cannot be decrypted any more.
    ///
    /// # Errors
    /// The store fails.
    pub async fn connector_of(&self, guid: Guid) -> Result<Option<String>, StoreError> {
        Ok(self.shared.stored.store().get(guid).await?.map(|sealed| sealed.connector))
    }

    /// The connection if it is open. Cheap: no store access, nothing allocated.
    pub fn get(&self, guid: Guid) -> Option<Arc<OpenConnection<T>>> {
        self.shared.open.get(guid)
    }

    /// The connection, opened by `open` if it is not open yet; `None` when it is not stored.
    ///
    /// Calls that come while it is being opened wait for the same result, error included, so `open` must depend on
    /// nothing of the call at hand but what is stored. It runs to its end in a task of its own, even if no caller waits
    /// any longer. A failure is not kept: the next call tries again.
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
        let stored = self.shared.stored.clone();
        let load = move || {
            let stored = stored.clone();
            async move { stored.find(guid).await }
        };
        self.shared.open.get_or_open(guid, load, open).await
    }

    /// Saves the connection, replacing one with the same GUID as a whole, durably; settings named by `secret_keys` are
    /// encrypted. If it is open, it is let go of: the next call opens it with the new settings.
    ///
    /// # Errors
    /// The connection belongs to another connector, or the store fails: then what was stored and open before still is.
    pub async fn save(
        &self,
        guid: Guid,
        connector: &str,
        settings: &Settings,
        secret_keys: &[&str],
        by: &Origin,
    ) -> Result<Revision, StoreError> {
        let revision = self.shared.stored.save(guid, connector, settings, secret_keys, by).await?;
        self.shared.open.invalidate(guid, revision);
        Ok(revision)
    }

    /// Deletes the connection and lets go of it if it is open; `false` when it was not stored.
    ///
    /// # Errors
    /// The store fails: then it is still there.
    pub async fn delete(&self, guid: Guid, by: &Origin) -> Result<bool, StoreError> {
        let Some(revision) = self.shared.stored.delete(guid, by).await? else { return Ok(false) };
        self.shared.open.invalidate(guid, revision);
        Ok(true)
    }

    /// Writes to the audit log what happened.
    ///
    /// # Errors
    /// The store fails.
    pub async fn record(&self, events: Vec<Event>, by: &Origin) -> Result<(), StoreError> {
        self.shared.stored.record(events, by).await
    }

    /// Lets go of every open connection of a connector, and of those just being opened: the next call opens each anew.
    /// Whoever uses one at the moment finishes with it.
    pub fn let_go_of(&self, connector: &str) {
        self.shared.open.let_go_of(connector);
    }

    /// How many connections are open.
    pub fn open_count(&self) -> usize {
        self.shared.open.count()
    }

    /// Lets go of every open connection whose settings another process changed or deleted since the last look. Happens
    /// every second by itself.
    ///
    /// # Errors
    /// The store fails: then the next look finds the same changes.
    pub async fn notice_changes(&self) -> Result<(), StoreError> {
        self.shared.notice_changes().await
    }

    /// Lets go of all open connections and closes the store, for the end of the host. Calls afterwards fail.
    pub async fn shut_down(&self) {
        self.watcher.abort();
        self.shared.open.close_all();
        if let Err(error) = self.shared.stored.store().close().await {
            tracing::warn!("{error}");
        }
    }
}

impl<T: Send + 'static, E> Shared<T, E> {
    async fn notice_changes(&self) -> Result<(), StoreError> {
        let mut seen = self.seen.lock().await;
        for change in self.stored.store().changes_since(*seen).await? {
            self.open.invalidate(change.guid, change.revision);
            *seen = change.revision;
        }
        self.stored.keep_up().await
    }
}

/// Looks for changes of other processes until the connections are gone.
async fn watch<T: Send + Sync + 'static, E: Send + Sync + 'static>(shared: Weak<Shared<T, E>>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        ticks.tick().await;
        let Some(shared) = shared.upgrade() else { return };
        let result = shared.notice_changes().await;
        // Said once, not every second.
        if let Err(error) = &result
            && !failing
        {
            tracing::warn!("changes made by other programs are not noticed at the moment: {error}");
        }
        failing = result.is_err();
    }
}
