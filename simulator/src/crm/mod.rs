//! The database of the CRM: cards of contacts, persons and projects in an SQLite file. Each field has the value of the CRM
//! and the last known value of the ERP system.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sqlx::pool::PoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteRow, SqliteSynchronous};
use sqlx::{ConnectOptions, Row, Sqlite, SqlitePool, Transaction};
use thiserror::Error;

use super::actor::ErpActor;
use super::statistics::Anomaly;

const SCHEMA: &str = include_str!("schema.sql");
/// `PRAGMA application_id` of a CRM file.
const APPLICATION_ID: i32 = 0x4552_5053;

/// Why the CRM file cannot be used.
#[derive(Debug, Error)]
pub enum CrmError {
    /// It is another kind of file.
    #[error("{} is no CRM file of a simulation: name another file, or one that does not exist", .0.display())]
    NotOurs(PathBuf),
    /// The database failed.
    #[error("the CRM file does not work: {0}")]
    Database(#[from] sqlx::Error),
}

type Result<T> = std::result::Result<T, CrmError>;

/// The CRM's database. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Crm {
    /// One connection: SQLite has one writer at a time.
    pool: SqlitePool,
    /// False in memory, where nothing reads the events of a simulation that may run for days.
    keeps_events: bool,
}

/// A card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Card {
    pub(super) id: i64,
    pub(super) key: Option<String>,
    pub(super) stamp: Option<String>,
    pub(super) parent: Option<(String, String)>,
    pub(super) uncertain: bool,
    pub(super) values: BTreeMap<String, FieldValue>,
}

/// A field of a card.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct FieldValue {
    /// The value in the CRM.
    pub(super) value: Option<String>,
    /// The last known value in the ERP system.
    pub(super) erp_value: Option<String>,
}

/// A row of the table `field`.
pub(super) struct FieldRow<'a> {
    pub(super) actor_type: &'a str,
    pub(super) key: &'a str,
    pub(super) label: &'a str,
    pub(super) field_type: &'a str,
    pub(super) access: &'a str,
    pub(super) list: Option<&'a str>,
    pub(super) crm_field: &'a str,
    pub(super) automatic: bool,
}

/// A row of the table `event`.
#[derive(Debug, Clone, Default)]
pub(super) struct Event<'a> {
    pub(super) round: u64,
    pub(super) side: &'static str,
    pub(super) what: &'static str,
    pub(super) actor_type: &'a str,
    pub(super) key: Option<&'a str>,
    pub(super) field: Option<&'a str>,
    pub(super) before: Option<&'a str>,
    pub(super) after: Option<&'a str>,
}

/// A transaction of changes. No call is made while it is open.
pub(super) struct CrmTransaction {
    transaction: Transaction<'static, Sqlite>,
    connection: i64,
    keeps_events: bool,
}

impl Crm {
    /// Opens or creates the file; without one, the CRM is in memory.
    pub(super) async fn open(path: Option<&Path>) -> Result<Self> {
        let options = match path {
            None => SqliteConnectOptions::new().in_memory(true),
            // A simulation is started again after a crash of the machine, so the file need not survive one.
            Some(path) => SqliteConnectOptions::new()
                .filename(path)
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Off),
        };
        let is_new = path.is_none_or(|path| std::fs::metadata(path).map_or(true, |file| file.len() == 0));
        let pool = PoolOptions::<Sqlite>::new()
            .max_connections(1)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(options.foreign_keys(true).disable_statement_logging());
        if is_new {
            sqlx::raw_sql(SCHEMA).execute(&pool).await?;
        } else if let Some(path) = path {
            let id: std::result::Result<i32, _> =
                sqlx::query_scalar("PRAGMA application_id").fetch_one(&pool).await;
            if !id.is_ok_and(|id| id == APPLICATION_ID) {
                return Err(CrmError::NotOurs(path.to_owned()));
            }
        }
        Ok(Crm { pool, keeps_events: path.is_some() })
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    pub(super) async fn new_connection(&self, guid: &str, url: &str, seed: u64) -> Result<i64> {
        let insert = "INSERT INTO connection (guid, url, seed) VALUES (?, ?, ?) RETURNING id";
        let seed = i64::from_ne_bytes(seed.to_ne_bytes());
        Ok(sqlx::query_scalar(insert).bind(guid).bind(url).bind(seed).fetch_one(&self.pool).await?)
    }

    pub(super) async fn set_erp_user(&self, connection: i64, guid: &str) -> Result<()> {
        let update = "UPDATE connection SET erp_user_guid = ? WHERE id = ?";
        sqlx::query(update).bind(guid).bind(connection).execute(&self.pool).await?;
        Ok(())
    }

    pub(super) async fn set_deleted(&self, connection: i64) -> Result<()> {
        let update = "UPDATE connection SET deleted_at = strftime('%Y-%m-%dT%H:%M:%fZ') WHERE id = ?";
        sqlx::query(update).bind(connection).execute(&self.pool).await?;
        Ok(())
    }

    pub(super) async fn begin(&self, connection: i64) -> Result<CrmTransaction> {
        let transaction = self.pool.begin().await?;
        Ok(CrmTransaction { transaction, connection, keeps_events: self.keeps_events })
    }

    pub(super) async fn newest_stamp(&self, connection: i64, actor_type: &str) -> Result<Option<String>> {
        let select = "SELECT newest FROM stamp WHERE connection = ? AND actor_type = ?";
        Ok(sqlx::query_scalar(select).bind(connection).bind(actor_type).fetch_optional(&self.pool).await?)
    }

    /// The keys of the cards with this stamp.
    pub(super) async fn keys_stamped(
        &self,
        connection: i64,
        actor_type: &str,
        stamp: &str,
    ) -> Result<Vec<String>> {
        let select = "SELECT erp_key FROM card WHERE connection = ? AND actor_type = ? AND erp_stamp = ? AND erp_key IS NOT NULL ORDER BY erp_key";
        let query = sqlx::query_scalar(select).bind(connection).bind(actor_type).bind(stamp);
        Ok(query.fetch_all(&self.pool).await?)
    }

    /// Number of cards of a type that have an ERP key.
    pub(super) async fn count(&self, connection: i64, actor_type: &str) -> Result<usize> {
        let select = "SELECT count(erp_key) FROM card WHERE connection = ? AND actor_type = ?";
        let count: i64 =
            sqlx::query_scalar(select).bind(connection).bind(actor_type).fetch_one(&self.pool).await?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// The card at an index in the order of ERP keys.
    pub(super) async fn card_at(
        &self,
        connection: i64,
        actor_type: &str,
        index: usize,
    ) -> Result<Option<Card>> {
        let select = "SELECT * FROM card WHERE connection = ? AND actor_type = ? AND erp_key IS NOT NULL ORDER BY erp_key LIMIT 1 OFFSET ?";
        let index = i64::try_from(index).unwrap_or(i64::MAX);
        let row =
            sqlx::query(select).bind(connection).bind(actor_type).bind(index).fetch_optional(&self.pool);
        match row.await? {
            Some(row) => Ok(Some(self.with_values(card(&row)?).await?)),
            None => Ok(None),
        }
    }

    /// Cards with an ERP key after this one, in the order of keys.
    pub(super) async fn cards_after(
        &self,
        connection: i64,
        actor_type: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Card>> {
        let select = "SELECT * FROM card WHERE connection = ? AND actor_type = ? AND erp_key > ? ORDER BY erp_key LIMIT ?";
        let rows = sqlx::query(select).bind(connection).bind(actor_type).bind(after).bind(limit);
        self.cards(rows.fetch_all(&self.pool).await?).await
    }

    /// Cards that were created in the CRM and have no ERP key yet.
    pub(super) async fn new_cards(&self, connection: i64, actor_type: &str) -> Result<Vec<Card>> {
        let select =
            "SELECT * FROM card WHERE connection = ? AND actor_type = ? AND erp_key IS NULL ORDER BY id";
        let rows = sqlx::query(select).bind(connection).bind(actor_type).fetch_all(&self.pool).await?;
        self.cards(rows).await
    }

    /// Cards with values that are not saved in the ERP system yet.
    pub(super) async fn unsaved_cards(&self, connection: i64, actor_type: &str) -> Result<Vec<Card>> {
        let select = "SELECT * FROM card WHERE connection = ? AND actor_type = ? AND erp_key IS NOT NULL AND id IN \
             (SELECT card FROM field_value WHERE value IS NOT erp_value) ORDER BY erp_key";
        let rows = sqlx::query(select).bind(connection).bind(actor_type).fetch_all(&self.pool).await?;
        self.cards(rows).await
    }

    /// The cards with these keys.
    pub(super) async fn cards_by_key(
        &self,
        connection: i64,
        actor_type: &str,
        keys: impl Iterator<Item = &str>,
    ) -> Result<BTreeMap<String, Card>> {
        let select = "SELECT * FROM card WHERE connection = ? AND actor_type = ? AND erp_key = ?";
        let mut cards = BTreeMap::new();
        for key in keys {
            let row =
                sqlx::query(select).bind(connection).bind(actor_type).bind(key).fetch_optional(&self.pool);
            if let Some(row) = row.await? {
                cards.insert(key.to_owned(), self.with_values(card(&row)?).await?);
            }
        }
        Ok(cards)
    }

    async fn cards(&self, rows: Vec<SqliteRow>) -> Result<Vec<Card>> {
        let mut cards = Vec::with_capacity(rows.len());
        for row in &rows {
            cards.push(self.with_values(card(row)?).await?);
        }
        Ok(cards)
    }

    async fn with_values(&self, mut card: Card) -> Result<Card> {
        let select = "SELECT field_key, value, erp_value FROM field_value WHERE card = ?";
        for row in sqlx::query(select).bind(card.id).fetch_all(&self.pool).await? {
            let slot = FieldValue { value: row.try_get("value")?, erp_value: row.try_get("erp_value")? };
            card.values.insert(row.try_get("field_key")?, slot);
        }
        Ok(card)
    }
}

fn card(row: &SqliteRow) -> Result<Card> {
    let parent_type: Option<String> = row.try_get("parent_type")?;
    let parent_key: Option<String> = row.try_get("parent_key")?;
    Ok(Card {
        id: row.try_get("id")?,
        key: row.try_get("erp_key")?,
        stamp: row.try_get("erp_stamp")?,
        parent: parent_type.zip(parent_key),
        uncertain: row.try_get("uncertain")?,
        values: BTreeMap::new(),
    })
}

impl CrmTransaction {
    pub(super) async fn commit(self) -> Result<()> {
        Ok(self.transaction.commit().await?)
    }

    pub(super) async fn setting(&mut self, key: &str, value: Option<&str>) -> Result<()> {
        let insert = "INSERT OR REPLACE INTO setting VALUES (?, ?, ?)";
        let query = sqlx::query(insert).bind(self.connection).bind(key).bind(value);
        query.execute(&mut *self.transaction).await?;
        Ok(())
    }

    pub(super) async fn field(&mut self, field: FieldRow<'_>) -> Result<()> {
        let insert = "INSERT OR REPLACE INTO field VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let query = sqlx::query(insert)
            .bind(self.connection)
            .bind(field.actor_type)
            .bind(field.key)
            .bind(field.label)
            .bind(field.field_type)
            .bind(field.access)
            .bind(field.list)
            .bind(field.crm_field)
            .bind(field.automatic);
        query.execute(&mut *self.transaction).await?;
        Ok(())
    }

    /// Maps an item of an ERP list to one of the CRM's.
    pub(super) async fn list_item(&mut self, list: &str, key: &str, text: &str) -> Result<()> {
        let insert = "INSERT OR IGNORE INTO list_item VALUES (?1, ?2, ?3, ?4, \
             (SELECT coalesce(max(crm_id), 0) + 1 FROM list_item WHERE connection = ?1 AND list = ?2))";
        let query = sqlx::query(insert).bind(self.connection).bind(list).bind(key).bind(text);
        query.execute(&mut *self.transaction).await?;
        Ok(())
    }

    pub(super) async fn newest_stamp(&mut self, actor_type: &str, stamp: &str) -> Result<()> {
        let insert = "INSERT OR REPLACE INTO stamp VALUES (?, ?, ?)";
        let query = sqlx::query(insert).bind(self.connection).bind(actor_type).bind(stamp);
        query.execute(&mut *self.transaction).await?;
        Ok(())
    }

    /// Creates a card for an actor of the ERP system.
    pub(super) async fn import(&mut self, entity: &str, actor: &ErpActor) -> Result<()> {
        let insert = "INSERT INTO card (connection, actor_type, entity, erp_key, erp_stamp, parent_type, parent_key, origin) \
             VALUES (?, ?, ?, ?, ?, ?, ?, 'erp') RETURNING id";
        let (parent_type, parent_key) = split_parent(actor.parent.as_ref());
        let query = sqlx::query_scalar(insert)
            .bind(self.connection)
            .bind(&actor.actor_type)
            .bind(entity)
            .bind(&actor.key)
            .bind(&actor.stamp)
            .bind(parent_type)
            .bind(parent_key);
        let card: i64 = query.fetch_one(&mut *self.transaction).await?;
        for (key, value) in &actor.fields {
            self.set_value(card, key, value.as_deref(), value.as_deref()).await?;
        }
        Ok(())
    }

    /// Creates a card without an ERP key.
    pub(super) async fn create(&mut self, entity: &str, actor: &ErpActor) -> Result<()> {
        let insert = "INSERT INTO card (connection, actor_type, entity, parent_type, parent_key, origin) \
             VALUES (?, ?, ?, ?, ?, 'crm') RETURNING id";
        let (parent_type, parent_key) = split_parent(actor.parent.as_ref());
        let query = sqlx::query_scalar(insert)
            .bind(self.connection)
            .bind(&actor.actor_type)
            .bind(entity)
            .bind(parent_type)
            .bind(parent_key);
        let card: i64 = query.fetch_one(&mut *self.transaction).await?;
        for (key, value) in &actor.fields {
            self.set_value(card, key, value.as_deref(), None).await?;
        }
        Ok(())
    }

    /// Sets the value of a field in the CRM, and the last known value in the ERP system.
    pub(super) async fn set_value(
        &mut self,
        card: i64,
        field: &str,
        value: Option<&str>,
        erp_value: Option<&str>,
    ) -> Result<()> {
        let insert = "INSERT OR REPLACE INTO field_value VALUES (?, ?, ?, ?)";
        let query = sqlx::query(insert).bind(card).bind(field).bind(value).bind(erp_value);
        query.execute(&mut *self.transaction).await?;
        Ok(())
    }

    /// Sets the key, stamp and parent that the ERP system has.
    pub(super) async fn set_erp_state(&mut self, card: i64, actor: &ErpActor) -> Result<()> {
        let update = "UPDATE card SET erp_key = ?, erp_stamp = ?, parent_type = ?, parent_key = ?, uncertain = 0 WHERE id = ?";
        let (parent_type, parent_key) = split_parent(actor.parent.as_ref());
        let query = sqlx::query(update)
            .bind(&actor.key)
            .bind(&actor.stamp)
            .bind(parent_type)
            .bind(parent_key)
            .bind(card);
        query.execute(&mut *self.transaction).await?;
        Ok(())
    }

    pub(super) async fn set_uncertain(&mut self, card: i64) -> Result<()> {
        let update = "UPDATE card SET uncertain = 1 WHERE id = ?";
        sqlx::query(update).bind(card).execute(&mut *self.transaction).await?;
        Ok(())
    }

    pub(super) async fn remove(&mut self, card: i64) -> Result<()> {
        sqlx::query("DELETE FROM card WHERE id = ?").bind(card).execute(&mut *self.transaction).await?;
        Ok(())
    }

    pub(super) async fn event(&mut self, event: &Event<'_>) -> Result<()> {
        if !self.keeps_events {
            return Ok(());
        }
        let insert = "INSERT INTO event (connection, round, side, what, actor_type, erp_key, field_key, before, after) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let query = sqlx::query(insert)
            .bind(self.connection)
            .bind(signed(event.round))
            .bind(event.side)
            .bind(event.what)
            .bind(event.actor_type)
            .bind(event.key)
            .bind(event.field)
            .bind(event.before)
            .bind(event.after);
        query.execute(&mut *self.transaction).await?;
        Ok(())
    }

    pub(super) async fn anomaly(&mut self, anomaly: &Anomaly) -> Result<()> {
        if !self.keeps_events {
            return Ok(());
        }
        let insert = "INSERT INTO anomaly (connection, round, kind, actor, text) VALUES (?, ?, ?, ?, ?)";
        let query = sqlx::query(insert)
            .bind(self.connection)
            .bind(signed(anomaly.round))
            .bind(anomaly.kind.as_str())
            .bind(&anomaly.actor)
            .bind(&anomaly.text);
        query.execute(&mut *self.transaction).await?;
        Ok(())
    }
}

fn split_parent(parent: Option<&(String, String)>) -> (Option<&str>, Option<&str>) {
    (parent.map(|(actor_type, _)| actor_type.as_str()), parent.map(|(_, key)| key.as_str()))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
