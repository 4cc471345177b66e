//! What every store must do.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;

/// A place for a store, kept while the store is closed and opened again.
pub(super) trait Place: Sized {
    async fn new() -> Self;
    /// Opens the store there, as a process that starts does; several may be open at once.
    async fn open(&self) -> Arc<dyn ConnectionStore>;
}

/// A test of every function below, for one kind of store.
macro_rules! store_suite {
    ($place:ty: $($test:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                crate::tests::suite::$test::<$place>().await;
            }
        )*
    };
    ($place:ty) => {
        store_suite! { $place:
            a_restart_keeps_everything
            any_settings_come_back_as_they_were
            a_save_replaces_the_whole_connection
            a_connection_without_settings_is_kept
            concurrent_saves_of_one_connection_never_mix
            concurrent_saves_of_many_connections_are_all_kept
            two_processes_save_at_once
            a_save_that_nobody_waits_for_happens_whole_or_not_at_all
            what_was_deleted_is_gone
            every_change_is_newer_than_those_before
            changes_are_told_to_another_process
            a_save_that_expects_something_else_saves_nothing
            a_save_that_expects_what_is_there_saves
            a_save_tells_how_far_it_is
            the_first_key_stays
            lists_are_ordered_by_guid
        }
    };
}
pub(super) use store_suite;

fn key(id: &str) -> KeyCheck {
    KeyCheck { key_id: KeyId(id.to_owned()), bytes: vec![1, 2, 3] }
}

pub(super) async fn a_restart_keeps_everything<P: Place>() {
    let place = P::new().await;
    let store = place.open().await;
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

    let store = place.open().await;
    let after = store.get(guid(1)).await.unwrap().unwrap();
    assert_eq!(after, before);
    assert_eq!((after.connector.as_str(), after.revision), ("Excel ☃", revision));
    assert!(after.settings == settings);
    assert_eq!(store.latest_revision().await.unwrap(), revision);
    assert_eq!(store.keys().await.unwrap(), [key("k1")]);
}

pub(super) async fn any_settings_come_back_as_they_were<P: Place>() {
    let place = P::new().await;
    let store = place.open().await;
    let runtime = tokio::runtime::Handle::current();
    let setting = (any::<String>(), proptest::option::of(any::<String>()));
    let any_settings = proptest::collection::vec(setting, 0..8);
    tokio::task::block_in_place(|| {
        let mut runner = TestRunner::new(ProptestConfig { cases: 64, ..ProptestConfig::default() });
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

pub(super) async fn a_save_replaces_the_whole_connection<P: Place>() {
    let place = P::new().await;
    let store = place.open().await;
    save(store.as_ref(), save_of(guid(1), "Excel", vec![plain("a", Some("1")), plain("b", Some("2"))])).await;
    save(store.as_ref(), save_of(guid(1), "Other", vec![plain("b", Some("3"))])).await;
    let stored = store.get(guid(1)).await.unwrap().unwrap();
    assert_eq!(stored.connector, "Other");
    assert!(stored.settings == [plain("b", Some("3"))]);
    assert_eq!(store.list().await.unwrap().len(), 1);
}

pub(super) async fn a_connection_without_settings_is_kept<P: Place>() {
    let place = P::new().await;
    let store = place.open().await;
    save(store.as_ref(), save_of(guid(1), "Excel", vec![])).await;
    assert!(store.get(guid(1)).await.unwrap().unwrap().settings.is_empty());
    assert_eq!(store.list().await.unwrap()[0].settings, 0);
    assert_eq!(store.all().await.unwrap().len(), 1);
    assert_eq!(store.get(guid(2)).await.unwrap(), None);
}

/// Settings that all hold the same mark: a mix of two saves would show.
fn marked(mark: usize) -> Vec<SealedSetting> {
    (0..=mark % 7).map(|at| plain(&format!("{at} of {}", mark % 7), Some(&mark.to_string()))).collect()
}

pub(super) async fn concurrent_saves_of_one_connection_never_mix<P: Place>() {
    let place = P::new().await;
    let store = place.open().await;
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

pub(super) async fn concurrent_saves_of_many_connections_are_all_kept<P: Place>() {
    let place = P::new().await;
    let store = place.open().await;
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
    let all = place.open().await.all().await.unwrap();
    assert_eq!(all.len(), 100);
    for (number, connection) in all.iter().enumerate() {
        assert_eq!(connection.guid, guid(number as u128));
        assert!(connection.settings == marked(number));
    }
}

pub(super) async fn two_processes_save_at_once<P: Place>() {
    let place = P::new().await;
    let stores = [place.open().await, place.open().await];
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

pub(super) async fn a_save_that_nobody_waits_for_happens_whole_or_not_at_all<P: Place>() {
    let place = P::new().await;
    let store = place.open().await;
    save(store.as_ref(), save_of(guid(1), "0", marked(0))).await;
    for mark in 1..100 {
        let task = {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                save(store.as_ref(), save_of(guid(1), &mark.to_string(), marked(mark))).await
            })
        };
        // A caller that goes away, at one point or another of the save.
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
    // The store is not left in the middle of something.
    let revision = save(store.as_ref(), save_of(guid(1), "Excel", marked(3))).await;
    store.close().await.unwrap();
    let stored = place.open().await.get(guid(1)).await.unwrap().unwrap();
    assert_eq!(stored.revision, revision);
    assert!(stored.settings == marked(3));
}

pub(super) async fn what_was_deleted_is_gone<P: Place>() {
    let place = P::new().await;
    let store = place.open().await;
    assert_eq!(store.delete(guid(1), &unrecorded()).await.unwrap(), None);
    save(store.as_ref(), save_of(guid(1), "Excel", marked(3))).await;
    save(store.as_ref(), save_of(guid(2), "Excel", marked(4))).await;
    assert!(store.delete(guid(1), &unrecorded()).await.unwrap().is_some());
    assert_eq!(store.get(guid(1)).await.unwrap(), None);
    assert_eq!(store.delete(guid(1), &unrecorded()).await.unwrap(), None);
    store.close().await.unwrap();
    let store = place.open().await;
    assert_eq!(store.get(guid(1)).await.unwrap(), None);
    assert_eq!(store.all().await.unwrap().len(), 1);
}

pub(super) async fn every_change_is_newer_than_those_before<P: Place>() {
    let place = P::new().await;
    let store = place.open().await;
    let mut newest = store.latest_revision().await.unwrap();
    assert_eq!(newest, Revision::NONE);
    for _ in 0..3 {
        let saved = save(store.as_ref(), save_of(guid(1), "Excel", vec![])).await;
        assert!(saved > newest);
        // A deleted connection's revisions are not given again to one that is saved with the same GUID.
        newest = store.delete(guid(1), &unrecorded()).await.unwrap().unwrap();
        assert!(newest > saved);
    }
    store.close().await.unwrap();
    let store = place.open().await;
    assert!(save(store.as_ref(), save_of(guid(1), "Excel", vec![])).await > newest);
}

pub(super) async fn changes_are_told_to_another_process<P: Place>() {
    let place = P::new().await;
    let (writer, reader) = (place.open().await, place.open().await);
    assert_eq!(reader.changes_since(Revision::NONE).await.unwrap(), []);
    save(writer.as_ref(), save_of(guid(1), "Excel", vec![])).await;
    let second = save(writer.as_ref(), save_of(guid(2), "Excel", vec![])).await;
    let again = save(writer.as_ref(), save_of(guid(1), "Excel", vec![])).await;
    let change = |number, revision| Change { guid: guid(number), revision };
    assert_eq!(
        reader.changes_since(Revision::NONE).await.unwrap(),
        [change(2, second), change(1, again)],
        "a connection stands there once, with its newest change"
    );
    assert_eq!(reader.changes_since(second).await.unwrap(), [change(1, again)]);
    assert_eq!(reader.changes_since(again).await.unwrap(), []);
    let deleted = writer.delete(guid(2), &unrecorded()).await.unwrap().unwrap();
    assert_eq!(reader.changes_since(again).await.unwrap(), [change(2, deleted)]);
    let back = save(writer.as_ref(), save_of(guid(2), "Excel", vec![])).await;
    assert_eq!(reader.changes_since(again).await.unwrap(), [change(2, back)]);
    assert_eq!(reader.latest_revision().await.unwrap(), back);
}

pub(super) async fn a_save_that_expects_something_else_saves_nothing<P: Place>() {
    let place = P::new().await;
    let store = place.open().await;
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
    // The store is not left in the middle of something.
    assert!(save(store.as_ref(), save_of(guid(1), "Excel", marked(5))).await > new);
}

pub(super) async fn a_save_that_expects_what_is_there_saves<P: Place>() {
    let place = P::new().await;
    let store = place.open().await;
    let nothing = ConnectionSave { expected: Expected::Nothing, ..save_of(guid(1), "Excel", marked(1)) };
    let revision = save(store.as_ref(), nothing).await;
    let known =
        ConnectionSave { expected: Expected::Revision(revision), ..save_of(guid(1), "Excel", marked(2)) };
    save(store.as_ref(), known).await;
    assert!(store.get(guid(1)).await.unwrap().unwrap().settings == marked(2));
}

pub(super) async fn a_save_tells_how_far_it_is<P: Place>() {
    let place = P::new().await;
    let store = place.open().await;
    let connections: Vec<_> = (0..5).map(|number| save_of(guid(number), "Excel", vec![])).collect();
    let told = Mutex::new(Vec::new());
    let revision =
        store.save(&connections, &unrecorded(), &|done| told.lock().unwrap().push(done)).await.unwrap();
    assert_eq!(told.into_inner().unwrap().last(), Some(&5));
    assert!(store.all().await.unwrap().iter().all(|connection| connection.revision == revision));
}

pub(super) async fn the_first_key_stays<P: Place>() {
    let place = P::new().await;
    let (one, other) = (place.open().await, place.open().await);
    assert_eq!(one.keys().await.unwrap(), []);
    let (first, second) = tokio::join!(one.add_first_key(key("a")), other.add_first_key(key("b")));
    assert_eq!(first.unwrap(), second.unwrap());
    assert_eq!(one.add_first_key(key("c")).await.unwrap(), other.keys().await.unwrap()[0].clone());
}

pub(super) async fn lists_are_ordered_by_guid<P: Place>() {
    let place = P::new().await;
    let store = place.open().await;
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
