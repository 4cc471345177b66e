//! Changes whose caller leaves: at whatever point, each has been made as a whole or not at all.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use tokio::sync::Notify;

use super::*;
use crate::audit::{AuditFiles, Event, FOLDER};

struct Woken(Notify);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

/// Polls the future so many times, each time when it can go on, and drops it then. Returns whether it has ended.
async fn poll_and_drop(future: impl Future, polls: usize) -> bool {
    let woken = Arc::new(Woken(Notify::new()));
    let waker = Waker::from(Arc::clone(&woken));
    let mut future = pin!(future);
    for _ in 0..polls {
        if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            return true;
        }
        woken.0.notified().await;
    }
    false
}

type Host = Connections<String, Infallible>;

/// The server that a connection was opened with.
impl Live for String {
    fn lifetime(&self) -> Lifetime {
        Lifetime::UNLIMITED
    }

    fn refresh_every(&self) -> Option<std::time::Duration> {
        None
    }
}

/// Opens the connection, or takes the open one. Returns the server that it was opened with.
async fn served(host: &Host) -> Option<String> {
    let open = host
        .get_or_open(guid(1), |stored| async move { Ok(stored.settings.get("Server").unwrap().to_owned()) });
    open.await.unwrap().map(|open| open.connection().clone())
}

async fn stored(host: &Host) -> Option<String> {
    host.find(guid(1)).await.unwrap().map(|stored| stored.settings.get("Server").unwrap().to_owned())
}

#[derive(Debug, Clone, Copy)]
enum Made {
    Save,
    Delete,
    Record,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn change_whose_caller_leaves_is_made_as_a_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::open_store(folder.path(), None).await.unwrap();
    // Nothing is put right by the poll.
    host.poller.abort();
    let files = AuditFiles::new(folder.path().join(FOLDER));
    for made in [Made::Save, Made::Delete, Made::Record] {
        for polls in 0.. {
            assert!(polls < 1000, "{made:?} ends");
            host.save(guid(1), "Excel", &settings("before", "p"), &["Password"], &by()).await.unwrap();
            assert_eq!(served(&host).await.as_deref(), Some("before"));
            let new = settings("after", "p");
            let has_ended = match made {
                Made::Save => {
                    poll_and_drop(host.save(guid(1), "Excel", &new, &["Password"], &by()), polls).await
                }
                Made::Delete => poll_and_drop(host.delete(guid(1), &by()), polls).await,
                Made::Record => {
                    let event = Event::PluginRefused { file: "file".into(), reason: "reason".into() };
                    poll_and_drop(host.record(vec![event], &by()), polls).await
                }
            };
            drop(host.shared.changes.write().await);
            assert_eq!(served(&host).await, stored(&host).await, "{made:?} after {polls} polls");
            let in_store = host.shared.repository.store().audit_outbox().await.unwrap().head;
            assert_eq!(files.head().unwrap().unwrap(), in_store, "{made:?} after {polls} polls");
            if has_ended {
                break;
            }
        }
    }
}
