//! The suite that every store must pass.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use test_support::scale::cases;

pub(super) use super::state::*;
use super::*;

/// A database for a store. It stays while the store is closed and opened again.
pub(super) trait Database: Sized {
    async fn new() -> Self;
    /// Opens the store, as a new process does. Several can be open at once.
    async fn open(&self) -> Arc<dyn ConnectionStore>;
}

/// A test of every function below, for one kind of store.
macro_rules! store_suite {
    ($database:ty: $($test:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                crate::tests::store_suite::$test::<$database>().await;
            }
        )*
    };
    ($database:ty) => {
        store_suite! { $database:
            a_restart_keeps_everything
            any_settings_come_back_as_they_were
            a_save_replaces_the_whole_connection
            a_connection_without_settings_is_kept
            concurrent_saves_of_one_connection_never_mix
            concurrent_saves_of_many_connections_are_all_kept
            two_processes_save_at_once
            a_cancelled_save_is_atomic
            a_deleted_connection_is_gone
            revisions_only_increase
            changes_since_shows_changes_of_another_process
            a_save_fails_if_its_precondition_does_not_hold
            a_save_succeeds_if_its_precondition_holds
            a_save_reports_its_progress
            the_first_key_is_added_once
            lists_are_ordered_by_guid
            state_is_kept_by_a_restart_and_by_saves
            state_is_written_if_its_condition_holds
            state_has_its_size_and_a_limit
            state_has_its_keys_by_prefix
            state_goes_with_its_connection
            state_compare_and_set_loses_no_update
        }
    };
}
pub(super) use store_suite;

fn key(id: &str) -> KeyCheck {
    KeyCheck { key_id: KeyId(id.to_owned()), bytes: vec![1, 2, 3] }
}

pub(super) async fn a_restart_keeps_everything<D: Database>() {
    let database = D::new().await;
    let store = database.open().await;
    store.add_first_key(key("k1")).await.unwrap();
    let sealed = SealedSecret { key_id: KeyId("k1".to_owned()), bytes: (0..=255).collect() };
    let settings = vec![
        plain("Tekst", Some("Blåbærsyltetøy 🫐 \u{202e}\u{feff}")),
        plain("control", Some("\0\u{1}\u{8}\t\r\n\u{7f}\u{85}\u{ffff}")),
        plain("empty", Some("")),
        plain("null", None),
        SealedSetting { key: "secret".to_owned(), value: SealedValue::Secret(Some(sealed)) },
        SealedSetting { key: "no secret".to_owned(), value: SealedValue::Secret(None) },
        plain("empty", Some("a key may come twice")),
        plain("", Some("'; DROP TABLE connection; --")),
        plain("long", Some(&"x".repeat(1 << 20))),
    ];
    let revision = save(store.as_ref(), save_of(guid(1), "Excel ☃", settings.clone())).await;
    let before = store.get(guid(1)).await.unwrap().unwrap();
    store.close().await.unwrap();

    let store = database.open().await;
    let after = store.get(guid(1)).await.unwrap().unwrap();
    assert_eq!(after, before);
    assert_eq!((after.connector.as_str(), after.revision), ("Excel ☃", revision));
    assert!(after.settings == settings);
    assert_eq!(store.latest_revision().await.unwrap(), revision);
    assert_eq!(store.keys().await.unwrap(), [key("k1")]);
}

pub(super) async fn any_settings_come_back_as_they_were<D: Database>() {
    let database = D::new().await;
    let store = database.open().await;
    let runtime = tokio::runtime::Handle::current();
    let setting = (any::<String>(), proptest::option::of(any::<String>()));
    let any_settings = proptest::collection::vec(setting, 0..8);
    tokio::task::block_in_place(|| {
        let mut runner = TestRunner::new(ProptestConfig::with_cases(cases(640)));
        let result =
            runner.run(&(any::<u128>(), any::<String>(), any_settings), |(bits, connector, settings)| {
                let settings: Vec<_> =
                    settings.iter().map(|(key, value)| plain(key, value.as_deref())).collect();
                let stored = runtime.block_on(async {
                    save(store.as_ref(), save_of(guid(bits), &connector, settings.clone())).await;
                    store.get(guid(bits)).await.unwrap().unwrap()
                });
                prop_assert_eq!(stored.guid, guid(bits));
                prop_assert_eq!(stored.connector, connector);
                prop_assert!(stored.settings == settings);
                Ok(())
            });
        result.unwrap();
    });
}

pub(super) async fn a_save_replaces_the_whole_connection<D: Database>() {
    let database = D::new().await;
    let store = database.open().await;
    save(store.as_ref(), save_of(guid(1), "Excel", vec![plain("a", Some("1")), plain("b", Some("2"))])).await;
    save(store.as_ref(), save_of(guid(1), "Other", vec![plain("b", Some("3"))])).await;
    let stored = store.get(guid(1)).await.unwrap().unwrap();
    assert_eq!(stored.connector, "Other");
    assert!(stored.settings == [plain("b", Some("3"))]);
    assert_eq!(store.list().await.unwrap().len(), 1);
}

pub(super) async fn a_connection_without_settings_is_kept<D: Database>() {
    let database = D::new().await;
    let store = database.open().await;
    save(store.as_ref(), save_of(guid(1), "Excel", vec![])).await;
    assert!(store.get(guid(1)).await.unwrap().unwrap().settings.is_empty());
    assert_eq!(store.list().await.unwrap()[0].settings, 0);
    assert_eq!(store.all().await.unwrap().len(), 1);
    assert_eq!(store.get(guid(2)).await.unwrap(), None);
}

/// Settings that all have the same mark, so that a mix of two saves is detected.
fn marked(mark: usize) -> Vec<SealedSetting> {
    (0..=mark % 7).map(|at| plain(&format!("{at} of {}", mark % 7), Some(&mark.to_string()))).collect()
}

pub(super) async fn concurrent_saves_of_one_connection_never_mix<D: Database>() {
    let database = D::new().await;
    let store = database.open().await;
    let saved = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = tokio::task::JoinSet::new();
    for mark in 0..60 {
        let (store, saved) = (Arc::clone(&store), Arc::clone(&saved));
        tasks.spawn(async move {
            let revision = save(store.as_ref(), save_of(guid(7), &mark.to_string(), marked(mark))).await;
            saved.lock().unwrap().push((revision, mark));
            let seen = store.get(guid(7)).await.unwrap().unwrap();
            assert!(seen.revision >= revision, "a read after the save sees it or a newer one");
            assert!(seen.settings == marked(seen.connector.parse().unwrap()), "never a mix");
        });
    }
    while let Some(result) = tasks.join_next().await {
        result.unwrap();
    }
    let saved = std::mem::take(&mut *saved.lock().unwrap());
    let (revision, last) = *saved.iter().max().unwrap();
    let revisions: BTreeSet<_> = saved.iter().map(|(revision, _)| revision).collect();
    assert_eq!(revisions.len(), 60, "no revision is given twice");
    let stored = store.get(guid(7)).await.unwrap().unwrap();
    assert_eq!((stored.revision, stored.connector), (revision, last.to_string()));
    assert!(stored.settings == marked(last));
}

pub(super) async fn concurrent_saves_of_many_connections_are_all_kept<D: Database>() {
    let database = D::new().await;
    let store = database.open().await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..100 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            save(store.as_ref(), save_of(guid(number), "Excel", marked(number as usize))).await
        });
    }
    let revisions: BTreeSet<_> = tasks.join_all().await.into_iter().collect();
    assert_eq!(revisions.len(), 100);
    store.close().await.unwrap();
    let all = database.open().await.all().await.unwrap();
    assert_eq!(all.len(), 100);
    for (number, connection) in all.iter().enumerate() {
        assert_eq!(connection.guid, guid(number as u128));
        assert!(connection.settings == marked(number));
    }
}

pub(super) async fn two_processes_save_at_once<D: Database>() {
    let database = D::new().await;
    let stores = [database.open().await, database.open().await];
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..60usize {
        let store = Arc::clone(&stores[number % 2]);
        tasks.spawn(async move {
            save(store.as_ref(), save_of(guid(number as u128), "Excel", marked(number))).await;
            save(store.as_ref(), save_of(guid(1000), &number.to_string(), marked(number))).await;
        });
    }
    tasks.join_all().await;
    for store in stores {
        let stored = store.get(guid(1000)).await.unwrap().unwrap();
        assert!(stored.settings == marked(stored.connector.parse().unwrap()));
        assert_eq!(store.list().await.unwrap().len(), 61);
        assert_eq!(store.latest_revision().await.unwrap(), Revision(120));
    }
}

pub(super) async fn a_cancelled_save_is_atomic<D: Database>() {
    let database = D::new().await;
    let store = database.open().await;
    save(store.as_ref(), save_of(guid(1), "0", marked(0))).await;
    for mark in 1..100 {
        let task = {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                save(store.as_ref(), save_of(guid(1), &mark.to_string(), marked(mark))).await
            })
        };
        // The caller goes away at one point or another of the save.
        for _ in 0..mark {
            tokio::task::yield_now().await;
        }
        task.abort();
        let acknowledged = task.await.is_ok();
        let stored = store.get(guid(1)).await.unwrap().unwrap();
        let found: usize = stored.connector.parse().unwrap();
        assert!(stored.settings == marked(found), "never a mix");
        assert!(!acknowledged || found == mark, "{found} for {mark}");
    }
    // No transaction is left open.
    let revision = save(store.as_ref(), save_of(guid(1), "Excel", marked(3))).await;
    store.close().await.unwrap();
    let stored = database.open().await.get(guid(1)).await.unwrap().unwrap();
    assert_eq!(stored.revision, revision);
    assert!(stored.settings == marked(3));
}

pub(super) async fn a_deleted_connection_is_gone<D: Database>() {
    let database = D::new().await;
    let store = database.open().await;
    assert_eq!(store.delete(guid(1), &unrecorded()).await.unwrap(), None);
    save(store.as_ref(), save_of(guid(1), "Excel", marked(3))).await;
    save(store.as_ref(), save_of(guid(2), "Excel", marked(4))).await;
    assert!(store.delete(guid(1), &unrecorded()).await.unwrap().is_some());
    assert_eq!(store.get(guid(1)).await.unwrap(), None);
    assert_eq!(store.delete(guid(1), &unrecorded()).await.unwrap(), None);
    store.close().await.unwrap();
    let store = database.open().await;
    assert_eq!(store.get(guid(1)).await.unwrap(), None);
    assert_eq!(store.all().await.unwrap().len(), 1);
}

pub(super) async fn revisions_only_increase<D: Database>() {
    let database = D::new().await;
    let store = database.open().await;
    let mut newest = store.latest_revision().await.unwrap();
    assert_eq!(newest, Revision::NONE);
    for _ in 0..3 {
        let saved = save(store.as_ref(), save_of(guid(1), "Excel", vec![])).await;
        assert!(saved > newest);
        // The revisions of a deleted connection are not used again when its GUID is.
        newest = store.delete(guid(1), &unrecorded()).await.unwrap().unwrap();
        assert!(newest > saved);
    }
    store.close().await.unwrap();
    let store = database.open().await;
    assert!(save(store.as_ref(), save_of(guid(1), "Excel", vec![])).await > newest);
}

pub(super) async fn changes_since_shows_changes_of_another_process<D: Database>() {
    let database = D::new().await;
    let (writer, reader) = (database.open().await, database.open().await);
    assert_eq!(reader.changes_since(Revision::NONE).await.unwrap(), Some(vec![]));
    save(writer.as_ref(), save_of(guid(1), "Excel", vec![])).await;
    let second = save(writer.as_ref(), save_of(guid(2), "Excel", vec![])).await;
    let again = save(writer.as_ref(), save_of(guid(1), "Excel", vec![])).await;
    let change = |number, revision| Change { guid: guid(number), revision, is_deleted: false };
    assert_eq!(
        reader.changes_since(Revision::NONE).await.unwrap(),
        Some(vec![change(2, second), change(1, again)]),
        "each connection once, with its newest change"
    );
    assert_eq!(reader.changes_since(second).await.unwrap(), Some(vec![change(1, again)]));
    assert_eq!(reader.changes_since(again).await.unwrap(), Some(vec![]));
    let deleted = writer.delete(guid(2), &unrecorded()).await.unwrap().unwrap();
    assert_eq!(
        reader.changes_since(again).await.unwrap(),
        Some(vec![Change { is_deleted: true, ..change(2, deleted) }])
    );
    let back = save(writer.as_ref(), save_of(guid(2), "Excel", vec![])).await;
    assert_eq!(reader.changes_since(again).await.unwrap(), Some(vec![change(2, back)]));
    assert_eq!(reader.latest_revision().await.unwrap(), back);
}

pub(super) async fn a_save_fails_if_its_precondition_does_not_hold<D: Database>() {
    let database = D::new().await;
    let store = database.open().await;
    let old = save(store.as_ref(), save_of(guid(2), "Excel", marked(1))).await;
    let new = save(store.as_ref(), save_of(guid(2), "Excel", marked(2))).await;
    for (number, expected) in
        [(2, Expected::Nothing), (2, Expected::Revision(old)), (3, Expected::Revision(new))]
    {
        let first = save_of(guid(1), "Excel", marked(3));
        let second = ConnectionSave { expected, ..save_of(guid(number), "Excel", marked(4)) };
        let error = store.save(&[first, second], &unrecorded(), &|_| ()).await.unwrap_err();
        assert!(matches!(error, StoreError::Changed { guid: named } if named == guid(number)), "{error}");
        assert_eq!(store.get(guid(1)).await.unwrap(), None, "{expected:?}");
        assert!(store.get(guid(2)).await.unwrap().unwrap().settings == marked(2));
        assert_eq!(store.latest_revision().await.unwrap(), new);
    }
    // No transaction is left open.
    assert!(save(store.as_ref(), save_of(guid(1), "Excel", marked(5))).await > new);
}

pub(super) async fn a_save_succeeds_if_its_precondition_holds<D: Database>() {
    let database = D::new().await;
    let store = database.open().await;
    let nothing = ConnectionSave { expected: Expected::Nothing, ..save_of(guid(1), "Excel", marked(1)) };
    let revision = save(store.as_ref(), nothing).await;
    let known =
        ConnectionSave { expected: Expected::Revision(revision), ..save_of(guid(1), "Excel", marked(2)) };
    save(store.as_ref(), known).await;
    assert!(store.get(guid(1)).await.unwrap().unwrap().settings == marked(2));
}

pub(super) async fn a_save_reports_its_progress<D: Database>() {
    let database = D::new().await;
    let store = database.open().await;
    let connections: Vec<_> = (0..5).map(|number| save_of(guid(number), "Excel", vec![])).collect();
    let reported = Mutex::new(Vec::new());
    let revision =
        store.save(&connections, &unrecorded(), &|done| reported.lock().unwrap().push(done)).await.unwrap();
    assert_eq!(reported.into_inner().unwrap().last(), Some(&5));
    assert!(store.all().await.unwrap().iter().all(|connection| connection.revision == revision));
}

pub(super) async fn the_first_key_is_added_once<D: Database>() {
    let database = D::new().await;
    let (one, other) = (database.open().await, database.open().await);
    assert_eq!(one.keys().await.unwrap(), []);
    let (first, second) = tokio::join!(one.add_first_key(key("a")), other.add_first_key(key("b")));
    assert_eq!(first.unwrap(), second.unwrap());
    assert_eq!(one.add_first_key(key("c")).await.unwrap(), other.keys().await.unwrap()[0].clone());
}

pub(super) async fn lists_are_ordered_by_guid<D: Database>() {
    let database = D::new().await;
    let store = database.open().await;
    for number in [u128::MAX, 3, 1 << 127, 0, 255] {
        save(store.as_ref(), save_of(guid(number), "Excel", marked(number as usize % 7))).await;
    }
    let expected = [0, 3, 255, 1 << 127, u128::MAX].map(guid);
    let listed = store.list().await.unwrap();
    assert_eq!(listed.iter().map(|connection| connection.guid).collect::<Vec<_>>(), expected);
    let all = store.all().await.unwrap();
    assert_eq!(all.iter().map(|connection| connection.guid).collect::<Vec<_>>(), expected);
    for (listed, whole) in listed.iter().zip(&all) {
        assert_eq!(
            (&listed.connector, listed.settings, listed.revision, listed.saved_at),
            (&whole.connector, whole.settings.len(), whole.revision, whole.saved_at)
        );
    }
}
