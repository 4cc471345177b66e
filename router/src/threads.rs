//! The threads of connectors: one bound for the process. A call that hangs keeps its thread, in a version of a connector that was
//! replaced long ago, too. So all versions of a connector have a bound together, and all connectors have one; other blocking work
//! has threads that no connector can take.

use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Threads for spooled replies, the store, the audit log, large messages, compression and tokens.
const OTHER_THREADS: usize = 64;
/// Threads that close connections and connectors: that is code of their authors, too.
const CLOSING_THREADS: usize = 32;
/// Of which one connector may have so many.
const CLOSING_THREADS_PER_CONNECTOR: usize = 8;
/// Threads of the process that no call can take.
pub(super) const RESERVED_THREADS: usize = OTHER_THREADS + CLOSING_THREADS;
/// How many times its concurrency limit a connector may have of threads: for calls that hang in the version before.
pub(super) const VERSIONS: usize = 2;

/// The threads of all connectors.
#[derive(Debug)]
pub(super) struct Threads {
    calls: Arc<Pool>,
    closing: Arc<Semaphore>,
    /// What waits to be closed, or is being closed.
    to_close: watch::Sender<usize>,
    /// Of each connector that was ever loaded, by its name in lower case.
    of_connectors: Mutex<HashMap<String, Arc<OwnThreads>>>,
}

/// Those of one connector, for all its versions.
#[derive(Debug)]
struct OwnThreads {
    calls: Arc<Pool>,
    closing: Arc<Semaphore>,
}

/// A number of threads.
#[derive(Debug)]
struct Pool {
    /// For the log.
    whose: String,
    free: Arc<Semaphore>,
    size: usize,
    /// A call was refused, and no thread has become free since.
    is_exhausted: AtomicBool,
}

/// The threads of a version of a connector.
#[derive(Debug, Clone)]
pub(super) struct ConnectorThreads {
    all: Arc<Threads>,
    own: Arc<OwnThreads>,
}

/// No thread is free for a call, of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exhausted {
    /// For calls of this connector, all its versions together.
    Connector(usize),
    /// For calls of all connectors.
    All(usize),
}

/// A thread for a call. It is free again when this is dropped.
#[derive(Debug)]
pub(super) struct CallThread {
    _own: PoolPermit,
    _all: PoolPermit,
}

#[derive(Debug)]
struct PoolPermit {
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
}

impl Threads {
    /// For a process with so many threads for blocking work.
    pub(super) fn new(blocking_threads: usize) -> Arc<Self> {
        let calls = blocking_threads.saturating_sub(RESERVED_THREADS).max(1);
        Arc::new(Threads {
            calls: Pool::new("all connectors".to_owned(), calls),
            closing: Arc::new(Semaphore::new(CLOSING_THREADS)),
            to_close: watch::Sender::new(0),
            of_connectors: Mutex::default(),
        })
    }

    /// Those of a new version of a connector, with this concurrency limit.
    pub(super) fn of(self: &Arc<Self>, connector: &str, concurrent_calls: usize) -> ConnectorThreads {
        let mut all = self.of_connectors();
        let own = all.entry(connector.to_lowercase()).or_insert_with(|| {
            Arc::new(OwnThreads {
                calls: Pool::new(format!("the connector '{connector}'"), VERSIONS * concurrent_calls),
                closing: Arc::new(Semaphore::new(CLOSING_THREADS_PER_CONNECTOR)),
            })
        });
        ConnectorThreads { all: Arc::clone(self), own: Arc::clone(own) }
    }

    /// Whether no thread is free for calls of any connector.
    pub(super) fn are_exhausted(&self) -> bool {
        self.calls.free.available_permits() == 0
    }

    /// Whether no thread is free for calls of some connector.
    pub(super) fn are_exhausted_for_a_connector(&self) -> bool {
        self.of_connectors().values().any(|own| own.calls.free.available_permits() == 0)
    }

    /// Waits until everything is closed that is no longer used.
    pub(super) async fn wait_until_closed(&self) {
        // Fails only when the sender is dropped, which is here.
        let _ = self.to_close.subscribe().wait_for(|to_close| *to_close == 0).await;
    }

    fn of_connectors(&self) -> MutexGuard<'_, HashMap<String, Arc<OwnThreads>>> {
        self.of_connectors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectorThreads {
    /// A thread for a call. Does not wait: those that are taken may never become free.
    pub(super) fn for_call(&self) -> Result<CallThread, Exhausted> {
        let own = self.own.calls.take().ok_or(Exhausted::Connector(self.own.calls.size))?;
        let all = self.all.calls.take().ok_or(Exhausted::All(self.all.calls.size))?;
        Ok(CallThread { _own: own, _all: all })
    }

    /// Closes a connection or a connector on a thread of its own, when one is free: that runs its author's code, which may block.
    pub(super) fn close(&self, close: impl FnOnce() + Send + 'static) {
        // Without a runtime, in the end of a process, it is only dropped.
        let Ok(runtime) = Handle::try_current() else { return };
        self.all.to_close.send_modify(|to_close| *to_close += 1);
        let closing = Closing(Arc::clone(&self.all));
        let (own, all) = (Arc::clone(&self.own.closing), Arc::clone(&self.all.closing));
        // When the runtime ends before, it is not dropped there: that could keep the process from ending.
        let close = ManuallyDrop::new(close);
        runtime.spawn(async move {
            // Semaphores that are never closed.
            let permits = (own.acquire_owned().await, all.acquire_owned().await);
            tokio::task::spawn_blocking(move || {
                ManuallyDrop::into_inner(close)();
                drop((permits, closing));
            });
        });
    }
}

/// Something that is to be closed.
struct Closing(Arc<Threads>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.to_close.send_modify(|to_close| *to_close -= 1);
    }
}

impl Pool {
    fn new(whose: String, size: usize) -> Arc<Self> {
        let size = size.min(Semaphore::MAX_PERMITS);
        let free = Arc::new(Semaphore::new(size));
        Arc::new(Pool { whose, free, size, is_exhausted: AtomicBool::new(false) })
    }

    fn take(self: &Arc<Self>) -> Option<PoolPermit> {
        match Arc::clone(&self.free).try_acquire_owned() {
            Ok(permit) => Some(PoolPermit { pool: Arc::clone(self), _permit: permit }),
            Err(_) => {
                if !self.is_exhausted.swap(true, Ordering::AcqRel) {
                    let Pool { whose, size, .. } = &**self;
                    tracing::error!(
                        threads = size,
                        "threads exhausted: {whose} has no thread left, because calls do not come back; calls are \
                         refused, and a restart frees the threads"
                    );
                }
                None
            }
        }
    }
}

impl Drop for PoolPermit {
    fn drop(&mut self) {
        let pool = &self.pool;
        if pool.is_exhausted.load(Ordering::Acquire) && pool.is_exhausted.swap(false, Ordering::AcqRel) {
            tracing::warn!("a thread of {} is free again: calls are served", pool.whose);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn threads_of_all_versions_of_a_connector_have_one_bound() {
        let threads = Threads::new(RESERVED_THREADS + 5);
        let (first, second) = (threads.of("Rogue", 2), threads.of("ROGUE", 2));
        let mut held: Vec<_> = (0..3).map(|_| first.for_call().unwrap()).collect();
        held.push(second.for_call().unwrap());
        assert_eq!(second.for_call().unwrap_err(), Exhausted::Connector(4));
        assert_eq!((threads.are_exhausted(), threads.are_exhausted_for_a_connector()), (false, true));
        let other = threads.of("Other", 2);
        held.push(other.for_call().unwrap());
        assert_eq!(other.for_call().unwrap_err(), Exhausted::All(5));
        assert!(threads.are_exhausted());
        held.clear();
        assert_eq!((threads.are_exhausted(), threads.are_exhausted_for_a_connector()), (false, false));
        assert!(first.for_call().is_ok() && other.for_call().is_ok());
    }

    /// Reports that it is being closed, and is closed when the test says so.
    struct SlowToClose(mpsc::Sender<()>, Arc<Mutex<mpsc::Receiver<()>>>);

    impl Drop for SlowToClose {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
            let _ = self.1.lock().unwrap().recv();
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn threads_that_close_are_few_and_others_can_close_meanwhile() {
        let threads = Threads::new(RESERVED_THREADS + 5);
        let (hanging, other) = (threads.of("Rogue", 2), threads.of("Other", 2));
        let (closing, is_closing) = mpsc::channel();
        let (finish, finished) = mpsc::channel();
        let finished = Arc::new(Mutex::new(finished));
        for _ in 0..100 {
            let slow = SlowToClose(closing.clone(), Arc::clone(&finished));
            hanging.close(move || drop(slow));
        }
        let (done, mut is_done) = tokio::sync::mpsc::unbounded_channel();
        let sends = SendWhenDropped(done);
        other.close(move || drop(sends));
        assert_eq!(is_done.recv().await, Some(()));
        for _ in 0..CLOSING_THREADS_PER_CONNECTOR {
            is_closing.recv().unwrap();
        }
        assert!(is_closing.try_recv().is_err(), "no more at once");
        drop(finish);
        threads.wait_until_closed().await;
        assert_eq!(is_closing.try_iter().count(), 100 - CLOSING_THREADS_PER_CONNECTOR);
    }

    struct SendWhenDropped(tokio::sync::mpsc::UnboundedSender<()>);

    impl Drop for SendWhenDropped {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
        }
    }
}
