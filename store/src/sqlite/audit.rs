//! The audit log's part of the database: the end of its chain, and records on their way to the files.

use sqlx::{Row, SqliteConnection, SqlitePool};

use crate::audit::{Head, Record, Recording};
use crate::store::AuditEnd;

/// Writes records into the transaction of what they tell of, and takes those out that are in the files.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    recording: &Recording,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM audit_record WHERE number <= ?")
        .bind(recording.written())
        .execute(&mut *connection)
        .await?;
    let head = head(&mut *connection).await?;
    let (records, head) = recording.link(head).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    for record in &records {
        sqlx::query("INSERT INTO audit_record (number, line) VALUES (?, ?)")
            .bind(record.number)
            .bind(&record.line)
            .execute(&mut *connection)
            .await?;
    }
    set_head(connection, &head).await
}

/// The end of the chain, and what may not be in the files yet.
pub(super) async fn end(readers: &SqlitePool) -> Result<AuditEnd, sqlx::Error> {
    // Of one moment.
    let mut transaction = readers.begin().await?;
    let head = head(&mut transaction).await?;
    let unwritten = sqlx::query("SELECT number, line FROM audit_record ORDER BY number")
        .fetch_all(&mut *transaction)
        .await?
        .iter()
        .map(|row| Ok(Record { number: row.try_get("number")?, line: row.try_get("line")? }))
        .collect::<Result<_, sqlx::Error>>()?;
    Ok(AuditEnd { head, unwritten })
}

/// Moves the chain on to a record that the files have, unless it is there or beyond.
pub(super) async fn go_on_after(
    writer: &SqlitePool,
    newer: &Head,
    recording: &Recording,
) -> Result<(), sqlx::Error> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    if head(&mut transaction).await?.number > newer.number {
        return Ok(());
    }
    // Another chain had these numbers, which the files have instead.
    sqlx::query("DELETE FROM audit_record").execute(&mut *transaction).await?;
    set_head(&mut transaction, newer).await?;
    write(&mut transaction, recording).await?;
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
