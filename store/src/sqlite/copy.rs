//! A copy of the database while others use it, and what a copy says of itself.

use std::path::Path;
use std::time::SystemTime;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{ConnectOptions, Connection, Row};

use super::{APPLICATION_ID, BUSY_TIMEOUT, File, SqliteStore, milliseconds, time};
use crate::store::StoreError;

/// What a copy says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyNote {
    /// When it was made.
    pub made_at: SystemTime,
    /// The keys that open it, encrypted with a passphrase, if they are in it.
    pub keys: Option<String>,
}

const TABLE: &str = "CREATE TABLE backup (made_at INTEGER NOT NULL, keys TEXT) STRICT";

impl SqliteStore {
    /// Copies all that is committed at this moment into an empty file, without its journal, and checks the copy. Others
    /// read and write meanwhile. Returns how many connections it has.
    ///
    /// # Errors
    /// The store or the copy fails.
    pub async fn copy_to(&self, copy: &Path, note: &CopyNote) -> Result<usize, StoreError> {
        let failed = |error| self.file().error(error);
        sqlx::query("VACUUM INTO ?")
            .bind(copy.to_string_lossy())
            .execute(&self.readers)
            .await
            .map_err(|error| of_copy(copy).error(error))?;
        let mut connection = raw(copy).await.map_err(failed)?;
        let noted = async {
            sqlx::query(TABLE).execute(&mut connection).await?;
            sqlx::query("INSERT INTO backup (made_at, keys) VALUES (?, ?)")
                .bind(milliseconds(note.made_at))
                .bind(&note.keys)
                .execute(&mut connection)
                .await?;
            let count: i64 =
                sqlx::query_scalar("SELECT count(*) FROM connection").fetch_one(&mut connection).await?;
            let checked: String =
                sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut connection).await?;
            Ok((usize::try_from(count).unwrap_or_default(), checked))
        };
        let checked = noted.await;
        connection.close().await.map_err(failed)?;
        let (count, checked) = checked.map_err(|error| of_copy(copy).error(error))?;
        if checked == "ok" { Ok(count) } else { Err(self.file().damaged(&checked)) }
    }

    /// Takes the note out of a copy that is to become a store; `None` when it has none, because it was copied by other
    /// means.
    ///
    /// # Errors
    /// The file fails.
    pub async fn take_note(copy: &Path) -> Result<Option<CopyNote>, StoreError> {
        let taken = async {
            let mut connection = raw(copy).await?;
            let application: i32 =
                sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut connection).await?;
            if application != APPLICATION_ID {
                return Ok(Err(of_copy(copy).unusable("is no store of erp-host", "restore another file")));
            }
            let has_note: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'backup'",
            )
            .fetch_one(&mut connection)
            .await?;
            let mut note = None;
            if has_note > 0 {
                let row =
                    sqlx::query("SELECT made_at, keys FROM backup").fetch_optional(&mut connection).await?;
                if let Some(row) = row {
                    note =
                        Some(CopyNote { made_at: time(row.try_get("made_at")?), keys: row.try_get("keys")? });
                }
                sqlx::query("DROP TABLE backup").execute(&mut connection).await?;
            }
            connection.close().await?;
            Ok(Ok(note))
        };
        taken.await.unwrap_or_else(|error: sqlx::Error| Err(of_copy(copy).error(error)))
    }
}

fn of_copy(copy: &Path) -> File<'_> {
    File { path: copy, busy_timeout: BUSY_TIMEOUT }
}

async fn raw(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Delete)
        .pragma("secure_delete", "ON")
        .disable_statement_logging()
        .connect()
        .await
}
