//! A consistent copy of the database while others use it (`VACUUM INTO`), with a table that describes the backup.

use std::path::Path;
use std::time::SystemTime;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{ConnectOptions, Connection, Row};

use super::file::File;
use super::{APPLICATION_ID, BUSY_TIMEOUT, SqliteStore, milliseconds, time};
use crate::store::StoreError;

/// The description of a backup, stored in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BackupInfo {
    /// The time of the backup.
    pub(crate) made_at: SystemTime,
    /// The encryption keys, themselves encrypted with a passphrase, if they are in the backup.
    pub(crate) keys: Option<String>,
}

const TABLE: &str = "CREATE TABLE backup (made_at INTEGER NOT NULL, keys TEXT) STRICT";

impl SqliteStore {
    /// Writes a snapshot of the database to an empty file, and runs SQLite's integrity check on it. Others can read and write
    /// in the meantime. Returns the number of connections in it.
    ///
    /// # Errors
    /// The store or the copy fails.
    pub(crate) async fn snapshot_to(&self, copy: &Path, info: &BackupInfo) -> Result<usize, StoreError> {
        let failed = |error| self.file().error(error);
        sqlx::query("VACUUM INTO ?")
            .bind(copy.to_string_lossy())
            .execute(&self.readers())
            .await
            .map_err(|error| of_copy(copy).error(error))?;
        let mut connection = open_copy(copy).await.map_err(failed)?;
        let checks = async {
            sqlx::query(TABLE).execute(&mut connection).await?;
            sqlx::query("INSERT INTO backup (made_at, keys) VALUES (?, ?)")
                .bind(milliseconds(info.made_at))
                .bind(&info.keys)
                .execute(&mut connection)
                .await?;
            let count: i64 =
                sqlx::query_scalar("SELECT count(*) FROM connection").fetch_one(&mut connection).await?;
            let checked: String =
                sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut connection).await?;
            Ok((usize::try_from(count).unwrap_or_default(), checked))
        };
        let checked = checks.await;
        connection.close().await.map_err(failed)?;
        let (count, checked) = checked.map_err(|error| of_copy(copy).error(error))?;
        if checked == "ok" { Ok(count) } else { Err(self.file().damaged(&checked)) }
    }

    /// Removes the description from a backup that is about to become the store, and returns it. `None` if there is none,
    /// because the database was copied by other means.
    ///
    /// # Errors
    /// The file is not a backup, or cannot be changed.
    pub(crate) async fn take_backup_info(copy: &Path) -> Result<Option<BackupInfo>, StoreError> {
        let taken = async {
            let mut connection = open_copy(copy).await?;
            let application: i32 =
                sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut connection).await?;
            if application != APPLICATION_ID {
                return Ok(Err(of_copy(copy).unusable("is no store of erp-host", "restore another file")));
            }
            let has_info: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'backup'",
            )
            .fetch_one(&mut connection)
            .await?;
            let mut info = None;
            if has_info > 0 {
                let row =
                    sqlx::query("SELECT made_at, keys FROM backup").fetch_optional(&mut connection).await?;
                if let Some(row) = row {
                    info = Some(BackupInfo {
                        made_at: time(row.try_get("made_at")?),
                        keys: row.try_get("keys")?,
                    });
                }
                sqlx::query("DROP TABLE backup").execute(&mut connection).await?;
            }
            connection.close().await?;
            Ok(Ok(info))
        };
        taken.await.unwrap_or_else(|error: sqlx::Error| Err(of_copy(copy).error(error)))
    }
}

fn of_copy(copy: &Path) -> File<'_> {
    File { path: copy, busy_timeout: BUSY_TIMEOUT }
}

async fn open_copy(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Delete)
        .pragma("secure_delete", "ON")
        .disable_statement_logging()
        .connect()
        .await
}
