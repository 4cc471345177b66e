//! Maintenance: the space of deleted settings is given back, deletions are forgotten, and nobody misses one.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use test_support::scale;

use super::*;

/// Bytes of the database and its write-ahead log.
fn size(path: &Path) -> u64 {
    let journal = path.with_file_name(format!("{STORE_FILE}-wal"));
    [path.to_owned(), journal].iter().map(|file| fs::metadata(file).map_or(0, |file| file.len())).sum()
}

/// Fills the store with connections of 200 kB, deletes all but one, and does the maintenance. Returns the sizes.
async fn fill_and_empty(store: &SqliteStore, path: &Path) -> (u64, u64) {
    let value = "x".repeat(200_000);
    let count = scale(200) as u128;
    for number in 0..count {
        save(store, save_of(guid(number), "Excel", vec![plain("a", Some(&value))])).await;
    }
    let full = size(path);
    for number in 1..count {
        store.delete(guid(number), &unrecorded()).await.unwrap();
    }
    store.maintain().await.unwrap();
    assert!(store.get(guid(0)).await.unwrap().unwrap().settings == [plain("a", Some(&value))]);
    (full, size(path))
}

#[tokio::test]
async fn space_of_deleted_settings_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(STORE_FILE);
    let store = SqliteStore::open(&path, IfMissing::Create).await.unwrap();
    let (full, emptied) = fill_and_empty(&store, &path).await;
    assert!(full > 1_500_000 && emptied < 500_000, "{full} bytes, then {emptied}");
}

#[tokio::test]
async fn space_is_given_back_by_a_store_of_an_older_version() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(STORE_FILE);
    // A database with a page, made without that property.
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut raw = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::query("PRAGMA journal_mode = WAL").execute(&mut raw).await.unwrap();
    sqlx::Connection::close(raw).await.unwrap();
    let store = SqliteStore::open(&path, IfMissing::Create).await.unwrap();
    let mode = async || {
        let writer = store.writer().await.unwrap();
        sqlx::query_scalar::<_, i64>("PRAGMA auto_vacuum").fetch_one(&writer).await.unwrap()
    };
    assert_eq!(mode().await, 0, "none");
    let (full, emptied) = fill_and_empty(&store, &path).await;
    assert!(full > 1_500_000 && emptied < 500_000, "{full} bytes, then {emptied}");
    assert_eq!(mode().await, 2, "incremental");
}

async fn deletions(store: &SqliteStore) -> i64 {
    let writer = store.writer().await.unwrap();
    sqlx::query_scalar("SELECT count(*) FROM deleted_connection").fetch_one(&writer).await.unwrap()
}

#[tokio::test]
async fn deletions_are_forgotten_after_a_while_and_a_host_that_may_have_missed_one_gets_no_list() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(STORE_FILE);
    let store = SqliteStore::open(&path, IfMissing::Create).await.unwrap();
    let saved = save(&store, save_of(guid(1), "Excel", vec![])).await;
    let deleted = store.delete(guid(1), &unrecorded()).await.unwrap().unwrap();
    let later = SystemTime::now() + Duration::from_secs(3600);
    store.maintain().await.unwrap();
    assert_eq!(deletions(&store).await, 1, "hosts may not have seen it");

    store.forget_deletions(later).await.unwrap();
    assert_eq!(deletions(&store).await, 0);
    assert_eq!(store.changes_since(saved).await.unwrap(), None, "the deletion is after this revision");
    assert_eq!(store.changes_since(deleted).await.unwrap(), Some(vec![]));

    // By a host of an older version, which does not write the time.
    let again = save(&store, save_of(guid(1), "Excel", vec![])).await;
    store.delete(guid(1), &unrecorded()).await.unwrap();
    let writer = store.writer().await.unwrap();
    sqlx::query("UPDATE deleted_connection SET deleted_at = NULL").execute(&writer).await.unwrap();
    store.maintain().await.unwrap();
    assert_eq!(store.changes_since(again).await.unwrap().unwrap().len(), 1, "its time begins now");
    store.forget_deletions(later).await.unwrap();
    assert_eq!(deletions(&store).await, 0);
}

#[tokio::test]
async fn host_that_was_suspended_closes_connections_whose_deletion_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let host = Connections::<EmptyConnection, Infallible>::open_store(folder.path(), None).await.unwrap();
    host.poller.abort();
    host.save(guid(1), "Excel", &settings("s", "p"), &[], &by()).await.unwrap();
    host.poll_changes().await.unwrap();
    host.get_or_open(guid(1), |_| async { Ok(EmptyConnection) }).await.unwrap().unwrap();
    let other = SqliteStore::open(&folder.path().join(STORE_FILE), IfMissing::Refuse).await.unwrap();
    other.delete(guid(1), &unrecorded()).await.unwrap();
    other.forget_deletions(SystemTime::now() + Duration::from_secs(3600)).await.unwrap();
    host.poll_changes().await.unwrap();
    assert!(host.get(guid(1)).is_none(), "a deleted connection is not served");
}
