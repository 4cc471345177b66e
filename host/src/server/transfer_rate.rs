//! Minimum transfer rate of a peer, for request bodies and replies.

use std::time::Duration;

use tokio::time::Instant;

use super::config::Limits;

/// The time by which a peer must have sent or taken the next bytes (a token bucket in units of time). Waiting for the peer uses up
/// credit, bytes earn it, and there is never more of it than `stall_timeout`. So the peer may pause for that long; what counts is its
/// pace over the last `stall_timeout`, however fast it was before.
#[derive(Debug, Clone)]
pub(super) struct MinTransferRate {
    stall_timeout: Duration,
    bytes_per_second: f64,
    credit: Duration,
    /// Since when the peer is waited for.
    waiting_since: Option<Instant>,
}

impl MinTransferRate {
    pub(super) fn new(limits: &Limits) -> Self {
        // A rate is far below what the digits of a float can hold.
        #[allow(clippy::cast_precision_loss)]
        let bytes_per_second = limits.min_bytes_per_second as f64;
        let stall_timeout = limits.stall_timeout;
        MinTransferRate { stall_timeout, bytes_per_second, credit: stall_timeout, waiting_since: None }
    }

    /// Another body or reply begins.
    pub(super) fn restart(&mut self) {
        self.credit = self.stall_timeout;
        self.waiting_since = None;
    }

    /// Bytes have been transferred. Time during which the peer was not waited for costs it nothing.
    pub(super) fn count(&mut self, bytes: usize, now: Instant) {
        if let Some(since) = self.waiting_since.take() {
            self.credit = self.credit.saturating_sub(now.saturating_duration_since(since));
        }
        #[allow(clippy::cast_precision_loss)]
        let earned =
            Duration::try_from_secs_f64(bytes as f64 / self.bytes_per_second).unwrap_or(Duration::MAX);
        self.credit = self.credit.saturating_add(earned).min(self.stall_timeout);
    }

    /// The peer has to be waited for; returns until when.
    pub(super) fn deadline(&mut self, now: Instant) -> Instant {
        *self.waiting_since.get_or_insert(now) + self.credit
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
        rate.count(1, at(9));
        assert_eq!(rate.deadline(at(9)), at(10) + Duration::from_millis(10), "a byte is no progress");
        // Fast for once: that gives it no more than the usual time.
        rate.count(1 << 30, at(9));
        assert_eq!(rate.deadline(at(9)), at(19));
        rate.count(1, at(18));
        assert_eq!(rate.deadline(at(18)), at(19) + Duration::from_millis(10));
        // At its pace it goes on for ever.
        rate.restart();
        for second in 20..1000 {
            assert_eq!(rate.deadline(at(second)), at(second + 10));
            rate.count(100, at(second + 1));
        }
        // The host takes its time: that is not the peer's.
        rate.count(1, at(5000));
        assert_eq!(rate.deadline(at(6000)), at(6010));
    }
}
