//! Back-off: how long something that has failed is not tried again. An ERP system locks a user out whose password is wrong a
//! few times, and one that is down is not helped by attempts without end.

use std::time::Duration;

use tokio::time::Instant;

/// The pause after the first failure. It doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A failure is forgotten when so much time has passed since it could be tried again.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);

/// Failures one after the other, and when it may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
    retry_at: Instant,
}

impl Backoff {
    /// After a failure now, and those before.
    pub fn after(before: Option<Backoff>) -> Self {
        let failures = before.map_or(0, |before| before.failures).saturating_add(1);
        Backoff { failures, retry_at: Instant::now() + pause(failures) }
    }

    /// The number of failures one after the other.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// How long it may not be tried yet; `None`: it may be tried.
    pub fn time_left(&self) -> Option<Duration> {
        Some(self.retry_at.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }

    /// Whether it could be tried again for so long that its failures count no more.
    pub fn is_forgotten(&self) -> bool {
        Instant::now().saturating_duration_since(self.retry_at) >= FORGOTTEN_AFTER
    }
}

fn pause(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    (FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_from_a_few_seconds_to_a_minute() {
        let pauses = [1, 2, 3, 4, 5, 6, 1000, u32::MAX].map(|failures| pause(failures).as_secs());
        assert_eq!(pauses, [5, 10, 20, 40, 60, 60, 60, 60]);
    }
}
