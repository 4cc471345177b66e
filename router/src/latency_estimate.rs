//! Latency estimates: how long the operations of a connector take, and so whether the next call is expected to be quick.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use contract::Operation;

/// An operation with a mean latency below this is quick: a hop to another thread would cost it more than its own work.
const QUICK: Duration = Duration::from_micros(100);
/// A call counts for no more than this, so that a single slow call, or a thread that was preempted, does not count for much. Other
/// tasks wait no longer for a slow call anyway (see the watchdog).
const MAX_SAMPLE: Duration = Duration::from_millis(1);
/// The weight of the last call in the mean is one part in so many.
const WEIGHT: u32 = 16;

/// The latency estimates of a connector, for each operation.
#[derive(Debug, Default)]
pub(super) struct LatencyEstimates([Arc<LatencyEstimate>; Operation::ALL.len()]);

/// The exponential moving average of an operation's latency, in nanoseconds.
#[derive(Debug)]
pub(super) struct LatencyEstimate(AtomicU32);

impl LatencyEstimates {
    pub(super) fn of(&self, operation: Operation) -> &Arc<LatencyEstimate> {
        // `as usize` is its index in `Operation::ALL`.
        &self.0[operation as usize]
    }
}

/// No operation is quick before its calls were.
impl Default for LatencyEstimate {
    fn default() -> Self {
        LatencyEstimate(AtomicU32::new(nanoseconds(MAX_SAMPLE)))
    }
}

impl LatencyEstimate {
    pub(super) fn is_quick(&self) -> bool {
        self.0.load(Ordering::Relaxed) < nanoseconds(QUICK)
    }

    /// Runs a call and adds its latency.
    pub(super) fn measure<R>(&self, call: impl FnOnce() -> R) -> R {
        self.measure_since(Instant::now(), call)
    }

    /// The same for a call that starts now.
    pub(super) fn measure_since<R>(&self, started: Instant, call: impl FnOnce() -> R) -> R {
        let result = call();
        self.add(started.elapsed());
        result
    }

    /// Adds a call that is slow and has not ended yet.
    pub(super) fn add_slow(&self) {
        self.add(MAX_SAMPLE);
    }

    fn add(&self, latency: Duration) {
        let mean = self.0.load(Ordering::Relaxed);
        // Of two samples at the same time one may be lost, which does not matter to a mean.
        let mean = mean - mean / WEIGHT + nanoseconds(latency.min(MAX_SAMPLE)) / WEIGHT;
        self.0.store(mean, Ordering::Relaxed);
    }
}

fn nanoseconds(time: Duration) -> u32 {
    u32::try_from(time.as_nanos()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_micros(20);
    const LONG: Duration = Duration::from_secs(5);

    /// How many quick calls it takes until the next one is expected to be quick.
    fn until_quick(estimate: &LatencyEstimate) -> usize {
        (0..).take_while(|_| !estimate.is_quick()).map(|_| estimate.add(SHORT)).count()
    }

    #[test]
    fn latency_estimate_is_a_mean_that_one_slow_call_does_not_change_much() {
        let estimate = LatencyEstimate::default();
        assert!((20..100).contains(&until_quick(&estimate)), "only after a while");
        for _ in 0..10 {
            (0..64).for_each(|_| estimate.add(SHORT));
            estimate.add(LONG);
            assert!(estimate.is_quick());
        }
        estimate.add(LONG);
        estimate.add(LONG);
        assert!(!estimate.is_quick());
    }

    #[test]
    fn latency_estimates_are_kept_for_each_operation() {
        let estimates = LatencyEstimates::default();
        until_quick(estimates.of(Operation::TestConnection));
        let quick = Operation::ALL.iter().filter(|operation| estimates.of(**operation).is_quick());
        assert_eq!(quick.collect::<Vec<_>>(), [&Operation::TestConnection]);
    }
}
