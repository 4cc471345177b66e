//! The cache of open connections: single flight, and invalidation at every moment of an opening.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::*;
use crate::open_connections::Slot;

const REFRESH_EVERY: Duration = Duration::from_secs(1000);

/// An open connection with the server that it was opened for. It sends that when it is closed.
#[derive(Debug)]
struct Opened {
    server: String,
    closed: Option<mpsc::UnboundedSender<String>>,
}

impl Opened {
    fn with(stored: &StoredConnection) -> Self {
        Opened { server: stored.settings.get("Server").unwrap().to_owned(), closed: None }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if let Some(closed) = &self.closed {
            closed.send(self.server.clone()).ok();
        }
    }
}

impl Live for Opened {
    fn lifetime(&self) -> Lifetime {
        Lifetime { idle: Duration::from_secs(30 * 60), age: Duration::from_secs(12 * 3600) }
    }

    fn refresh_every(&self) -> Option<Duration> {
        Some(REFRESH_EVERY)
    }
}

/// Errors that say that nothing was attempted are not kept.
impl OpeningFailure for String {
    fn retry(&self) -> RetryPolicy {
        match self.as_str() {
            "busy" => RetryPolicy::AtOnce,
            "away" => RetryPolicy::Soon,
            "settings" => RetryPolicy::WhenSaved,
            _ => RetryPolicy::Later,
        }
    }
}

type Host = Connections<Opened, String>;
type Got = Result<Option<Arc<OpenConnection<Opened>>>, OpenError<String>>;

async fn host(folder: &Path) -> Host {
    Connections::open_store(folder, None).await.unwrap()
}

async fn host_with(server: &str) -> (TempDir, Host) {
    let folder = tempfile::tempdir().unwrap();
    let host = host(folder.path()).await;
    save(&host, server).await;
    (folder, host)
}

async fn save(host: &Host, server: &str) -> Revision {
    host.save(guid(1), "Excel", &settings(server, "secret"), &["Password"], &by()).await.unwrap()
}

/// The connection; opens it if it is not open.
async fn get(host: &Host) -> Arc<OpenConnection<Opened>> {
    host.get_or_open(guid(1), |stored| async move { Ok(Opened::with(&stored)) }).await.unwrap().unwrap()
}

fn server(got: Got) -> String {
    got.unwrap().unwrap().connection().server.clone()
}

/// Opens the connection. The receiver gets a message when it is closed.
async fn get_watched(host: &Host) -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    host.get_or_open(guid(1), |stored| async move {
        let mut opened = Opened::with(&stored);
        opened.closed = Some(sender);
        Ok(opened)
    })
    .await
    .unwrap()
    .unwrap();
    receiver
}

/// A call whose opening has read the settings, and waits for the test to end it.
struct SlowCall {
    call: JoinHandle<Got>,
    finish: oneshot::Sender<Result<(), String>>,
}

impl SlowCall {
    async fn start(host: &Host) -> Self {
        let (entered, has_entered) = oneshot::channel();
        let (finish, finished) = oneshot::channel();
        let host = host.clone();
        let call = tokio::spawn(async move {
            host.get_or_open(guid(1), |stored| async move {
                entered.send(()).unwrap();
                finished.await.unwrap()?;
                Ok(Opened::with(&stored))
            })
            .await
        });
        has_entered.await.unwrap();
        SlowCall { call, finish }
    }

    async fn end(self, with: Result<(), &str>) -> Got {
        self.finish.send(with.map_err(str::to_owned)).unwrap();
        self.call.await.unwrap()
    }
}

/// Starts calls that wait for the opening under way. `opened` counts those that opened the connection themselves.
async fn joining_calls(host: &Host, count: usize, opened: &Arc<AtomicUsize>) -> Vec<JoinHandle<Got>> {
    let calls = (0..count)
        .map(|_| {
            let (host, opened) = (host.clone(), Arc::clone(opened));
            tokio::spawn(async move {
                host.get_or_open(guid(1), |stored| async move {
                    opened.fetch_add(1, Ordering::Relaxed);
                    Ok(Opened::with(&stored))
                })
                .await
            })
        })
        .collect();
    // Until all of them wait, besides the one that began.
    while waiting(host) <= count {
        tokio::task::yield_now().await;
    }
    calls
}

/// The number of calls that wait for the opening under way.
fn waiting(host: &Host) -> usize {
    match host.shared.open.slots.get(&guid(1)).as_deref() {
        Some(Slot::Opening(opening)) => opening.result.receiver_count(),
        _ => 0,
    }
}

#[tokio::test]
async fn open_connection_is_cached() {
    let (_folder, host) = host_with("one").await;
    assert!(host.get(guid(1)).is_none());
    let first = get(&host).await;
    assert_eq!(
        (first.guid(), first.connector(), first.connection().server.as_str()),
        (guid(1), "Excel", "one")
    );
    assert!(Arc::ptr_eq(&first, &get(&host).await));
    assert!(Arc::ptr_eq(&first, &host.get(guid(1)).unwrap()));
    assert_eq!(host.open_count(), 1);
}

#[tokio::test]
async fn connection_that_is_not_stored_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(folder.path()).await;
    let got = host.get_or_open(guid(1), |_| async { panic!("nothing to open") }).await;
    assert!(got.unwrap().is_none());
    assert_eq!(host.find(guid(1)).await.unwrap(), None);
    // Not remembered as missing.
    save(&host, "one").await;
    assert_eq!(get(&host).await.connection().server, "one");
}

#[tokio::test]
async fn single_flight_opens_once_for_concurrent_calls() {
    let (_folder, host) = host_with("one").await;
    let opened = Arc::default();
    let slow = SlowCall::start(&host).await;
    let calls = joining_calls(&host, 50, &opened).await;
    assert!(host.get(guid(1)).is_none(), "not open before it is");
    let first = slow.end(Ok(())).await.unwrap().unwrap();
    for call in calls {
        assert!(Arc::ptr_eq(&first, &call.await.unwrap().unwrap().unwrap()));
    }
    assert_eq!(opened.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn opening_does_not_block_other_connections() {
    let (_folder, host) = host_with("one").await;
    host.save(guid(2), "Other", &settings("two", "secret"), &["Password"], &by()).await.unwrap();
    let slow = SlowCall::start(&host).await;
    let other = host.get_or_open(guid(2), |stored| async move { Ok(Opened::with(&stored)) }).await;
    assert_eq!(other.unwrap().unwrap().connector(), "Other");
    host.delete(guid(2), &by()).await.unwrap();
    assert_eq!(server(slow.end(Ok(())).await), "one");
}

#[tokio::test]
async fn single_flight_gives_an_error_to_all_calls() {
    let (_folder, host) = host_with("one").await;
    let opened = Arc::default();
    let slow = SlowCall::start(&host).await;
    let calls = joining_calls(&host, 5, &opened).await;
    let error = slow.end(Err("the server is down")).await.unwrap_err();
    assert_eq!(error.to_string(), "the connection cannot be opened: the server is down");
    for call in calls {
        assert!(matches!(
            call.await.unwrap(),
            Err(OpenError::Connection { cause, retry: Some(Retry { is_held_back: false, .. }) })
                if *cause == "the server is down"
        ));
    }
    assert_eq!(opened.load(Ordering::Relaxed), 0);
    assert_eq!(host.open_count(), 0);
    // Nothing was attempted, so the next call tries it.
    save(&host, "one").await;
    let slow = SlowCall::start(&host).await;
    assert!(matches!(slow.end(Err("busy")).await, Err(OpenError::Connection { retry: None, .. })));
    assert_eq!(get(&host).await.connection().server, "one");
}

#[tokio::test]
async fn panic_while_opening_is_an_error_and_not_cached() {
    let (_folder, host) = host_with("one").await;
    let got: Got = host.get_or_open(guid(1), |_| async { panic!("on purpose") }).await;
    assert!(matches!(got, Err(OpenError::Ended)));
    assert_eq!(get(&host).await.connection().server, "one");
}

#[tokio::test]
async fn secret_that_cannot_be_decrypted_is_an_error_and_not_cached() {
    let (_folder, host) = host_with("one").await;
    let store = host.shared.repository.store();
    let sealed = store.get(guid(1)).await.unwrap().unwrap();
    super::save(store, save_of(guid(2), "Excel", sealed.settings)).await;
    let got = host.get_or_open(guid(2), |_| async { panic!("nothing to open") }).await;
    let error = got.unwrap_err();
    assert!(
        matches!(&error, OpenError::Store(cause) if matches!(**cause, StoreError::Secret { .. })),
        "{error}"
    );
    host.save(guid(2), "Excel", &settings("two", "secret"), &["Password"], &by()).await.unwrap();
    assert!(host.get_or_open(guid(2), |stored| async move { Ok(Opened::with(&stored)) }).await.is_ok());
}

#[tokio::test]
async fn cancelled_call_does_not_cancel_the_opening() {
    let (_folder, host) = host_with("one").await;
    let opened = Arc::default();
    let slow = SlowCall::start(&host).await;
    slow.call.abort();
    assert!(slow.call.await.unwrap_err().is_cancelled());
    let call = {
        let (host, opened) = (host.clone(), Arc::clone(&opened));
        tokio::spawn(async move {
            host.get_or_open(guid(1), |stored| async move {
                AtomicUsize::fetch_add(&opened, 1, Ordering::Relaxed);
                Ok(Opened::with(&stored))
            })
            .await
        })
    };
    while waiting(&host) == 0 {
        tokio::task::yield_now().await;
    }
    slow.finish.send(Ok(())).unwrap();
    assert_eq!(server(call.await.unwrap()), "one");
    assert_eq!(opened.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn save_invalidates_the_connection() {
    let (_folder, host) = host_with("one").await;
    let mut closed = get_watched(&host).await;
    let revision = save(&host, "two").await;
    assert_eq!(closed.recv().await.as_deref(), Some("one"));
    let now = get(&host).await;
    assert_eq!((now.connection().server.as_str(), now.revision()), ("two", revision));
}

#[tokio::test]
async fn running_call_keeps_its_connection_after_a_save() {
    let (_folder, host) = host_with("one").await;
    let mut closed = get_watched(&host).await;
    let running = get(&host).await;
    save(&host, "two").await;
    assert_eq!(get(&host).await.connection().server, "two");
    assert_eq!(running.connection().server, "one");
    assert!(closed.try_recv().is_err(), "in use, so not closed");
    drop(running);
    assert_eq!(closed.recv().await.as_deref(), Some("one"));
}

#[tokio::test]
async fn save_during_an_opening_invalidates_it() {
    let (_folder, host) = host_with("one").await;
    let slow = SlowCall::start(&host).await;
    save(&host, "two").await;
    // A call after the save does not get what began before it, and does not wait for it.
    let new = get(&host).await;
    assert_eq!(new.connection().server, "two");
    // The call that came before the save gets what it asked for, but nobody else does.
    assert_eq!(server(slow.end(Ok(())).await), "one");
    assert!(Arc::ptr_eq(&new, &get(&host).await));
}

#[tokio::test]
async fn stale_opening_is_not_cached() {
    let (_folder, host) = host_with("one").await;
    let slow = SlowCall::start(&host).await;
    save(&host, "two").await;
    assert_eq!(server(slow.end(Ok(())).await), "one");
    assert_eq!(host.open_count(), 0);
    assert_eq!(get(&host).await.connection().server, "two");
}

#[tokio::test]
async fn failed_stale_opening_does_not_remove_the_new_connection() {
    let (_folder, host) = host_with("one").await;
    let slow = SlowCall::start(&host).await;
    save(&host, "two").await;
    let new = get(&host).await;
    assert!(slow.end(Err("too late")).await.is_err());
    assert!(Arc::ptr_eq(&new, &get(&host).await));
}

#[tokio::test]
async fn delete_during_an_opening_invalidates_it() {
    let (_folder, host) = host_with("one").await;
    let slow = SlowCall::start(&host).await;
    assert!(host.delete(guid(1), &by()).await.unwrap());
    let got = host.get_or_open(guid(1), |_| async { panic!("nothing to open") }).await;
    assert!(got.unwrap().is_none());
    assert_eq!(server(slow.end(Ok(())).await), "one");
    assert!(host.get(guid(1)).is_none());
}

/// An opening that reads its settings from the test, one read at a time. `None` is a connection that is not stored.
struct SlowRead {
    open: Arc<OpenConnections<Opened, String>>,
    /// Gets a message when a read begins.
    began: mpsc::UnboundedReceiver<()>,
    /// The result of the read.
    give: mpsc::UnboundedSender<Option<StoredConnection>>,
    call: JoinHandle<Got>,
}

impl SlowRead {
    async fn start() -> Self {
        let open = Arc::new(OpenConnections::default());
        let (begin, began) = mpsc::unbounded_channel();
        let (give, given) = mpsc::unbounded_channel();
        let given = Arc::new(tokio::sync::Mutex::new(given));
        let load = move || {
            let (begin, given) = (begin.clone(), Arc::clone(&given));
            async move {
                begin.send(()).unwrap();
                Ok(given.lock().await.recv().await.unwrap())
            }
        };
        let opens = Arc::clone(&open);
        let call = tokio::spawn(async move {
            opens.get_or_open(guid(1), load, |stored| async move { Ok(Opened::with(&stored)) }).await
        });
        let mut slow = SlowRead { open, began, give, call };
        slow.began.recv().await.unwrap();
        slow
    }

    fn read(&self, revision: i64) {
        self.give
            .send(Some(StoredConnection {
                guid: guid(1),
                connector: "Excel".to_owned(),
                settings: settings(&revision.to_string(), "secret"),
                revision: Revision(revision),
                saved_at: std::time::SystemTime::UNIX_EPOCH,
            }))
            .unwrap();
    }
}

#[tokio::test]
async fn settings_that_change_while_they_are_read_are_read_again() {
    let mut slow = SlowRead::start().await;
    slow.open.invalidate(guid(1), Revision(7));
    slow.read(3);
    slow.began.recv().await.expect("reads again");
    slow.read(7);
    assert_eq!(server(slow.call.await.unwrap()), "7");
    assert_eq!(slow.open.get(guid(1)).unwrap().revision(), Revision(7), "and is kept");
}

#[tokio::test]
async fn settings_are_not_read_again_if_they_are_new_enough() {
    let slow = SlowRead::start().await;
    slow.open.invalidate(guid(1), Revision(7));
    slow.read(7);
    assert_eq!(server(slow.call.await.unwrap()), "7");
    assert!(slow.open.get(guid(1)).is_some());
}

#[tokio::test]
async fn save_while_settings_are_found_missing_makes_them_read_again() {
    let mut slow = SlowRead::start().await;
    slow.open.invalidate(guid(1), Revision(7));
    slow.give.send(None).unwrap();
    slow.began.recv().await.expect("reads again");
    slow.read(7);
    assert_eq!(server(slow.call.await.unwrap()), "7");
}

#[tokio::test]
async fn delete_while_settings_are_read_makes_them_read_again() {
    let mut slow = SlowRead::start().await;
    slow.open.invalidate(guid(1), Revision(7));
    slow.read(3);
    slow.began.recv().await.expect("reads again");
    slow.give.send(None).unwrap();
    assert!(slow.call.await.unwrap().unwrap().is_none());
    assert_eq!(slow.open.slots.len(), 0, "nothing is left behind");
}

#[tokio::test]
async fn delete_closes_the_connection() {
    let (_folder, host) = host_with("one").await;
    let mut closed = get_watched(&host).await;
    assert!(host.delete(guid(1), &by()).await.unwrap());
    assert_eq!(closed.recv().await.as_deref(), Some("one"));
    assert!(host.get(guid(1)).is_none());
    assert!(!host.delete(guid(1), &by()).await.unwrap());
}

#[tokio::test]
async fn stale_opening_does_not_survive_a_delete_and_a_new_save() {
    let (_folder, host) = host_with("one").await;
    let slow = SlowCall::start(&host).await;
    host.delete(guid(1), &by()).await.unwrap();
    save(&host, "two").await;
    assert_eq!(server(slow.end(Ok(())).await), "one");
    assert_eq!(get(&host).await.connection().server, "two");
}

#[tokio::test]
async fn change_of_another_process_invalidates_the_connection() {
    let (folder, host) = host_with("one").await;
    let other = self::host(folder.path()).await;
    let mut closed = get_watched(&host).await;
    save(&other, "two").await;
    // Without poll_changes: the host polls by itself.
    assert_eq!(closed.recv().await.as_deref(), Some("one"));
    assert_eq!(get(&host).await.connection().server, "two");
    other.delete(guid(1), &by()).await.unwrap();
    host.poll_changes().await.unwrap();
    assert!(host.get(guid(1)).is_none());
    // The other process saves a new connection under the GUID.
    save(&other, "three").await;
    assert_eq!(get(&host).await.connection().server, "three");
}

#[tokio::test]
async fn polling_own_changes_does_not_invalidate_newer_connections() {
    let (_folder, host) = host_with("one").await;
    get(&host).await;
    save(&host, "two").await;
    let open = get(&host).await;
    host.poll_changes().await.unwrap();
    assert!(Arc::ptr_eq(&open, &host.get(guid(1)).unwrap()));
    // Nor an opening under way that has read the new settings.
    save(&host, "three").await;
    let slow = SlowCall::start(&host).await;
    host.poll_changes().await.unwrap();
    let opened = slow.end(Ok(())).await.unwrap().unwrap();
    assert!(Arc::ptr_eq(&opened, &host.get(guid(1)).unwrap()));
}

#[tokio::test]
async fn save_that_fails_leaves_the_connection_open() {
    let (_folder, host) = host_with("one").await;
    let open = get(&host).await;
    host.shared.repository.store().close().await.unwrap();
    assert!(host.save(guid(1), "Excel", &settings("two", "s"), &[], &by()).await.is_err());
    assert!(host.delete(guid(1), &by()).await.is_err());
    assert!(Arc::ptr_eq(&open, &host.get(guid(1)).unwrap()));
}

#[tokio::test]
async fn shutting_down_closes_everything() {
    let (_folder, host) = host_with("one").await;
    let mut closed = get_watched(&host).await;
    host.shut_down().await;
    assert_eq!(closed.recv().await.as_deref(), Some("one"));
    assert_eq!(host.open_count(), 0);
    assert!(host.find(guid(1)).await.is_err());
}

#[tokio::test]
async fn polling_ends_with_the_connections() {
    let (_folder, host) = host_with("one").await;
    let poller = host.poller.clone();
    let shared = Arc::downgrade(&host.shared);
    drop(host);
    while !poller.is_finished() {
        tokio::task::yield_now().await;
    }
    assert!(shared.upgrade().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_saves_and_calls_end_with_the_last_settings() {
    let (_folder, host) = host_with("0").await;
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..8 {
        let host = host.clone();
        tasks.spawn(async move {
            for number in 0..20 {
                if task == 0 {
                    let revision = save(&host, &number.to_string()).await;
                    assert!(get(&host).await.revision() >= revision, "a call after a save sees it");
                } else {
                    let open = get(&host).await;
                    assert!(open.connection().server.parse::<u32>().is_ok());
                    tokio::task::yield_now().await;
                }
            }
        });
    }
    while let Some(result) = tasks.join_next().await {
        result.unwrap();
    }
    assert_eq!(get(&host).await.connection().server, "19");
}

/// The connector was replaced: its open connections are invalidated, and those that are being opened.
#[tokio::test]
async fn invalidate_connector_covers_open_connections_and_openings() {
    let (_folder, host) = host_with("one").await;
    host.save(guid(2), "Other", &settings("two", "secret"), &["Password"], &by()).await.unwrap();
    let other = host.get_or_open(guid(2), |stored| async move { Ok(Opened::with(&stored)) });
    let other = other.await.unwrap().unwrap();
    let mut closed = get_watched(&host).await;
    let used = host.get(guid(1)).unwrap();
    host.invalidate_connector("EXCEL");
    assert!(Arc::ptr_eq(&other, &host.get(guid(2)).unwrap()), "it is another connector's");
    assert!(host.get(guid(1)).is_none());
    assert!(closed.try_recv().is_err(), "a call still uses it");
    drop(used);
    assert_eq!(closed.recv().await.unwrap(), "one");

    let slow = SlowCall::start(&host).await;
    let opened = Arc::default();
    let waits = joining_calls(&host, 1, &opened).await;
    host.invalidate_connector("Excel");
    // A call that comes now does not wait for the old version.
    let new = get(&host).await;
    let old = slow.end(Ok(())).await.unwrap().unwrap();
    assert!(!Arc::ptr_eq(&old, &new));
    for call in waits {
        assert!(Arc::ptr_eq(&old, &call.await.unwrap().unwrap().unwrap()), "it came before");
    }
    assert!(Arc::ptr_eq(&new, &host.get(guid(1)).unwrap()), "the old one is not kept");
}

/// A cache whose time is the test's, with openings that fail with a text or succeed.
struct Cache {
    open: Arc<OpenConnections<Opened, String>>,
    attempts: Arc<AtomicUsize>,
}

impl Cache {
    fn new() -> Self {
        Cache { open: Arc::default(), attempts: Arc::default() }
    }

    /// A call of the connection, which is stored with this revision.
    async fn call(&self, revision: i64, result: Result<(), &'static str>) -> Got {
        let load = move || async move {
            Ok(Some(StoredConnection {
                guid: guid(1),
                connector: "Excel".to_owned(),
                settings: settings(&revision.to_string(), "secret"),
                revision: Revision(revision),
                saved_at: std::time::SystemTime::UNIX_EPOCH,
            }))
        };
        let attempts = Arc::clone(&self.attempts);
        let open = move |stored: StoredConnection| async move {
            attempts.fetch_add(1, Ordering::Relaxed);
            result.map(|()| Opened::with(&stored)).map_err(str::to_owned)
        };
        self.open.get_or_open(guid(1), load, open).await
    }

    /// How long until it is tried again, after a call that fails.
    async fn pause(&self, revision: i64) -> (u64, bool) {
        match self.call(revision, Err("wrong password")).await {
            Err(OpenError::Connection { cause, retry: Some(retry) }) => {
                assert_eq!(*cause, "wrong password", "the original explanation");
                (retry.after.as_secs(), retry.is_held_back)
            }
            other => panic!("{other:?}"),
        }
    }

    fn attempts(&self) -> usize {
        self.attempts.load(Ordering::Relaxed)
    }
}

async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn backoff_holds_calls_back_after_a_failed_opening() {
    let cache = Cache::new();
    for (attempt, pause) in [5, 10, 20, 40, 60, 60].into_iter().enumerate() {
        assert_eq!(cache.pause(1).await, (pause, false));
        for _ in 0..10 {
            assert_eq!(cache.pause(1).await, (pause, true));
        }
        pass(pause - 1).await;
        assert_eq!(cache.pause(1).await, (1, true));
        assert_eq!(cache.attempts(), attempt + 1, "no call attempts it before");
        pass(1).await;
    }
    assert!(cache.call(1, Ok(())).await.is_ok());
    // After a success it begins anew.
    cache.open.close_all();
    assert_eq!(cache.pause(1).await, (5, false));
}

#[tokio::test(start_paused = true)]
async fn backoff_is_forgotten_when_settings_or_connector_change() {
    let cache = Cache::new();
    assert_eq!(cache.pause(1).await, (5, false));
    cache.open.invalidate(guid(1), Revision(1));
    assert_eq!(cache.pause(1).await, (5, true), "the same settings");
    cache.open.invalidate(guid(1), Revision(2));
    assert_eq!(cache.pause(2).await, (5, false), "new settings");
    cache.open.invalidate_connector("Other");
    assert_eq!(cache.pause(2).await, (5, true));
    cache.open.invalidate_connector("EXCEL");
    assert!(cache.call(2, Ok(())).await.is_ok(), "a new version of the connector");
    assert_eq!(cache.attempts(), 3);
}

#[tokio::test(start_paused = true)]
async fn backoff_of_wrong_settings_ends_when_they_are_saved() {
    let cache = Cache::new();
    let retry = |got: Got| match got {
        Err(OpenError::Connection { retry: Some(retry), .. }) => retry,
        other => panic!("{other:?}"),
    };
    let never = |is_held_back| Retry { after: Duration::MAX, is_held_back };
    assert_eq!(retry(cache.call(1, Err("settings")).await), never(false));
    pass(1_000_000).await;
    cache.open.close_expired();
    assert_eq!(retry(cache.call(1, Ok(())).await), never(true));
    cache.open.invalidate(guid(1), Revision(2));
    assert!(cache.call(2, Ok(())).await.is_ok());
    assert_eq!(cache.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn backoff_is_short_when_the_other_side_is_away() {
    let cache = Cache::new();
    assert!(!cache.open.is_any_unavailable());
    for pause in [1, 2, 4] {
        match cache.call(1, Err("away")).await {
            Err(OpenError::Connection { retry: Some(retry), .. }) => assert_eq!(retry.after.as_secs(), pause),
            other => panic!("{other:?}"),
        }
        assert!(cache.open.is_any_unavailable());
        pass(pause).await;
    }
    assert!(cache.call(1, Ok(())).await.is_ok());
    assert!(!cache.open.is_any_unavailable());
}

#[tokio::test(start_paused = true)]
async fn connection_whose_call_failed_is_closed_once() {
    let cache = Cache::new();
    let first = cache.call(1, Ok(())).await.unwrap().unwrap();
    cache.open.close(&first);
    assert!(cache.open.get(guid(1)).is_none());
    let second = cache.call(1, Ok(())).await.unwrap().unwrap();
    // Of another call of the first one.
    cache.open.close(&first);
    cache.open.fail(&first, "settings".to_owned());
    assert!(Arc::ptr_eq(&second, &cache.open.get(guid(1)).unwrap()));
    cache.open.fail(&second, "settings".to_owned());
    assert!(cache.call(1, Ok(())).await.is_err());
    cache.open.invalidate(guid(1), Revision(2));
    assert!(cache.call(2, Ok(())).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn backoff_is_forgotten_after_a_while_without_calls() {
    let cache = Cache::new();
    assert_eq!(cache.pause(1).await, (5, false));
    pass(5 + 599).await;
    cache.open.close_expired();
    assert_eq!(cache.open.slots.len(), 1);
    pass(1).await;
    cache.open.close_expired();
    assert_eq!(cache.open.slots.len(), 0, "nothing is kept of it");
}

/// Another process on the same store saves other settings.
#[tokio::test]
async fn backoff_is_forgotten_when_another_process_changes_the_settings() {
    let (folder, host) = host_with("one").await;
    let other = self::host(folder.path()).await;
    let fails = || host.get_or_open(guid(1), |_| async { Err("wrong password".to_owned()) });
    assert!(fails().await.is_err());
    let held_back = host.get_or_open(guid(1), |_| async { panic!("it is held back") }).await;
    assert!(matches!(held_back, Err(OpenError::Connection { .. })), "{held_back:?}");
    save(&other, "two").await;
    host.poll_changes().await.unwrap();
    assert_eq!(get(&host).await.connection().server, "two");
    // And when this one does.
    save(&host, "three").await;
    assert!(fails().await.is_err());
    save(&host, "four").await;
    assert_eq!(get(&host).await.connection().server, "four");
}

#[tokio::test(start_paused = true)]
async fn idle_connections_are_closed_and_opened_again() {
    let cache = Cache::new();
    let first = cache.call(1, Ok(())).await.unwrap().unwrap();
    let is_first =
        |open: Option<Arc<OpenConnection<Opened>>>| open.is_some_and(|open| Arc::ptr_eq(&open, &first));
    pass(29 * 60).await;
    assert!(is_first(cache.open.get(guid(1))), "a call uses it");
    pass(29 * 60).await;
    cache.open.close_expired();
    assert!(is_first(cache.open.get(guid(1))));
    pass(40 * 60).await;
    cache.open.close_expired();
    assert!(is_first(cache.open.get(guid(1))), "a call has it all the time");
    drop(first);
    pass(30 * 60).await;
    assert_eq!(cache.open.count(), 1);
    cache.open.close_expired();
    assert_eq!(cache.open.count(), 0);
    cache.call(1, Ok(())).await.unwrap().unwrap();
    assert_eq!(cache.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn old_connections_are_closed_although_they_are_used() {
    let (sender, mut closed) = mpsc::unbounded_channel();
    let open: Arc<OpenConnections<Opened, String>> = Arc::default();
    let load = || async {
        Ok(Some(StoredConnection {
            guid: guid(1),
            connector: "Excel".to_owned(),
            settings: settings("one", "secret"),
            revision: Revision(1),
            saved_at: std::time::SystemTime::UNIX_EPOCH,
        }))
    };
    let opening = open.get_or_open(guid(1), load, |stored| async move {
        let mut opened = Opened::with(&stored);
        opened.closed = Some(sender);
        Ok(opened)
    });
    let running = opening.await.unwrap().unwrap();
    for _ in 0..12 {
        assert!(open.get(guid(1)).is_some());
        open.close_expired();
        pass(3600).await;
    }
    open.close_expired();
    assert!(open.get(guid(1)).is_none());
    assert!(closed.try_recv().is_err(), "a call that runs keeps it");
    drop(running);
    assert_eq!(closed.recv().await.as_deref(), Some("one"));
}

#[tokio::test(start_paused = true)]
async fn refresh_is_due_after_a_pause_that_differs_and_one_at_a_time() {
    let cache = Cache::new();
    cache.call(1, Ok(())).await.unwrap();
    pass(749).await;
    assert!(cache.open.due_refreshes().is_empty(), "not in the first three quarters");
    pass(251).await;
    let due = cache.open.due_refreshes();
    assert_eq!(due.len(), 1);
    pass(10_000).await;
    assert!(cache.open.due_refreshes().is_empty(), "one runs");
    drop(due);
    assert!(cache.open.due_refreshes().is_empty(), "the pause begins at its end");
    pass(1000).await;
    // One that could not begin.
    let due = cache.open.due_refreshes();
    let connection = Arc::clone(due[0].connection());
    drop(due);
    connection.postpone_refresh();
    assert_eq!(cache.open.due_refreshes().len(), 1);

    let mut pauses = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let begun = tokio::time::Instant::now();
        while cache.open.due_refreshes().is_empty() {
            pass(1).await;
        }
        pauses.insert(begun.elapsed().as_secs());
    }
    assert!(pauses.len() > 1 && pauses.iter().all(|pause| (749..=1000).contains(pause)), "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn refresh_is_no_use_of_a_connection_and_ends_with_it() {
    let cache = Cache::new();
    cache.call(1, Ok(())).await.unwrap();
    pass(1000).await;
    drop(cache.open.due_refreshes());
    pass(799).await;
    cache.open.close_expired();
    assert_eq!(cache.open.count(), 1);
    pass(1).await;
    cache.open.close_expired();
    assert_eq!(cache.open.count(), 0, "no call has used it for half an hour");
    pass(1000).await;
    assert!(cache.open.due_refreshes().is_empty());
}
