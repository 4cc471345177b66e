//! The state of connections: what every store does, and the repository with its keys.

use std::path::Path;
use std::sync::Arc;

use plugin_api::StateVersion;
use plugin_api::abi::{StateCondition, StateWritten};
use tempfile::TempDir;
use test_support::scale;

use super::store_suite::Database;
use super::*;

const SECRET: &str = "hunter2-refresh-token";

fn sealed(text: &str) -> SealedSecret {
    // A nonce and a tag come with it.
    SealedSecret { key_id: KeyId("k1".to_owned()), bytes: [&[0; 28], text.as_bytes()].concat() }
}

fn write(number: u128, key: &str, value: Option<&str>, condition: StateCondition) -> StateWrite {
    StateWrite {
        guid: guid(number),
        key: key.to_owned(),
        value: value.map(sealed),
        condition,
        limit: 1 << 20,
    }
}

async fn put(store: &dyn ConnectionStore, number: u128, key: &str, value: &str) -> StateVersion {
    match store.set_state(&write(number, key, Some(value), StateCondition::Anything)).await.unwrap() {
        StateWritten::Set(version) => version,
        other => panic!("{other:?}"),
    }
}

async fn store_with_key<D: Database>(database: &D) -> Arc<dyn ConnectionStore> {
    let store = database.open().await;
    let key_id = KeyId("k1".to_owned());
    store.add_first_key(KeyCheck { key_id, bytes: vec![1] }).await.unwrap();
    store
}

async fn texts(store: &dyn ConnectionStore, number: u128) -> Vec<(String, String)> {
    let entries = store.all_state(guid(number)).await.unwrap();
    let text = |entry: SealedState| (entry.key, String::from_utf8(entry.value.bytes[28..].to_vec()).unwrap());
    entries.into_iter().map(text).collect()
}

fn pair(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

pub(super) async fn state_is_kept_by_a_restart_and_by_saves<D: Database>() {
    let database = D::new().await;
    let store = store_with_key(&database).await;
    for number in [1, 2] {
        save(store.as_ref(), save_of(guid(number), "Excel", vec![])).await;
    }
    let first = put(store.as_ref(), 1, "token", "old").await;
    let second = put(store.as_ref(), 1, "token", "new").await;
    assert!(second.number() > first.number());
    put(store.as_ref(), 1, "Ærlig 100%_", "").await;
    put(store.as_ref(), 2, "token", "other").await;
    save(store.as_ref(), save_of(guid(1), "EXCEL", vec![plain("a", Some("1"))])).await;
    let revision = store.latest_revision().await.unwrap();
    store.close().await.unwrap();

    let store = database.open().await;
    assert_eq!(texts(store.as_ref(), 1).await, [pair("token", "new"), pair("Ærlig 100%_", "")]);
    assert_eq!(texts(store.as_ref(), 2).await, [pair("token", "other")]);
    let entry = store.state(guid(1), "token").await.unwrap().unwrap();
    assert_eq!((entry.version, &entry.value), (second, &sealed("new")));
    assert_eq!(store.state(guid(1), "nothing").await.unwrap(), None);
    assert_eq!(store.latest_revision().await.unwrap(), revision, "state is no change of a connection");
    let third = put(store.as_ref(), 1, "token", "new").await;
    assert!(third.number() > second.number(), "versions go on after a restart");
}

pub(super) async fn state_is_written_if_its_condition_holds<D: Database>() {
    use StateCondition::{Absent, Anything, Version};
    let database = D::new().await;
    let store = store_with_key(&database).await;
    save(store.as_ref(), save_of(guid(1), "Excel", vec![])).await;
    let set = async |value, condition| store.set_state(&write(1, "key", value, condition)).await.unwrap();
    assert_eq!(set(None, Absent).await, StateWritten::Deleted, "nothing to delete is no failure");
    assert_eq!(set(Some("a"), Version(StateVersion::new(1))).await, StateWritten::Changed);
    let StateWritten::Set(first) = set(Some("a"), Absent).await else { panic!("it is absent") };
    assert_eq!(set(Some("b"), Absent).await, StateWritten::Changed);
    let StateWritten::Set(second) = set(Some("b"), Version(first)).await else { panic!("its version") };
    for value in [Some("c"), None] {
        assert_eq!(set(value, Version(first)).await, StateWritten::Changed);
    }
    assert_eq!(texts(store.as_ref(), 1).await, [pair("key", "b")]);
    assert_eq!(set(None, Version(second)).await, StateWritten::Deleted);
    assert_eq!(set(None, Anything).await, StateWritten::Deleted);
    let StateWritten::Set(third) = set(Some("a"), Absent).await else { panic!("it was deleted") };
    assert!(third.number() > second.number(), "a version does not come back with a new entry");
}

pub(super) async fn state_has_its_size_and_a_limit<D: Database>() {
    let database = D::new().await;
    let store = store_with_key(&database).await;
    save(store.as_ref(), save_of(guid(1), "Excel", vec![])).await;
    let size = async || {
        let size = store.state_size(guid(1)).await.unwrap();
        (size.entries, size.bytes)
    };
    assert_eq!(size().await, (0, 0));
    put(store.as_ref(), 1, "key", "1234567").await;
    put(store.as_ref(), 1, "other", "").await;
    assert_eq!(size().await, (2, 110 + 105));
    put(store.as_ref(), 1, "key", "1").await;
    assert_eq!(size().await, (2, 104 + 105));
    let limited =
        |value, limit| StateWrite { limit, ..write(1, "key", Some(value), StateCondition::Anything) };
    let error = store.set_state(&limited("123", 210)).await.unwrap_err().to_string();
    for expected in
        ["211 bytes", "expected 210 at most", "limits.state_per_connection", "nothing was changed"]
    {
        assert!(error.contains(expected), "{expected}: {error}");
    }
    assert_eq!(size().await, (2, 209));
    store.set_state(&limited("12", 210)).await.unwrap();
    store.set_state(&limited("1", 100)).await.unwrap();
    assert_eq!(size().await, (2, 209), "a smaller value is taken although the limit is lower now");
    store.set_state(&write(1, "other", None, StateCondition::Anything)).await.unwrap();
    assert_eq!(size().await, (1, 104));
    assert_eq!(store.state_size(guid(2)).await.unwrap(), StateSize::default());
}

pub(super) async fn state_has_its_keys_by_prefix<D: Database>() {
    let database = D::new().await;
    let store = store_with_key(&database).await;
    for number in [1, 2] {
        save(store.as_ref(), save_of(guid(number), "Excel", vec![])).await;
    }
    for key in ["page/2", "page/10", "Page/1", "page", "page%", "pagé", "zeta", "'; DROP TABLE"] {
        put(store.as_ref(), 1, key, "x").await;
    }
    put(store.as_ref(), 2, "page/of another", "x").await;
    let keys = async |prefix: &str| store.state_keys(guid(1), prefix).await.unwrap();
    assert_eq!(keys("page/").await, ["page/10", "page/2"]);
    assert_eq!(keys("pag").await, ["page", "page%", "page/10", "page/2", "pagé"]);
    assert_eq!(keys("page%").await, ["page%"]);
    assert_eq!(keys("").await.len(), 8);
    assert!(keys("q").await.is_empty());
}

pub(super) async fn state_goes_with_its_connection<D: Database>() {
    let database = D::new().await;
    let store = store_with_key(&database).await;
    let lost = store.set_state(&write(1, "key", Some("x"), StateCondition::Anything)).await.unwrap_err();
    assert!(matches!(lost, StoreError::NotStored { .. }), "{lost}");
    save(store.as_ref(), save_of(guid(1), "Excel", vec![])).await;
    put(store.as_ref(), 1, "key", "x").await;
    store.delete(guid(1), &unrecorded()).await.unwrap().unwrap();
    assert!(texts(store.as_ref(), 1).await.is_empty());
    let lost = store.set_state(&write(1, "key", Some("x"), StateCondition::Anything)).await.unwrap_err();
    assert!(matches!(lost, StoreError::NotStored { .. }), "{lost}");
    // Another connection of the same GUID, and another connector.
    save(store.as_ref(), save_of(guid(1), "Excel", vec![])).await;
    assert!(texts(store.as_ref(), 1).await.is_empty());
    put(store.as_ref(), 1, "key", "of Excel").await;
    save(store.as_ref(), save_of(guid(1), "Visma", vec![])).await;
    assert!(texts(store.as_ref(), 1).await.is_empty(), "a connector does not get the state of another one");
    assert_eq!(store.state_size(guid(1)).await.unwrap(), StateSize::default());
    let state = Some(vec![("a".to_owned(), sealed("1")), ("b".to_owned(), sealed("2"))]);
    save(store.as_ref(), ConnectionSave { state, ..save_of(guid(1), "Visma", vec![]) }).await;
    assert_eq!(texts(store.as_ref(), 1).await, [pair("a", "1"), pair("b", "2")]);
    let state = Some(vec![("c".to_owned(), sealed("3"))]);
    save(store.as_ref(), ConnectionSave { state, ..save_of(guid(1), "Excel", vec![]) }).await;
    assert_eq!(texts(store.as_ref(), 1).await, [pair("c", "3")], "replaced as a whole");
    assert_eq!(store.state_size(guid(1)).await.unwrap(), StateSize { entries: 1, bytes: 102 });
}

/// Several processes increment one counter, each with compare-and-set.
pub(super) async fn state_compare_and_set_loses_no_update<D: Database>() {
    let database = D::new().await;
    let store = store_with_key(&database).await;
    save(store.as_ref(), save_of(guid(1), "Excel", vec![])).await;
    put(store.as_ref(), 1, "count", "0").await;
    let rounds = scale(200);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = database.open().await;
        tasks.spawn(async move {
            let mut versions = Vec::new();
            while versions.len() < rounds {
                let entry = store.state(guid(1), "count").await.unwrap().unwrap();
                let count: usize = String::from_utf8_lossy(&entry.value.bytes[28..]).parse().unwrap();
                let next = (count + 1).to_string();
                let write = write(1, "count", Some(&next), StateCondition::Version(entry.version));
                match store.set_state(&write).await.unwrap() {
                    StateWritten::Set(version) => versions.push((entry.version.number(), version.number())),
                    StateWritten::Changed => {}
                    StateWritten::Deleted => panic!("nobody deletes it"),
                }
            }
            versions
        });
    }
    let mut steps = tasks.join_all().await.concat();
    steps.sort_unstable();
    assert_eq!(texts(store.as_ref(), 1).await, [pair("count", &(4 * rounds).to_string())]);
    assert!(steps.windows(2).all(|two| two[0].1 == two[1].0), "exactly one write follows each version");
}

async fn open(data: &Path) -> ConnectionRepository {
    ConnectionRepository::open(data, None, IfMissing::Create).await.unwrap()
}

async fn with_connection() -> (TempDir, ConnectionRepository) {
    let folder = tempfile::tempdir().unwrap();
    let repository = open(folder.path()).await;
    repository.save(guid(1), "Excel", &settings("server", "secret"), &["Password"], &by()).await.unwrap();
    (folder, repository)
}

async fn set(repository: &ConnectionRepository, key: &str, value: &str) -> StateWritten {
    repository.set_state(guid(1), key, Some(value), StateCondition::Anything).await.unwrap()
}

async fn value(repository: &ConnectionRepository, key: &str) -> Option<String> {
    repository.state(guid(1), key).await.unwrap().map(|entry| entry.value().to_owned())
}

#[tokio::test]
async fn state_is_encrypted_in_every_file() {
    let (folder, repository) = with_connection().await;
    for text in [SECRET, "hunter2-changed"] {
        set(&repository, "plain-key", text).await;
    }
    assert_eq!(value(&repository, "plain-key").await.as_deref(), Some("hunter2-changed"));
    let read = || -> Vec<(std::path::PathBuf, Vec<u8>)> {
        let paths = walk(folder.path());
        paths.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
    };
    let open_files = read();
    repository.store().close().await.unwrap();
    let files = [open_files, read()].concat();
    let holds = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(files.iter().any(|(_, bytes)| holds(bytes, "plain-key")), "the search finds what is plain");
    for (path, bytes) in &files {
        assert!(!holds(bytes, "hunter2"), "{}", path.display());
    }
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn state_is_bound_to_its_connection_and_key() {
    let key = SecretKey::random().unwrap();
    let sealed = key.seal_state(guid(1), "token", SECRET).unwrap();
    assert_eq!(key.open_state(guid(1), "token", &sealed).as_deref(), Ok(SECRET));
    assert!(key.open_state(guid(2), "token", &sealed).is_err());
    assert!(key.open_state(guid(1), "other", &sealed).is_err());
    assert!(key.open(guid(1), "token", &sealed).is_err(), "nor is it the secret of a setting");
}

#[tokio::test]
async fn state_beyond_a_limit_is_refused() {
    let (_folder, repository) = with_connection().await;
    let limits = StoreLimits { state_value: 10, state_per_connection: 300, ..StoreLimits::default() };
    let repository = repository.with_limits(limits);
    set(&repository, "k", "1234567890").await;
    for (key, value, expected) in [
        ("k", "12345678901", "the value \"k\" of the state of the connection"),
        ("k", "12345678901", "has 11 bytes, expected 10 at most (limits.state_value"),
        ("", "x", "is empty"),
        ("a\nb", "x", "control character"),
    ] {
        let refused = repository.set_state(guid(1), key, Some(value), StateCondition::Anything).await;
        let error = refused.unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("123456"), "{expected}: {error}");
    }
    set(&repository, "l", "1234567890").await;
    let third = repository.set_state(guid(1), "m", Some(""), StateCondition::Anything).await;
    assert!(third.unwrap_err().to_string().contains("limits.state_per_connection"));
    assert_eq!(repository.state_keys(guid(1), "").await.unwrap(), ["k", "l"]);
    assert_eq!(value(&repository, "k").await.as_deref(), Some("1234567890"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn state_written_during_key_rotations_is_not_lost() {
    let (folder, host) = with_connection().await;
    let command = open(folder.path()).await;
    for number in 0..150 {
        set(&host, &format!("old {number}"), &number.to_string()).await;
    }
    let writing = async {
        for number in 0..scale(400) {
            set(&host, "new", &number.to_string()).await;
            assert_eq!(value(&host, "new").await, Some(number.to_string()));
            assert_eq!(
                value(&host, &format!("old {}", number % 150)).await,
                Some((number % 150).to_string())
            );
        }
    };
    let rotating = async {
        for _ in 0..4 {
            command.rotate_key(&by(), &|_| ()).await.unwrap();
        }
    };
    tokio::join!(writing, rotating);
    let before = host.all_state(guid(1)).await.unwrap();
    command.rotate_key(&by(), &|_| ()).await.unwrap();
    let newest = command.store().keys().await.unwrap().remove(0).key_id;
    assert!(
        command.store().all_state(guid(1)).await.unwrap().iter().all(|entry| entry.value.key_id == newest)
    );
    let fresh = open(folder.path()).await;
    assert!(fresh.all_state(guid(1)).await.unwrap() == before, "values and versions");
}

#[tokio::test]
async fn state_is_not_in_the_audit_log() {
    let (folder, repository) = with_connection().await;
    let head = || audit::AuditFiles::new(folder.path().join(audit::FOLDER)).head().unwrap();
    let before = head();
    set(&repository, "key", "value").await;
    assert_eq!(head(), before);
}
