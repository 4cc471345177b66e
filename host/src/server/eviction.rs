//! Eviction: which connections are idle, and which one of them is closed when a new one needs its place.
//!
//! The state of a connection is a value, not an event: an eviction that finds a connection too young or busy leaves no trace there,
//! and the next one looks again.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::Notify;
use tokio::time::Instant;

/// A connection younger than this is not evicted: its first request may be on its way.
const GRACE: Duration = Duration::from_secs(1);

/// A request is in progress.
const BUSY: u64 = 0;
/// The connection has been asked to close, and no request has begun since.
const EVICTED: u64 = u64::MAX;

/// The connections that may be evicted.
#[derive(Debug, Clone)]
pub(super) struct Evictions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    started: Instant,
    open: Mutex<HashMap<u64, Arc<Activity>>>,
}

/// What a connection is doing.
#[derive(Debug)]
struct Activity {
    /// In milliseconds since `started`, like `idle_since`.
    opened: u64,
    /// Since when it is idle, or [`BUSY`], or [`EVICTED`].
    idle_since: AtomicU64,
    eviction: Notify,
}

/// One connection among those that may be evicted, until it is dropped.
#[derive(Debug)]
pub(super) struct Evictable {
    activity: Arc<Activity>,
    key: u64,
    evictions: Evictions,
}

/// A request in progress: its connection is not evicted until this is dropped.
#[derive(Debug)]
pub(super) struct RequestInProgress {
    activity: Arc<Activity>,
    evictions: Evictions,
}

/// The body of a reply, whose request is in progress until the body has been sent.
pub(super) struct BodyInProgress<B> {
    body: B,
    _request: Option<RequestInProgress>,
}

impl Evictions {
    pub(super) fn new() -> Self {
        Evictions(Arc::new(Inner { started: Instant::now(), open: Mutex::default() }))
    }

    /// Adds a connection, which is idle. `key` is its own.
    pub(super) fn add(&self, key: u64) -> Evictable {
        let opened = self.now();
        let activity =
            Arc::new(Activity { opened, idle_since: AtomicU64::new(opened), eviction: Notify::new() });
        self.open().insert(key, Arc::clone(&activity));
        Evictable { activity, key, evictions: self.clone() }
    }

    /// Asks the longest idle connection to close, if there is one that may be evicted now.
    pub(super) fn evict_longest_idle(&self) {
        let grace_ends = self.now().saturating_sub(milliseconds(GRACE));
        let open = self.open();
        let idle = open.values().filter(|activity| activity.opened <= grace_ends);
        let idle = idle.map(|activity| (activity.idle_since.load(Ordering::Relaxed), activity));
        let idle = idle.filter(|&(since, _)| since != BUSY && since != EVICTED);
        if let Some((since, activity)) = idle.min_by_key(|&(since, _)| since) {
            // Fails when a request begins just now.
            let evicted =
                activity.idle_since.compare_exchange(since, EVICTED, Ordering::Relaxed, Ordering::Relaxed);
            if evicted.is_ok() {
                activity.eviction.notify_one();
            }
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Arc<Activity>>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Never [`BUSY`].
    fn now(&self) -> u64 {
        milliseconds(self.0.started.elapsed()) + 1
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX - 1)
}

impl Evictable {
    /// Waits until this connection is to close, if it is idle.
    pub(super) async fn eviction_requested(&self) {
        self.activity.eviction.notified().await;
    }

    /// Whether it is to close, and no request has begun since.
    pub(super) fn is_evicted(&self) -> bool {
        self.activity.idle_since.load(Ordering::Relaxed) == EVICTED
    }

    /// A request begins.
    pub(super) fn begin_request(&self) -> RequestInProgress {
        self.activity.idle_since.store(BUSY, Ordering::Relaxed);
        RequestInProgress { activity: Arc::clone(&self.activity), evictions: self.evictions.clone() }
    }
}

impl Drop for Evictable {
    fn drop(&mut self) {
        self.evictions.open().remove(&self.key);
    }
}

impl<B> BodyInProgress<B> {
    /// `None`: the connection is not among those that may be evicted.
    pub(super) fn new(body: B, request: Option<RequestInProgress>) -> Self {
        BodyInProgress { body, _request: request }
    }
}

impl Drop for RequestInProgress {
    fn drop(&mut self) {
        self.activity.idle_since.store(self.evictions.now(), Ordering::Relaxed);
    }
}

impl<B: Body + Unpin> Body for BodyInProgress<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn eviction_takes_the_longest_idle_connection_that_is_neither_young_nor_busy() {
        let evictions = Evictions::new();
        let [first, second, third] = [1, 2, 3].map(|key| evictions.add(key));
        evictions.evict_longest_idle();
        let evicted = || [&first, &second, &third].map(Evictable::is_evicted);
        assert_eq!(evicted(), [false; 3], "all are young");
        advance(GRACE).await;
        let request = first.begin_request();
        drop(second.begin_request());
        advance(GRACE).await;
        drop(third.begin_request());
        evictions.evict_longest_idle();
        assert_eq!(evicted(), [false, true, false]);
        second.eviction_requested().await;
        evictions.evict_longest_idle();
        assert_eq!(evicted(), [false, true, true]);
        evictions.evict_longest_idle();
        drop(BodyInProgress::new((), Some(request)));
        assert_eq!(evicted(), [false, true, true], "the first one is busy");
        let late = second.begin_request();
        assert_eq!(evicted(), [false, false, true], "a request was faster than the eviction");
        drop(late);
        drop((first, second, third));
        assert!(evictions.open().is_empty());
    }
}
