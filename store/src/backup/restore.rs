//! Restore: replaces the store of a data folder by a backup.
//!
//! The backup is copied beside the store and checked first. A marker file keeps hosts from starting while files are
//! replaced, so an interrupted restore cannot go unnoticed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use erp_host_files::replace;
use plugin_api::DateTime;

use super::{BackupError, KEYS_FORMAT, failed};
use crate::audit::{Event, Origin, sha256_of_file, shortened};
use crate::envelope::Envelope;
use crate::keys::{KeyFile, SecretKey};
use crate::limits::StoreLimits;
use crate::private_file::{self, IfPresent, sync_folder};
use crate::repository::{ConnectionRepository, KEY_FILE, RESTORING, STORE_FILE};
use crate::sqlite::SqliteStore;
use crate::store::{ConnectionStore, IfMissing, StoreError};

/// The copy of the backup until it becomes the store.
const NEW_STORE: &str = "erp-host.sqlite.new";

/// The result of a restore.
#[derive(Debug)]
pub struct Restored {
    /// The number of connections in the store now.
    pub connections: usize,
    /// How many of them have a secret or a state that cannot be decrypted, because it was damaged before the backup was made.
    pub unreadable: usize,
    /// The time of the backup, if the backup has it.
    pub made_at: Option<SystemTime>,
    /// The path of the former store now, if there was one.
    pub former_store: Option<PathBuf>,
    /// The path of the former key file now, if it was replaced.
    pub former_key_file: Option<PathBuf>,
}

/// A restore: what to restore, and where.
#[derive(Debug)]
pub struct Restore<'a> {
    /// The backup.
    pub backup: &'a Path,
    /// The data folder.
    pub data: &'a Path,
    /// The key file; `None` for the one in the data folder.
    pub key_file: Option<&'a Path>,
    /// The passphrase of the keys in the backup.
    pub passphrase: Option<&'a str>,
    /// Whether an existing store may be replaced.
    pub replace: bool,
    /// Limits of what is stored.
    pub limits: StoreLimits,
}

impl Restore<'_> {
    /// Replaces the store by the backup. The former store is kept beside it. Nobody may use the store in the meantime; the
    /// caller must hold the [exclusive lock](crate::KeyLock::exclusive) of the keys.
    ///
    /// # Errors
    /// The file is not a backup, is damaged, or its keys are missing; or a file cannot be written. If the marker file is
    /// still there, another run of the same restore completes it.
    pub async fn run(&self, by: &Origin) -> Result<Restored, BackupError> {
        let path = self.data.join(STORE_FILE);
        if !self.replace && fs::exists(&path).map_err(failed(&path, "read"))? && !self.was_interrupted() {
            return Err(BackupError::StoreExists { connections: count(&path).await, path });
        }
        let new = self.data.join(NEW_STORE);
        let restored = self.prepare(&new, by).await;
        if restored.is_err() {
            remove_database(&new);
        }
        restored
    }

    fn was_interrupted(&self) -> bool {
        self.data.join(RESTORING).exists()
    }

    async fn prepare(&self, new: &Path, by: &Origin) -> Result<Restored, BackupError> {
        let sha256 = self.copy(new)?;
        let named = |error| blame_backup(error, new, self.backup);
        let info = SqliteStore::take_backup_info(new).await.map_err(named)?;
        let store = SqliteStore::open(new, IfMissing::Refuse).await.map_err(named)?;
        let (checks, connections) = (store.keys().await?, store.all().await?);
        store.close().await?;
        self.limits.check_all(&connections)?;
        let key_file = KeyFile::at(self.key_file.map_or_else(|| self.data.join(KEY_FILE), Path::to_owned));
        let of_backup = |keys: Vec<SecretKey>| -> Vec<SecretKey> {
            keys.into_iter().filter(|key| checks.iter().any(|check| key.passes(check))).collect()
        };
        let there = of_backup(key_file.read()?.unwrap_or_default());
        let has_all = |keys: &[SecretKey]| keys.len() == checks.len();
        let (keys, are_new) = match info.as_ref().and_then(|info| info.keys.as_deref()) {
            Some(sealed) if !has_all(&there) => {
                let passphrase = self
                    .passphrase
                    .ok_or_else(|| BackupError::NeedsPassphrase(key_file.path().to_owned()))?;
                let text = Envelope::parse(sealed.as_bytes())?.open(KEYS_FORMAT, passphrase)?;
                let keys = std::str::from_utf8(&text).ok().and_then(KeyFile::parse).unwrap_or_default();
                (of_backup(keys), true)
            }
            _ => (there, false),
        };
        if !has_all(&keys) {
            let missing = checks.iter().find(|check| !keys.iter().any(|key| key.passes(check)));
            return Err(match missing {
                Some(check) => {
                    BackupError::NeedsKey { key: check.key_id.clone(), key_file: key_file.path().to_owned() }
                }
                None => BackupError::Store(StoreError::KeyChanged),
            });
        }

        // Nothing was changed until here.
        let stamp = timestamp();
        let marker = self.data.join(RESTORING);
        private_file::write(&marker, b"", IfPresent::Replace).map_err(failed(&marker, "written"))?;
        let mut former_key_file = None;
        if are_new {
            former_key_file = move_aside(key_file.path(), &stamp)?;
            key_file.create_for(&keys, self.data)?;
        }
        let made_at = info.map(|info| info.made_at);
        let event = Event::StoreRestored {
            file: shortened(&self.backup.display().to_string()),
            sha256,
            made_at: made_at.map_or_else(
                || "unknown".to_owned(),
                |at| DateTime::from_system_time(at).to_sortable() + "Z",
            ),
        };
        let (connections, unreadable) = check_and_record(new, &key_file, self.data, event, by).await?;
        let path = self.data.join(STORE_FILE);
        let former_store = move_aside(&path, &stamp)?;
        for journal in ["-wal", "-shm"] {
            move_aside(&with_suffix(&path, journal), &stamp)?;
        }
        replace::rename(new, &path).map_err(failed(&path, "replaced"))?;
        sync_folder(self.data).map_err(failed(&path, "replaced"))?;
        fs::remove_file(&marker).and_then(|()| sync_folder(self.data)).map_err(failed(&marker, "removed"))?;
        Ok(Restored { connections, unreadable, made_at, former_store, former_key_file })
    }

    /// Copies the backup beside the store, with the owner of the data folder. Returns its SHA-256.
    fn copy(&self, new: &Path) -> Result<String, BackupError> {
        let mut backup = File::open(self.backup).map_err(failed(self.backup, "read"))?;
        private_file::make_folder(self.data).map_err(failed(self.data, "made"))?;
        remove_database(new);
        let mut write = || {
            let mut file = private_file::create_new(new)?;
            io::copy(&mut backup, &mut file)?;
            file.sync_all()
        };
        let written: io::Result<()> = write();
        written.map_err(failed(new, "written"))?;
        sha256_of_file(self.backup).map_err(failed(self.backup, "read"))
    }
}

/// Opens the new store with its keys, records the restore, and decrypts every secret. Returns the number of connections, and
/// how many of them have a secret that cannot be decrypted.
async fn check_and_record(
    new: &Path,
    key_file: &KeyFile,
    data: &Path,
    event: Event,
    by: &Origin,
) -> Result<(usize, usize), BackupError> {
    let store: Arc<dyn ConnectionStore> = Arc::new(SqliteStore::open(new, IfMissing::Refuse).await?);
    let checked = async {
        let repository =
            ConnectionRepository::open_restored(Arc::clone(&store), new, key_file.clone(), data, event, by)
                .await?;
        let connections = repository.all().await?;
        let count = connections.len();
        let mut unreadable = 0;
        for connection in connections {
            let guid = connection.guid;
            let is_readable = repository.unseal(connection).is_ok()
                && match repository.all_state(guid).await {
                    Ok(_) => true,
                    Err(StoreError::State { .. }) => false,
                    Err(error) => return Err(error),
                };
            unreadable += usize::from(!is_readable);
        }
        Ok::<_, StoreError>((count, unreadable))
    };
    let checked = checked.await;
    store.close().await?;
    Ok(checked?)
}

/// Renames an existing file, and returns its new path; `None` if there is no file.
fn move_aside(path: &Path, stamp: &str) -> Result<Option<PathBuf>, BackupError> {
    if !fs::exists(path).map_err(failed(path, "read"))? {
        return Ok(None);
    }
    // `-wal` stays at the end of the name, so that the write-ahead log still belongs to its database.
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let journal = ["-wal", "-shm"].into_iter().find(|suffix| name.ends_with(suffix)).unwrap_or_default();
    let name = name.strip_suffix(journal).unwrap_or(&name);
    let aside = path.with_file_name(format!("{name}.replaced-{stamp}{journal}"));
    replace::rename(path, &aside).map_err(failed(path, "moved"))?;
    Ok(Some(aside))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Removes the files that a failed attempt may have left.
fn remove_database(path: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let _ = fs::remove_file(with_suffix(path, suffix));
    }
}

/// The number of connections of a store, for a message; `?` if the store cannot be opened.
async fn count(path: &Path) -> String {
    match SqliteStore::open(path, IfMissing::Refuse).await {
        Ok(store) => {
            let count = store.list().await.map_or_else(|_| "?".to_owned(), |list| list.len().to_string());
            let _ = store.close().await;
            count
        }
        Err(_) => "?".to_owned(),
    }
}

/// An error of the copy, with the path of the backup: the operator does not know the copy.
fn blame_backup(error: StoreError, copy: &Path, backup: &Path) -> StoreError {
    match error {
        StoreError::Unusable { path, problem, .. } if path == copy => StoreError::Unusable {
            path: backup.to_owned(),
            problem,
            remedy: "nothing was changed; restore another backup".to_owned(),
        },
        error => error,
    }
}

/// The present time, for the name of a file.
fn timestamp() -> String {
    let now = DateTime::from_system_time(SystemTime::now()).to_sortable();
    let digits: String = now.chars().filter(char::is_ascii_digit).take(17).collect();
    digits
}
