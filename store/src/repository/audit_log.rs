//! The audit log of a store: a transactional outbox. A record is written to the store in the transaction of its change, and
//! from there to the files, before the change is acknowledged. So there is no change without its record, and no record
//! without its change, even if the process is killed or the disk is full.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::key_ring::KeyRing;
use super::{KEY_FILE, STORE_FILE};
use crate::audit::{AuditBatch, AuditFiles, AuditKey, Event, Origin};
use crate::keys::{KeyError, KeyFile, SealedSecret};
use crate::store::{ConnectionStore, StoreError};

/// The name of the audit key among the internal secrets of the store.
const KEY: &str = "audit key";
/// Bytes of the key.
const KEY_BYTES: usize = 32;

/// The audit log of a store.
#[derive(Debug)]
pub(super) struct AuditLog {
    key: Arc<AuditKey>,
    files: Arc<AuditFiles>,
    /// The number of the newest record that is durable in the files.
    flushed: AtomicI64,
    /// One task flushes at a time. The records of a task that waits are usually flushed by another one.
    flushing: Mutex<()>,
    /// Whether the last flush failed. Logged once, not for every record.
    is_failing: AtomicBool,
}

impl AuditLog {
    /// Opens the log of this store, and flushes the records that a crash has left in the store. `restored` is recorded if
    /// the store was just restored from a backup.
    pub(super) async fn open(
        store: &dyn ConnectionStore,
        keys: &KeyRing,
        files: AuditFiles,
        restored: Option<(Event, Origin)>,
    ) -> Result<Self, StoreError> {
        let log = AuditLog {
            key: Arc::new(load_or_create_key(store, keys).await?),
            files: Arc::new(files),
            flushed: AtomicI64::new(0),
            flushing: Mutex::default(),
            is_failing: AtomicBool::new(false),
        };
        log.continue_after_rollback(store, restored).await?;
        log.flush(store).await;
        Ok(log)
    }

    /// The key that signs records.
    pub(super) fn key(&self) -> &AuditKey {
        &self.key
    }

    /// The records of a change, to be written in its transaction.
    pub(super) fn batch(&self, by: Origin, events: Vec<Event>) -> AuditBatch {
        AuditBatch::new(Arc::clone(&self.key), by, events, self.flushed.load(Ordering::Relaxed))
    }

    /// Writes the pending records of the store to the files, durably. If that fails, they stay in the store until it
    /// succeeds. The change itself is already committed, so it counts as made.
    pub(super) async fn flush(&self, store: &dyn ConnectionStore) {
        match self.try_flush(store).await {
            Ok(()) => {
                if self.is_failing.swap(false, Ordering::Relaxed) {
                    tracing::info!("the audit log is written again");
                }
            }
            Err(problem) => {
                if !self.is_failing.swap(true, Ordering::Relaxed) {
                    tracing::error!(
                        "the audit log in {} cannot be written, its records wait in the store: {problem}",
                        self.files.folder().display()
                    );
                }
            }
        }
    }

    /// Whether the last flush failed.
    pub(super) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    async fn try_flush(&self, store: &dyn ConnectionStore) -> Result<(), String> {
        let _guard = self.flushing.lock().await;
        let mut outbox = store.audit_outbox().await.map_err(|error| error.to_string())?;
        let flushed = self.flushed.load(Ordering::Relaxed);
        outbox.pending.retain(|record| record.number > flushed);
        let Some(newest) = outbox.pending.last().map(|record| record.number) else { return Ok(()) };
        let files = Arc::clone(&self.files);
        let appended = tokio::task::spawn_blocking(move || files.append(&outbox.pending)).await;
        appended.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        self.flushed.store(newest, Ordering::Relaxed);
        Ok(())
    }

    /// Detects a rollback: the store is older than the files, because it was restored, replaced by hand, or is new. The hash
    /// chain continues after the newest record of the files, with a record of the rollback.
    async fn continue_after_rollback(
        &self,
        store: &dyn ConnectionStore,
        restored: Option<(Event, Origin)>,
    ) -> Result<(), StoreError> {
        // Read before the store, because other processes may write to both in the meantime.
        let files = Arc::clone(&self.files);
        let head = tokio::task::spawn_blocking(move || files.head()).await;
        let in_files = head.unwrap_or_else(|error| Err(error.into())).unwrap_or_else(|error| {
            tracing::error!("the audit log in {} cannot be read: {error}", self.files.folder().display());
            None
        });
        let in_files = in_files.unwrap_or_default();
        let in_store = store.audit_outbox().await?.head;
        let is_older =
            in_files.number > in_store.number || (in_files.number == in_store.number && in_files != in_store);
        // A record with a huge number was forged. Continuing after it would overflow the count.
        let is_older = is_older && in_files.number < i64::MAX / 2;
        if let Some((event, by)) = restored {
            let audit = self.batch(by, vec![event]);
            return if is_older {
                store.continue_chain_after(&in_files, &audit).await
            } else {
                store.record(&audit).await
            };
        }
        if !is_older {
            return Ok(());
        }
        tracing::warn!(
            "the store of connections is older than the audit log (record {} of {}): it was replaced by hand",
            in_store.number,
            in_files.number
        );
        let event = Event::StoreSetBack { store_at: in_store.number, log_at: in_files.number };
        let audit = self.batch(Origin::Host { host: "opening the store" }, vec![event]);
        store.continue_chain_after(&in_files, &audit).await
    }
}

/// Reads the key that signs the records of the store in a data folder, and changes nothing.
///
/// # Errors
/// The store has no such key yet, or the key file does not open it.
pub async fn read_audit_key(
    store: &dyn ConnectionStore,
    data: &Path,
    key_file: Option<&Path>,
) -> Result<AuditKey, StoreError> {
    let path = data.join(STORE_FILE);
    let key_file = KeyFile::at(key_file.map_or_else(|| data.join(KEY_FILE), Path::to_owned));
    let keys = KeyRing::open_existing(store, path.clone(), key_file).await?;
    let Some(sealed) = store.internal_secret(KEY).await? else {
        return Err(StoreError::Unusable {
            path,
            problem: "has no key of an audit log yet".to_owned(),
            remedy: "start the host once".to_owned(),
        });
    };
    audit_key(&keys, &sealed).ok_or(StoreError::InternalSecret { name: KEY })
}

fn audit_key(keys: &KeyRing, sealed: &SealedSecret) -> Option<AuditKey> {
    let opened = keys.open_internal(KEY, sealed)?;
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    if opened.len() != KEY_BYTES {
        return None;
    }
    bytes.copy_from_slice(&opened);
    Some(AuditKey::new(bytes))
}

/// The key that signs records. Created once for each store, and encrypted like all of its secrets.
async fn load_or_create_key(store: &dyn ConnectionStore, keys: &KeyRing) -> Result<AuditKey, StoreError> {
    let mut attempts_left = 3;
    loop {
        let sealed = match store.internal_secret(KEY).await? {
            Some(sealed) => Some(sealed),
            None => {
                let mut bytes = Zeroizing::new([0; KEY_BYTES]);
                getrandom::fill(bytes.as_mut()).map_err(KeyError::Random)?;
                store.add_internal_secret(KEY, keys.seal_internal(KEY, bytes.as_ref())?).await?
            }
        };
        if let Some(key) = sealed.as_ref().and_then(|sealed| audit_key(keys, sealed)) {
            return Ok(key);
        }
        attempts_left -= 1;
        if attempts_left == 0 {
            return Err(StoreError::InternalSecret { name: KEY });
        }
        // The encryption key may have been rotated.
        keys.reload(store).await?;
    }
}
