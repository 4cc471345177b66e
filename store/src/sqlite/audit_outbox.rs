//! The audit outbox in the database: the head of the hash chain, and the records that are not in the files yet.

use sqlx::{Row, SqliteConnection, SqlitePool};

use crate::audit::{AuditBatch, Head, Record};
use crate::store::AuditOutbox;

/// Writes records in the transaction of their change, and deletes the records that are in the files.
pub(super) async fn write(connection: &mut SqliteConnection, audit: &AuditBatch) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM audit_record WHERE number <= ?")
        .bind(audit.flushed())
        .execute(&mut *connection)
        .await?;
    let head = head(&mut *connection).await?;
    let (records, head) = audit.chain_to(head).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    for record in &records {
        sqlx::query("INSERT INTO audit_record (number, line) VALUES (?, ?)")
            .bind(record.number)
            .bind(&record.line)
            .execute(&mut *connection)
            .await?;
    }
    set_head(connection, &head).await
}

/// The head of the chain, and the pending records.
pub(super) async fn read(readers: &SqlitePool) -> Result<AuditOutbox, sqlx::Error> {
    // A transaction, so that both are consistent.
    let mut transaction = readers.begin().await?;
    let head = head(&mut transaction).await?;
    let pending = sqlx::query("SELECT number, line FROM audit_record ORDER BY number")
        .fetch_all(&mut *transaction)
        .await?
        .iter()
        .map(|row| Ok(Record { number: row.try_get("number")?, line: row.try_get("line")? }))
        .collect::<Result<_, sqlx::Error>>()?;
    Ok(AuditOutbox { head, pending })
}

/// Moves the head to a record that the files have, unless the chain is beyond that already.
pub(super) async fn continue_chain_after(
    writer: &SqlitePool,
    newer: &Head,
    audit: &AuditBatch,
) -> Result<(), sqlx::Error> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    if head(&mut transaction).await?.number > newer.number {
        return Ok(());
    }
    // The pending records belong to the chain that ends here: the files have other records with these numbers.
    sqlx::query("DELETE FROM audit_record").execute(&mut *transaction).await?;
    set_head(&mut transaction, newer).await?;
    write(&mut transaction, audit).await?;
    transaction.commit().await
}

async fn head(connection: &mut SqliteConnection) -> Result<Head, sqlx::Error> {
    let row = sqlx::query("SELECT number, sha256 FROM audit_head").fetch_one(connection).await?;
    Ok(Head { number: row.try_get("number")?, sha256: row.try_get("sha256")? })
}

async fn set_head(connection: &mut SqliteConnection, head: &Head) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE audit_head SET number = ?, sha256 = ?")
        .bind(head.number)
        .bind(&head.sha256)
        .execute(connection)
        .await?;
    Ok(())
}
