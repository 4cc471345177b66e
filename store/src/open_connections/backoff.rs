//! Back-off: how long something that has failed is not tried again. An ERP system locks a user out whose password is wrong a
//! few times, and one that is down is not helped by attempts without end.

use std::time::Duration;

use tokio::time::Instant;

/// When something that has failed is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryPolicy {
    /// The next time: it was not attempted.
    AtOnce,
    /// After a short pause: the other side is away, and may be back soon.
    Soon,
    /// After a longer pause: a password may be wrong.
    Later,
    /// When its settings are saved: they are wrong.
    WhenSaved,
}
/// A failure is forgotten when so much time has passed since it could be tried again.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);

/// Failures one after the other, and when it may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
    /// `None`: not before the settings are saved.
    retry_at: Option<Instant>,
}

impl Backoff {
    /// After a failure now, and those before.
    pub fn after(before: Option<Backoff>, policy: RetryPolicy) -> Self {
        let failures = before.map_or(0, |before| before.failures).saturating_add(1);
        Backoff { failures, retry_at: policy.pause(failures).map(|pause| Instant::now() + pause) }
    }

    /// The number of failures one after the other.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// How long it may not be tried yet; `None`: it may be tried. [`Duration::MAX`] is without an end.
    pub fn time_left(&self) -> Option<Duration> {
        let left = self.retry_at.map(|retry_at| retry_at.saturating_duration_since(Instant::now()));
        Some(left.unwrap_or(Duration::MAX)).filter(|left| !left.is_zero())
    }

    /// Whether it could be tried again for so long that its failures count no more.
    pub fn is_forgotten(&self) -> bool {
        self.retry_at
            .is_some_and(|retry_at| Instant::now().saturating_duration_since(retry_at) >= FORGOTTEN_AFTER)
    }
}

impl RetryPolicy {
    /// The pause after so many failures: it doubles with each. `None` is without an end.
    fn pause(self, failures: u32) -> Option<Duration> {
        let (first, longest) = match self {
            RetryPolicy::AtOnce => (0, 0),
            RetryPolicy::Soon => (1, 30),
            RetryPolicy::Later => (5, 60),
            RetryPolicy::WhenSaved => return None,
        };
        let doublings = failures.saturating_sub(1).min(16);
        Some(Duration::from_secs(2_u64.pow(doublings) * first).min(Duration::from_secs(longest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_up_to_the_longest_pause_of_its_policy() {
        for (policy, expected) in [
            (RetryPolicy::Soon, [1, 2, 4, 8, 16, 30, 30, 30]),
            (RetryPolicy::Later, [5, 10, 20, 40, 60, 60, 60, 60]),
        ] {
            let pauses = [1, 2, 3, 4, 5, 6, 1000, u32::MAX].map(|failures| policy.pause(failures));
            assert_eq!(pauses, expected.map(|seconds| Some(Duration::from_secs(seconds))), "{policy:?}");
        }
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn backoff_of_wrong_settings_has_no_end() {
        let backoff = Backoff::after(None, RetryPolicy::WhenSaved);
        tokio::time::advance(Duration::from_secs(1_000_000)).await;
        assert_eq!((backoff.time_left(), backoff.is_forgotten()), (Some(Duration::MAX), false));
    }
}
