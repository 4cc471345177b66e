//! How often a request is repeated, and how long to wait before.

use std::time::Duration;

use plugin_api::Context;

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// The longest wait that an ERP system may ask for. It counts where a call has no deadline.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(120);

/// The wait before a repetition, after this many attempts; `None` when there is no time for it.
pub(crate) fn wait_after(attempts: u32, retry_after: Option<Duration>, cx: &Context) -> Option<Duration> {
    let longest = FIRST_WAIT.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(LONGEST_WAIT);
    // Jitter: callers that failed together do not come back together.
    let backoff = longest.mul_f64(fastrand::f64().mul_add(0.5, 0.5));
    let wait = backoff.max(retry_after.unwrap_or_default());
    (wait <= LONGEST_RETRY_AFTER && wait < cx.timeout(Duration::MAX)).then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;
    use erp_host_conformance::testing::context_with_deadline;

    #[test]
    fn wait_grows_and_obeys_retry_after() {
        let cx = Context::default();
        for (attempts, longest) in [(1, 200), (2, 400), (5, 3200), (6, 5000), (99, 5000)] {
            let wait = wait_after(attempts, None, &cx).unwrap();
            let longest = Duration::from_millis(longest);
            assert!(longest / 2 <= wait && wait <= longest, "{attempts}: {wait:?}");
        }
        let asked = Duration::from_secs(30);
        assert_eq!(wait_after(1, Some(asked), &cx), Some(asked));
        assert_eq!(wait_after(1, Some(Duration::from_secs(3600)), &cx), None);
    }

    #[test]
    fn wait_ends_with_the_time_of_the_call() {
        let cx = context_with_deadline(Duration::from_secs(10));
        assert_eq!(wait_after(1, Some(Duration::from_secs(10)), &cx), None);
        assert!(wait_after(1, None, &cx).is_some());
    }
}
