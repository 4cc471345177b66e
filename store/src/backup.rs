//! A copy of the store in one file, made while the host runs, and putting such a copy in the store's place.
//!
//! The copy is an SQLite database like the store, with a note of what it is. Its secrets are sealed as they are in the
//! store; the keys that open them are in it only on demand, encrypted with a passphrase.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use plugin_api::DateTime;
use tempfile::NamedTempFile;

use super::archive::{ArchiveError, open_text, seal_text};
use super::key_file::KeyFile;
use super::private_file::{give_to_owner_of, sync_folder};
use super::secrets::{KeyError, SecretKey};
use super::sqlite::{CopyNote, SqliteStore};
use super::store::{ConnectionStore, StoreError};
use super::stored::{IfMissing, KEY_FILE, RESTORING, STORE_FILE, StoredConnections};
use crate::audit::{Event, Origin, hash_of_file, shortened};

/// What the encrypted keys in a copy say of themselves.
const KEYS_FORMAT: &str = "erp-host keys, encrypted";
/// A copy on its way to be the store.
const NEW_STORE: &str = "erp-host.sqlite.new";

/// Why a copy was not made, or not put in the store's place. Nothing was changed then, except where it says so.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store fails, or the copy as one.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key file, or its place.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The keys in a copy.
    #[error("the keys in the backup cannot be used: {0}")]
    Passphrase(#[from] ArchiveError),
    /// The operating system refused.
    #[error("the file {} cannot be {attempt}: {cause}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `read`, `written`, ...
        attempt: &'static str,
        /// What it said.
        cause: io::Error,
    },
    /// The file is there already.
    #[error("the file {} exists; name another, or add --force to overwrite it", .0.display())]
    Exists(PathBuf),
    /// There is a store already.
    #[error(
        "there is a store with {connections} connections in {}; add --replace to put the backup in its place (it is kept \
         beside it)",
        path.display()
    )]
    StoreExists {
        /// The store.
        path: PathBuf,
        /// How many connections it has.
        connections: String,
    },
    /// The key that sealed the secrets is not there.
    #[error(
        "the secrets of the backup are sealed with key {key}, which is not in the key file {}; put the key file there \
         that belongs to the backup, or name it with --key-file; nothing was changed",
        key_file.display()
    )]
    NeedsKey {
        /// The key.
        key: super::secrets::KeyId,
        /// The key file.
        key_file: PathBuf,
    },
    /// The keys are in the backup, and the passphrase for them was not given.
    #[error(
        "the key file {} does not open this backup; its keys are in it: give their passphrase with --passphrase-file, \
         ERP_HOST_PASSPHRASE, or --ask-passphrase",
        .0.display()
    )]
    NeedsPassphrase(PathBuf),
}

/// What a backup is.
#[derive(Debug)]
pub struct Backup {
    /// How many connections are in it.
    pub connections: usize,
    /// What the file holds, in hexadecimal.
    pub sha256: String,
}

/// What a restore has done.
#[derive(Debug)]
pub struct Restored {
    /// How many connections there are now.
    pub connections: usize,
    /// How many of them have a secret that cannot be decrypted: it was damaged before the copy was made.
    pub unreadable: usize,
    /// When the copy was made, as far as it says.
    pub made_at: Option<SystemTime>,
    /// Where the former store is now.
    pub former_store: Option<PathBuf>,
    /// Where the former key file is now, if there is another one in its place.
    pub former_key_file: Option<PathBuf>,
}

fn failed(path: &Path, attempt: &'static str) -> impl Fn(io::Error) -> BackupError {
    move |cause| BackupError::Io { path: path.to_owned(), attempt, cause }
}

/// Copies the store into a file, for its owner alone, whole and durable or not there at all. With a passphrase its keys
/// go along. Whoever calls it holds the keys to copy them.
///
/// # Errors
/// The store fails, or the file is there or cannot be written.
pub async fn back_up(
    stored: &StoredConnections,
    store: &SqliteStore,
    file: &Path,
    passphrase: Option<&str>,
    overwrite: bool,
) -> Result<Backup, BackupError> {
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let keys = match passphrase {
        Some(passphrase) => {
            let keys = stored.key_file().read()?.unwrap_or_default();
            Some(seal_text(KEYS_FORMAT, KeyFile::text(&keys).as_bytes(), passphrase)?)
        }
        None => None,
    };
    // Empty, and with mode 0600.
    let copy = NamedTempFile::new_in(folder).map_err(failed(folder, "written to"))?;
    let connections = store.copy_to(copy.path(), &CopyNote { made_at: SystemTime::now(), keys }).await?;
    // Through a handle of its own: what SQLite has written is the file's, whoever asks for it to be durable.
    File::open(copy.path()).and_then(|copy| copy.sync_all()).map_err(failed(file, "written"))?;
    let sha256 = hash_of_file(copy.path()).map_err(failed(file, "read"))?;
    // Before there is a file: a copy that nobody knows of would be worse than a record of none.
    let made = Event::BackupMade {
        file: shortened(&file.display().to_string()),
        sha256: sha256.clone(),
        with_key: passphrase.is_some(),
    };
    stored.record(vec![made], &Origin::command("backup")).await?;
    let named = if overwrite { copy.persist(file) } else { copy.persist_noclobber(file) };
    named.map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists(file.to_owned()),
        _ => failed(file, "written")(error.error),
    })?;
    sync_folder(folder).map_err(failed(file, "written"))?;
    Ok(Backup { connections, sha256 })
}

/// What is to be restored, and where.
#[derive(Debug)]
pub struct Restore<'a> {
    /// The copy.
    pub backup: &'a Path,
    /// The data folder.
    pub data: &'a Path,
    /// The key file, if it is not in the data folder.
    pub key_file: Option<&'a Path>,
    /// The passphrase of the keys in the copy.
    pub passphrase: Option<&'a str>,
    /// Whether a store that is there may be replaced.
    pub replace: bool,
}

impl Restore<'_> {
    /// Puts the copy in the store's place; the former store is kept beside it. Nobody may use the store meanwhile: from
    /// when anything is changed to when all is done, a mark in the folder keeps a host from starting.
    ///
    /// # Errors
    /// The copy is none, is damaged, or does not open with the keys that there are; or a file cannot be written. If the
    /// mark stays, running it again puts things right.
    pub async fn run(&self, by: &Origin) -> Result<Restored, BackupError> {
        let place = self.data.join(STORE_FILE);
        if !self.replace && fs::exists(&place).map_err(failed(&place, "read"))? && !self.was_interrupted() {
            return Err(BackupError::StoreExists { connections: count(&place).await, path: place });
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
        let named = |error| named_as(error, new, self.backup);
        let note = SqliteStore::take_note(new).await.map_err(named)?;
        let store = SqliteStore::open(new, IfMissing::Refuse).await.map_err(named)?;
        let checks = store.keys().await?;
        store.close().await?;
        let key_file = KeyFile::at(self.key_file.map_or_else(|| self.data.join(KEY_FILE), Path::to_owned));
        let of_backup = |keys: Vec<SecretKey>| -> Vec<SecretKey> {
            keys.into_iter().filter(|key| checks.iter().any(|check| key.passes(check))).collect()
        };
        let there = of_backup(key_file.read()?.unwrap_or_default());
        let has_all = |keys: &[SecretKey]| keys.len() == checks.len();
        let (keys, are_new) = match note.as_ref().and_then(|note| note.keys.as_deref()) {
            Some(sealed) if !has_all(&there) => {
                let passphrase = self
                    .passphrase
                    .ok_or_else(|| BackupError::NeedsPassphrase(key_file.path().to_owned()))?;
                let text = open_text(KEYS_FORMAT, sealed, passphrase)?;
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

        // From here on something is changed.
        let stamp = stamp();
        let mark = self.data.join(RESTORING);
        fs::write(&mark, "").and_then(|()| sync_folder(self.data)).map_err(failed(&mark, "written"))?;
        let mut former_key_file = None;
        if are_new {
            former_key_file = set_aside(key_file.path(), &stamp)?;
            key_file.write_for(&keys, self.data)?;
        }
        let made_at = note.map(|note| note.made_at);
        let event = Event::StoreRestored {
            file: shortened(&self.backup.display().to_string()),
            sha256,
            made_at: made_at.map_or_else(
                || "unknown".to_owned(),
                |at| DateTime::from_system_time(at).to_sortable() + "Z",
            ),
        };
        let (connections, unreadable) = check_and_record(new, &key_file, self.data, event, by).await?;
        let place = self.data.join(STORE_FILE);
        let former_store = set_aside(&place, &stamp)?;
        for journal in ["-wal", "-shm"] {
            set_aside(&with_suffix(&place, journal), &stamp)?;
        }
        fs::rename(new, &place).map_err(failed(&place, "replaced"))?;
        sync_folder(self.data).map_err(failed(&place, "replaced"))?;
        fs::remove_file(&mark).and_then(|()| sync_folder(self.data)).map_err(failed(&mark, "removed"))?;
        Ok(Restored { connections, unreadable, made_at, former_store, former_key_file })
    }

    /// Copies the backup beside the store, for the owner of the data folder.
    fn copy(&self, new: &Path) -> Result<String, BackupError> {
        let mut backup = File::open(self.backup).map_err(failed(self.backup, "read"))?;
        fs::create_dir_all(self.data).map_err(failed(self.data, "made"))?;
        remove_database(new);
        let mut write = || {
            let mut file = super::private_file::create_new(new)?;
            give_to_owner_of(&file, self.data)?;
            io::copy(&mut backup, &mut file)?;
            file.sync_all()
        };
        let written: io::Result<()> = write();
        written.map_err(failed(new, "written"))?;
        hash_of_file(self.backup).map_err(failed(self.backup, "read"))
    }
}

/// Opens the copy with its key, lets its audit log go on after what the files have, and reads every secret; returns how
/// many connections there are, and of how many a secret does not open.
async fn check_and_record(
    new: &Path,
    key_file: &KeyFile,
    data: &Path,
    event: Event,
    by: &Origin,
) -> Result<(usize, usize), BackupError> {
    let store: Arc<dyn ConnectionStore> = Arc::new(SqliteStore::open(new, IfMissing::Refuse).await?);
    let checked = async {
        let stored =
            StoredConnections::restored(Arc::clone(&store), new, key_file.clone(), data, event, by).await?;
        let connections = stored.all().await?;
        let count = connections.len();
        let unreadable =
            connections.into_iter().filter_map(|connection| stored.unseal(connection).err()).count();
        Ok::<_, StoreError>((count, unreadable))
    };
    let checked = checked.await;
    store.close().await?;
    Ok(checked?)
}

/// Moves a file that is there out of the way; returns where it is now.
fn set_aside(path: &Path, stamp: &str) -> Result<Option<PathBuf>, BackupError> {
    if !fs::exists(path).map_err(failed(path, "read"))? {
        return Ok(None);
    }
    // `-wal` stays at the end, so that the journal still belongs to its database.
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let journal = ["-wal", "-shm"].into_iter().find(|suffix| name.ends_with(suffix)).unwrap_or_default();
    let name = name.strip_suffix(journal).unwrap_or(&name);
    let aside = path.with_file_name(format!("{name}.replaced-{stamp}{journal}"));
    fs::rename(path, &aside).map_err(failed(path, "moved"))?;
    Ok(Some(aside))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Removes what an attempt has left; what is not there need not be removed.
fn remove_database(path: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let _ = fs::remove_file(with_suffix(path, suffix));
    }
}

/// How many connections a store has, which may be in any state.
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

/// The error of a copy, told of the file that the operator knows.
fn named_as(error: StoreError, copy: &Path, backup: &Path) -> StoreError {
    match error {
        StoreError::Unusable { path, problem, .. } if path == copy => StoreError::Unusable {
            path: backup.to_owned(),
            problem,
            remedy: "nothing was changed; restore another backup".to_owned(),
        },
        error => error,
    }
}

/// A moment, for the name of a file.
fn stamp() -> String {
    let now = DateTime::from_system_time(SystemTime::now()).to_sortable();
    let digits: String = now.chars().filter(char::is_ascii_digit).take(17).collect();
    digits
}
