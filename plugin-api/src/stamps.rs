//! Stamps for connectors that keep no time of change of their own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use crate::DateTime;

/// Makes stamps ([`Actor::last_modified`](crate::Actor::last_modified)): the time of day in UTC as a sortable text,
/// each later than the one before, also when two changes fall together or the clock is set back.
///
/// ```
/// let stamps = plugin_api::Stamps::default();
/// let (first, second) = (stamps.next(), stamps.next());
/// assert!(first < second);
///
/// // A connector that stored stamps goes on after the newest one.
/// let stamps = plugin_api::Stamps::after("2999-12-31T23:59:59.0000000");
/// assert_eq!(stamps.next(), "2999-12-31T23:59:59.0000001");
/// ```
#[derive(Debug, Default)]
pub struct Stamps {
    /// The newest stamp, in 100 ns steps since year 1.
    newest: AtomicU64,
}

impl Stamps {
    /// Stamps that are all later than this one. A text that is not such a stamp is ignored.
    pub fn after(newest: &str) -> Self {
        let ticks = DateTime::parse_sortable(newest).map_or(0, DateTime::ticks);
        Stamps { newest: AtomicU64::new(ticks) }
    }

    /// A stamp for a change that happens now. Make it while the change cannot be read yet: a reader who has seen a later
    /// stamp does not ask for this one again.
    pub fn next(&self) -> String {
        self.next_at(SystemTime::now())
    }

    pub(crate) fn next_at(&self, now: SystemTime) -> String {
        let now = DateTime::from_system_time(now);
        let later = |newest: u64| now.ticks().max(newest.saturating_add(1));
        // Nothing else is published with the number, so its own order is all that counts.
        let newest =
            self.newest.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |newest| Some(later(newest)));
        let ticks = later(newest.unwrap_or_else(|newest| newest));
        DateTime::from_ticks(ticks).unwrap_or(now).to_sortable()
    }
}
