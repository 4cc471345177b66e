//! The connection repository: a store, the keys that encrypt its secrets, and its audit log, as one. Reads decrypt, changes
//! encrypt and are recorded. Everything that commands need.
//!
//! - here: reading, saving, deleting;
//! - `key_ring`: the keys of an open store, also while they are rotated;
//! - `key_rotation`: replaces the key while hosts run;
//! - `state`: the state of connections;
//! - `audit_log`: writes the audit records of the store to the files (a transactional outbox).

mod audit_log;
mod key_ring;
mod key_rotation;
mod state;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use plugin_api::Settings;
use tokio::sync::Mutex;
use values::Guid;
use zeroize::Zeroizing;

use self::audit_log::AuditLog;
pub use self::audit_log::read_audit_key;
use self::key_ring::KeyRing;
pub use self::key_rotation::KeyRotation;
use crate::audit::{self, AuditBatch, AuditFiles, AuditKey, Difference, Event, Origin};
use crate::keys::{KeyFile, SealedSecret};
use crate::limits::StoreLimits;
use crate::sqlite::SqliteStore;
use crate::store::{
    ConnectionSave, ConnectionStore, Expected, IfMissing, Revision, SealedConnection, SealedSetting,
    SealedValue, SecretOwner, StoreError,
};

/// The file of the SQLite store in the data folder.
pub const STORE_FILE: &str = "erp-host.sqlite";
/// The key file in the data folder, unless configured elsewhere.
pub const KEY_FILE: &str = "erp-host.key";
/// The marker file in the data folder while a backup is restored.
pub(crate) const RESTORING: &str = "erp-host.restoring";

/// A stored connection, its secrets decrypted. `Debug` shows no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredConnection {
    /// The GUID.
    pub guid: Guid,
    /// The name of the connector it belongs to.
    pub connector: String,
    /// The settings, in the order in which they were sent.
    pub settings: Settings,
    /// The revision of its last save.
    pub revision: Revision,
    /// The time of its last save, to the millisecond.
    pub saved_at: SystemTime,
}

/// A store, the keys that encrypt its secrets, and its audit log. Clones share everything.
#[derive(Debug, Clone)]
pub struct ConnectionRepository {
    store: Arc<dyn ConnectionStore>,
    keys: Arc<KeyRing>,
    audit: Arc<AuditLog>,
    /// Held while a connection is saved or deleted, so that the audit record shows the actual change.
    write_lock: Arc<Mutex<()>>,
    limits: Arc<StoreLimits>,
}

/// How often a save is tried when other processes change the same connection, or rotate the key.
const SAVE_ATTEMPTS: u32 = 20;

impl ConnectionRepository {
    /// Opens the store in the data folder, and the key file there or at the given path. On the first start both are
    /// created. A key is never created for a store that has one already.
    ///
    /// # Errors
    /// The store cannot be used (damaged, locked, of a newer version, of another program, read-only), or the key is
    /// missing or belongs to another store. Nothing is overwritten then.
    pub async fn open(data: &Path, key_file: Option<&Path>, missing: IfMissing) -> Result<Self, StoreError> {
        refuse_half_restored(data)?;
        refuse_emptied(data)?;
        let path = data.join(STORE_FILE);
        let store: Arc<dyn ConnectionStore> = Arc::new(SqliteStore::open(&path, missing).await?);
        let key_file = KeyFile::at(key_file.map_or_else(|| data.join(KEY_FILE), Path::to_owned));
        let audit_files = AuditFiles::new(data.join(audit::FOLDER));
        match ConnectionRepository::assemble(Arc::clone(&store), path, key_file, audit_files, None).await {
            Ok(stored) => Ok(stored),
            Err(error) => {
                store.close().await?;
                Err(error)
            }
        }
    }

    /// With these limits of what is stored, instead of the default ones.
    #[must_use]
    pub fn with_limits(self, limits: StoreLimits) -> Self {
        ConnectionRepository { limits: Arc::new(limits), ..self }
    }

    pub(crate) async fn assemble(
        store: Arc<dyn ConnectionStore>,
        path: PathBuf,
        key_file: KeyFile,
        audit_files: AuditFiles,
        restored: Option<(Event, Origin)>,
    ) -> Result<Self, StoreError> {
        if !store.is_read_only() {
            store.check_writable().await?;
        }
        let keys = KeyRing::open(store.as_ref(), path, key_file).await?;
        let audit = AuditLog::open(store.as_ref(), &keys, audit_files, restored).await?;
        Ok(ConnectionRepository {
            store,
            keys: Arc::new(keys),
            audit: Arc::new(audit),
            write_lock: Arc::default(),
            limits: Arc::default(),
        })
    }

    /// Opens a restored backup that is about to become the store of this data folder. The event records that.
    pub(crate) async fn open_restored(
        store: Arc<dyn ConnectionStore>,
        path: &Path,
        key_file: KeyFile,
        data: &Path,
        event: Event,
        by: &Origin,
    ) -> Result<Self, StoreError> {
        let audit_files = AuditFiles::new(data.join(audit::FOLDER));
        let restored = Some((event, by.clone()));
        ConnectionRepository::assemble(store, path.to_owned(), key_file, audit_files, restored).await
    }

    /// The store underneath.
    pub fn store(&self) -> &dyn ConnectionStore {
        self.store.as_ref()
    }

    /// The key file.
    pub fn key_file(&self) -> &KeyFile {
        self.keys.file()
    }

    /// The key that signs the audit log.
    pub fn audit_key(&self) -> &AuditKey {
        self.audit.key()
    }

    /// The connection; `None` if it is not stored.
    ///
    /// # Errors
    /// The store fails, or a secret cannot be decrypted.
    pub async fn find(&self, guid: Guid) -> Result<Option<StoredConnection>, StoreError> {
        let found = self.read_with_keys(Some(guid)).await?;
        found.into_iter().next().map(|sealed| self.unseal(sealed)).transpose()
    }

    /// All connections, ordered by GUID, still sealed. [`unseal`](Self::unseal) has the keys for them.
    ///
    /// # Errors
    /// The store or the key file fails.
    pub async fn all(&self) -> Result<Vec<SealedConnection>, StoreError> {
        self.read_with_keys(None).await
    }

    /// Reads one connection or all of them. If a secret is sealed with a key that is not in the key ring, the key was
    /// rotated: reads the keys again, and retries.
    async fn read_with_keys(&self, only: Option<Guid>) -> Result<Vec<SealedConnection>, StoreError> {
        let mut attempts_left = 3;
        loop {
            let connections = match only {
                Some(guid) => self.store.get(guid).await?.into_iter().collect(),
                None => self.store.all().await?,
            };
            attempts_left -= 1;
            if attempts_left == 0 || self.keys.has_keys_of(&connections) {
                return Ok(connections);
            }
            self.keys.reload(self.store.as_ref()).await?;
        }
    }

    /// Saves the connection; it replaces one with the same GUID as a whole. The settings named by `secret_keys` are
    /// encrypted.
    ///
    /// # Errors
    /// The connection belongs to another connector, a [limit](StoreLimits) is exceeded, or the store fails. Then nothing
    /// changed.
    pub async fn save(
        &self,
        guid: Guid,
        connector: &str,
        settings: &Settings,
        secret_keys: &[&str],
        by: &Origin,
    ) -> Result<Revision, StoreError> {
        let _guard = self.write_lock.lock().await;
        let mut attempts_left = SAVE_ATTEMPTS;
        loop {
            let before = self.store.get(guid).await?;
            if let Some(before) = &before
                && !before.connector.eq_ignore_ascii_case(connector)
            {
                return Err(StoreError::OtherConnector { guid, own: before.connector.clone() });
            }
            let sealed: Vec<_> = settings
                .iter()
                .map(|(key, value)| self.seal(guid, key, value, secret_keys.contains(&key)))
                .collect::<Result<_, _>>()?;
            self.limits.check(guid, &sealed)?;
            if before.is_none() {
                self.limits.check_count(self.store.count().await? + 1)?;
            }
            let save = ConnectionSave {
                guid,
                connector: connector.to_owned(),
                settings: sealed,
                // The audit record shows the difference to this revision.
                expected: before
                    .as_ref()
                    .map_or(Expected::Nothing, |before| Expected::Revision(before.revision)),
                state: None,
            };
            let audit = self.audit.batch(by.clone(), vec![self.audit_event(&save, before.as_ref())]);
            attempts_left -= 1;
            match self.store.save(&[save], &audit, &|_| ()).await {
                Ok(revision) => {
                    self.audit.flush(self.store.as_ref()).await;
                    return Ok(revision);
                }
                Err(StoreError::Changed { .. }) if attempts_left > 0 => {}
                Err(StoreError::KeyChanged) if attempts_left > 0 => {
                    self.keys.reload(self.store.as_ref()).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Saves many connections in one transaction, for an import. `event` is recorded first, then a record for each
    /// connection. `progress` is called with the number of connections written so far.
    ///
    /// # Errors
    /// A precondition does not hold, a [limit](StoreLimits) is exceeded, or the store fails. Then nothing is saved.
    pub(crate) async fn save_all(
        &self,
        saves: &[ConnectionSave],
        event: Event,
        by: &Origin,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Revision, StoreError> {
        let before = self.store.all().await?;
        let of = |guid| before.binary_search_by_key(&guid, |before| before.guid).ok().map(|at| &before[at]);
        for save in saves {
            self.limits.check(save.guid, &save.settings)?;
            self.limits.check_state(save.guid, save.state.as_deref().unwrap_or_default())?;
        }
        let added = saves.iter().filter(|save| of(save.guid).is_none()).count();
        if added > 0 {
            self.limits.check_count(before.len() + added)?;
        }
        let mut events = vec![event];
        events.extend(saves.iter().map(|save| self.audit_event(save, of(save.guid))));
        let revision = self.store.save(saves, &self.audit.batch(by.clone(), events), progress).await?;
        self.audit.flush(self.store.as_ref()).await;
        Ok(revision)
    }

    /// Deletes the connection; `None` if it was not stored.
    ///
    /// # Errors
    /// The store fails.
    pub async fn delete(&self, guid: Guid, by: &Origin) -> Result<Option<Revision>, StoreError> {
        let _guard = self.write_lock.lock().await;
        let Some(connector) = self.store.connector_of(guid).await? else { return Ok(None) };
        let event = Event::ConnectionDeleted { connection: guid.to_string(), connector };
        let deleted = self.store.delete(guid, &self.audit.batch(by.clone(), vec![event])).await?;
        self.audit.flush(self.store.as_ref()).await;
        Ok(deleted)
    }

    /// Writes events that are not changes of the store to the audit log.
    ///
    /// # Errors
    /// The store fails.
    pub async fn record(&self, events: Vec<Event>, by: &Origin) -> Result<(), StoreError> {
        if !events.is_empty() {
            self.store.record(&self.audit.batch(by.clone(), events)).await?;
            self.audit.flush(self.store.as_ref()).await;
        }
        Ok(())
    }

    /// The audit records of a change, to be written in its transaction.
    pub(crate) fn audit_batch(&self, by: &Origin, events: Vec<Event>) -> AuditBatch {
        self.audit.batch(by.clone(), events)
    }

    /// Retries to write audit records to the files after that failed. The host calls it periodically.
    pub async fn sync_audit_files(&self) {
        if self.audit.is_failing() {
            self.audit.flush(self.store.as_ref()).await;
        }
    }

    /// Reads the keys again if another process has rotated them. The host calls it periodically, so that it does not keep
    /// sealing with an old key.
    ///
    /// # Errors
    /// The store or the key file fails.
    pub async fn reload_rotated_keys(&self) -> Result<(), StoreError> {
        if !self.keys.is_current(&self.store.keys().await?) {
            self.keys.reload(self.store.as_ref()).await?;
        }
        Ok(())
    }

    /// Whether the last attempt to write to the audit files failed. The records wait in the store.
    pub fn is_audit_log_failing(&self) -> bool {
        self.audit.is_failing()
    }

    /// Encrypts the setting if it is a secret.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn seal(
        &self,
        guid: Guid,
        key: &str,
        value: Option<&str>,
        secret: bool,
    ) -> Result<SealedSetting, StoreError> {
        let value = if secret {
            SealedValue::Secret(value.map(|text| self.keys.seal(guid, key, text)).transpose()?)
        } else {
            SealedValue::Plain(value.map(str::to_owned))
        };
        Ok(SealedSetting { key: key.to_owned(), value })
    }

    /// Decrypts the secrets of the connection.
    ///
    /// # Errors
    /// A secret cannot be decrypted.
    pub fn unseal(&self, sealed: SealedConnection) -> Result<StoredConnection, StoreError> {
        let SealedConnection { guid, connector, settings, revision, saved_at } = sealed;
        let settings = settings
            .into_iter()
            .map(|SealedSetting { key, value }| {
                let value = match value {
                    SealedValue::Plain(value) => value,
                    SealedValue::Secret(None) => None,
                    SealedValue::Secret(Some(secret)) => match self.keys.open_secret(guid, &key, &secret) {
                        Ok(text) => Some(text),
                        Err(problem) => return Err(StoreError::Secret { guid, key, problem }),
                    },
                };
                Ok((key, value))
            })
            .collect::<Result<_, _>>()?;
        Ok(StoredConnection { guid, connector, settings, revision, saved_at })
    }

    /// Decrypts a secret and encrypts it with the newest key.
    ///
    /// # Errors
    /// It cannot be decrypted.
    pub(crate) fn reencrypt(
        &self,
        owner: SecretOwner<'_>,
        sealed: &SealedSecret,
    ) -> Result<SealedSecret, StoreError> {
        match owner {
            SecretOwner::Setting(guid, key) => match self.keys.open_secret(guid, key, sealed) {
                Ok(text) => self.keys.seal(guid, key, &Zeroizing::new(text)),
                Err(problem) => Err(StoreError::Secret { guid, key: key.to_owned(), problem }),
            },
            SecretOwner::State(guid, key) => match self.keys.open_state(guid, key, sealed) {
                Ok(value) => self.keys.seal_state(guid, key, &Zeroizing::new(value)),
                Err(problem) => Err(StoreError::State { guid, key: key.to_owned(), problem }),
            },
            SecretOwner::Internal(name) => match self.keys.open_internal(name, sealed) {
                Some(secret) => self.keys.seal_internal(name, &secret),
                None => Err(StoreError::InternalSecret { name: "audit key" }),
            },
        }
    }

    /// The audit event of a save: the names of the settings that it changes. Values are compared, but never recorded.
    fn audit_event(&self, save: &ConnectionSave, before: Option<&SealedConnection>) -> Event {
        let (connection, connector) = (save.guid.to_string(), save.connector.clone());
        let Some(before) = before else {
            let settings = save.settings.iter().map(|setting| setting.key.as_str()).collect();
            return Event::ConnectionAdded { connection, connector, settings };
        };
        let old = |key: &str| before.settings.iter().find(|setting| setting.key == key);
        let is_kept = |key: &str| save.settings.iter().any(|setting| setting.key == key);
        let key = |setting: &'_ SealedSetting| setting.key.clone();
        let (mut added, mut changed) = (Vec::new(), Vec::new());
        for setting in &save.settings {
            match old(&setting.key) {
                None => added.push(key(setting)),
                Some(before) if !self.has_same_value(save.guid, before, setting) => {
                    changed.push(key(setting))
                }
                Some(_) => {}
            }
        }
        let removed: Vec<_> =
            before.settings.iter().filter(|setting| !is_kept(&setting.key)).map(key).collect();
        let names = |names: &[String]| names.iter().map(String::as_str).collect();
        let settings =
            Difference { added: names(&added), changed: names(&changed), removed: names(&removed) };
        let former_connector =
            (before.connector != save.connector).then(|| audit::shortened(&before.connector));
        if settings.is_empty() && former_connector.is_none() {
            return Event::ConnectionSaved { connection, connector };
        }
        Event::ConnectionChanged { connection, connector, former_connector, settings }
    }

    /// Whether two settings with the same key have the same value. A secret that cannot be decrypted counts as different.
    fn has_same_value(&self, guid: Guid, one: &SealedSetting, other: &SealedSetting) -> bool {
        match (&one.value, &other.value) {
            (SealedValue::Plain(one), SealedValue::Plain(other)) => one == other,
            (SealedValue::Secret(Some(a)), SealedValue::Secret(Some(b))) => {
                let open = |sealed| self.keys.open_secret(guid, &one.key, sealed).map(Zeroizing::new);
                matches!((open(a), open(b)), (Ok(a), Ok(b)) if a == b)
            }
            (SealedValue::Secret(one), SealedValue::Secret(other)) => one.is_none() && other.is_none(),
            _ => false,
        }
    }
}

/// Refuses an empty store file if there is an audit log. A first start begins with an empty file, but then there is no log:
/// so this file has lost its content.
fn refuse_emptied(data: &Path) -> Result<(), StoreError> {
    let path = data.join(STORE_FILE);
    let is_empty = path.metadata().is_ok_and(|metadata| metadata.len() == 0);
    if is_empty && AuditFiles::new(data.join(audit::FOLDER)).head().is_ok_and(|head| head.is_some()) {
        return Err(StoreError::Unusable {
            path,
            problem: "is damaged (it is empty, and the audit log shows that it was not)".to_owned(),
            remedy: "restore it from a backup, or move it away to start with an empty store".to_owned(),
        });
    }
    Ok(())
}

/// Refuses a data folder in which a restore was interrupted: the store and its key file may not belong together.
fn refuse_half_restored(data: &Path) -> Result<(), StoreError> {
    let marker = data.join(RESTORING);
    if marker.exists() {
        return Err(StoreError::Unusable {
            path: data.join(STORE_FILE),
            problem: "is only half restored: a restore was interrupted".to_owned(),
            remedy: "run erp-host restore again".to_owned(),
        });
    }
    Ok(())
}
