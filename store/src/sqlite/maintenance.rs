//! Maintenance of the database: forgets deletions that every host has seen, and gives free space back to the file system.

use std::path::Path;
use std::time::{Duration, SystemTime};

use sqlx::{Row, SqlitePool};

use super::{guid, milliseconds};
use crate::store::{Change, Revision};

/// A deletion is kept for so long, so that every running host sees it. A host that was suspended for longer closes all of its
/// open connections.
const KEEP_DELETIONS: Duration = Duration::from_secs(600);

/// Fewer free pages than this (a mebibyte) are kept for the next change.
const KEEP_FREE_PAGES: i64 = 256;

/// A write-ahead log of more bytes than this is emptied.
const MAX_JOURNAL: u64 = 1 << 20;

/// Pages that one transaction gives back, so that a change never waits for long.
const PAGES_AT_ONCE: i64 = 1024;

/// The value of `PRAGMA auto_vacuum` of a database that can give pages back.
const INCREMENTAL: i64 = 2;

/// The changes after a revision; `None` if a deletion after it may be forgotten.
pub(super) async fn changes_since(
    readers: &SqlitePool,
    revision: Revision,
) -> Result<Option<Vec<Change>>, sqlx::Error> {
    // One statement, so that both are consistent.
    let rows = sqlx::query(
        "SELECT NULL AS guid, forgotten AS revision, 0 AS is_deleted FROM revision_counter WHERE forgotten > ?1
         UNION ALL SELECT guid, revision, 0 FROM connection WHERE revision > ?1
         UNION ALL SELECT guid, revision, 1 FROM deleted_connection WHERE revision > ?1
         ORDER BY revision",
    )
    .bind(revision.0)
    .fetch_all(readers)
    .await?;
    let mut changes = Vec::with_capacity(rows.len());
    for row in &rows {
        if row.try_get::<Option<&str>, _>("guid")?.is_none() {
            return Ok(None);
        }
        let (revision, is_deleted) = (Revision(row.try_get("revision")?), row.try_get("is_deleted")?);
        changes.push(Change { guid: guid(row)?, revision, is_deleted });
    }
    Ok(Some(changes))
}

/// Does what there is to do.
pub(super) async fn run(readers: &SqlitePool, writer: &SqlitePool, path: &Path) -> Result<(), sqlx::Error> {
    forget_deletions(readers, writer, SystemTime::now()).await?;
    give_space_back(readers, writer).await?;
    let mut journal = path.as_os_str().to_owned();
    journal.push("-wal");
    let length = tokio::fs::metadata(&journal).await.map_or(0, |metadata| metadata.len());
    if length > MAX_JOURNAL {
        // Without effect while another process reads; the next time does it.
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(writer).await?;
    }
    Ok(())
}

/// Forgets the deletions that are older than [`KEEP_DELETIONS`].
pub(super) async fn forget_deletions(
    readers: &SqlitePool,
    writer: &SqlitePool,
    now: SystemTime,
) -> Result<(), sqlx::Error> {
    let before = milliseconds(now.checked_sub(KEEP_DELETIONS).unwrap_or(now));
    let old: i64 = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM deleted_connection WHERE deleted_at IS NULL OR deleted_at < ?)",
    )
    .bind(before)
    .fetch_one(readers)
    .await?;
    if old == 0 {
        return Ok(());
    }
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query("UPDATE deleted_connection SET deleted_at = ? WHERE deleted_at IS NULL")
        .bind(milliseconds(now))
        .execute(&mut *transaction)
        .await?;
    sqlx::query(
        "UPDATE revision_counter SET forgotten = max(forgotten, coalesce(
             (SELECT max(revision) FROM deleted_connection WHERE deleted_at < ?1), 0))",
    )
    .bind(before)
    .execute(&mut *transaction)
    .await?;
    sqlx::query("DELETE FROM deleted_connection WHERE deleted_at < ?")
        .bind(before)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

async fn give_space_back(readers: &SqlitePool, writer: &SqlitePool) -> Result<(), sqlx::Error> {
    let free = || sqlx::query_scalar::<_, i64>("PRAGMA freelist_count").fetch_one(readers);
    let mut left = free().await?;
    if left <= KEEP_FREE_PAGES {
        return Ok(());
    }
    if sqlx::query_scalar::<_, i64>("PRAGMA auto_vacuum").fetch_one(readers).await? != INCREMENTAL {
        // A database of an older version. It is written anew once, which also gives the free pages back.
        let mut connection = writer.acquire().await?;
        sqlx::query("PRAGMA auto_vacuum = INCREMENTAL").execute(&mut *connection).await?;
        sqlx::query("VACUUM").execute(&mut *connection).await?;
    }
    while left > 0 {
        let pages = left.min(PAGES_AT_ONCE);
        sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA incremental_vacuum({pages})")))
            .execute(writer)
            .await?;
        let now = free().await?;
        // Nothing more can be given back, or others free pages all the time.
        if now >= left {
            break;
        }
        left = now;
    }
    // The file becomes shorter when the write-ahead log is written into it.
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(writer).await?;
    Ok(())
}
