//! When a connector whose worker crashed is started again, and when not. Knows no clock: it is told the time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Crashes that lie further back than this do not count any more.
const WINDOW: Duration = Duration::from_secs(60);
/// The wait before the second start in a row; each one after it waits twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// The pause of a breaker does not grow beyond this.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// Counts crashes, and takes a connector out of service that crashes again and again.
#[derive(Debug)]
pub(super) struct Breaker {
    /// So many crashes within a minute open it.
    limit: u32,
    /// For how long it opens the first time.
    pause: Duration,
    /// The latest crashes, the oldest first.
    crashes: VecDeque<Instant>,
    /// How often it has opened since the connector last lived through a minute.
    openings: u32,
}

/// What is to be done after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Start it again after this time; calls wait for it.
    Start(Duration),
    /// Start it again after this time, and answer calls with an error until then.
    Pause(Duration),
}

impl Breaker {
    pub(super) fn new(limit: u32, pause: Duration) -> Self {
        Breaker { limit: limit.max(1), pause, crashes: VecDeque::new(), openings: 0 }
    }

    /// Crashes that count at the moment.
    pub(super) fn crashes(&self) -> usize {
        self.crashes.len()
    }

    /// Takes note of a crash of a worker that was started then.
    pub(super) fn crashed(&mut self, started: Instant, now: Instant) -> Next {
        if now.saturating_duration_since(started) >= WINDOW {
            self.openings = 0;
        }
        self.crashes.push_back(now);
        self.crashes.retain(|&crash| now.saturating_duration_since(crash) < WINDOW);
        let count = u32::try_from(self.crashes.len()).unwrap_or(u32::MAX);
        // One that was paused is on probation: its next crash is one too many.
        if count >= self.limit || self.openings > 0 {
            let pause = self.pause.saturating_mul(1 << self.openings.min(16)).min(LONGEST_PAUSE);
            self.openings += 1;
            return Next::Pause(pause);
        }
        Next::Start(if count <= 1 { Duration::ZERO } else { FIRST_WAIT * (1 << (count - 2).min(4)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(30);

    #[test]
    fn starts_at_once_then_later_and_later_then_pauses() {
        let (mut breaker, now) = (Breaker::new(5, PAUSE), Instant::now());
        let waits: Vec<_> = (0..5).map(|_| breaker.crashed(now, now)).collect();
        let start = |milliseconds| Next::Start(Duration::from_millis(milliseconds));
        assert_eq!(waits, [start(0), start(50), start(100), start(200), Next::Pause(PAUSE)]);
    }

    #[test]
    fn a_crash_now_and_then_is_forgotten() {
        let (mut breaker, start) = (Breaker::new(2, PAUSE), Instant::now());
        for minute in 1..10 {
            let now = start + WINDOW * minute;
            assert_eq!(breaker.crashed(now - WINDOW / 2, now), Next::Start(Duration::ZERO), "{minute}");
        }
    }

    #[test]
    fn each_pause_is_longer_until_it_lives_through_a_minute() {
        let (mut breaker, mut now) = (Breaker::new(1, PAUSE), Instant::now());
        assert_eq!(breaker.crashed(now, now), Next::Pause(PAUSE));
        now += WINDOW * 2;
        assert_eq!(breaker.crashed(now, now), Next::Pause(PAUSE * 2));
        for _ in 0..40 {
            now += LONGEST_PAUSE;
            breaker.crashed(now, now);
        }
        assert_eq!(breaker.crashed(now, now), Next::Pause(LONGEST_PAUSE));
        now += LONGEST_PAUSE;
        assert_eq!(breaker.crashed(now - WINDOW, now), Next::Pause(PAUSE));
    }
}
