//! How long a connection stays open.

use std::time::Duration;

/// How long a connection stays open, and how often it is refreshed, as its connector wants it: see
/// [`Connection::lifetime`](crate::Connection::lifetime).
///
/// ```
/// use std::time::Duration;
/// use plugin_api::Lifetime;
///
/// // The ERP system ends a session after 20 minutes without a request, and after 8 hours in any case.
/// let minutes = |count: u64| Duration::from_secs(count * 60);
/// let lifetime = Lifetime::default().idle(minutes(18)).age(minutes(8 * 60 - 10)).refresh_every(minutes(15));
/// assert_eq!(lifetime.refresh_every, Some(minutes(15)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lifetime {
    /// How long it stays open without a call; `None`: as the operator has configured.
    pub idle: Option<Duration>,
    /// How long it stays open in all; `None`: as the operator has configured.
    pub age: Option<Duration>,
    /// How often [`Connection::refresh`](crate::Connection::refresh) is called; `None`: never.
    pub refresh_every: Option<Duration>,
}

impl Lifetime {
    /// Closes the connection when no call has used it for this time. The operator may have configured a shorter one, which counts
    /// then. A refresh is no call.
    #[must_use]
    pub fn idle(mut self, time: Duration) -> Self {
        self.idle = Some(time);
        self
    }

    /// Closes the connection at this age. The operator may have configured a lower one, which counts then.
    #[must_use]
    pub fn age(mut self, time: Duration) -> Self {
        self.age = Some(time);
        self
    }

    /// Has the connection refreshed in the background, at least this often: the pauses are a little shorter, and differ, so that many
    /// connections are not refreshed at the same moment. Not more often than every second.
    #[must_use]
    pub fn refresh_every(mut self, time: Duration) -> Self {
        self.refresh_every = Some(time);
        self
    }
}
