//! State that all connections of a simulation share: statistics, the rate limit and the stop flags.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::statistics::Statistics;

/// State that all connections of a simulation share.
#[derive(Debug)]
pub(super) struct SharedState {
    pub(super) statistics: Arc<Statistics>,
    rate_limit: Option<RateLimit>,
    /// How long to retry calls to a service that is unavailable.
    pub(super) retry_timeout: Duration,
    /// No more edits: synchronise the rest, compare and report.
    stop: AtomicBool,
    /// No more retries either.
    stop_now: AtomicBool,
}

impl SharedState {
    pub(super) fn new(rate: Option<f64>, retry_timeout: Duration) -> Self {
        SharedState {
            statistics: Arc::default(),
            rate_limit: rate.map(RateLimit::new),
            retry_timeout,
            stop: AtomicBool::new(false),
            stop_now: AtomicBool::new(false),
        }
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Ends the retries of calls, too.
    pub(super) fn stop_now(&self) {
        self.stop();
        self.stop_now.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopping_now(&self) -> bool {
        self.stop_now.load(Ordering::Relaxed)
    }

    /// Waits until the rate limit allows the next call.
    pub(super) async fn wait_for_rate_limit(&self) {
        if let Some(limit) = &self.rate_limit {
            limit.wait().await;
        }
    }
}

/// A limit of calls a second: calls start at least one interval apart.
#[derive(Debug)]
struct RateLimit {
    interval: Duration,
    next: Mutex<Instant>,
}

impl RateLimit {
    fn new(calls_per_second: f64) -> Self {
        let interval = Duration::from_secs_f64(1.0 / calls_per_second);
        RateLimit { interval, next: Mutex::new(Instant::now()) }
    }

    async fn wait(&self) {
        let start = {
            let mut next = self.next.lock().await;
            let start = (*next).max(Instant::now());
            *next = start + self.interval;
            start
        };
        tokio::time::sleep_until(start).await;
    }
}
