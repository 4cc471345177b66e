//! The store for a single machine: an SQLite database in WAL mode (write-ahead log).
//!
//! In WAL mode readers and a writer do not block each other, also across processes, so commands work while the host runs.
//! `synchronous=FULL` syncs the write-ahead log at every commit, so a commit is durable before it returns.
//!
//! - here: connections and their settings;
//! - `file`: creating and checking the file, and its errors; `pools`: the connections to it;
//! - `encryption_keys`: key check values, re-encryption, internal secrets;
//! - `address_orders`: the orders of members that requests have shown;
//! - `state`: the state of connections;
//! - `audit_outbox`: the audit records that are not in the files yet;
//! - `maintenance`: forgets old deletions, gives space back;
//! - `snapshot`: a copy of the database, for a backup.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use plugin_api::abi::StateWritten;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Row, Sqlite, SqlitePool, Transaction};
use tokio::sync::Mutex;
use values::Guid;

use crate::audit::{AuditBatch, Head};
use crate::keys::{KeyCheck, KeyId, SealedSecret};
use crate::store::{
    AddressOrder, AuditOutbox, Change, ConnectionSave, ConnectionStore, ConnectionSummary, Expected,
    IfMissing, Progress, Reencrypt, Revision, SealedConnection, SealedSetting, SealedState, SealedValue,
    StateSize, StateWrite, StoreError, StoreFuture,
};

mod address_orders;
mod audit_outbox;
mod encryption_keys;
mod file;
mod maintenance;
mod pools;
mod snapshot;
mod state;

use self::file::{File, FileId};
use self::pools::Pools;

pub(crate) use snapshot::BackupInfo;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations/sqlite");

/// The `PRAGMA application_id` of our databases, set by the first migration.
const APPLICATION_ID: i32 = 0x4552_5048;

/// How long to wait for a lock of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Time between two attempts of changes to open a read-only store for writing.
const REOPEN_INTERVAL: Duration = Duration::from_secs(1);

/// A [`ConnectionStore`] in an SQLite file.
pub struct SqliteStore {
    path: PathBuf,
    busy_timeout: Duration,
    /// The file that is open.
    id: FileId,
    pools: ArcSwap<Pools>,
    /// When the store was last tried to be opened for writing, while it is read-only.
    reopened: Mutex<Option<Instant>>,
    is_disk_full: AtomicBool,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SQLite store {}", self.path.display())
    }
}

impl SqliteStore {
    /// Opens the file, creates it if it may be missing, and runs the migrations. On a full disk an existing file is opened
    /// for reading only.
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
        file::create(path, missing)?;
        let file = File { path, busy_timeout };
        let pools = match Pools::open(file).await {
            Err(StoreError::Full { .. }) => Pools::open_read_only(file).await?,
            pools => pools?,
        };
        let id = FileId::of(path).await.map_err(|error| file.error(error.into()))?;
        let store = SqliteStore {
            path: path.to_owned(),
            busy_timeout,
            id,
            is_disk_full: AtomicBool::new(false),
            pools: ArcSwap::from_pointee(pools),
            reopened: Mutex::default(),
        };
        if store.is_read_only() {
            store.set_disk_full(true);
        }
        Ok(store)
    }

    /// Opens the file of a store that exists, only to look: nothing is created or changed, and no write is possible.
    ///
    /// # Errors
    /// The file does not exist, is damaged, of an older or newer version, or of another program.
    pub async fn open_to_look(path: &Path) -> Result<Self, StoreError> {
        file::check_existing(path)?;
        let file = File { path, busy_timeout: BUSY_TIMEOUT };
        let pools = Pools::open_to_look(file).await?;
        Ok(SqliteStore {
            path: path.to_owned(),
            busy_timeout: BUSY_TIMEOUT,
            id: FileId::of(path).await.map_err(|error| file.error(error.into()))?,
            is_disk_full: AtomicBool::new(false),
            pools: ArcSwap::from_pointee(pools),
            reopened: Mutex::default(),
        })
    }

    fn readers(&self) -> SqlitePool {
        self.pools.load().readers.clone()
    }

    /// The pool for writing. Opens a read-only store for writing, if there is room on the disk again.
    pub(crate) async fn writer(&self) -> Result<SqlitePool, sqlx::Error> {
        if let Some(writer) = &self.pools.load().writer {
            return Ok(writer.clone());
        }
        let mut reopened = self.reopened.lock().await;
        if let Some(writer) = &self.pools.load().writer {
            return Ok(writer.clone());
        }
        let full = || sqlx::Error::Io(io::ErrorKind::StorageFull.into());
        if reopened.is_some_and(|at| at.elapsed() < REOPEN_INTERVAL) {
            return Err(full());
        }
        *reopened = Some(Instant::now());
        if !self.has_room().await {
            return Err(full());
        }
        match Pools::open(self.file()).await {
            Ok(pools) => {
                let writer = pools.writer.clone();
                // Reads that are under way end with the connection that they have.
                self.pools.store(Arc::new(pools));
                self.set_disk_full(false);
                writer.ok_or_else(full)
            }
            Err(StoreError::Full { .. }) => Err(full()),
            Err(error) => {
                tracing::error!("the store of connections stays read-only: {error}");
                Err(full())
            }
        }
    }

    /// Forgets old deletions, as the maintenance does, at another time.
    #[cfg(test)]
    pub(crate) async fn forget_deletions(&self, now: SystemTime) -> Result<(), sqlx::Error> {
        maintenance::forget_deletions(&self.readers(), &self.writer().await?, now).await
    }

    /// Fails if the path does not lead to the open file any more: then a change would be lost, and changes of other processes
    /// are not seen.
    async fn check_path(&self) -> Result<(), sqlx::Error> {
        match FileId::of(&self.path).await {
            Ok(id) if id == self.id => Ok(()),
            _ => Err(file::gone()),
        }
    }

    async fn has_room(&self) -> bool {
        let folder = self.path.parent().unwrap_or(Path::new(".")).to_owned();
        tokio::task::spawn_blocking(move || file::has_room(&folder)).await.unwrap_or(true)
    }

    /// Logs a change of the state, not every change that is refused.
    fn set_disk_full(&self, is_full: bool) {
        if self.is_disk_full.swap(is_full, Ordering::Relaxed) == is_full {
            return;
        }
        let path = self.path.display();
        if is_full {
            tracing::error!(
                "the disk with the connection store {path} is full: changes are refused until there is room, calls are served"
            );
        } else {
            tracing::info!("the disk with the connection store {path} has room again: changes are stored");
        }
    }

    fn file(&self) -> File<'_> {
        File { path: &self.path, busy_timeout: self.busy_timeout }
    }

    /// What an error of the database means.
    fn failed(&self, error: sqlx::Error) -> StoreError {
        let error = self.file().error(error);
        if matches!(error, StoreError::Full { .. }) {
            self.set_disk_full(true);
        }
        error
    }

    /// Begins a change. IMMEDIATE takes the write lock now: a deferred transaction could fail at its first write.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.check_path().await?;
        self.writer().await?.begin_with("BEGIN IMMEDIATE").await
    }

    /// Runs SQL, and maps the error to one that names this file.
    fn run<'a, T>(
        &'a self,
        sql: impl Future<Output = Result<T, sqlx::Error>> + Send + 'a,
    ) -> StoreFuture<'a, T> {
        Box::pin(async move { sql.await.map_err(|error| self.failed(error)) })
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
            .fetch_all(&self.readers())
            .await?;
            Ok(connections(rows)?.pop())
        })
    }

    fn connector_of(&self, guid: Guid) -> StoreFuture<'_, Option<String>> {
        self.run(async move {
            sqlx::query_scalar("SELECT connector FROM connection WHERE guid = ?")
                .bind(guid.to_string())
                .fetch_optional(&self.readers())
                .await
        })
    }

    fn setting_names(&self, guid: Guid) -> StoreFuture<'_, Vec<(String, bool)>> {
        self.run(async move {
            sqlx::query_as("SELECT key, secret FROM setting WHERE guid = ? ORDER BY position")
                .bind(guid.to_string())
                .fetch_all(&self.readers())
                .await
        })
    }

    fn count(&self) -> StoreFuture<'_, usize> {
        self.run(async {
            let count: i64 =
                sqlx::query_scalar("SELECT count(*) FROM connection").fetch_one(&self.readers()).await?;
            Ok(usize::try_from(count).unwrap_or_default())
        })
    }

    fn list(&self) -> StoreFuture<'_, Vec<ConnectionSummary>> {
        self.run(async {
            sqlx::query(
                "SELECT guid, connector, revision, saved_at,
                     (SELECT count(*) FROM setting s WHERE s.guid = c.guid) AS settings
                 FROM connection c ORDER BY guid",
            )
            .fetch_all(&self.readers())
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
            .fetch_all(&self.readers())
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
            let failed = |error| self.failed(error);
            let mut transaction = self.begin().await.map_err(failed)?;
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
            let mut transaction = self.begin().await?;
            let deleted = sqlx::query("DELETE FROM connection WHERE guid = ?")
                .bind(&guid)
                .execute(&mut *transaction)
                .await?;
            if deleted.rows_affected() == 0 {
                return Ok(None);
            }
            let revision = next_revision(&mut transaction).await?;
            sqlx::query(
                "INSERT OR REPLACE INTO deleted_connection (guid, revision, deleted_at) VALUES (?, ?, ?)",
            )
            .bind(&guid)
            .bind(revision.0)
            .bind(milliseconds(SystemTime::now()))
            .execute(&mut *transaction)
            .await?;
            audit_outbox::write(&mut transaction, audit).await?;
            transaction.commit().await?;
            Ok(Some(revision))
        })
    }

    fn state<'a>(&'a self, guid: Guid, key: &'a str) -> StoreFuture<'a, Option<SealedState>> {
        self.run(async move { state::get(&self.readers(), guid, key).await })
    }

    fn set_state<'a>(&'a self, write: &'a StateWrite) -> StoreFuture<'a, StateWritten> {
        Box::pin(self.write_state(write))
    }

    fn state_keys<'a>(&'a self, guid: Guid, prefix: &'a str) -> StoreFuture<'a, Vec<String>> {
        self.run(async move { state::keys(&self.readers(), guid, prefix).await })
    }

    fn all_state(&self, guid: Guid) -> StoreFuture<'_, Vec<SealedState>> {
        self.run(async move { state::all(&self.readers(), guid).await })
    }

    fn state_size(&self, guid: Guid) -> StoreFuture<'_, StateSize> {
        self.run(async move { state::size(&self.readers(), guid).await })
    }

    fn check_writable(&self) -> StoreFuture<'_, ()> {
        self.run(async {
            let mut transaction = self.begin().await?;
            // A read-only file or disk shows only at the first write.
            sqlx::query("UPDATE audit_head SET number = number").execute(&mut *transaction).await?;
            transaction.rollback().await
        })
    }

    fn is_disk_full(&self) -> bool {
        self.is_disk_full.load(Ordering::Relaxed)
    }

    fn is_read_only(&self) -> bool {
        self.pools.load().writer.is_none()
    }

    fn check_disk(&self) -> StoreFuture<'_, ()> {
        Box::pin(async {
            if self.is_read_only() {
                // Fails while the disk is full.
                let _ = self.writer().await;
            } else {
                self.set_disk_full(!self.has_room().await);
            }
            Ok(())
        })
    }

    fn latest_revision(&self) -> StoreFuture<'_, Revision> {
        self.run(async {
            let latest =
                sqlx::query_scalar("SELECT latest FROM revision_counter").fetch_one(&self.readers()).await?;
            Ok(Revision(latest))
        })
    }

    fn changes_since(&self, revision: Revision) -> StoreFuture<'_, Option<Vec<Change>>> {
        self.run(async move {
            self.check_path().await?;
            maintenance::changes_since(&self.readers(), revision).await
        })
    }

    fn maintain(&self) -> StoreFuture<'_, ()> {
        self.run(async { maintenance::run(&self.readers(), &self.writer().await?, &self.path).await })
    }

    fn keys(&self) -> StoreFuture<'_, Vec<KeyCheck>> {
        self.run(async move { encryption_keys::all(&self.readers()).await })
    }

    fn add_first_key(&self, check: KeyCheck) -> StoreFuture<'_, KeyCheck> {
        self.run(async move { encryption_keys::add_first(&self.writer().await?, check).await })
    }

    fn add_key(&self, check: KeyCheck) -> StoreFuture<'_, ()> {
        self.run(async move { encryption_keys::add(&self.writer().await?, check).await })
    }

    fn reencrypt_batch<'a>(&'a self, reencrypt: &'a Reencrypt<'a>) -> StoreFuture<'a, Progress> {
        Box::pin(async move {
            let batch = async { encryption_keys::reencrypt_batch(&self.writer().await?, reencrypt).await };
            match batch.await {
                Ok(progress) => progress,
                Err(error) => Err(self.failed(error)),
            }
        })
    }

    fn remove_old_keys<'a>(&'a self, audit: &'a AuditBatch) -> StoreFuture<'a, bool> {
        self.run(async move { encryption_keys::remove_old(&self.writer().await?, audit).await })
    }

    fn internal_secret<'a>(&'a self, name: &'a str) -> StoreFuture<'a, Option<SealedSecret>> {
        self.run(async move { encryption_keys::internal_secret(&self.readers(), name).await })
    }

    fn add_internal_secret<'a>(
        &'a self,
        name: &'a str,
        secret: SealedSecret,
    ) -> StoreFuture<'a, Option<SealedSecret>> {
        self.run(
            async move { encryption_keys::add_internal_secret(&self.writer().await?, name, secret).await },
        )
    }

    fn record<'a>(&'a self, audit: &'a AuditBatch) -> StoreFuture<'a, ()> {
        self.run(async move {
            let mut transaction = self.begin().await?;
            audit_outbox::write(&mut transaction, audit).await?;
            transaction.commit().await
        })
    }

    fn audit_outbox(&self) -> StoreFuture<'_, AuditOutbox> {
        self.run(async move { audit_outbox::read(&self.readers()).await })
    }

    fn continue_chain_after<'a>(&'a self, head: &'a Head, audit: &'a AuditBatch) -> StoreFuture<'a, ()> {
        self.run(async move { audit_outbox::continue_chain_after(&self.writer().await?, head, audit).await })
    }

    fn address_orders(&self) -> StoreFuture<'_, Vec<AddressOrder>> {
        self.run(async move { address_orders::all(&self.readers()).await })
    }

    fn save_address_order<'a>(&'a self, order: &'a AddressOrder) -> StoreFuture<'a, ()> {
        self.run(async move {
            self.check_path().await?;
            address_orders::save(&self.writer().await?, order).await
        })
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.run(async {
            self.pools.load_full().close().await;
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
    let secrets = settings.filter_map(|setting| match &setting.value {
        SealedValue::Secret(Some(sealed)) => Some(sealed),
        SealedValue::Secret(None) | SealedValue::Plain(_) => None,
    });
    let state = saves.iter().flat_map(|save| save.state.iter().flatten()).map(|(_, value)| value);
    let used: HashSet<&KeyId> = secrets.chain(state).map(|sealed| &sealed.key_id).collect();
    for id in used {
        if !state::knows_key(connection, id).await? {
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
    // Before the connection has its new connector.
    state::replace(connection, &guid, &save.connector, save.state.as_deref()).await?;
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
    if let Some(entries) = &save.state {
        state::insert_all(connection, &guid, entries).await?;
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
