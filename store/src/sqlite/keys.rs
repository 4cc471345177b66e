//! The keys that secrets are sealed with, and sealing anew when the key is rotated.

use std::time::SystemTime;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite, SqlitePool, Transaction};

use super::{audit, guid, milliseconds};
use crate::audit::Recording;
use crate::secrets::{KeyCheck, KeyId, SealedSecret};
use crate::store::{Progress, SealAnew, SecretPlace, StoreError};

/// How many secrets are sealed anew in one transaction: few enough that a save never waits for long.
const AT_ONCE: i64 = 100;

const NEWEST: &str = "SELECT id, check_value FROM encryption_key ORDER BY created_at DESC LIMIT 1";

pub(super) async fn all(readers: &SqlitePool) -> Result<Vec<KeyCheck>, sqlx::Error> {
    sqlx::query("SELECT id, check_value FROM encryption_key ORDER BY created_at DESC")
        .fetch_all(readers)
        .await?
        .iter()
        .map(key_check)
        .collect()
}

pub(super) async fn add_first(writer: &SqlitePool, check: KeyCheck) -> Result<KeyCheck, sqlx::Error> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query(
        "INSERT INTO encryption_key (id, check_value, created_at)
         SELECT ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM encryption_key)",
    )
    .bind(&check.key_id.0)
    .bind(&check.bytes)
    .bind(milliseconds(SystemTime::now()))
    .execute(&mut *transaction)
    .await?;
    let row = sqlx::query(NEWEST).fetch_one(&mut *transaction).await?;
    transaction.commit().await?;
    key_check(&row)
}

/// A clock that was set back must not make the new key look older than the former one.
pub(super) async fn add(writer: &SqlitePool, check: KeyCheck) -> Result<(), sqlx::Error> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query(
        "INSERT INTO encryption_key (id, check_value, created_at)
         SELECT ?1, ?2, max(?3, coalesce((SELECT max(created_at) + 1 FROM encryption_key), 0))
         WHERE NOT EXISTS (SELECT 1 FROM encryption_key WHERE id = ?1)",
    )
    .bind(&check.key_id.0)
    .bind(&check.bytes)
    .bind(milliseconds(SystemTime::now()))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// Nothing of a batch is written when one of its secrets cannot be sealed anew.
pub(super) async fn seal_anew(
    writer: &SqlitePool,
    seal: &SealAnew<'_>,
) -> Result<Result<Progress, StoreError>, sqlx::Error> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    let newest = key_check(&sqlx::query(NEWEST).fetch_one(&mut *transaction).await?)?.key_id;
    let own = sqlx::query("SELECT name, sealed_with, sealed FROM own_secret WHERE sealed_with <> ?")
        .bind(&newest.0)
        .fetch_all(&mut *transaction)
        .await?;
    for row in &own {
        let name: String = row.try_get("name")?;
        let new = match seal(SecretPlace::Own(&name), &sealed(row)?) {
            Ok(new) => new,
            Err(error) => return Ok(Err(error)),
        };
        sqlx::query("UPDATE own_secret SET sealed_with = ?, sealed = ? WHERE name = ?")
            .bind(&new.key_id.0)
            .bind(&new.bytes)
            .bind(&name)
            .execute(&mut *transaction)
            .await?;
    }
    let settings = sqlx::query(
        "SELECT guid, position, key, sealed_with, sealed FROM setting
         WHERE sealed_with IS NOT NULL AND sealed_with <> ? LIMIT ?",
    )
    .bind(&newest.0)
    .bind(AT_ONCE)
    .fetch_all(&mut *transaction)
    .await?;
    for row in &settings {
        let (connection, key): (_, String) = (guid(row)?, row.try_get("key")?);
        let new = match seal(SecretPlace::Setting(connection, &key), &sealed(row)?) {
            Ok(new) => new,
            Err(error) => return Ok(Err(error)),
        };
        sqlx::query("UPDATE setting SET sealed_with = ?, sealed = ? WHERE guid = ? AND position = ?")
            .bind(&new.key_id.0)
            .bind(&new.bytes)
            .bind(row.try_get::<String, _>("guid")?)
            .bind(row.try_get::<i64, _>("position")?)
            .execute(&mut *transaction)
            .await?;
    }
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM setting WHERE sealed_with IS NOT NULL AND sealed_with <> ?")
            .bind(&newest.0)
            .fetch_one(&mut *transaction)
            .await?;
    transaction.commit().await?;
    let left = usize::try_from(left).unwrap_or_default();
    Ok(Ok(Progress { sealed: own.len() + settings.len(), left }))
}

pub(super) async fn forget_former(writer: &SqlitePool, recording: &Recording) -> Result<bool, sqlx::Error> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    let newest = key_check(&sqlx::query(NEWEST).fetch_one(&mut *transaction).await?)?.key_id;
    if is_another_used(&mut transaction, &newest).await? {
        return Ok(false);
    }
    sqlx::query("DELETE FROM encryption_key WHERE id <> ?")
        .bind(&newest.0)
        .execute(&mut *transaction)
        .await?;
    audit::write(&mut transaction, recording).await?;
    transaction.commit().await?;
    // What was sealed with the former key still stands in the journal. If somebody reads there at the moment it stays
    // until the next checkpoint.
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(writer).await?;
    Ok(true)
}

async fn is_another_used(
    transaction: &mut Transaction<'_, Sqlite>,
    newest: &KeyId,
) -> Result<bool, sqlx::Error> {
    let used: i64 = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM setting WHERE sealed_with IS NOT NULL AND sealed_with <> ?1)
             OR EXISTS (SELECT 1 FROM own_secret WHERE sealed_with <> ?1)",
    )
    .bind(&newest.0)
    .fetch_one(&mut **transaction)
    .await?;
    Ok(used != 0)
}

pub(super) async fn own_secret(
    readers: &SqlitePool,
    name: &str,
) -> Result<Option<SealedSecret>, sqlx::Error> {
    let row = sqlx::query("SELECT sealed_with, sealed FROM own_secret WHERE name = ?")
        .bind(name)
        .fetch_optional(readers)
        .await?;
    row.as_ref().map(sealed).transpose()
}

pub(super) async fn add_own_secret(
    writer: &SqlitePool,
    name: &str,
    secret: SealedSecret,
) -> Result<Option<SealedSecret>, sqlx::Error> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    // Only while its key is known; otherwise the key was rotated out meanwhile.
    sqlx::query(
        "INSERT OR IGNORE INTO own_secret (name, sealed_with, sealed)
         SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM encryption_key WHERE id = ?2)",
    )
    .bind(name)
    .bind(&secret.key_id.0)
    .bind(&secret.bytes)
    .execute(&mut *transaction)
    .await?;
    let row = sqlx::query("SELECT sealed_with, sealed FROM own_secret WHERE name = ?")
        .bind(name)
        .fetch_optional(&mut *transaction)
        .await?;
    transaction.commit().await?;
    row.as_ref().map(sealed).transpose()
}

fn sealed(row: &SqliteRow) -> Result<SealedSecret, sqlx::Error> {
    Ok(SealedSecret { key_id: KeyId(row.try_get("sealed_with")?), bytes: row.try_get("sealed")? })
}

fn key_check(row: &SqliteRow) -> Result<KeyCheck, sqlx::Error> {
    Ok(KeyCheck { key_id: KeyId(row.try_get("id")?), bytes: row.try_get("check_value")? })
}
