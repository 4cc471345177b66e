//! How long the operations of a connector take. What is known to be quick is done where it is asked for: on another thread
//! it would cost several times as much.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use contract::Operation;

/// An operation that takes no longer than this in the mean is quick.
const QUICK: Duration = Duration::from_micros(100);
/// A call counts for no more than this: others do not wait longer for it, wherever it runs (see the lookout).
const MOST: Duration = Duration::from_millis(1);
/// The last call counts for one part in so many of the mean.
const PARTS: u32 = 16;

/// How long the operations of one connector take.
#[derive(Debug, Default)]
pub(super) struct Paces([Arc<Pace>; Operation::ALL.len()]);

/// How long one operation of one connector takes: the mean of its last calls in nanoseconds. Some of them may be long:
/// what counts is what the others who share a thread with it can expect.
#[derive(Debug)]
pub(super) struct Pace(AtomicU32);

impl Paces {
    /// The pace of an operation.
    pub(super) fn of(&self, operation: Operation) -> &Arc<Pace> {
        // `as usize` is its place in `Operation::ALL`.
        &self.0[operation as usize]
    }
}

/// Nobody is quick before it was shown.
impl Default for Pace {
    fn default() -> Self {
        Pace(AtomicU32::new(nanoseconds(MOST)))
    }
}

impl Pace {
    /// Whether the next call will be quick, as far as anybody can tell.
    pub(super) fn is_quick(&self) -> bool {
        self.0.load(Ordering::Relaxed) < nanoseconds(QUICK)
    }

    /// Does the work, and learns from it.
    pub(super) fn measure<R>(&self, work: impl FnOnce() -> R) -> R {
        self.measure_since(Instant::now(), work)
    }

    /// The same, for work that begins now.
    pub(super) fn measure_since<R>(&self, since: Instant, work: impl FnOnce() -> R) -> R {
        let result = work();
        self.took(since.elapsed());
        result
    }

    /// A call has taken so long.
    fn took(&self, time: Duration) {
        let mean = self.0.load(Ordering::Relaxed);
        // Of two at the same time one may be lost: it is a mean.
        let mean = mean - mean / PARTS + nanoseconds(time.min(MOST)) / PARTS;
        self.0.store(mean, Ordering::Relaxed);
    }

    /// A call takes long, and is not over yet.
    pub(super) fn takes_long(&self) {
        self.took(MOST);
    }
}

fn nanoseconds(time: Duration) -> u32 {
    u32::try_from(time.as_nanos()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_micros(20);
    const LATE: Duration = Duration::from_secs(5);

    /// How many quick calls it takes until the next one is believed to be quick.
    fn until_quick(pace: &Pace) -> usize {
        (0..).take_while(|_| !pace.is_quick()).map(|_| pace.took(SOON)).count()
    }

    #[test]
    fn quick_is_what_is_quick_in_the_mean() {
        let pace = Pace::default();
        assert!((20..100).contains(&until_quick(&pace)), "believed only after a while");
        // One that is slow now and then changes nothing; two in a row do.
        for _ in 0..10 {
            (0..64).for_each(|_| pace.took(SOON));
            pace.took(LATE);
            assert!(pace.is_quick());
        }
        pace.took(LATE);
        pace.took(LATE);
        assert!(!pace.is_quick());
        assert!(until_quick(&pace) > 0);
        // What is slow more often than that stays away.
        for _ in 0..100 {
            pace.took(SOON);
            pace.took(Duration::from_micros(400));
        }
        assert!(!pace.is_quick());
    }

    #[test]
    fn one_that_hangs_is_not_quick() {
        let pace = Pace::default();
        until_quick(&pace);
        (0..2).for_each(|_| pace.takes_long());
        assert!(!pace.is_quick());
    }

    #[test]
    fn every_operation_has_a_pace_of_its_own() {
        let paces = Paces::default();
        until_quick(paces.of(Operation::TestConnection));
        let quick = Operation::ALL.iter().filter(|operation| paces.of(**operation).is_quick());
        assert_eq!(quick.collect::<Vec<_>>(), [&Operation::TestConnection]);
    }
}
