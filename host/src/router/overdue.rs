//! The calls of a connector that have not come back in time. In the host's process nothing can end them: each holds a
//! thread and a place. A connector with too many of them is out of service until enough have come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use tokio::time::{Instant, sleep_until};

/// Counts the overdue calls of a connector.
#[derive(Debug)]
pub(super) struct Overdue {
    connector: Arc<str>,
    count: AtomicUsize,
    /// With so many it is out of service.
    most: usize,
}

/// One call, on both sides: who waits for it says when it is late, and who does it when it has come back.
#[derive(Debug)]
pub(super) struct Watched {
    overdue: Arc<Overdue>,
    deadline: Instant,
    state: AtomicU8,
}

/// Who waits for a call. When that one goes away before the deadline, the call is watched on.
#[derive(Debug)]
pub(super) struct Waits(Arc<Watched>);

/// Who does a call. Dropped when it has come back.
#[derive(Debug)]
pub(super) struct Does(Arc<Watched>);

const RUNS: u8 = 0;
const LATE: u8 = 1;
const BACK: u8 = 2;

impl Overdue {
    pub(super) fn new(connector: Arc<str>, most: usize) -> Arc<Self> {
        Arc::new(Overdue { connector, count: AtomicUsize::new(0), most: most.max(1) })
    }

    /// How many there are, if they are too many.
    pub(super) fn too_many(&self) -> Option<usize> {
        let count = self.count.load(Ordering::Acquire);
        (count >= self.most).then_some(count)
    }

    /// A call begins.
    pub(super) fn call(self: &Arc<Self>, deadline: Instant) -> (Waits, Does) {
        let call = Watched { overdue: Arc::clone(self), deadline, state: AtomicU8::new(RUNS) };
        let call = Arc::new(call);
        (Waits(Arc::clone(&call)), Does(call))
    }
}

impl Watched {
    fn is_late(&self) {
        if self.state.compare_exchange(RUNS, LATE, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return;
        }
        let Overdue { connector, count, most } = &*self.overdue;
        let late = count.fetch_add(1, Ordering::AcqRel) + 1;
        if late == *most {
            tracing::error!(%connector, late, "out of service: too many calls have not come back in time");
        }
    }

    fn is_back(&self) {
        if self.state.swap(BACK, Ordering::AcqRel) != LATE {
            return;
        }
        let Overdue { connector, count, most } = &*self.overdue;
        let late = count.fetch_sub(1, Ordering::AcqRel) - 1;
        if late + 1 == *most {
            tracing::warn!(%connector, late, "in service again: enough calls have come back");
        }
    }
}

impl Waits {
    /// The deadline has passed.
    pub(super) fn late(self) {
        self.0.is_late();
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        if self.0.state.load(Ordering::Acquire) != RUNS {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let call = Arc::clone(&self.0);
            runtime.spawn(async move {
                sleep_until(call.deadline).await;
                call.is_late();
            });
        }
    }
}

impl Drop for Does {
    fn drop(&mut self) {
        self.0.is_back();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn overdue(most: usize) -> Arc<Overdue> {
        Overdue::new("Test".into(), most)
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn too_many_late_calls_count_until_they_are_back() {
        let overdue = overdue(2);
        let (first, does_first) = overdue.call(soon());
        let (second, does_second) = overdue.call(soon());
        first.late();
        assert_eq!(overdue.too_many(), None);
        second.late();
        assert_eq!(overdue.too_many(), Some(2));
        drop(does_first);
        assert_eq!(overdue.too_many(), None);
        drop(does_second);
        assert_eq!(overdue.count.load(Ordering::Acquire), 0);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_call_that_comes_back_in_time_never_counts() {
        let overdue = overdue(1);
        let (waits, does) = overdue.call(soon());
        drop(does);
        waits.late();
        assert_eq!(overdue.too_many(), None);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_call_whose_caller_has_gone_counts_when_its_time_has_come() {
        let overdue = overdue(1);
        let (waits, does) = overdue.call(soon());
        drop(waits);
        tokio::time::sleep(Duration::from_secs(59)).await;
        assert_eq!(overdue.too_many(), None);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(overdue.too_many(), Some(1));
        drop(does);
        assert_eq!(overdue.too_many(), None);
    }
}
