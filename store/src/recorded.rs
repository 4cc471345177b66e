//! What is changed, recorded: joins the store, which knows each record from the moment of its change on, with the files
//! of the audit log, which have it before the change is acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::key_ring::KeyRing;
use super::store::{ConnectionStore, StoreError};
use crate::audit::{AuditFiles, AuditKey, Event, Origin, Recording};

/// The name of the key in the store.
const KEY: &str = "audit key";
/// Bytes of the key.
const KEY_BYTES: usize = 32;

/// The audit log of a store.
#[derive(Debug)]
pub(super) struct AuditLog {
    key: Arc<AuditKey>,
    files: Arc<AuditFiles>,
    /// Up to which record the files have them.
    written: AtomicI64,
    /// One writes at a time; who waits finds his record written by another one.
    writing: Mutex<()>,
    /// Said once, not with every record.
    is_failing: AtomicBool,
}

impl AuditLog {
    /// The log of this store; writes out what a crash has left in the store alone. `restored` is recorded of a store that
    /// was just restored.
    pub(super) async fn open(
        store: &dyn ConnectionStore,
        keys: &KeyRing,
        files: AuditFiles,
        restored: Option<(Event, Origin)>,
    ) -> Result<Self, StoreError> {
        let log = AuditLog {
            key: Arc::new(key(store, keys).await?),
            files: Arc::new(files),
            written: AtomicI64::new(0),
            writing: Mutex::default(),
            is_failing: AtomicBool::new(false),
        };
        log.notice_older_store(store, restored).await?;
        log.write_out(store).await;
        Ok(log)
    }

    /// The key that signs.
    pub(super) fn key(&self) -> &AuditKey {
        &self.key
    }

    /// What is to be written in the transaction of a change.
    pub(super) fn recording(&self, by: Origin, events: Vec<Event>) -> Recording {
        Recording::new(Arc::clone(&self.key), by, events, self.written.load(Ordering::Relaxed))
    }

    /// Writes what is recorded to the files, durably. Where that fails the records stay in the store until it works, so
    /// the change stands: whoever asked for it is told that it was made.
    pub(super) async fn write_out(&self, store: &dyn ConnectionStore) {
        match self.try_to_write_out(store).await {
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

    /// Whether records wait that could not be written.
    pub(super) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    async fn try_to_write_out(&self, store: &dyn ConnectionStore) -> Result<(), String> {
        let _writing = self.writing.lock().await;
        let mut end = store.audit_end().await.map_err(|error| error.to_string())?;
        let written = self.written.load(Ordering::Relaxed);
        end.unwritten.retain(|record| record.number > written);
        let Some(newest) = end.unwritten.last().map(|record| record.number) else { return Ok(()) };
        let files = Arc::clone(&self.files);
        let appended = tokio::task::spawn_blocking(move || files.append(&end.unwritten)).await;
        appended.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        self.written.store(newest, Ordering::Relaxed);
        Ok(())
    }

    /// A store that is older than the files was put in its place by hand, or is a new one. The chain goes on after what
    /// the files have, and says so.
    async fn notice_older_store(
        &self,
        store: &dyn ConnectionStore,
        restored: Option<(Event, Origin)>,
    ) -> Result<(), StoreError> {
        // Before the store is asked, which other processes may move on meanwhile.
        let in_files = self.files.head().unwrap_or_else(|error| {
            tracing::error!("the audit log in {} cannot be read: {error}", self.files.folder().display());
            None
        });
        let in_files = in_files.unwrap_or_default();
        let in_store = store.audit_end().await?.head;
        let is_older =
            in_files.number > in_store.number || (in_files.number == in_store.number && in_files != in_store);
        // A number beyond all measure was put in by hand, and must not stop the count.
        let is_older = is_older && in_files.number < i64::MAX / 2;
        if let Some((event, by)) = restored {
            let recording = self.recording(by, vec![event]);
            return if is_older {
                store.go_on_after(&in_files, &recording).await
            } else {
                store.record(&recording).await
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
        let recording = self.recording(Origin::Host { host: "opening the store" }, vec![event]);
        store.go_on_after(&in_files, &recording).await
    }
}

/// The key that signs: made once for each store, and sealed as all its secrets are.
async fn key(store: &dyn ConnectionStore, keys: &KeyRing) -> Result<AuditKey, StoreError> {
    let mut attempts_left = 3;
    loop {
        let sealed = match store.own_secret(KEY).await? {
            Some(sealed) => Some(sealed),
            None => {
                let mut bytes = Zeroizing::new([0; KEY_BYTES]);
                getrandom::fill(bytes.as_mut()).map_err(super::secrets::KeyError::Random)?;
                store.add_own_secret(KEY, keys.seal_own(KEY, bytes.as_ref())?).await?
            }
        };
        if let Some(opened) = sealed.as_ref().and_then(|sealed| keys.open_own(KEY, sealed)) {
            let mut bytes = Zeroizing::new([0; KEY_BYTES]);
            if opened.len() == KEY_BYTES {
                bytes.copy_from_slice(&opened);
                return Ok(AuditKey::new(bytes));
            }
        }
        attempts_left -= 1;
        if attempts_left == 0 {
            return Err(StoreError::OwnSecret { name: KEY });
        }
        // The key may be being rotated.
        keys.reload(store).await?;
    }
}
