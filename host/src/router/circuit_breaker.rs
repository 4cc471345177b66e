//! The circuit breaker of a connector: it opens when too many calls have timed out and still run.
//!
//! A call in the host's process cannot be aborted: after its deadline it still occupies a thread and a permit of the
//! concurrency limit. A connector with too many such calls is out of service until enough of them have ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use tokio::time::{Instant, sleep_until};

/// Counts the timed-out calls of a connector that still run.
#[derive(Debug)]
pub(super) struct CircuitBreaker {
    connector: Arc<str>,
    timed_out_calls: AtomicUsize,
    /// With so many the breaker is open.
    max_timed_out_calls: usize,
}

/// A call as both sides see it: the waiting task reports its timeout, the working thread its end.
#[derive(Debug)]
struct TrackedCall {
    breaker: Arc<CircuitBreaker>,
    deadline: Instant,
    state: AtomicU8,
}

/// The side that waits for a call. When it is dropped before the deadline, because the caller has disconnected, a task
/// waits for the deadline instead.
#[derive(Debug)]
pub(super) struct WaitingSide(Arc<TrackedCall>);

/// The side that runs a call. Dropped when the call has ended.
#[derive(Debug)]
pub(super) struct WorkingSide(Arc<TrackedCall>);

const RUNNING: u8 = 0;
const TIMED_OUT: u8 = 1;
const ENDED: u8 = 2;

impl CircuitBreaker {
    pub(super) fn new(connector: Arc<str>, max_timed_out_calls: usize) -> Arc<Self> {
        let max_timed_out_calls = max_timed_out_calls.max(1);
        Arc::new(CircuitBreaker { connector, timed_out_calls: AtomicUsize::new(0), max_timed_out_calls })
    }

    /// The number of timed-out calls if the breaker is open: then no call may start.
    pub(super) fn open(&self) -> Option<usize> {
        let count = self.timed_out_calls.load(Ordering::Acquire);
        (count >= self.max_timed_out_calls).then_some(count)
    }

    /// Tracks a call that starts now.
    pub(super) fn track(self: &Arc<Self>, deadline: Instant) -> (WaitingSide, WorkingSide) {
        let call = TrackedCall { breaker: Arc::clone(self), deadline, state: AtomicU8::new(RUNNING) };
        let call = Arc::new(call);
        (WaitingSide(Arc::clone(&call)), WorkingSide(call))
    }
}

impl TrackedCall {
    fn time_out(&self) {
        if self.state.compare_exchange(RUNNING, TIMED_OUT, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return;
        }
        let CircuitBreaker { connector, timed_out_calls, max_timed_out_calls } = &*self.breaker;
        let late = timed_out_calls.fetch_add(1, Ordering::AcqRel) + 1;
        if late == *max_timed_out_calls {
            tracing::error!(%connector, late, "out of service: too many calls have not come back in time");
        }
    }

    fn end(&self) {
        if self.state.swap(ENDED, Ordering::AcqRel) != TIMED_OUT {
            return;
        }
        let CircuitBreaker { connector, timed_out_calls, max_timed_out_calls } = &*self.breaker;
        let late = timed_out_calls.fetch_sub(1, Ordering::AcqRel) - 1;
        if late + 1 == *max_timed_out_calls {
            tracing::warn!(%connector, late, "in service again: enough calls have come back");
        }
    }
}

impl WaitingSide {
    /// Records that the deadline has passed.
    pub(super) fn time_out(self) {
        self.0.time_out();
    }
}

impl Drop for WaitingSide {
    fn drop(&mut self) {
        if self.0.state.load(Ordering::Acquire) != RUNNING {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let call = Arc::clone(&self.0);
            runtime.spawn(async move {
                sleep_until(call.deadline).await;
                call.time_out();
            });
        }
    }
}

impl Drop for WorkingSide {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn breaker(max_timed_out_calls: usize) -> Arc<CircuitBreaker> {
        CircuitBreaker::new("Test".into(), max_timed_out_calls)
    }

    fn deadline() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn circuit_breaker_is_open_until_timed_out_calls_end() {
        let breaker = breaker(2);
        let (first, works_first) = breaker.track(deadline());
        let (second, works_second) = breaker.track(deadline());
        first.time_out();
        assert_eq!(breaker.open(), None);
        second.time_out();
        assert_eq!(breaker.open(), Some(2));
        drop(works_first);
        assert_eq!(breaker.open(), None);
        drop(works_second);
        assert_eq!(breaker.timed_out_calls.load(Ordering::Acquire), 0);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn circuit_breaker_does_not_count_a_call_that_ended_in_time() {
        let breaker = breaker(1);
        let (waiting, working) = breaker.track(deadline());
        drop(working);
        waiting.time_out();
        assert_eq!(breaker.open(), None);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn circuit_breaker_counts_a_call_of_a_disconnected_caller_at_its_deadline() {
        let breaker = breaker(1);
        let (waiting, working) = breaker.track(deadline());
        drop(waiting);
        tokio::time::sleep(Duration::from_secs(59)).await;
        assert_eq!(breaker.open(), None);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(breaker.open(), Some(1));
        drop(working);
        assert_eq!(breaker.open(), None);
    }
}
