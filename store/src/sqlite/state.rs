//! The state of connections.

use plugin_api::StateVersion;
use plugin_api::abi::{StateCondition, StateWritten};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Row, SqlitePool};
use values::Guid;

use super::SqliteStore;
use crate::keys::{KeyId, SealedSecret};
use crate::limits::{self, StoreLimits};
use crate::store::{SealedState, StateSize, StateWrite, StoreError};

pub(super) async fn get(
    readers: &SqlitePool,
    guid: Guid,
    key: &str,
) -> Result<Option<SealedState>, sqlx::Error> {
    sqlx::query("SELECT key, version, sealed_with, sealed FROM state_entry WHERE guid = ? AND key = ?")
        .bind(guid.to_string())
        .bind(key)
        .fetch_optional(readers)
        .await?
        .as_ref()
        .map(entry)
        .transpose()
}

pub(super) async fn all(readers: &SqlitePool, guid: Guid) -> Result<Vec<SealedState>, sqlx::Error> {
    sqlx::query("SELECT key, version, sealed_with, sealed FROM state_entry WHERE guid = ? ORDER BY key")
        .bind(guid.to_string())
        .fetch_all(readers)
        .await?
        .iter()
        .map(entry)
        .collect()
}

pub(super) async fn keys(readers: &SqlitePool, guid: Guid, prefix: &str) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT key FROM state_entry
         WHERE guid = ?1 AND key >= ?2 AND substr(key, 1, length(?2)) = ?2 ORDER BY key",
    )
    .bind(guid.to_string())
    .bind(prefix)
    .fetch_all(readers)
    .await
}

pub(super) async fn size(readers: &SqlitePool, guid: Guid) -> Result<StateSize, sqlx::Error> {
    let row = sqlx::query("SELECT state_entries, state_bytes FROM connection WHERE guid = ?")
        .bind(guid.to_string())
        .fetch_optional(readers)
        .await?;
    row.map_or(Ok(StateSize::default()), |row| stored_size(&row))
}

impl SqliteStore {
    /// Writes in one transaction, which has the write lock from its beginning: what the condition was compared with is what is
    /// replaced.
    pub(super) async fn write_state(&self, write: &StateWrite) -> Result<StateWritten, StoreError> {
        let failed = |error| self.failed(error);
        let guid = write.guid.to_string();
        let mut transaction = self.begin().await.map_err(failed)?;
        let Some(row) = sqlx::query("SELECT state_entries, state_bytes FROM connection WHERE guid = ?")
            .bind(&guid)
            .fetch_optional(&mut *transaction)
            .await
            .map_err(failed)?
        else {
            return Err(StoreError::NotStored { guid: write.guid });
        };
        let size = stored_size(&row).map_err(failed)?;
        let stored: Option<(i64, i64)> =
            sqlx::query_as("SELECT version, length(sealed) FROM state_entry WHERE guid = ? AND key = ?")
                .bind(&guid)
                .bind(&write.key)
                .fetch_optional(&mut *transaction)
                .await
                .map_err(failed)?;
        let holds = match write.condition {
            StateCondition::Anything => true,
            StateCondition::Absent => stored.is_none(),
            StateCondition::Version(expected) => {
                stored.is_some_and(|(version, _)| self::version(version) == expected)
            }
        };
        if !holds {
            return Ok(StateWritten::Changed);
        }
        let before = stored.map_or(StateSize::default(), |(_, sealed)| {
            limits::size_of_state(&write.key, usize::try_from(sealed).unwrap_or_default())
        });
        let now = match &write.value {
            Some(value) => limits::size_of_state(&write.key, value.bytes.len()),
            None => StateSize::default(),
        };
        let size = StateSize {
            entries: size.entries.saturating_sub(before.entries) + now.entries,
            bytes: size.bytes.saturating_sub(before.bytes) + now.bytes,
        };
        let written = match &write.value {
            None => {
                sqlx::query("DELETE FROM state_entry WHERE guid = ? AND key = ?")
                    .bind(&guid)
                    .bind(&write.key)
                    .execute(&mut *transaction)
                    .await
                    .map_err(failed)?;
                StateWritten::Deleted
            }
            Some(value) => {
                // An entry that becomes smaller may stay above a limit that was lowered.
                if now.bytes > before.bytes {
                    StoreLimits::check_state_size(write.guid, size, write.limit)?;
                }
                if !knows_key(&mut transaction, &value.key_id).await.map_err(failed)? {
                    return Err(StoreError::KeyChanged);
                }
                let version = insert(&mut transaction, &guid, &write.key, value).await.map_err(failed)?;
                StateWritten::Set(version)
            }
        };
        set_size(&mut transaction, &guid, size).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        Ok(written)
    }
}

/// Replaces the state of a connection that is being saved; `None` keeps it, unless the connection gets another connector: the
/// state of one connector is not shown to another.
pub(super) async fn replace(
    connection: &mut SqliteConnection,
    guid: &str,
    connector: &str,
    entries: Option<&[(String, SealedSecret)]>,
) -> Result<(), sqlx::Error> {
    if entries.is_none() {
        let same: Option<bool> =
            sqlx::query_scalar("SELECT connector = ? COLLATE NOCASE FROM connection WHERE guid = ?")
                .bind(connector)
                .bind(guid)
                .fetch_optional(&mut *connection)
                .await?;
        if same != Some(false) {
            return Ok(());
        }
    }
    sqlx::query("DELETE FROM state_entry WHERE guid = ?").bind(guid).execute(&mut *connection).await?;
    set_size(connection, guid, StateSize::default()).await
}

/// Inserts the state of a connection that is being saved, which has none.
pub(super) async fn insert_all(
    connection: &mut SqliteConnection,
    guid: &str,
    entries: &[(String, SealedSecret)],
) -> Result<(), sqlx::Error> {
    for (key, value) in entries {
        insert(connection, guid, key, value).await?;
    }
    set_size(connection, guid, limits::size_of_all_state(entries)).await
}

async fn insert(
    connection: &mut SqliteConnection,
    guid: &str,
    key: &str,
    value: &SealedSecret,
) -> Result<StateVersion, sqlx::Error> {
    let version: i64 = sqlx::query_scalar("UPDATE state_version SET latest = latest + 1 RETURNING latest")
        .fetch_one(&mut *connection)
        .await?;
    sqlx::query(
        "INSERT OR REPLACE INTO state_entry (guid, key, version, sealed_with, sealed) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(guid)
    .bind(key)
    .bind(version)
    .bind(&value.key_id.0)
    .bind(&value.bytes)
    .execute(connection)
    .await?;
    Ok(self::version(version))
}

async fn set_size(connection: &mut SqliteConnection, guid: &str, size: StateSize) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE connection SET state_entries = ?, state_bytes = ? WHERE guid = ?")
        .bind(i64::try_from(size.entries).unwrap_or(i64::MAX))
        .bind(i64::try_from(size.bytes).unwrap_or(i64::MAX))
        .bind(guid)
        .execute(connection)
        .await?;
    Ok(())
}

/// Whether the store has a key check value for this key.
pub(super) async fn knows_key(connection: &mut SqliteConnection, id: &KeyId) -> Result<bool, sqlx::Error> {
    let known = sqlx::query("SELECT 1 FROM encryption_key WHERE id = ?").bind(&id.0);
    Ok(known.fetch_optional(connection).await?.is_some())
}

fn entry(row: &SqliteRow) -> Result<SealedState, sqlx::Error> {
    let value = SealedSecret { key_id: KeyId(row.try_get("sealed_with")?), bytes: row.try_get("sealed")? };
    Ok(SealedState { key: row.try_get("key")?, version: version(row.try_get("version")?), value })
}

fn stored_size(row: &SqliteRow) -> Result<StateSize, sqlx::Error> {
    let number =
        |column| Ok::<_, sqlx::Error>(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or_default());
    Ok(StateSize { entries: number("state_entries")?, bytes: number("state_bytes")? })
}

fn version(number: i64) -> StateVersion {
    StateVersion::new(number.cast_unsigned())
}
