//! How fast a peer has to be.

use std::time::Duration;

use tokio::time::Instant;

use super::config::Limits;

/// By when a peer has to have sent or taken the next bytes: it may stand still for a while, and on the whole it must not
/// be slower than the limits say. Without the latter, a byte now and then would hold a connection for ever.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    patience: Duration,
    slowest: f64,
    /// When the peer was first waited for, and the bytes since.
    since: Option<Instant>,
    bytes: u64,
}

impl Pace {
    pub(super) fn new(limits: &Limits) -> Self {
        // A rate is far below what the digits of a float can hold.
        #[allow(clippy::cast_precision_loss)]
        let slowest = limits.min_bytes_per_second as f64;
        Pace { patience: limits.stall_timeout, slowest, since: None, bytes: 0 }
    }

    /// Something new begins.
    pub(super) fn restart(&mut self) {
        self.since = None;
        self.bytes = 0;
    }

    /// Bytes have gone through.
    pub(super) fn count(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// The peer is waited for: until when.
    pub(super) fn deadline(&mut self, now: Instant) -> Instant {
        let since = *self.since.get_or_insert(now);
        #[allow(clippy::cast_precision_loss)]
        let earned = Duration::try_from_secs_f64(self.bytes as f64 / self.slowest).unwrap_or(Duration::MAX);
        let on_the_whole = since + self.patience.saturating_add(earned).min(Duration::from_secs(1 << 32));
        on_the_whole.min(now + self.patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_fast_may_pause_and_who_only_trickles_may_not() {
        let limits =
            Limits { stall_timeout: Duration::from_secs(10), min_bytes_per_second: 100, ..Limits::default() };
        let mut pace = Pace::new(&limits);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(pace.deadline(at(0)), at(10));
        pace.count(1);
        assert_eq!(pace.deadline(at(9)), at(10) + Duration::from_millis(10), "a byte is no progress");
        pace.count(4_999);
        assert_eq!(pace.deadline(at(10)), at(20));
        assert_eq!(pace.deadline(at(55)), at(60));
        pace.restart();
        assert_eq!(pace.deadline(at(70)), at(80));
    }
}
