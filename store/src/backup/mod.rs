//! Backup of the store to one file, while hosts run; and restore.
//!
//! A backup is an SQLite database like the store, with a table that describes it. Its secrets are sealed as they are in the
//! store. The encryption keys are in it only on demand, encrypted with a passphrase.

mod restore;

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use erp_host_files::replace;
use tempfile::NamedTempFile;

pub use self::restore::{Restore, Restored};
use crate::audit::{Event, Origin, sha256_of_file, shortened};
use crate::envelope::{Envelope, EnvelopeError};
use crate::keys::{KeyError, KeyFile, KeyId};
use crate::private_file::{IfPresent, sync_folder};
use crate::repository::ConnectionRepository;
use crate::sqlite::{BackupInfo, SqliteStore};
use crate::store::StoreError;

/// The format name of the encrypted keys in a backup.
const KEYS_FORMAT: &str = "erp-host keys, encrypted";

/// Why a backup or a restore failed. Nothing was changed, unless the message says so.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the message names each field")]
pub enum BackupError {
    /// The store or the backup cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key file cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The keys in the backup cannot be decrypted.
    #[error("the keys in the backup cannot be used: {0}")]
    Passphrase(#[from] EnvelopeError),
    /// A file cannot be read, written or moved.
    #[error("the file {} cannot be {attempt}: {cause}", path.display())]
    Io { path: PathBuf, attempt: &'static str, cause: io::Error },
    /// The file exists already.
    #[error("the file {} exists; name another, or add --force to overwrite it", .0.display())]
    Exists(PathBuf),
    /// The data folder has a store already.
    #[error(
        "there is a store with {connections} connections in {}; add --replace to put the backup in its place (it is kept \
         beside it)",
        path.display()
    )]
    StoreExists { path: PathBuf, connections: String },
    /// The key file does not have the key of the backup.
    #[error(
        "the secrets of the backup are sealed with key {key}, which is not in the key file {}; put the key file there \
         that belongs to the backup, or name it with --key-file; nothing was changed",
        key_file.display()
    )]
    NeedsKey { key: KeyId, key_file: PathBuf },
    /// The backup has its keys, but their passphrase was not given.
    #[error(
        "the key file {} does not open this backup; its keys are in it: give their passphrase with --passphrase-file, \
         ERP_HOST_PASSPHRASE, or --ask-passphrase",
        .0.display()
    )]
    NeedsPassphrase(PathBuf),
}

/// A backup that was made.
#[derive(Debug)]
pub struct Backup {
    /// The number of connections in it.
    pub connections: usize,
    /// The SHA-256 of the file, in hexadecimal.
    pub sha256: String,
}

fn failed(path: &Path, attempt: &'static str) -> impl Fn(io::Error) -> BackupError {
    move |cause| BackupError::Io { path: path.to_owned(), attempt, cause }
}

/// Copies the store to a file with mode 0600, atomically and durably. With a passphrase, the encryption keys are in the
/// backup, encrypted with it. The caller must hold the [shared lock](crate::KeyLock::shared) of the keys.
///
/// # Errors
/// The store fails, or the file exists or cannot be written.
pub async fn back_up(
    repository: &ConnectionRepository,
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
            let keys = repository.key_file().read()?.unwrap_or_default();
            Some(Envelope::seal(KEYS_FORMAT, KeyFile::text(&keys).as_bytes(), passphrase)?.to_text()?)
        }
        None => None,
    };
    // tempfile creates the file with mode 0600.
    let copy = NamedTempFile::new_in(folder).map_err(failed(folder, "written to"))?;
    let connections =
        store.snapshot_to(copy.path(), &BackupInfo { made_at: SystemTime::now(), keys }).await?;
    // Any handle of the file can sync what SQLite has written; on Windows one that may write.
    copy.as_file().sync_all().map_err(failed(file, "written"))?;
    let sha256 = sha256_of_file(copy.path()).map_err(failed(file, "read"))?;
    // Recorded before the file appears: a record without a backup is better than a backup without a record.
    let made = Event::BackupMade {
        file: shortened(&file.display().to_string()),
        sha256: sha256.clone(),
        with_key: passphrase.is_some(),
    };
    repository.record(vec![made], &Origin::command("backup")).await?;
    let present = if overwrite { IfPresent::Replace } else { IfPresent::Keep };
    replace::persist(copy, file, present).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists(file.to_owned()),
        _ => failed(file, "written")(error),
    })?;
    sync_folder(folder).map_err(failed(file, "written"))?;
    Ok(Backup { connections, sha256 })
}
