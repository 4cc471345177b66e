//! The crash circuit breaker: decides when a connector is restarted after a crash, and when it is taken out of service. The
//! caller passes the time in.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Crashes older than this do not count any more.
const WINDOW: Duration = Duration::from_secs(60);
/// The delay of the second restart in a row; it doubles with each further one (exponential backoff).
const FIRST_DELAY: Duration = Duration::from_millis(50);
/// The longest time that the breaker stays open.
const MAX_PAUSE: Duration = Duration::from_secs(600);

/// Counts the crashes of a worker. It opens when there are too many.
#[derive(Debug)]
pub(super) struct CrashBreaker {
    /// The number of crashes within the window that opens it.
    limit: u32,
    /// How long it stays open the first time.
    pause: Duration,
    /// The crashes within the window, the oldest first.
    crashes: VecDeque<Instant>,
    /// How often it has opened since the connector last ran for a whole window without a crash.
    openings: u32,
}

/// What to do after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// Restart after this delay; calls wait for it.
    Restart { delay: Duration },
    /// The breaker is open: reject calls for this time, then restart on trial (half-open).
    Open { pause: Duration },
}

impl CrashBreaker {
    pub(super) fn new(limit: u32, pause: Duration) -> Self {
        CrashBreaker { limit: limit.max(1), pause, crashes: VecDeque::new(), openings: 0 }
    }

    /// The number of crashes within the window.
    pub(super) fn recent_crashes(&self) -> usize {
        self.crashes.len()
    }

    /// Records a crash of a worker that was started at this time.
    pub(super) fn record_crash(&mut self, started: Instant, now: Instant) -> Decision {
        if now.saturating_duration_since(started) >= WINDOW {
            self.openings = 0;
        }
        self.crashes.push_back(now);
        self.crashes.retain(|&crash| now.saturating_duration_since(crash) < WINDOW);
        let count = u32::try_from(self.crashes.len()).unwrap_or(u32::MAX);
        // Half-open: one crash on trial opens it again.
        if count >= self.limit || self.openings > 0 {
            let pause = self.pause.saturating_mul(1 << self.openings.min(16)).min(MAX_PAUSE);
            self.openings += 1;
            return Decision::Open { pause };
        }
        let delay = if count <= 1 { Duration::ZERO } else { FIRST_DELAY * (1 << (count - 2).min(4)) };
        Decision::Restart { delay }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(30);

    #[test]
    fn restarts_back_off_until_the_breaker_opens() {
        let (mut breaker, now) = (CrashBreaker::new(5, PAUSE), Instant::now());
        let decisions: Vec<_> = (0..5).map(|_| breaker.record_crash(now, now)).collect();
        let restart = |milliseconds| Decision::Restart { delay: Duration::from_millis(milliseconds) };
        assert_eq!(
            decisions,
            [restart(0), restart(50), restart(100), restart(200), Decision::Open { pause: PAUSE }]
        );
    }

    #[test]
    fn crashes_outside_the_window_do_not_count() {
        let (mut breaker, start) = (CrashBreaker::new(2, PAUSE), Instant::now());
        for minute in 1..10 {
            let now = start + WINDOW * minute;
            let decision = breaker.record_crash(now - WINDOW / 2, now);
            assert_eq!(decision, Decision::Restart { delay: Duration::ZERO }, "{minute}");
        }
    }

    #[test]
    fn pauses_double_until_a_worker_runs_for_a_whole_window() {
        let (mut breaker, mut now) = (CrashBreaker::new(1, PAUSE), Instant::now());
        let open = |pause| Decision::Open { pause };
        assert_eq!(breaker.record_crash(now, now), open(PAUSE));
        now += WINDOW * 2;
        assert_eq!(breaker.record_crash(now, now), open(PAUSE * 2));
        for _ in 0..40 {
            now += MAX_PAUSE;
            breaker.record_crash(now, now);
        }
        assert_eq!(breaker.record_crash(now, now), open(MAX_PAUSE));
        now += MAX_PAUSE;
        assert_eq!(breaker.record_crash(now - WINDOW, now), open(PAUSE));
    }
}
