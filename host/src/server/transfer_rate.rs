//! Minimum transfer rate of a peer, for request bodies and replies.

use std::time::Duration;

use tokio::time::Instant;

use super::config::Limits;

/// The time by which a peer must have sent or taken the next bytes. It may stall for a while, but on average it must not be
/// slower than the limit: otherwise a byte now and then would hold a connection for ever.
#[derive(Debug, Clone)]
pub(super) struct MinTransferRate {
    stall_timeout: Duration,
    bytes_per_second: f64,
    /// When the peer was first waited for, and the bytes since.
    since: Option<Instant>,
    bytes: u64,
}

impl MinTransferRate {
    pub(super) fn new(limits: &Limits) -> Self {
        // A rate is far below what the digits of a float can hold.
        #[allow(clippy::cast_precision_loss)]
        let bytes_per_second = limits.min_bytes_per_second as f64;
        MinTransferRate { stall_timeout: limits.stall_timeout, bytes_per_second, since: None, bytes: 0 }
    }

    /// Another body or reply begins.
    pub(super) fn restart(&mut self) {
        self.since = None;
        self.bytes = 0;
    }

    /// Bytes have been transferred.
    pub(super) fn count(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// The peer has to be waited for; returns until when.
    pub(super) fn deadline(&mut self, now: Instant) -> Instant {
        let since = *self.since.get_or_insert(now);
        #[allow(clippy::cast_precision_loss)]
        let earned =
            Duration::try_from_secs_f64(self.bytes as f64 / self.bytes_per_second).unwrap_or(Duration::MAX);
        let by_average = since + self.stall_timeout.saturating_add(earned).min(Duration::from_secs(1 << 32));
        by_average.min(now + self.stall_timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn min_transfer_rate_allows_pauses_but_no_trickle() {
        let limits =
            Limits { stall_timeout: Duration::from_secs(10), min_bytes_per_second: 100, ..Limits::default() };
        let mut rate = MinTransferRate::new(&limits);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(rate.deadline(at(0)), at(10));
        rate.count(1);
        assert_eq!(rate.deadline(at(9)), at(10) + Duration::from_millis(10), "a byte is no progress");
        rate.count(4_999);
        assert_eq!(rate.deadline(at(10)), at(20));
        assert_eq!(rate.deadline(at(55)), at(60));
        rate.restart();
        assert_eq!(rate.deadline(at(70)), at(80));
    }
}
