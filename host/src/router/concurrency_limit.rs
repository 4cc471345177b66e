//! The concurrency limit of a connector: how many calls run at once, with a bounded queue of calls that wait
//! (backpressure).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// Limits the calls that run in a connector at once, and those that wait for a permit.
#[derive(Debug)]
pub(super) struct ConcurrencyLimit {
    running: Arc<Semaphore>,
    max_running: usize,
    queued: AtomicUsize,
    max_queued: usize,
    queue_timeout: Duration,
}

/// The queue is full, or the call has waited for the longest time that is allowed. The call was not started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct QueueFull;

impl ConcurrencyLimit {
    pub(super) fn new(max_running: usize, max_queued: usize, queue_timeout: Duration) -> Self {
        let max_running = max_running.clamp(1, Semaphore::MAX_PERMITS);
        ConcurrencyLimit {
            running: Arc::new(Semaphore::new(max_running)),
            max_running,
            queued: AtomicUsize::new(0),
            max_queued,
            queue_timeout,
        }
    }

    /// Waits for a permit, until the call's deadline or the queue timeout, whichever comes first: a reply that comes too
    /// late for its caller is wasted work. The call counts as running until the permit is dropped.
    pub(super) async fn acquire(&self, deadline: Instant) -> Result<OwnedSemaphorePermit, QueueFull> {
        if let Ok(permit) = Arc::clone(&self.running).try_acquire_owned() {
            return Ok(permit);
        }
        let _queued = QueueEntry::new(self)?;
        let deadline = deadline.min(Instant::now() + self.queue_timeout);
        match timeout_at(deadline, Arc::clone(&self.running).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(QueueFull),
        }
    }

    /// Waits until no call runs.
    pub(super) async fn wait_until_idle(&self) {
        let all = u32::try_from(self.max_running).unwrap_or(u32::MAX);
        // Fails only when the semaphore is closed, which it never is.
        let _ = self.running.acquire_many(all).await;
    }
}

/// An entry in the queue. Dropping it leaves the queue: a caller may disconnect while it waits.
struct QueueEntry<'l>(&'l ConcurrencyLimit);

impl<'l> QueueEntry<'l> {
    fn new(limit: &'l ConcurrencyLimit) -> Result<Self, QueueFull> {
        let entered = limit.queued.fetch_update(Ordering::AcqRel, Ordering::Acquire, |queued| {
            (queued < limit.max_queued).then_some(queued + 1)
        });
        if entered.is_ok() { Ok(QueueEntry(limit)) } else { Err(QueueFull) }
    }
}

impl Drop for QueueEntry<'_> {
    fn drop(&mut self) {
        self.0.queued.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit() -> ConcurrencyLimit {
        ConcurrencyLimit::new(1, 1, Duration::from_secs(30))
    }

    fn deadline() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn concurrency_limit_queues_and_then_rejects() {
        let limit = limit();
        let first = limit.acquire(deadline()).await.unwrap();
        let mut second = std::pin::pin!(limit.acquire(deadline()));
        assert!(timeout_at(Instant::now(), second.as_mut()).await.is_err());
        assert_eq!(limit.acquire(deadline()).await.unwrap_err(), QueueFull);
        drop(first);
        let second = second.await.unwrap();
        // The queue is empty again, so this one waits for the queue timeout.
        assert_eq!(limit.acquire(deadline()).await.unwrap_err(), QueueFull);
        drop(second);
        limit.wait_until_idle().await;
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn concurrency_limit_ends_the_wait_at_the_queue_timeout_or_the_deadline() {
        let limit = limit();
        let _first = limit.acquire(deadline()).await.unwrap();
        let start = Instant::now();
        assert_eq!(limit.acquire(deadline()).await.unwrap_err(), QueueFull);
        assert_eq!(start.elapsed(), Duration::from_secs(30));
        assert_eq!(limit.acquire(start + Duration::from_secs(31)).await.unwrap_err(), QueueFull);
        assert_eq!(start.elapsed(), Duration::from_secs(31), "its own deadline comes first");
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn concurrency_limit_frees_the_queue_entry_of_a_caller_that_disconnects() {
        let limit = limit();
        let _first = limit.acquire(deadline()).await.unwrap();
        for _ in 0..3 {
            // With the entry of an earlier round the queue would be full at once.
            assert!(timeout_at(Instant::now(), limit.acquire(deadline())).await.is_err());
        }
    }
}
