//! The connections to the database file: opened for reading and writing, or for reading only while the disk is full.

use std::time::{Duration, Instant};

use sqlx::migrate::MigrateError;
use sqlx::pool::PoolOptions;
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Sqlite, SqlitePool};

use super::MIGRATIONS;
use super::file::{self, File, Journal};
use crate::store::StoreError;

/// Size of the pool for reading.
const READERS: u32 = 4;

/// The write-ahead log is cut to this size when it begins anew.
const JOURNAL_SIZE_LIMIT: &str = "4194304";

/// Time between two attempts, when another process is creating the tables.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// The connections to the file.
#[derive(Debug)]
pub(super) struct Pools {
    pub(super) readers: SqlitePool,
    /// A pool of one: SQLite has one writer at a time, so writes of this process queue here instead of waiting for the lock.
    /// `None`: the file is open for reading only.
    pub(super) writer: Option<SqlitePool>,
}

impl Pools {
    /// Opens the file for reading and writing, and runs the migrations.
    pub(super) async fn open(file: File<'_>) -> Result<Self, StoreError> {
        let options = options(file);
        // Checked before the journal mode is set, because that writes to the file.
        if file::check(&options, file).await?.is_none() {
            prepare(&options, file).await?;
        }
        let options = options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("journal_size_limit", JOURNAL_SIZE_LIMIT);
        let pool = |connections| {
            pool_options(connections)
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
        let (writer, readers) = (pool(1), pool(READERS));
        if let Err(error) = migrate(&writer, file).await {
            writer.close().await;
            return Err(error);
        }
        Ok(Pools { readers, writer: Some(writer) })
    }

    /// Opens the file for reading only, without writing a byte. SQLite then has the index of the write-ahead log in memory
    /// instead of the `-shm` file, for which a full disk has no room, and needs an exclusive lock for that. So a connection is
    /// closed after each use, and other processes can use the file in between.
    pub(super) async fn open_read_only(file: File<'_>) -> Result<Self, StoreError> {
        let options = options(file).locking_mode(SqliteLockingMode::Exclusive).pragma("query_only", "ON");
        match file::check(&options, file).await? {
            Some(version) if version == file::newest_version() => {}
            _ => return Err(StoreError::Full { path: file.path.to_owned() }),
        }
        let readers =
            pool_options(1).after_release(|_, _| Box::pin(async { Ok(false) })).connect_lazy_with(options);
        Ok(Pools { readers, writer: None })
    }

    /// Opens the file for commands that only look: they create and change no file, also as root, in a folder that belongs to
    /// another user.
    pub(super) async fn open_to_look(file: File<'_>) -> Result<Self, StoreError> {
        let options = match Journal::of(file.path) {
            // Without locks: a reader would create the `-wal` and `-shm` files. A host that starts at this moment writes to
            // its write-ahead log first.
            Journal::Empty => options(file).read_only(true).immutable(true),
            Journal::Indexed => options(file).read_only(true),
            Journal::NotIndexed => return Pools::open_read_only(file).await,
        };
        if file::check(&options, file).await? != Some(file::newest_version()) {
            return Err(file.unusable(
                "was written by an older erp-host, or at a start that was interrupted",
                "start the host once, which updates it",
            ));
        }
        Ok(Pools { readers: pool_options(1).connect_lazy_with(options), writer: None })
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
    }
}

fn options(file: File<'_>) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file.path)
        .create_if_missing(false)
        .foreign_keys(true)
        .busy_timeout(file.busy_timeout)
        // Overwrites deleted settings, which would otherwise stay in free pages.
        .pragma("secure_delete", "ON")
        .disable_statement_logging()
}

fn pool_options(connections: u32) -> PoolOptions<Sqlite> {
    PoolOptions::<Sqlite>::new()
        .max_connections(connections)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
}

/// Makes an empty file a database that can give free pages back to the file system. That is decided before the first page is
/// written, and the journal mode is what writes it. Without effect on a database that has pages.
async fn prepare(options: &SqliteConnectOptions, file: File<'_>) -> Result<(), StoreError> {
    let options =
        options.clone().auto_vacuum(SqliteAutoVacuum::Incremental).journal_mode(SqliteJournalMode::Wal);
    let retry = Retry::new(file);
    loop {
        let prepared = match options.connect().await {
            Ok(connection) => connection.close().await,
            Err(error) => Err(error),
        };
        let Err(error) = prepared else { return Ok(()) };
        retry.after(file.error(error)).await?;
    }
}

async fn migrate(writer: &SqlitePool, file: File<'_>) -> Result<(), StoreError> {
    let retry = Retry::new(file);
    loop {
        let error = match MIGRATIONS.run(writer).await {
            Ok(()) => return Ok(()),
            Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => file.error(error),
            Err(error) => file.unusable(
                format!("does not have the tables of this program ({error})"),
                "start the version of erp-host that wrote it, or restore it from a backup",
            ),
        };
        retry.after(error).await?;
    }
}

/// Retries until the busy timeout has passed. SQLite's own busy timeout does not cover a transaction that begins with a read,
/// as those of the migrations do: if another process writes in the meantime, its first write fails at once.
struct Retry {
    end: Instant,
}

impl Retry {
    fn new(file: File<'_>) -> Self {
        Retry { end: Instant::now() + file.busy_timeout }
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// The error is returned if the timeout has passed, or if it would come again.
    async fn after(&self, error: StoreError) -> Result<(), StoreError> {
        // Another process may have run the same migration at the same time, so that its tables are there already.
        let may_pass = matches!(error, StoreError::Locked { .. } | StoreError::Failed { .. });
        if !may_pass || Instant::now() >= self.end {
            return Err(error);
        }
        tokio::time::sleep(RETRY_INTERVAL).await;
        Ok(())
    }
}
