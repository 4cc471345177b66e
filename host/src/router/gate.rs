//! How many calls run in a connector at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// Lets a number of calls into a connector, and some more wait for their turn.
#[derive(Debug)]
pub(super) struct Gate {
    running: Arc<Semaphore>,
    most_running: usize,
    waiting: AtomicUsize,
    most_waiting: usize,
    longest_wait: Duration,
}

/// Too many calls wait already, or this one has waited for long enough. It was not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

impl Gate {
    pub(super) fn new(most_running: usize, most_waiting: usize, longest_wait: Duration) -> Self {
        let most_running = most_running.clamp(1, Semaphore::MAX_PERMITS);
        Gate {
            running: Arc::new(Semaphore::new(most_running)),
            most_running,
            waiting: AtomicUsize::new(0),
            most_waiting,
            longest_wait,
        }
    }

    /// Waits until the call may run, but not beyond its deadline, and never for longer than calls may wait: a reply that
    /// comes too late for its caller is work for nothing. It runs for as long as the permit is kept.
    pub(super) async fn enter(&self, deadline: Instant) -> Result<OwnedSemaphorePermit, Full> {
        if let Ok(permit) = Arc::clone(&self.running).try_acquire_owned() {
            return Ok(permit);
        }
        let _place = Place::take(self)?;
        let deadline = deadline.min(Instant::now() + self.longest_wait);
        match timeout_at(deadline, Arc::clone(&self.running).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Full),
        }
    }

    /// Waits until nothing runs.
    pub(super) async fn empty(&self) {
        let all = u32::try_from(self.most_running).unwrap_or(u32::MAX);
        // Fails only when the semaphore is closed, which it never is.
        let _ = self.running.acquire_many(all).await;
    }
}

/// A place among those who wait; given back when dropped, for a caller may go away while it waits.
struct Place<'g>(&'g Gate);

impl<'g> Place<'g> {
    fn take(gate: &'g Gate) -> Result<Self, Full> {
        let taken = gate.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, |waiting| {
            (waiting < gate.most_waiting).then_some(waiting + 1)
        });
        if taken.is_ok() { Ok(Place(gate)) } else { Err(Full) }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn lets_some_run_some_wait_and_no_more() {
        let gate = Gate::new(1, 1, Duration::from_secs(30));
        let first = gate.enter(soon()).await.unwrap();
        let mut second = std::pin::pin!(gate.enter(soon()));
        assert!(timeout_at(Instant::now(), second.as_mut()).await.is_err());
        assert_eq!(gate.enter(soon()).await.unwrap_err(), Full);
        drop(first);
        let second = second.await.unwrap();
        // Nobody waits any more; but waiting ends at the deadline.
        assert_eq!(gate.enter(soon()).await.unwrap_err(), Full);
        drop(second);
        gate.empty().await;
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn nobody_waits_for_longer_than_calls_may() {
        let gate = Gate::new(1, 1, Duration::from_secs(30));
        let _first = gate.enter(soon()).await.unwrap();
        let began = Instant::now();
        assert_eq!(gate.enter(soon()).await.unwrap_err(), Full);
        assert_eq!(began.elapsed(), Duration::from_secs(30));
        assert_eq!(gate.enter(began + Duration::from_secs(31)).await.unwrap_err(), Full);
        assert_eq!(began.elapsed(), Duration::from_secs(31), "its own deadline comes first");
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn who_goes_away_leaves_a_place() {
        let gate = Gate::new(1, 1, Duration::from_secs(30));
        let _first = gate.enter(soon()).await.unwrap();
        for _ in 0..3 {
            assert!(timeout_at(Instant::now(), gate.enter(soon())).await.is_err());
        }
    }
}
