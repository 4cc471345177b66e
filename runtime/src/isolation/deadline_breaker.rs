//! The deadline circuit breaker: takes a connection out of service whose calls do not come back again and again. Each time
//! costs a worker process, and has all other connections of the connector opened again. The caller passes the time in.

use std::time::{Duration, Instant};

/// Workers that were retired longer ago do not count any more.
const WINDOW: Duration = Duration::from_secs(600);
/// The workers within the window that open it: the two that may be retired at once, and the one after them.
const LIMIT: usize = 3;
/// How long it stays open the first time; it doubles each further time, up to the window.
const FIRST_PAUSE: Duration = Duration::from_secs(60);

/// Counts the workers in which calls of a connection were given up.
#[derive(Debug, Default)]
pub(super) struct DeadlineBreaker {
    /// Within the window, with the time of the first such call in each; the oldest first.
    workers: Vec<(u32, Instant)>,
    /// How often it has opened since there was none within the window.
    openings: u32,
    open_until: Option<Instant>,
}

impl DeadlineBreaker {
    /// Records a call that was given up in this worker. Returns the pause if that opens the breaker.
    pub(super) fn record(&mut self, worker: u32, now: Instant) -> Option<Duration> {
        self.workers.retain(|&(_, at)| now.saturating_duration_since(at) < WINDOW);
        if self.workers.is_empty() {
            self.openings = 0;
        }
        if self.workers.iter().any(|&(counted, _)| counted == worker) {
            return None;
        }
        self.workers.push((worker, now));
        if self.workers.len() < LIMIT {
            return None;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << self.openings.min(8)).min(WINDOW);
        self.openings += 1;
        self.open_until = Some(now + pause);
        Some(pause)
    }

    /// The time until calls are tried again, if it is open.
    pub(super) fn time_left(&self, now: Instant) -> Option<Duration> {
        self.open_until.map(|until| until.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadline_breaker_opens_with_the_third_worker_and_for_longer_each_time() {
        let (mut breaker, now) = (DeadlineBreaker::default(), Instant::now());
        let after = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(breaker.record(1, now), None);
        assert_eq!(breaker.record(1, after(1)), None, "the same worker");
        assert_eq!(breaker.record(2, after(2)), None);
        assert_eq!(breaker.record(1, after(3)), None, "one that is retired");
        assert_eq!(breaker.time_left(after(3)), None);
        assert_eq!(breaker.record(3, after(4)), Some(FIRST_PAUSE));
        assert_eq!(breaker.time_left(after(5)), Some(FIRST_PAUSE - Duration::from_secs(1)));
        assert_eq!(breaker.time_left(after(64)), None, "on trial");
        assert_eq!(breaker.record(4, after(65)), Some(FIRST_PAUSE * 2));
        assert_eq!(breaker.record(5, after(200)), Some(FIRST_PAUSE * 4));
        for worker in 6..40 {
            assert!(breaker.record(worker, after(200)).is_some_and(|pause| pause <= WINDOW), "{worker}");
        }
    }

    #[test]
    fn deadline_breaker_does_not_count_workers_of_long_ago() {
        let (mut breaker, start) = (DeadlineBreaker::default(), Instant::now());
        for worker in 0..20 {
            let now = start + WINDOW * worker / 2;
            assert_eq!(breaker.record(worker, now), None, "{worker}");
            assert_eq!(breaker.workers.len(), if worker == 0 { 1 } else { 2 });
        }
    }
}
