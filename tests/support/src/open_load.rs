//! An open load: requests are due at fixed times, whether or not earlier ones were answered, as with many independent clients.
//!
//! A latency counts from the time when its request was due. Otherwise a server that stalls would get fewer requests
//! meanwhile, and the stall would count once instead of for every client that would have met it (coordinated omission).

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::http;

/// How many requests a second, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Requests a second.
    pub rate: f64,
    /// How long requests become due.
    pub duration: Duration,
    /// How many may be under way at once: more than the server can have under way, or the load would wait for it.
    pub connections: usize,
}

/// What became of the requests.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Latencies of those that were served (200), from short to long.
    pub served: Vec<Duration>,
    /// Latencies of those that were refused as they should be (503 with Retry-After), from short to long.
    pub refused: Vec<Duration>,
    /// What became of the others, such as `500` or the text of an error.
    pub others: Vec<String>,
}

impl Outcome {
    /// Every request.
    pub fn count(&self) -> usize {
        self.served.len() + self.refused.len() + self.others.len()
    }

    fn add(&mut self, other: Outcome) {
        self.served.extend(other.served);
        self.refused.extend(other.refused);
        self.others.extend(other.others);
    }
}

/// The latency that so many in a hundred do not exceed, of sorted ones; zero when there are none.
pub fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or_default()
}

/// Sends this request at the rate of the load, over connections that are kept.
pub fn run(address: SocketAddr, request: &[u8], load: Load) -> Outcome {
    let next = AtomicU64::new(0);
    // A little later, when every thread is there.
    let start = Instant::now() + Duration::from_millis(100);
    let mut outcome = Outcome::default();
    thread::scope(|scope| {
        let caller = || scope.spawn(|| call_when_due(address, request, load, start, &next));
        let callers: Vec<_> = (0..load.connections).map(|_| caller()).collect();
        for caller in callers {
            match caller.join() {
                Ok(one) => outcome.add(one),
                Err(_) => outcome.others.push("a caller panicked".to_owned()),
            }
        }
    });
    outcome.served.sort_unstable();
    outcome.refused.sort_unstable();
    outcome
}

/// One of the callers: takes the next request that is due, waits until it is, and sends it.
fn call_when_due(
    address: SocketAddr,
    request: &[u8],
    load: Load,
    start: Instant,
    next: &AtomicU64,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut connection = None;
    loop {
        // Far below what a float counts exactly.
        #[allow(clippy::cast_precision_loss)]
        let due = Duration::from_secs_f64(next.fetch_add(1, Ordering::Relaxed) as f64 / load.rate);
        if due > load.duration {
            return outcome;
        }
        let due = start + due;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        match http::exchange_on(&mut connection, address, request) {
            Ok(response) if response.status == 200 => outcome.served.push(due.elapsed()),
            Ok(response) if response.status == 503 && response.header("Retry-After").is_some() => {
                outcome.refused.push(due.elapsed());
            }
            Ok(response) => outcome.others.push(response.status.to_string()),
            Err(error) => outcome.others.push(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_latencies_that_there_were() {
        let sorted: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        for (percent, expected) in [(1, 2), (50, 100), (99, 198), (100, 200)] {
            assert_eq!(percentile(&sorted, percent), Duration::from_millis(expected));
        }
        assert_eq!(percentile(&[], 99), Duration::ZERO);
        assert_eq!(percentile(&sorted[..1], 99), sorted[0]);
    }
}
