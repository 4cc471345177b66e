//! The store for a single machine: an SQLite database in WAL mode (write-ahead log).
//!
//! In WAL mode readers and a writer do not block each other, also across processes, so commands work while the host runs.
//! `synchronous=FULL` syncs the write-ahead log at every commit, so a commit is durable before it returns.
//!
//! - here: opening and checking the file, connections and their settings;
//! - `encryption_keys`: key check values, re-encryption, internal secrets;
//! - `audit_outbox`: the audit records that are not in the files yet;
//! - `snapshot`: a copy of the database, for a backup.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::pool::PoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteRow, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row, Sqlite, SqlitePool};
use values::Guid;

use crate::audit::{AuditBatch, Head};
use crate::keys::{KeyCheck, KeyId, SealedSecret};
use crate::private_file::sync_folder;
use crate::store::{
    AuditOutbox, Change, ConnectionSave, ConnectionStore, ConnectionSummary, Expected, IfMissing, Progress,
    Reencrypt, Revision, SealedConnection, SealedSetting, SealedValue, StoreError, StoreFuture,
};

mod audit_outbox;
mod encryption_keys;
mod snapshot;

pub(crate) use snapshot::BackupInfo;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations/sqlite");

/// The `PRAGMA application_id` of our databases, set by the first migration.
const APPLICATION_ID: i32 = 0x4552_5048;

/// How long to wait for a lock of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Size of the pool for reading.
const READERS: u32 = 4;

/// A [`ConnectionStore`] in an SQLite file.
pub struct SqliteStore {
    path: PathBuf,
    readers: SqlitePool,
    /// A pool of one: SQLite has one writer at a time, so writes of this process queue here instead of waiting for the lock.
    pub(crate) writer: SqlitePool,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SQLite store {}", self.path.display())
    }
}

impl SqliteStore {
    /// Opens the file, creates it if it may be missing, and runs the migrations.
    ///
    /// # Errors
    /// The file is damaged, locked, read-only, of a newer version, or of another program. Nothing is changed then.
    pub async fn open(path: &Path, missing: IfMissing) -> Result<Self, StoreError> {
        SqliteStore::open_within(path, missing, BUSY_TIMEOUT).await
    }

    pub(crate) async fn open_within(
        path: &Path,
        missing: IfMissing,
        busy_timeout: Duration,
    ) -> Result<Self, StoreError> {
        create_file(path, missing)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .foreign_keys(true)
            .busy_timeout(busy_timeout)
            // Overwrites deleted settings, which would otherwise stay in free pages.
            .pragma("secure_delete", "ON")
            .disable_statement_logging();
        let file = File { path, busy_timeout };
        // Checked before the journal mode is set, because that writes to the file.
        check_file(&options, file).await?;
        let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
        let pool = |connections| {
            PoolOptions::<Sqlite>::new()
                .max_connections(connections)
                .test_before_acquire(false)
                .idle_timeout(None)
                .max_lifetime(None)
                // When the disk is full SQLite rolls back by itself. sqlx does not notice, and could begin no transaction on
                // that connection any more. Such a connection is closed, and the next write opens a new one.
                .after_release(|connection, _| {
                    Box::pin(async move {
                        match connection.begin_with("BEGIN").await {
                            Ok(transaction) => transaction.rollback().await.map(|()| true),
                            Err(_) => Ok(false),
                        }
                    })
                })
                .connect_lazy_with(options.clone())
        };
        let store = SqliteStore { path: path.to_owned(), writer: pool(1), readers: pool(READERS) };
        if let Err(error) = store.migrate(file).await {
            store.close_pools().await;
            return Err(error);
        }
        Ok(store)
    }

    async fn migrate(&self, file: File<'_>) -> Result<(), StoreError> {
        let mut attempts_left = 5;
        loop {
            let error = match MIGRATIONS.run(&self.writer).await {
                Ok(()) => return Ok(()),
                Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
                    file.error(error)
                }
                Err(error) => {
                    return Err(file.unusable(
                        format!("does not have the tables of this program ({error})"),
                        "start the version of erp-host that wrote it, or restore it from a backup",
                    ));
                }
            };
            // Another process may have run the migrations at the same time: retry. If the file is locked, the busy timeout
            // has passed already.
            attempts_left -= 1;
            if attempts_left == 0 || matches!(error, StoreError::Locked { .. }) {
                return Err(error);
            }
        }
    }

    async fn close_pools(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    fn file(&self) -> File<'_> {
        File { path: &self.path, busy_timeout: BUSY_TIMEOUT }
    }

    /// Runs SQL, and maps the error to one that names this file.
    fn run<'a, T>(
        &'a self,
        sql: impl Future<Output = Result<T, sqlx::Error>> + Send + 'a,
    ) -> StoreFuture<'a, T> {
        Box::pin(async move { sql.await.map_err(|error| self.file().error(error)) })
    }
}

impl ConnectionStore for SqliteStore {
    fn get(&self, guid: Guid) -> StoreFuture<'_, Option<SealedConnection>> {
        self.run(async move {
            // One statement, so that connection and settings are consistent.
            let rows = sqlx::query(
                "SELECT c.guid, c.connector, c.revision, c.saved_at, s.key, s.value, s.secret, s.sealed_with, s.sealed
                 FROM connection c LEFT JOIN setting s ON s.guid = c.guid
                 WHERE c.guid = ? ORDER BY s.position",
            )
            .bind(guid.to_string())
            .fetch_all(&self.readers)
            .await?;
            Ok(connections(rows)?.pop())
        })
    }

    fn list(&self) -> StoreFuture<'_, Vec<ConnectionSummary>> {
        self.run(async {
            sqlx::query(
                "SELECT guid, connector, revision, saved_at,
                     (SELECT count(*) FROM setting s WHERE s.guid = c.guid) AS settings
                 FROM connection c ORDER BY guid",
            )
            .fetch_all(&self.readers)
            .await?
            .iter()
            .map(|row| {
                Ok(ConnectionSummary {
                    guid: guid(row)?,
                    connector: row.try_get("connector")?,
                    settings: usize::try_from(row.try_get::<i64, _>("settings")?).unwrap_or(usize::MAX),
                    revision: Revision(row.try_get("revision")?),
                    saved_at: time(row.try_get("saved_at")?),
                })
            })
            .collect()
        })
    }

    fn all(&self) -> StoreFuture<'_, Vec<SealedConnection>> {
        self.run(async {
            let rows = sqlx::query(
                "SELECT c.guid, c.connector, c.revision, c.saved_at, s.key, s.value, s.secret, s.sealed_with, s.sealed
                 FROM connection c LEFT JOIN setting s ON s.guid = c.guid
                 ORDER BY c.guid, s.position",
            )
            .fetch_all(&self.readers)
            .await?;
            connections(rows)
        })
    }

    fn save<'a>(
        &'a self,
        connections: &'a [ConnectionSave],
        audit: &'a AuditBatch,
        progress: &'a (dyn Fn(usize) + Sync),
    ) -> StoreFuture<'a, Revision> {
        Box::pin(async move {
            let failed = |error| self.file().error(error);
            // IMMEDIATE takes the write lock now. A deferred transaction could fail at its first write.
            let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
            if !knows_keys_of(&mut transaction, connections).await.map_err(failed)? {
                return Err(StoreError::KeyChanged);
            }
            let revision = next_revision(&mut transaction).await.map_err(failed)?;
            for (index, connection) in connections.iter().enumerate() {
                if !precondition_holds(&mut transaction, connection).await.map_err(failed)? {
                    return Err(StoreError::Changed { guid: connection.guid });
                }
                write(&mut transaction, connection, revision).await.map_err(failed)?;
                progress(index + 1);
            }
            audit_outbox::write(&mut transaction, audit).await.map_err(failed)?;
            transaction.commit().await.map_err(failed)?;
            Ok(revision)
        })
    }

    fn delete<'a>(&'a self, guid: Guid, audit: &'a AuditBatch) -> StoreFuture<'a, Option<Revision>> {
        self.run(async move {
            let guid = guid.to_string();
            let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
            let deleted = sqlx::query("DELETE FROM connection WHERE guid = ?")
                .bind(&guid)
                .execute(&mut *transaction)
                .await?;
            if deleted.rows_affected() == 0 {
                return Ok(None);
            }
            let revision = next_revision(&mut transaction).await?;
            sqlx::query("INSERT OR REPLACE INTO deleted_connection (guid, revision) VALUES (?, ?)")
                .bind(&guid)
                .bind(revision.0)
                .execute(&mut *transaction)
                .await?;
            audit_outbox::write(&mut transaction, audit).await?;
            transaction.commit().await?;
            Ok(Some(revision))
        })
    }

    fn check_writable(&self) -> StoreFuture<'_, ()> {
        self.run(async {
            let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
            // A read-only file or disk shows only at the first write.
            sqlx::query("UPDATE audit_head SET number = number").execute(&mut *transaction).await?;
            transaction.rollback().await
        })
    }

    fn latest_revision(&self) -> StoreFuture<'_, Revision> {
        self.run(async {
            let latest =
                sqlx::query_scalar("SELECT latest FROM revision_counter").fetch_one(&self.readers).await?;
            Ok(Revision(latest))
        })
    }

    fn changes_since(&self, revision: Revision) -> StoreFuture<'_, Vec<Change>> {
        self.run(async move {
            sqlx::query(
                "SELECT guid, revision FROM connection WHERE revision > ?1
                 UNION ALL SELECT guid, revision FROM deleted_connection WHERE revision > ?1
                 ORDER BY revision",
            )
            .bind(revision.0)
            .fetch_all(&self.readers)
            .await?
            .iter()
            .map(|row| Ok(Change { guid: guid(row)?, revision: Revision(row.try_get("revision")?) }))
            .collect()
        })
    }

    fn keys(&self) -> StoreFuture<'_, Vec<KeyCheck>> {
        self.run(encryption_keys::all(&self.readers))
    }

    fn add_first_key(&self, check: KeyCheck) -> StoreFuture<'_, KeyCheck> {
        self.run(encryption_keys::add_first(&self.writer, check))
    }

    fn add_key(&self, check: KeyCheck) -> StoreFuture<'_, ()> {
        self.run(encryption_keys::add(&self.writer, check))
    }

    fn reencrypt_batch<'a>(&'a self, reencrypt: &'a Reencrypt<'a>) -> StoreFuture<'a, Progress> {
        Box::pin(async move {
            match encryption_keys::reencrypt_batch(&self.writer, reencrypt).await {
                Ok(progress) => progress,
                Err(error) => Err(self.file().error(error)),
            }
        })
    }

    fn remove_old_keys<'a>(&'a self, audit: &'a AuditBatch) -> StoreFuture<'a, bool> {
        self.run(encryption_keys::remove_old(&self.writer, audit))
    }

    fn internal_secret<'a>(&'a self, name: &'a str) -> StoreFuture<'a, Option<SealedSecret>> {
        self.run(encryption_keys::internal_secret(&self.readers, name))
    }

    fn add_internal_secret<'a>(
        &'a self,
        name: &'a str,
        secret: SealedSecret,
    ) -> StoreFuture<'a, Option<SealedSecret>> {
        self.run(encryption_keys::add_internal_secret(&self.writer, name, secret))
    }

    fn record<'a>(&'a self, audit: &'a AuditBatch) -> StoreFuture<'a, ()> {
        self.run(async move {
            let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
            audit_outbox::write(&mut transaction, audit).await?;
            transaction.commit().await
        })
    }

    fn audit_outbox(&self) -> StoreFuture<'_, AuditOutbox> {
        self.run(audit_outbox::read(&self.readers))
    }

    fn continue_chain_after<'a>(&'a self, head: &'a Head, audit: &'a AuditBatch) -> StoreFuture<'a, ()> {
        self.run(audit_outbox::continue_chain_after(&self.writer, head, audit))
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.run(async {
            self.close_pools().await;
            Ok(())
        })
    }
}

/// Whether the store has a key check value for every key that these secrets are sealed with.
async fn knows_keys_of(
    connection: &mut SqliteConnection,
    saves: &[ConnectionSave],
) -> Result<bool, sqlx::Error> {
    let settings = saves.iter().flat_map(|save| &save.settings);
    let used: HashSet<&str> = settings
        .filter_map(|setting| match &setting.value {
            SealedValue::Secret(Some(sealed)) => Some(sealed.key_id.0.as_str()),
            SealedValue::Secret(None) | SealedValue::Plain(_) => None,
        })
        .collect();
    for id in used {
        let known = sqlx::query("SELECT 1 FROM encryption_key WHERE id = ?").bind(id);
        if known.fetch_optional(&mut *connection).await?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn next_revision(connection: &mut SqliteConnection) -> Result<Revision, sqlx::Error> {
    sqlx::query_scalar("UPDATE revision_counter SET latest = latest + 1 RETURNING latest")
        .fetch_one(connection)
        .await
        .map(Revision)
}

async fn precondition_holds(
    connection: &mut SqliteConnection,
    save: &ConnectionSave,
) -> Result<bool, sqlx::Error> {
    if save.expected == Expected::Anything {
        return Ok(true);
    }
    let stored: Option<i64> = sqlx::query_scalar("SELECT revision FROM connection WHERE guid = ?")
        .bind(save.guid.to_string())
        .fetch_optional(connection)
        .await?;
    Ok(match save.expected {
        Expected::Anything => true,
        Expected::Nothing => stored.is_none(),
        Expected::Revision(revision) => stored == Some(revision.0),
    })
}

async fn write(
    connection: &mut SqliteConnection,
    save: &ConnectionSave,
    revision: Revision,
) -> Result<(), sqlx::Error> {
    let guid = save.guid.to_string();
    sqlx::query(
        "INSERT INTO connection (guid, connector, revision, saved_at) VALUES (?, ?, ?, ?)
         ON CONFLICT (guid) DO UPDATE
         SET connector = excluded.connector, revision = excluded.revision, saved_at = excluded.saved_at",
    )
    .bind(&guid)
    .bind(&save.connector)
    .bind(revision.0)
    .bind(milliseconds(SystemTime::now()))
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM deleted_connection WHERE guid = ?")
        .bind(&guid)
        .execute(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM setting WHERE guid = ?").bind(&guid).execute(&mut *connection).await?;
    for (position, setting) in (0i64..).zip(&save.settings) {
        let (value, sealed) = match &setting.value {
            SealedValue::Plain(value) => (value.as_deref(), None),
            SealedValue::Secret(sealed) => (None, sealed.as_ref()),
        };
        sqlx::query(
            "INSERT INTO setting (guid, position, key, value, secret, sealed_with, sealed) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&guid)
        .bind(position)
        .bind(&setting.key)
        .bind(value)
        .bind(setting.is_secret())
        .bind(sealed.map(|sealed| sealed.key_id.0.as_str()))
        .bind(sealed.map(|sealed| sealed.bytes.as_slice()))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Groups rows into connections. The rows of a connection are adjacent, in the order of its settings. A connection without
/// settings has one row with a null key.
fn connections(rows: Vec<SqliteRow>) -> Result<Vec<SealedConnection>, sqlx::Error> {
    let mut connections: Vec<SealedConnection> = Vec::new();
    for row in &rows {
        let guid = guid(row)?;
        if connections.last().is_none_or(|last| last.guid != guid) {
            connections.push(SealedConnection {
                guid,
                connector: row.try_get("connector")?,
                settings: Vec::new(),
                revision: Revision(row.try_get("revision")?),
                saved_at: time(row.try_get("saved_at")?),
            });
        }
        let (Some(connection), Some(key)) = (connections.last_mut(), row.try_get("key")?) else { continue };
        let value = if row.try_get("secret")? {
            let key_id: Option<String> = row.try_get("sealed_with")?;
            let bytes: Option<Vec<u8>> = row.try_get("sealed")?;
            SealedValue::Secret(
                key_id.zip(bytes).map(|(key_id, bytes)| SealedSecret { key_id: KeyId(key_id), bytes }),
            )
        } else {
            SealedValue::Plain(row.try_get("value")?)
        };
        connection.settings.push(SealedSetting { key, value });
    }
    Ok(connections)
}

fn guid(row: &SqliteRow) -> Result<Guid, sqlx::Error> {
    row.try_get::<String, _>("guid")?.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

fn milliseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn time(milliseconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default())
}

/// Creates the file with mode 0600, if it is missing and may be created. SQLite gives the `-wal` and `-shm` files the same
/// mode.
///
/// An existing file is not opened here: closing it would drop the locks of another store of this process on the same file,
/// because POSIX locks belong to the process.
fn create_file(path: &Path, missing: IfMissing) -> Result<(), StoreError> {
    let file = File { path, busy_timeout: BUSY_TIMEOUT };
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => {
            return Err(file.unusable("is not a file", "give the folder that holds it with --data"));
        }
        Ok(metadata) if metadata.permissions().readonly() => {
            let remedy = format!("make it writable for the host's user: chmod 600 {}", path.display());
            return Err(file.unusable("is read-only", remedy));
        }
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            return Err(file.unusable(format!("cannot be reached ({error})"), "check the data folder"));
        }
    }
    if missing == IfMissing::Refuse {
        return Err(file.unusable(
            "does not exist",
            "give the data folder of the host with --data, or start the host once to make it",
        ));
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let created = fs::create_dir_all(folder).and_then(|()| match options.open(path) {
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

/// Checks that the file is one of ours, has a schema version that we know, and is not damaged.
async fn check_file(options: &SqliteConnectOptions, file: File<'_>) -> Result<(), StoreError> {
    let failed = |error| file.error(error);
    let mut connection = options.connect().await.map_err(failed)?;
    let checks = async {
        let application: i32 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut connection).await?;
        // An interrupted first start leaves at most the table of migrations.
        let foreign: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM sqlite_schema WHERE tbl_name <> '_sqlx_migrations' AND name NOT LIKE 'sqlite_%'",
        )
        .fetch_one(&mut connection)
        .await?;
        let version: Option<i64> = if application == APPLICATION_ID {
            sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(&mut connection).await?
        } else {
            None
        };
        let damage: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut connection).await?;
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
    let newest = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
    if let Some(version) = version.filter(|version| *version > newest) {
        return Err(file.unusable(
            format!("was written by a newer erp-host (schema {version}, this one knows up to {newest})"),
            "start the newer version again, or restore the backup made before the update",
        ));
    }
    if damage != "ok" {
        return Err(file.damaged(&damage));
    }
    Ok(())
}

/// The file, for error messages.
#[derive(Clone, Copy)]
struct File<'a> {
    path: &'a Path,
    busy_timeout: Duration,
}

impl File<'_> {
    fn unusable(self, problem: impl Into<String>, remedy: impl Into<String>) -> StoreError {
        StoreError::Unusable { path: self.path.to_owned(), problem: problem.into(), remedy: remedy.into() }
    }

    fn damaged(self, what: &str) -> StoreError {
        self.unusable(
            format!("is damaged ({what})"),
            "stop the host and restore the file from a backup; keep the damaged one, and the -wal file beside it, for a \
             look",
        )
    }

    fn error(self, error: sqlx::Error) -> StoreError {
        let database = error.as_database_error();
        // The extended result code; its low byte is the kind (https://www.sqlite.org/rescode.html).
        let code =
            database.and_then(|error| error.code()).and_then(|code: Cow<'_, str>| code.parse::<i32>().ok());
        let message = database.map(|error| error.message().to_owned()).unwrap_or_default();
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
            Some(13) => self.unusable("cannot grow, the disk is full", "make room on the disk"),
            _ => StoreError::Failed { path: self.path.to_owned(), cause: Box::new(error) },
        }
    }
}
