//! The orders of members that requests to connector addresses have shown.

use sqlx::{Row, SqlitePool};

use crate::store::AddressOrder;

pub(super) async fn all(readers: &SqlitePool) -> Result<Vec<AddressOrder>, sqlx::Error> {
    sqlx::query("SELECT connector, member_order, connection FROM address_order ORDER BY connector")
        .fetch_all(readers)
        .await?
        .iter()
        .map(|row| {
            let connection: String = row.try_get("connection")?;
            Ok(AddressOrder {
                connector: row.try_get("connector")?,
                order: row.try_get("member_order")?,
                connection: connection.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            })
        })
        .collect()
}

pub(super) async fn save(writer: &SqlitePool, order: &AddressOrder) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT OR REPLACE INTO address_order (connector, member_order, connection) VALUES (?, ?, ?)",
    )
    .bind(&order.connector)
    .bind(&order.order)
    .bind(order.connection.to_string())
    .execute(writer)
    .await?;
    Ok(())
}
