//! The database file: creating it, checking that it is one of ours, and what its errors mean.

use std::borrow::Cow;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use erp_host_files::permissions::{LoosePermissions, refuse_writable_by_others};
use sqlx::ConnectOptions;
use sqlx::Connection;
use sqlx::sqlite::SqliteConnectOptions;

use super::{APPLICATION_ID, MIGRATIONS};
use crate::private_file::{self, sync_folder};
use crate::store::{IfMissing, StoreError};

/// A disk with less room than this counts as full.
const ROOM: usize = 256 << 10;

/// The code of an SQLite error when the `-shm` file cannot grow (`SQLITE_IOERR_SHMSIZE`).
const SHM_CANNOT_GROW: i32 = 10 | 19 << 8;

/// Creates the file with mode 0600, if it is missing and may be created. SQLite gives the `-wal` and `-shm` files the same
/// mode and, if it runs as root, the same owner.
///
/// Refuses a store that others can change: it decides which server gets which password.
///
/// An existing file is not opened here: closing it would drop the locks of another store of this process on the same file,
/// because POSIX locks belong to the process.
pub(super) fn create(path: &Path, missing: IfMissing) -> Result<(), StoreError> {
    let file = File { path, busy_timeout: Duration::ZERO };
    match existing(file)? {
        Some(metadata) if metadata.permissions().readonly() => {
            let remedy = format!("make it writable for the host's user: chmod 600 {}", path.display());
            return Err(file.unusable("is read-only", remedy));
        }
        Some(_) => return Ok(()),
        None if missing == IfMissing::Refuse => return Err(file.missing()),
        None => {}
    }
    let folder = folder_of(path);
    let created = private_file::make_folder(folder).and_then(|()| match private_file::create_new(path) {
        // Another process has created it in the meantime.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(_) => sync_folder(folder),
    });
    created.map_err(|error| {
        file.unusable(
            format!("cannot be created ({error})"),
            "give the host's user write access to the data folder, or name another with --data",
        )
    })
}

/// Checks a file that must exist.
///
/// # Errors
/// It does not exist, is not a file, or others can change it.
pub(super) fn check_existing(path: &Path) -> Result<(), StoreError> {
    let file = File { path, busy_timeout: Duration::ZERO };
    existing(file)?.map(drop).ok_or_else(|| file.missing())
}

/// The metadata of the file; `None` if it does not exist.
fn existing(file: File<'_>) -> Result<Option<fs::Metadata>, StoreError> {
    match fs::metadata(file.path) {
        Ok(metadata) if !metadata.is_file() => {
            Err(file.unusable("is not a file", "give the folder that holds it with --data"))
        }
        Ok(metadata) => refuse_loose_permissions(file, &metadata).map(|()| Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file.unusable(format!("cannot be reached ({error})"), "check the data folder")),
    }
}

/// Refuses a store that others can change, also through its folder.
fn refuse_loose_permissions(file: File<'_>, metadata: &fs::Metadata) -> Result<(), StoreError> {
    let loose = |problem: LoosePermissions| file.unusable("is not safe", problem.to_string());
    refuse_writable_by_others(file.path, metadata).map_err(loose)?;
    let folder = folder_of(file.path);
    let metadata = fs::metadata(folder).map_err(|error| {
        file.unusable(format!("is in a folder that cannot be reached ({error})"), "check the data folder")
    })?;
    refuse_writable_by_others(folder, &metadata).map_err(loose)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What a reader finds beside a database in WAL mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Journal {
    /// No write-ahead log, or an empty one: everything is in the database file.
    Empty,
    /// A write-ahead log with its index: a host runs, or has crashed.
    Indexed,
    /// A write-ahead log without an index, as a copy of the files has.
    NotIndexed,
}

impl Journal {
    /// That of this database.
    pub(super) fn of(path: &Path) -> Self {
        let with_suffix = |suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            fs::metadata(name).map_or(0, |metadata| metadata.len())
        };
        match (with_suffix("-wal"), with_suffix("-shm")) {
            (0, _) => Journal::Empty,
            (_, 0) => Journal::NotIndexed,
            _ => Journal::Indexed,
        }
    }
}

/// Checks that the file is one of ours, has a schema version that we know, and is not damaged. Returns the version; `None`
/// if it has no tables yet.
pub(super) async fn check(options: &SqliteConnectOptions, file: File<'_>) -> Result<Option<i64>, StoreError> {
    let failed = |error| file.error(error);
    let mut connection = options.connect().await.map_err(failed)?;
    let checks = async {
        // One transaction, so that the checks see one state of a file that another process is creating.
        let mut transaction = connection.begin().await?;
        let application: i32 =
            sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *transaction).await?;
        // An interrupted first start leaves at most the table of migrations.
        let foreign: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM sqlite_schema WHERE tbl_name <> '_sqlx_migrations' AND name NOT LIKE 'sqlite_%'",
        )
        .fetch_one(&mut *transaction)
        .await?;
        let version: Option<i64> = if application == APPLICATION_ID {
            sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
                .fetch_one(&mut *transaction)
                .await?
        } else {
            None
        };
        let damage: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut *transaction).await?;
        transaction.rollback().await?;
        Ok((application, foreign, version, damage))
    };
    let checks = checks.await;
    connection.close().await.map_err(failed)?;
    let (application, foreign, version, damage) = checks.map_err(failed)?;
    if application != APPLICATION_ID && (application != 0 || foreign > 0) {
        return Err(file.unusable(
            "is the database of another program",
            "name the data folder of erp-host with --data, or move that file away",
        ));
    }
    let newest = newest_version();
    if let Some(version) = version.filter(|version| *version > newest) {
        return Err(file.unusable(
            format!("was written by a newer erp-host (schema {version}, this one knows up to {newest})"),
            "start the newer version again, or restore the backup made before the update",
        ));
    }
    if damage != "ok" {
        return Err(file.damaged(&damage));
    }
    Ok(version)
}

/// The schema version of this program.
pub(super) fn newest_version() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// Whether the disk with this folder has room for a change, found out by writing to a file without a name. Only a full disk
/// or a used-up quota counts as no room. Blocks.
pub(super) fn has_room(folder: &Path) -> bool {
    let written = tempfile::tempfile_in(folder).and_then(|mut file| file.write_all(&vec![0; ROOM]));
    !written.is_err_and(|error| is_full(&error))
}

/// Which file a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// The file at the path.
    #[cfg(unix)]
    pub(super) async fn of(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let metadata = tokio::fs::metadata(path).await?;
        Ok(FileId { device: metadata.dev(), inode: metadata.ino() })
    }

    /// On Windows an open file cannot be removed or replaced.
    #[cfg(not(unix))]
    pub(super) async fn of(path: &Path) -> io::Result<Self> {
        tokio::fs::metadata(path).await.map(|_| FileId { device: 0, inode: 0 })
    }
}

/// The error of a file that is not the one at its path any more: what is written to it would be lost.
pub(super) fn gone() -> sqlx::Error {
    sqlx::Error::Io(io::ErrorKind::NotFound.into())
}

/// Whether this error says that the disk is full.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The file, for error messages.
#[derive(Clone, Copy)]
pub(super) struct File<'a> {
    pub(super) path: &'a Path,
    pub(super) busy_timeout: Duration,
}

impl File<'_> {
    pub(super) fn unusable(self, problem: impl Into<String>, remedy: impl Into<String>) -> StoreError {
        StoreError::Unusable { path: self.path.to_owned(), problem: problem.into(), remedy: remedy.into() }
    }

    fn missing(self) -> StoreError {
        self.unusable(
            "does not exist",
            "give the data folder of the host with --data, or start the host once to make it",
        )
    }

    pub(super) fn damaged(self, what: &str) -> StoreError {
        self.unusable(
            format!("is damaged ({what})"),
            "stop the host and restore the file from a backup; keep the damaged one, and the -wal file beside it, for a \
             look",
        )
    }

    pub(super) fn error(self, error: sqlx::Error) -> StoreError {
        let full = || StoreError::Full { path: self.path.to_owned() };
        if let sqlx::Error::Io(error) = &error
            && is_full(error)
        {
            return full();
        }
        if let sqlx::Error::Io(error) = &error
            && error.kind() == io::ErrorKind::NotFound
        {
            return self.unusable(
                "was removed or replaced while the host has it open",
                "put it back, or restart the host on the file that it should use",
            );
        }
        let database = error.as_database_error();
        // The extended result code; its low byte is the kind (https://www.sqlite.org/rescode.html).
        let code =
            database.and_then(|error| error.code()).and_then(|code: Cow<'_, str>| code.parse::<i32>().ok());
        let message = database.map(|error| error.message().to_owned()).unwrap_or_default();
        if code == Some(SHM_CANNOT_GROW) {
            return full();
        }
        match code.map(|code| code & 0xff) {
            Some(5 | 6) => {
                StoreError::Locked { path: self.path.to_owned(), waited_s: self.busy_timeout.as_secs() }
            }
            Some(10) => self.unusable(
                format!("cannot be read or written ({message}, code {})", code.unwrap_or_default()),
                "see whether the disk is full or failing",
            ),
            Some(11) => self.damaged(&message),
            Some(26) => self.unusable(
                "is not an SQLite database",
                "restore it from a backup, or name the data folder of erp-host with --data",
            ),
            Some(8 | 14 | 23) => self.unusable(
                format!("cannot be opened for writing ({message})"),
                "give the host's user write access to the file and its folder, and see that the disk is not read-only",
            ),
            Some(13) => full(),
            _ => StoreError::Failed { path: self.path.to_owned(), cause: Box::new(error) },
        }
    }
}
