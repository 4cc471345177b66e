//! The circuit breaker of a connector: it opens when too many calls have timed out and still run, for a connection first and
//! then for the whole connector.
//!
//! A call in the host's process cannot be aborted: after its deadline it still occupies a thread and a permit of the
//! concurrency limit. A connection with too many such calls is out of service until enough of them have ended, and so is a
//! connector when they are too many together. A call in a worker process is given up soon after its deadline, and its process is
//! replaced: there a timed-out call counts against its connection for a while longer, and against no other one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, sleep_until};

use super::share::Share;

/// Counts the timed-out calls of a connector that still run.
#[derive(Debug)]
pub(super) struct CircuitBreaker {
    connector: Arc<str>,
    limits: Limits,
    /// Whether anything is counted. Read before each call, without the lock.
    is_counting: AtomicBool,
    counts: Mutex<Counts>,
}

/// With so many timed-out calls the breaker is open.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Of the whole connector.
    pub(super) timed_out: usize,
    /// Of one share.
    pub(super) timed_out_per_share: usize,
    /// How much longer a call that has ended counts for its share.
    pub(super) cool_down: Duration,
}

#[derive(Debug, Default)]
struct Counts {
    running: usize,
    /// With those that cool down. Only shares that have any.
    of_share: HashMap<Share, usize>,
}

/// The breaker is open: no call may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    /// For the whole connector, with so many timed-out calls.
    Connector(usize),
    /// For this share, with so many.
    Share(Share, usize),
}

/// A call as both sides see it: the waiting task reports its timeout, the working thread its end.
#[derive(Debug)]
struct TrackedCall {
    breaker: Arc<CircuitBreaker>,
    share: Share,
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
    pub(super) fn new(connector: Arc<str>, limits: Limits) -> Arc<Self> {
        let limits = Limits {
            timed_out: limits.timed_out.max(1),
            timed_out_per_share: limits.timed_out_per_share.max(1),
            ..limits
        };
        Arc::new(CircuitBreaker {
            connector,
            limits,
            is_counting: AtomicBool::new(false),
            counts: Mutex::default(),
        })
    }

    /// Fails if the breaker is open for this share.
    pub(super) fn check(&self, share: Share) -> Result<(), Open> {
        if !self.is_counting.load(Ordering::Acquire) {
            return Ok(());
        }
        let counts = self.counts();
        let own = counts.of_share.get(&share).copied().unwrap_or(0);
        if own >= self.limits.timed_out_per_share {
            Err(Open::Share(share, own))
        } else if counts.running >= self.limits.timed_out {
            Err(Open::Connector(counts.running))
        } else {
            Ok(())
        }
    }

    /// Tracks a call that starts now.
    pub(super) fn track(self: &Arc<Self>, share: Share, deadline: Instant) -> (WaitingSide, WorkingSide) {
        let call = TrackedCall { breaker: Arc::clone(self), share, deadline, state: AtomicU8::new(RUNNING) };
        let call = Arc::new(call);
        (WaitingSide(Arc::clone(&call)), WorkingSide(call))
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, share: Share) {
        let CircuitBreaker { connector, limits, .. } = self;
        let mut counts = self.counts();
        self.is_counting.store(true, Ordering::Release);
        counts.running += 1;
        let late = counts.running;
        let own = counts.of_share.entry(share).or_default();
        *own += 1;
        let own = *own;
        drop(counts);
        if own == limits.timed_out_per_share {
            tracing::error!(
                %connector,
                late = own,
                "{share} is out of service: too many of its calls have not come back in time"
            );
        }
        if late == limits.timed_out {
            tracing::error!(%connector, late, "out of service: too many calls have not come back in time");
        }
    }

    fn remove(self: &Arc<Self>, share: Share) {
        let CircuitBreaker { connector, limits, .. } = &**self;
        let mut counts = self.counts();
        counts.running -= 1;
        let late = counts.running;
        drop(counts);
        if late + 1 == limits.timed_out {
            tracing::warn!(%connector, late, "in service again: enough calls have come back");
        }
        match Handle::try_current() {
            Ok(runtime) if !limits.cool_down.is_zero() => {
                let breaker = Arc::clone(self);
                runtime.spawn(async move {
                    sleep(breaker.limits.cool_down).await;
                    breaker.remove_from_share(share);
                });
            }
            _ => self.remove_from_share(share),
        }
    }

    fn remove_from_share(&self, share: Share) {
        let mut counts = self.counts();
        let own = counts.of_share.get(&share).map_or(0, |own| own.saturating_sub(1));
        if own == 0 {
            counts.of_share.remove(&share);
        } else {
            counts.of_share.insert(share, own);
        }
        if counts.of_share.is_empty() {
            self.is_counting.store(false, Ordering::Release);
        }
        drop(counts);
        if own + 1 == self.limits.timed_out_per_share {
            let connector = &self.connector;
            tracing::warn!(%connector, late = own, "{share} is in service again");
        }
    }
}

impl TrackedCall {
    fn time_out(&self) {
        if self.state.compare_exchange(RUNNING, TIMED_OUT, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            self.breaker.add(self.share);
        }
    }

    fn end(&self) {
        if self.state.swap(ENDED, Ordering::AcqRel) == TIMED_OUT {
            self.breaker.remove(self.share);
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
        if let Ok(runtime) = Handle::try_current() {
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
    use super::*;

    fn breaker(timed_out: usize, timed_out_per_share: usize, cool_down: u64) -> Arc<CircuitBreaker> {
        let cool_down = Duration::from_secs(cool_down);
        CircuitBreaker::new("Test".into(), Limits { timed_out, timed_out_per_share, cool_down })
    }

    fn connection(number: u8) -> Share {
        Share::Connection(format!("{number:08x}-0000-4000-8000-000000000000").parse().unwrap())
    }

    fn deadline() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    /// A call that has timed out and still runs.
    fn timed_out(breaker: &Arc<CircuitBreaker>, share: Share) -> WorkingSide {
        let (waiting, working) = breaker.track(share, deadline());
        waiting.time_out();
        working
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn circuit_breaker_is_open_until_timed_out_calls_end() {
        let breaker = breaker(3, 2, 0);
        let (one, other, third) = (connection(1), connection(2), connection(3));
        let first = timed_out(&breaker, one);
        assert_eq!(breaker.check(one), Ok(()));
        let second = timed_out(&breaker, one);
        assert_eq!(breaker.check(one), Err(Open::Share(one, 2)));
        assert_eq!(breaker.check(other), Ok(()), "only for the connection whose calls they are");
        let others = timed_out(&breaker, other);
        assert_eq!(breaker.check(third), Err(Open::Connector(3)));
        drop(first);
        assert_eq!([one, other, third].map(|share| breaker.check(share)), [Ok(()); 3]);
        drop((second, others));
        assert!(!breaker.is_counting.load(Ordering::Acquire));
        assert!(breaker.counts().of_share.is_empty(), "nothing is kept of connections in service");
        assert_eq!(breaker.counts().running, 0);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn circuit_breaker_does_not_count_a_call_that_ended_in_time() {
        let breaker = breaker(1, 1, 0);
        let (waiting, working) = breaker.track(Share::Tests, deadline());
        drop(working);
        waiting.time_out();
        assert_eq!(breaker.check(Share::Tests), Ok(()));
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn circuit_breaker_counts_a_call_of_a_disconnected_caller_at_its_deadline() {
        let breaker = breaker(2, 1, 0);
        let (waiting, working) = breaker.track(Share::Tests, deadline());
        drop(waiting);
        tokio::time::sleep(Duration::from_secs(59)).await;
        assert_eq!(breaker.check(Share::Tests), Ok(()));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(breaker.check(Share::Tests), Err(Open::Share(Share::Tests, 1)));
        drop(working);
        assert_eq!(breaker.check(Share::Tests), Ok(()));
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn circuit_breaker_counts_a_call_that_was_ended_by_force_against_its_connection_for_a_while() {
        let breaker = breaker(2, 2, 100);
        let (one, other) = (connection(1), connection(2));
        drop(timed_out(&breaker, one));
        tokio::time::sleep(Duration::from_secs(50)).await;
        drop(timed_out(&breaker, one));
        assert_eq!(breaker.check(one), Err(Open::Share(one, 2)));
        assert_eq!(breaker.check(other), Ok(()), "they do not run any more");
        tokio::time::sleep(Duration::from_secs(51)).await;
        assert_eq!(breaker.check(one), Ok(()));
        tokio::time::sleep(Duration::from_secs(50)).await;
        assert!(breaker.counts().of_share.is_empty());
    }
}
