//! The key check values in the database, re-encryption during a key rotation, and the internal secrets.

use std::time::SystemTime;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite, SqlitePool, Transaction};

use super::{audit_outbox, guid, milliseconds};
use crate::audit::AuditBatch;
use crate::keys::{KeyCheck, KeyId, SealedSecret};
use crate::store::{Progress, Reencrypt, SecretOwner, StoreError};

/// How many secrets are re-encrypted in one transaction: few, so that a save never waits for long.
const BATCH_SIZE: i64 = 100;

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

/// Adds the newest key. Its time is later than that of all others, even if the clock was set back.
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

/// Re-encrypts a batch of secrets. If one of them cannot be decrypted, nothing is written.
pub(super) async fn reencrypt_batch(
    writer: &SqlitePool,
    reencrypt: &Reencrypt<'_>,
) -> Result<Result<Progress, StoreError>, sqlx::Error> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    let newest = key_check(&sqlx::query(NEWEST).fetch_one(&mut *transaction).await?)?.key_id;
    let internal = sqlx::query("SELECT name, sealed_with, sealed FROM own_secret WHERE sealed_with <> ?")
        .bind(&newest.0)
        .fetch_all(&mut *transaction)
        .await?;
    for row in &internal {
        let name: String = row.try_get("name")?;
        let new = match reencrypt(SecretOwner::Internal(&name), &sealed(row)?) {
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
    .bind(BATCH_SIZE)
    .fetch_all(&mut *transaction)
    .await?;
    for row in &settings {
        let (connection, key): (_, String) = (guid(row)?, row.try_get("key")?);
        let new = match reencrypt(SecretOwner::Setting(connection, &key), &sealed(row)?) {
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
    let room = BATCH_SIZE - i64::try_from(settings.len()).unwrap_or(BATCH_SIZE);
    let state =
        sqlx::query("SELECT guid, key, sealed_with, sealed FROM state_entry WHERE sealed_with <> ? LIMIT ?")
            .bind(&newest.0)
            .bind(room)
            .fetch_all(&mut *transaction)
            .await?;
    for row in &state {
        let (connection, key): (_, String) = (guid(row)?, row.try_get("key")?);
        let new = match reencrypt(SecretOwner::State(connection, &key), &sealed(row)?) {
            Ok(new) => new,
            Err(error) => return Ok(Err(error)),
        };
        // The value stays the same, and so does its version.
        sqlx::query("UPDATE state_entry SET sealed_with = ?, sealed = ? WHERE guid = ? AND key = ?")
            .bind(&new.key_id.0)
            .bind(&new.bytes)
            .bind(row.try_get::<String, _>("guid")?)
            .bind(&key)
            .execute(&mut *transaction)
            .await?;
    }
    let left: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM setting WHERE sealed_with IS NOT NULL AND sealed_with <> ?1)
             + (SELECT count(*) FROM state_entry WHERE sealed_with <> ?1)",
    )
    .bind(&newest.0)
    .fetch_one(&mut *transaction)
    .await?;
    transaction.commit().await?;
    let left = usize::try_from(left).unwrap_or_default();
    Ok(Ok(Progress { done: internal.len() + settings.len() + state.len(), left }))
}

pub(super) async fn remove_old(writer: &SqlitePool, audit: &AuditBatch) -> Result<bool, sqlx::Error> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    let newest = key_check(&sqlx::query(NEWEST).fetch_one(&mut *transaction).await?)?.key_id;
    if is_old_key_used(&mut transaction, &newest).await? {
        return Ok(false);
    }
    sqlx::query("DELETE FROM encryption_key WHERE id <> ?")
        .bind(&newest.0)
        .execute(&mut *transaction)
        .await?;
    audit_outbox::write(&mut transaction, audit).await?;
    transaction.commit().await?;
    // The write-ahead log still has secrets sealed with the old key. If another process is reading it at the moment, they
    // stay there until the next checkpoint.
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(writer).await?;
    Ok(true)
}

async fn is_old_key_used(
    transaction: &mut Transaction<'_, Sqlite>,
    newest: &KeyId,
) -> Result<bool, sqlx::Error> {
    let used: i64 = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM setting WHERE sealed_with IS NOT NULL AND sealed_with <> ?1)
             OR EXISTS (SELECT 1 FROM state_entry WHERE sealed_with <> ?1)
             OR EXISTS (SELECT 1 FROM own_secret WHERE sealed_with <> ?1)",
    )
    .bind(&newest.0)
    .fetch_one(&mut **transaction)
    .await?;
    Ok(used != 0)
}

pub(super) async fn internal_secret(
    readers: &SqlitePool,
    name: &str,
) -> Result<Option<SealedSecret>, sqlx::Error> {
    let row = sqlx::query("SELECT sealed_with, sealed FROM own_secret WHERE name = ?")
        .bind(name)
        .fetch_optional(readers)
        .await?;
    row.as_ref().map(sealed).transpose()
}

pub(super) async fn add_internal_secret(
    writer: &SqlitePool,
    name: &str,
    secret: SealedSecret,
) -> Result<Option<SealedSecret>, sqlx::Error> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    // Not if its key was rotated out in the meantime.
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
