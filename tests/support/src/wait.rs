//! Waiting for what happens a little later.

use std::thread;
use std::time::{Duration, Instant};

use crate::http::PATIENCE;

/// Waits until a condition holds.
///
/// # Panics
/// It does not hold within two minutes.
pub fn wait_until(condition: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{condition}: not within {} seconds", PATIENCE.as_secs());
        thread::sleep(Duration::from_millis(10));
    }
}
