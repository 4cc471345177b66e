//! The stored connections with their secrets readable: a store joined with the key that seals them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use plugin_api::Settings;
use tokio::sync::Mutex;
use values::Guid;
use zeroize::Zeroizing;

use super::import::Import;
use super::key_file::KeyFile;
use super::key_ring::KeyRing;
use super::recorded::AuditLog;
use super::secrets::SealedSecret;
use super::sqlite::SqliteStore;
use super::store::{
    ConnectionSave, ConnectionStore, Expected, Revision, SealedConnection, SealedSetting, SealedValue,
    SecretPlace, StoreError,
};
use crate::audit::{self, AuditFiles, AuditKey, Difference, Event, Origin, Recording};

/// The file of the SQLite store in the data folder.
pub const STORE_FILE: &str = "erp-host.sqlite";
/// The key file in the data folder, unless configured elsewhere.
pub const KEY_FILE: &str = "erp-host.key";
/// Stands in the data folder while a store is being restored.
pub(crate) const RESTORING: &str = "erp-host.restoring";

/// A stored connection, its secrets readable. `Debug` shows no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredConnection {
    /// Its GUID.
    pub guid: Guid,
    /// The name of the connector it belongs to.
    pub connector: String,
    /// Its settings, in the order they came.
    pub settings: Settings,
    /// The change that saved it.
    pub revision: Revision,
    /// When that was, in milliseconds.
    pub saved_at: SystemTime,
}

/// Whether a store may be made where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfMissing {
    /// Make an empty one.
    Create,
    /// Refuse: a mistyped folder should not look like a store without connections.
    Refuse,
}

/// A store, the keys that seal its secrets, and the log of what is changed in it.
#[derive(Debug, Clone)]
pub struct StoredConnections {
    store: Arc<dyn ConnectionStore>,
    keys: Arc<KeyRing>,
    audit: Arc<AuditLog>,
    /// Held while a connection is saved or deleted, so that what is recorded of it is what was done.
    changing: Arc<Mutex<()>>,
}

/// How often a save is tried that other processes get in the way of.
const ATTEMPTS: u32 = 20;

impl StoredConnections {
    /// Opens the store in the data folder, and the key file there or at the given path. On the first start both are
    /// made; a key is never made for a store that has one already.
    ///
    /// # Errors
    /// The store cannot be used (damaged, locked, of a newer version, not ours, read-only), or the key is missing or
    /// not the one of this store. Nothing is overwritten then.
    pub async fn open(data: &Path, key_file: Option<&Path>, missing: IfMissing) -> Result<Self, StoreError> {
        refuse_half_restored(data)?;
        refuse_emptied(data)?;
        let path = data.join(STORE_FILE);
        let store: Arc<dyn ConnectionStore> = Arc::new(SqliteStore::open(&path, missing).await?);
        let key_file = KeyFile::at(key_file.map_or_else(|| data.join(KEY_FILE), Path::to_owned));
        let audit_files = AuditFiles::new(data.join(audit::FOLDER));
        match StoredConnections::join(Arc::clone(&store), path, key_file, audit_files, None).await {
            Ok(stored) => Ok(stored),
            Err(error) => {
                store.close().await?;
                Err(error)
            }
        }
    }

    async fn join(
        store: Arc<dyn ConnectionStore>,
        path: PathBuf,
        key_file: KeyFile,
        audit_files: AuditFiles,
        restored: Option<(Event, Origin)>,
    ) -> Result<Self, StoreError> {
        store.check_writable().await?;
        let keys = KeyRing::open(store.as_ref(), path, key_file).await?;
        let audit = AuditLog::open(store.as_ref(), &keys, audit_files, restored).await?;
        Ok(StoredConnections {
            store,
            keys: Arc::new(keys),
            audit: Arc::new(audit),
            changing: Arc::default(),
        })
    }

    /// Joins a copy that is about to be the store of this data folder, which the event tells of, with what is there.
    pub(super) async fn restored(
        store: Arc<dyn ConnectionStore>,
        path: &Path,
        key_file: KeyFile,
        data: &Path,
        event: Event,
        by: &Origin,
    ) -> Result<Self, StoreError> {
        let audit_files = AuditFiles::new(data.join(audit::FOLDER));
        let restored = Some((event, by.clone()));
        StoredConnections::join(store, path.to_owned(), key_file, audit_files, restored).await
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

    /// The connection, or `None` when it is not stored.
    ///
    /// # Errors
    /// The store fails, or a secret cannot be decrypted.
    pub async fn find(&self, guid: Guid) -> Result<Option<StoredConnection>, StoreError> {
        let found = self.readable(Some(guid)).await?;
        found.into_iter().next().map(|sealed| self.unseal(sealed)).transpose()
    }

    /// All connections, in the order of their GUIDs, so that [`unseal`](Self::unseal) has the keys for them.
    ///
    /// # Errors
    /// The store or the key file fails.
    pub async fn all(&self) -> Result<Vec<SealedConnection>, StoreError> {
        self.readable(None).await
    }

    /// Reads one connection or all of them, until the keys here open what was read: the key may be rotated meanwhile.
    async fn readable(&self, only: Option<Guid>) -> Result<Vec<SealedConnection>, StoreError> {
        let mut attempts_left = 3;
        loop {
            let connections = match only {
                Some(guid) => self.store.get(guid).await?.into_iter().collect(),
                None => self.store.all().await?,
            };
            attempts_left -= 1;
            if attempts_left == 0 || self.keys.opens(&connections) {
                return Ok(connections);
            }
            self.keys.reload(self.store.as_ref()).await?;
        }
    }

    /// Saves the connection, replacing one with the same GUID as a whole. Settings named by `secret_keys` are sealed.
    ///
    /// # Errors
    /// The connection belongs to another connector, or the store fails: then what was stored before is stored still.
    pub async fn save(
        &self,
        guid: Guid,
        connector: &str,
        settings: &Settings,
        secret_keys: &[&str],
        by: &Origin,
    ) -> Result<Revision, StoreError> {
        let _changing = self.changing.lock().await;
        let mut attempts_left = ATTEMPTS;
        loop {
            let before = self.store.get(guid).await?;
            if let Some(before) = &before
                && !before.connector.eq_ignore_ascii_case(connector)
            {
                return Err(StoreError::OtherConnector { guid, own: before.connector.clone() });
            }
            let save = ConnectionSave {
                guid,
                connector: connector.to_owned(),
                settings: settings
                    .iter()
                    .map(|(key, value)| self.seal(guid, key, value, secret_keys.contains(&key)))
                    .collect::<Result<_, _>>()?,
                // What is recorded as the change is against this.
                expected: before
                    .as_ref()
                    .map_or(Expected::Nothing, |before| Expected::Revision(before.revision)),
            };
            let recording = self.audit.recording(by.clone(), vec![self.event_of(&save, before.as_ref())]);
            attempts_left -= 1;
            match self.store.save(&[save], &recording, &|_| ()).await {
                Ok(revision) => {
                    self.audit.write_out(self.store.as_ref()).await;
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

    /// Saves what an import has prepared, all or nothing.
    ///
    /// # Errors
    /// A connection is not as it was when the import was prepared, or the store fails: then nothing is saved.
    pub async fn import(
        &self,
        import: &Import,
        file: &Path,
        by: &Origin,
        saved: &(dyn Fn(usize) + Sync),
    ) -> Result<Revision, StoreError> {
        let before = self.store.all().await?;
        let of = |guid| before.binary_search_by_key(&guid, |before| before.guid).ok().map(|at| &before[at]);
        let mut events = vec![Event::Imported {
            file: audit::shortened(&file.display().to_string()),
            added: import.saves.len() - import.replaced.len(),
            replaced: import.replaced.len(),
        }];
        events.extend(import.saves.iter().map(|save| self.event_of(save, of(save.guid))));
        let recording = self.audit.recording(by.clone(), events);
        let revision = self.store.save(&import.saves, &recording, saved).await?;
        self.audit.write_out(self.store.as_ref()).await;
        Ok(revision)
    }

    /// Deletes the connection; `None` when it was not stored.
    ///
    /// # Errors
    /// The store fails.
    pub async fn delete(&self, guid: Guid, by: &Origin) -> Result<Option<Revision>, StoreError> {
        let _changing = self.changing.lock().await;
        let Some(before) = self.store.get(guid).await? else { return Ok(None) };
        let event = Event::ConnectionDeleted { connection: guid.to_string(), connector: before.connector };
        let deleted = self.store.delete(guid, &self.audit.recording(by.clone(), vec![event])).await?;
        self.audit.write_out(self.store.as_ref()).await;
        Ok(deleted)
    }

    /// Records what happened.
    ///
    /// # Errors
    /// The store fails.
    pub async fn record(&self, events: Vec<Event>, by: &Origin) -> Result<(), StoreError> {
        if !events.is_empty() {
            self.store.record(&self.audit.recording(by.clone(), events)).await?;
            self.audit.write_out(self.store.as_ref()).await;
        }
        Ok(())
    }

    /// What is to be written in the transaction of a change.
    pub(super) fn recording(&self, by: &Origin, events: Vec<Event>) -> Recording {
        self.audit.recording(by.clone(), events)
    }

    /// Tries again to write what could not be written to the audit log, and uses the newest key if another process has
    /// rotated it. To be called now and then.
    ///
    /// # Errors
    /// The store or the key file fails.
    pub async fn keep_up(&self) -> Result<(), StoreError> {
        if self.audit.is_failing() {
            self.audit.write_out(self.store.as_ref()).await;
        }
        if !self.keys.is_newest(&self.store.keys().await?) {
            self.keys.reload(self.store.as_ref()).await?;
        }
        Ok(())
    }

    /// Writes what is recorded to the audit log.
    pub(super) async fn write_audit_log(&self) {
        self.audit.write_out(self.store.as_ref()).await;
    }

    /// Whether the audit log could not be written lately: its records wait in the store.
    pub fn is_audit_log_behind(&self) -> bool {
        self.audit.is_failing()
    }

    /// A setting as it goes into the store.
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

    /// The connection with its secrets readable.
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

    /// Opens a secret and seals it with the newest key.
    ///
    /// # Errors
    /// It cannot be decrypted.
    pub(super) fn seal_anew(
        &self,
        place: SecretPlace<'_>,
        sealed: &SealedSecret,
    ) -> Result<SealedSecret, StoreError> {
        match place {
            SecretPlace::Setting(guid, key) => match self.keys.open_secret(guid, key, sealed) {
                Ok(text) => self.keys.seal(guid, key, &Zeroizing::new(text)),
                Err(problem) => Err(StoreError::Secret { guid, key: key.to_owned(), problem }),
            },
            SecretPlace::Own(name) => match self.keys.open_own(name, sealed) {
                Some(secret) => self.keys.seal_own(name, &secret),
                None => Err(StoreError::OwnSecret { name: "audit key" }),
            },
        }
    }

    /// Reads the keys again.
    pub(super) async fn reload_keys(&self) -> Result<(), StoreError> {
        self.keys.reload(self.store.as_ref()).await
    }

    /// What a save does, by the names of settings. Values are compared, and never told.
    fn event_of(&self, save: &ConnectionSave, before: Option<&SealedConnection>) -> Event {
        let (connection, connector) = (save.guid.to_string(), save.connector.clone());
        let Some(before) = before else {
            let settings = save.settings.iter().map(|setting| setting.key.as_str()).collect();
            return Event::ConnectionAdded { connection, connector, settings };
        };
        let was = |key: &str| before.settings.iter().find(|setting| setting.key == key);
        let is_there = |key: &str| save.settings.iter().any(|setting| setting.key == key);
        let key = |setting: &'_ SealedSetting| setting.key.clone();
        let (mut added, mut changed) = (Vec::new(), Vec::new());
        for setting in &save.settings {
            match was(&setting.key) {
                None => added.push(key(setting)),
                Some(before) if !self.is_same(save.guid, before, setting) => changed.push(key(setting)),
                Some(_) => {}
            }
        }
        let removed: Vec<_> =
            before.settings.iter().filter(|setting| !is_there(&setting.key)).map(key).collect();
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

    /// Whether two settings of a connection, of the same key, have the same value. A secret that does not open is another.
    fn is_same(&self, guid: Guid, one: &SealedSetting, other: &SealedSetting) -> bool {
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

/// A file without a byte is how a first start begins; but where the audit log tells of earlier days it was emptied.
fn refuse_emptied(data: &Path) -> Result<(), StoreError> {
    let path = data.join(STORE_FILE);
    let is_empty = path.metadata().is_ok_and(|metadata| metadata.len() == 0);
    if is_empty && AuditFiles::new(data.join(audit::FOLDER)).head().is_ok_and(|head| head.is_some()) {
        return Err(StoreError::Unusable {
            path,
            problem: "is damaged (it is empty, and the audit log tells that it was not)".to_owned(),
            remedy: "restore it from a backup; to begin anew, move it away".to_owned(),
        });
    }
    Ok(())
}

/// A restore that was interrupted leaves a mark: what is there may be half of the old store.
fn refuse_half_restored(data: &Path) -> Result<(), StoreError> {
    let mark = data.join(RESTORING);
    if mark.exists() {
        return Err(StoreError::Unusable {
            path: data.join(STORE_FILE),
            problem: "is only half restored: a restore was interrupted".to_owned(),
            remedy: "run erp-host restore again".to_owned(),
        });
    }
    Ok(())
}
