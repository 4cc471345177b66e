//! When an open connection is refreshed: some time after it was opened, and after each refresh. One at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::OpenConnection;

/// Not more often than this.
const LEAST_PAUSE: Duration = Duration::from_secs(1);
/// Longer than anything is open.
const LONGEST_PAUSE: Duration = Duration::from_secs(365 * 24 * 3600);
/// A pause is shorter by up to this part, at random: connections that were opened at the same moment are not refreshed at the same
/// moment, and a session that must be renewed within a time is.
const JITTER: f64 = 0.25;

/// When a connection is refreshed next.
#[derive(Debug)]
pub(super) struct RefreshSchedule {
    every: Option<Duration>,
    /// `None`: never, or a refresh runs.
    next: Mutex<Option<Instant>>,
}

impl RefreshSchedule {
    /// For a connection that was opened now.
    pub(super) fn new(every: Option<Duration>) -> Self {
        let schedule = RefreshSchedule { every, next: Mutex::new(None) };
        schedule.plan();
        schedule
    }

    /// Whether a refresh is due. It runs from now on.
    fn begin(&self, now: Instant) -> bool {
        self.next().take_if(|next| *next <= now).is_some()
    }

    /// A refresh has ended: plans the next one.
    fn plan(&self) {
        let pause = self.every.map(|every| {
            let every = every.clamp(LEAST_PAUSE, LONGEST_PAUSE);
            every.mul_f64(1.0 - JITTER * fastrand::f64())
        });
        *self.next() = pause.map(|pause| Instant::now() + pause);
    }

    fn next(&self) -> MutexGuard<'_, Option<Instant>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A refresh that is due, of a connection that stays open meanwhile. The next one is planned when this is dropped.
#[derive(Debug)]
pub struct DueRefresh<T: Send + 'static>(Arc<OpenConnection<T>>);

impl<T: Send + 'static> DueRefresh<T> {
    /// A refresh of this connection, if it is due.
    pub(super) fn of(connection: &Arc<OpenConnection<T>>, now: Instant) -> Option<Self> {
        connection.refresh.begin(now).then(|| DueRefresh(Arc::clone(connection)))
    }

    /// The connection.
    pub fn connection(&self) -> &Arc<OpenConnection<T>> {
        &self.0
    }
}

impl<T: Send + 'static> Drop for DueRefresh<T> {
    fn drop(&mut self) {
        self.0.refresh.plan();
    }
}

impl<T: Send + 'static> OpenConnection<T> {
    /// The refresh could not begin: it is due again at once.
    pub fn postpone_refresh(&self) {
        *self.refresh.next() = Some(Instant::now());
    }
}
