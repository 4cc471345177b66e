//! The audit log of a store: which records are written, and that a crash, a full disk or another process never separates a
//! change from its record.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::audit::{self, AuditFiles, Report};

async fn open(data: &Path) -> ConnectionRepository {
    ConnectionRepository::open(data, None, IfMissing::Create).await.unwrap()
}

fn files(data: &Path) -> AuditFiles {
    AuditFiles::new(data.join(audit::FOLDER))
}

/// Verifies the files, and that they have all records of the store.
async fn verified(data: &Path, stored: &ConnectionRepository) -> Report {
    let head = stored.store().audit_outbox().await.unwrap().head;
    let report = audit::verify(&files(data), Some(stored.audit_key()), Some(&head)).unwrap();
    assert_eq!((&report.breaks, &report.head, report.first), (&Vec::new(), &head, Some(1)));
    report
}

/// The records of the log, without the members that differ in each run.
fn records(data: &Path) -> Vec<Value> {
    let mut records = Vec::new();
    for file in files(data).list().unwrap() {
        for line in fs::read_to_string(file).unwrap().lines() {
            let mut record: Value = serde_json::from_str(line).unwrap();
            let members = record.as_object_mut().unwrap();
            for unknown in ["at", "audit_key", "prev", "mac"] {
                assert!(members.remove(unknown).is_some(), "{unknown} in {line}");
            }
            records.push(record);
        }
    }
    records
}

#[tokio::test]
async fn every_change_is_recorded_without_values() {
    let folder = tempfile::tempdir().unwrap();
    let stored = open(folder.path()).await;
    let first = settings("server-value", "password-value");
    stored.save(guid(1), "Excel", &first, &["Password"], &by()).await.unwrap();
    stored.save(guid(1), "Excel", &first, &["Password"], &by()).await.unwrap();
    let second = Settings::from([("Password", "password-value-2"), ("Port", "port-value")]);
    stored.save(guid(1), "Excel", &second, &["Password"], &by()).await.unwrap();
    stored.save(guid(1), "Excel", &second, &[], &by()).await.unwrap();
    stored.delete(guid(1), &by()).await.unwrap();
    assert_eq!(stored.delete(guid(1), &by()).await.unwrap(), None);
    let connection = guid(1).to_string();
    let by = json!({ "host": "a test" });
    assert_eq!(
        records(folder.path()),
        [
            json!({ "number": 1, "event": "connection added", "connection": connection, "connector": "Excel",
                "settings": ["Server", "Password"], "by": by }),
            json!({ "number": 2, "event": "connection saved", "connection": connection, "connector": "Excel", "by": by }),
            json!({ "number": 3, "event": "connection changed", "connection": connection, "connector": "Excel",
                "settings": { "added": ["Port"], "changed": ["Password"], "removed": ["Server"] }, "by": by }),
            json!({ "number": 4, "event": "connection changed", "connection": connection, "connector": "Excel",
                "settings": { "changed": ["Password"] }, "by": by }),
            json!({ "number": 5, "event": "connection deleted", "connection": connection, "connector": "Excel", "by": by }),
        ]
    );
    verified(folder.path(), &stored).await;
    for file in files(folder.path()).list().unwrap() {
        assert!(!fs::read_to_string(file).unwrap().contains("-value"), "no value is in the log");
    }
}

#[tokio::test]
async fn failed_change_is_not_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let stored = open(folder.path()).await;
    stored.save(guid(1), "Excel", &settings("s", "p"), &["Password"], &by()).await.unwrap();
    let refused = stored.save(guid(1), "Other", &settings("s", "p"), &[], &by()).await.unwrap_err();
    assert_eq!(refused.to_string(), format!("the connection {} belongs to the connector 'Excel'", guid(1)));
    stored.save(guid(1), "EXCEL", &settings("s", "p"), &["Password"], &by()).await.unwrap();
    assert_eq!(verified(folder.path(), &stored).await.records, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_first_saves_for_two_connectors_cannot_both_succeed() {
    for number in 1..20 {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (open(folder.path()).await, open(folder.path()).await);
        let settings = settings("s", "p");
        let (by_one, by_other) = (by(), by());
        let (first, second) = tokio::join!(
            one.save(guid(number), "Excel", &settings, &["Password"], &by_one),
            other.save(guid(number), "Hello", &settings, &["Password"], &by_other),
        );
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
        let own = one.find(guid(number)).await.unwrap().unwrap().connector;
        let refused = first.err().or(second.err()).unwrap();
        assert!(matches!(refused, StoreError::OtherConnector { own: named, .. } if named == own));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_processes_write_one_hash_chain() {
    let folder = tempfile::tempdir().unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for process in 1..=3u128 {
        let stored = open(folder.path()).await;
        tasks.spawn(async move {
            for number in 0..10u128 {
                let guid = guid(process << 64 | number);
                stored.save(guid, "Excel", &settings("s", "p"), &["Password"], &by()).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(verified(folder.path(), &open(folder.path()).await).await.records, 30);
}

#[tokio::test]
async fn records_that_a_crash_left_in_the_outbox_are_flushed_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let stored = open(folder.path()).await;
    stored.save(guid(1), "Excel", &settings("s", "p"), &["Password"], &by()).await.unwrap();
    // A crash between the change and the files.
    let event = audit::Event::ConnectionDeleted { connection: "x".to_owned(), connector: "y".to_owned() };
    stored.store().record(&stored.audit_batch(&by(), vec![event])).await.unwrap();
    stored.store().close().await.unwrap();
    assert_eq!(records(folder.path()).len(), 1);
    let stored = open(folder.path()).await;
    assert_eq!(verified(folder.path(), &stored).await.records, 2);
}

#[tokio::test]
async fn records_wait_in_the_outbox_while_the_files_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let stored = open(folder.path()).await;
    // A file where the folder should be.
    fs::write(folder.path().join(audit::FOLDER), "").unwrap();
    for number in 1..=3 {
        stored.save(guid(number), "Excel", &settings("s", "p"), &["Password"], &by()).await.unwrap();
    }
    assert!(stored.is_audit_log_failing());
    assert_eq!(stored.store().audit_outbox().await.unwrap().pending.len(), 3);
    fs::remove_file(folder.path().join(audit::FOLDER)).unwrap();
    stored.sync_audit_files().await;
    assert!(!stored.is_audit_log_failing());
    assert_eq!(verified(folder.path(), &stored).await.records, 3);
    stored.record(Vec::new(), &by()).await.unwrap();
    stored.delete(guid(1), &by()).await.unwrap();
    assert_eq!(
        stored.store().audit_outbox().await.unwrap().pending.len(),
        1,
        "what is in the files leaves the store"
    );
}

#[tokio::test]
async fn rollback_of_the_store_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let stored = open(folder.path()).await;
    stored.save(guid(1), "Excel", &settings("s", "p"), &["Password"], &by()).await.unwrap();
    stored.store().close().await.unwrap();
    let path = folder.path().join(STORE_FILE);
    let older = fs::read(&path).unwrap();
    let stored = open(folder.path()).await;
    for number in 2..=4 {
        stored.save(guid(number), "Excel", &settings("s", "p"), &["Password"], &by()).await.unwrap();
    }
    stored.store().close().await.unwrap();
    fs::write(&path, older).unwrap();
    for _ in 0..2 {
        let stored = open(folder.path()).await;
        verified(folder.path(), &stored).await;
        stored.store().close().await.unwrap();
    }
    let last = records(folder.path()).pop().unwrap();
    assert_eq!(last["event"], "store set back");
    assert_eq!((&last["number"], &last["store_at"], &last["log_at"]), (&json!(5), &json!(1), &json!(4)));
}

#[tokio::test]
async fn new_store_continues_the_hash_chain_of_the_former_one() {
    let folder = tempfile::tempdir().unwrap();
    let stored = open(folder.path()).await;
    stored.save(guid(1), "Excel", &settings("s", "p"), &["Password"], &by()).await.unwrap();
    stored.store().close().await.unwrap();
    fs::remove_file(folder.path().join(STORE_FILE)).unwrap();
    let stored = open(folder.path()).await;
    stored.save(guid(1), "Excel", &settings("s", "p"), &["Password"], &by()).await.unwrap();
    let report = verified(folder.path(), &stored).await;
    assert_eq!((report.records, report.of_other_keys, report.signed), (3, 1, 2));
}
