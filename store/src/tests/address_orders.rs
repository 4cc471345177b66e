//! The orders of members of connector addresses: in memory at once, in the store soon, in other processes after a poll.

use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::*;
use crate::address_orders::AddressOrders;

type Host = Connections<EmptyConnection, Infallible>;

fn order(host: &Host, connector: &str) -> Option<String> {
    host.address_order(connector, |order| Some(order.order.clone()))
}

#[tokio::test]
async fn address_order_counts_at_once_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::open_store(folder.path(), None).await.unwrap();
    assert_eq!(order(&host, ""), None);
    host.set_address_order("Excel", "declared", guid(1));
    assert_eq!((order(&host, "EXCEL").as_deref(), order(&host, "")), (Some("declared"), None));
    // Stopping stores what no poll has stored yet.
    host.shut_down().await;

    let host = Host::open_store(folder.path(), None).await.unwrap();
    let orders = host.address_orders();
    assert_eq!(orders.len(), 1);
    assert_eq!(
        (orders[0].connector.as_str(), orders[0].order.as_str(), orders[0].connection),
        ("excel", "declared", guid(1))
    );
    host.shut_down().await;
}

#[tokio::test]
async fn address_order_of_another_process_is_taken_over_by_a_poll() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = [(); 2].map(|()| Host::open_store(folder.path(), None));
    let (one, other) = (one.await.unwrap(), other.await.unwrap());
    one.set_address_order("", "declared", guid(1));
    one.poll_changes().await.unwrap();
    other.poll_changes().await.unwrap();
    assert_eq!(order(&other, "").as_deref(), Some("declared"));

    // What was set here is not replaced by what the store had before.
    other.set_address_order("", "name", guid(2));
    other.poll_changes().await.unwrap();
    one.poll_changes().await.unwrap();
    assert_eq!((order(&one, "").as_deref(), order(&other, "").as_deref()), (Some("name"), Some("name")));
}

#[tokio::test]
async fn address_orders_are_in_a_backup() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("backup.sqlite"));
    let host = Host::open_store(&data, None).await.unwrap();
    host.set_address_order("", "declared", guid(1));
    host.shut_down().await;
    let stored = ConnectionRepository::open(&data, None, IfMissing::Refuse).await.unwrap();
    let store = SqliteStore::open(&data.join(STORE_FILE), IfMissing::Refuse).await.unwrap();
    back_up(&stored, &store, &file, None, false).await.unwrap();
    stored.store().close().await.unwrap();
    store.close().await.unwrap();

    let host = Host::open_store(&data, None).await.unwrap();
    host.set_address_order("", "name", guid(1));
    host.shut_down().await;
    let restore = Restore {
        backup: &file,
        data: &data,
        key_file: None,
        passphrase: None,
        replace: true,
        limits: StoreLimits::default(),
    };
    restore.run(&by()).await.unwrap();
    let host = Host::open_store(&data, None).await.unwrap();
    assert_eq!(order(&host, "").as_deref(), Some("declared"));
}

/// A process that holds the write lock delays no call, and the order is stored when the lock is free.
#[tokio::test]
async fn address_order_is_stored_later_while_the_store_is_locked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(STORE_FILE);
    let store = SqliteStore::open_within(&path, IfMissing::Create, Duration::from_millis(10)).await.unwrap();
    let mut other = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();

    let orders = AddressOrders::default();
    orders.set("", "declared", guid(1));
    // Reading works, so the store does not count as unreachable.
    orders.sync(&store).await.unwrap();
    assert_eq!(orders.find("", |order| Some(order.order.clone())).as_deref(), Some("declared"));
    assert!(store.address_orders().await.unwrap().is_empty());

    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    orders.sync(&store).await.unwrap();
    assert_eq!(store.address_orders().await.unwrap(), *orders.current());
    other.close().await.unwrap();
    store.close().await.unwrap();
}
