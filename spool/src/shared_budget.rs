//! A budget that all peers share: bytes of memory, or of disk.
//!
//! A peer may hold as much as it leaves free (a dynamic threshold, as in switches that share a buffer). So one peer alone has half of
//! the budget, the next one half of the rest, and there is always room for one more.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// A budget in bytes.
#[derive(Debug, Clone)]
pub struct SharedBudget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: u64,
    used: Mutex<Used>,
    released: Notify,
}

#[derive(Debug, Default)]
struct Used {
    total: u64,
    /// Peers that hold nothing are not in it.
    by_peer: HashMap<IpAddr, u64>,
}

/// What one peer holds for one purpose; released when dropped.
#[derive(Debug)]
pub struct Share {
    budget: SharedBudget,
    peer: IpAddr,
    bytes: u64,
}

/// The budget has no room for this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no room in a budget of {limit} bytes")]
pub struct NoRoom {
    limit: u64,
    /// Whether others have no room for it either: not only this peer, because of what it holds already.
    pub for_all: bool,
}

impl SharedBudget {
    /// A budget of so many bytes.
    pub fn new(limit: u64) -> Self {
        SharedBudget(Arc::new(Inner { limit, used: Mutex::default(), released: Notify::new() }))
    }

    /// The bytes of all peers together.
    pub fn limit(&self) -> u64 {
        self.0.limit
    }

    /// A share of this peer, which holds nothing yet.
    pub fn share(&self, peer: IpAddr) -> Share {
        Share { budget: self.clone(), peer, bytes: 0 }
    }

    /// Whether so many bytes are free besides `kept_free`.
    pub fn has_room(&self, bytes: u64, kept_free: u64) -> bool {
        self.used().total.saturating_add(bytes).saturating_add(kept_free) <= self.0.limit
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.0.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// The bytes that it holds.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The share is to have at least so many bytes. `kept_free` bytes of the budget stay free.
    pub fn grow_to(&mut self, bytes: u64, kept_free: u64) -> Result<(), NoRoom> {
        self.grow(bytes, kept_free, false)
    }

    /// The same, after a wait for other shares if necessary. A peer that holds nothing else gets all that is free: one body or
    /// reply must find room also in a small budget.
    pub async fn grow_to_within(&mut self, bytes: u64, wait: Duration) -> Result<(), NoRoom> {
        let deadline = Instant::now() + wait;
        loop {
            let budget = self.budget.clone();
            // Listens before it looks, so that no release is missed.
            let mut released = pin!(budget.0.released.notified());
            released.as_mut().enable();
            let grown = self.grow(bytes, 0, true);
            if grown.is_ok() || timeout_at(deadline, released).await.is_err() {
                return grown;
            }
        }
    }

    fn grow(&mut self, bytes: u64, kept_free: u64, may_take_all: bool) -> Result<(), NoRoom> {
        let Some(more) = bytes.checked_sub(self.bytes).filter(|&more| more > 0) else { return Ok(()) };
        let limit = self.budget.0.limit;
        let mut used = self.budget.used();
        let held = used.by_peer.get(&self.peer).copied().unwrap_or(0);
        let has_nothing_else = held == self.bytes;
        let free = limit.saturating_sub(used.total.saturating_add(kept_free));
        let fits = more <= free;
        let after = held.saturating_add(more);
        let is_fair = after <= free.saturating_sub(more);
        if !fits || !(is_fair || (may_take_all && has_nothing_else)) {
            let is_alone = used.by_peer.keys().all(|peer| *peer == self.peer);
            let for_all = !fits || has_nothing_else || is_alone;
            return Err(NoRoom { limit, for_all });
        }
        used.total += more;
        *used.by_peer.entry(self.peer).or_default() += more;
        self.bytes = bytes;
        Ok(())
    }

    /// The share holds nothing any more.
    pub fn release(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes == 0 {
            return;
        }
        let mut used = self.budget.used();
        used.total -= bytes;
        if let Some(held) = used.by_peer.get_mut(&self.peer) {
            *held -= bytes;
            if *held == 0 {
                used.by_peer.remove(&self.peer);
            }
        }
        drop(used);
        self.budget.0.released.notify_waiters();
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u8) -> IpAddr {
        [192, 0, 2, number].into()
    }

    #[test]
    fn shared_budget_leaves_room_for_one_more_peer() {
        let budget = SharedBudget::new(1000);
        let mut most = Vec::new();
        for number in 0..4 {
            // As much as it gets, byte by byte.
            let mut share = budget.share(peer(number));
            while share.grow_to(share.bytes() + 1, 0).is_ok() {}
            most.push((share.bytes(), share));
        }
        assert_eq!(most.iter().map(|(bytes, _)| *bytes).collect::<Vec<_>>(), [500, 250, 125, 62]);
        assert!(budget.has_room(63, 0) && !budget.has_room(64, 0));
        // A second share of a peer is not more than its first one.
        let refused = budget.share(peer(0)).grow_to(1, 0).unwrap_err();
        assert!(!refused.for_all);
        assert!(budget.share(peer(5)).grow_to(64, 0).unwrap_err().for_all);
        drop(most);
        assert_eq!(budget.used().total, 0);
        assert!(budget.used().by_peer.is_empty());
    }

    #[test]
    fn shared_budget_keeps_a_part_free() {
        let budget = SharedBudget::new(1000);
        let mut share = budget.share(peer(1));
        share.grow_to(250, 500).unwrap();
        assert!(share.grow_to(251, 500).unwrap_err().for_all, "there is no other peer");
        share.grow_to(500, 0).unwrap();
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn shared_budget_waits_for_a_release() {
        let budget = SharedBudget::new(1000);
        let wait = Duration::from_secs(5);
        let mut first = budget.share(peer(1));
        first.grow_to_within(1000, wait).await.unwrap();
        let mut second = budget.share(peer(1));
        assert!(second.grow_to_within(1, wait).await.unwrap_err().for_all);
        let (grown, ()) = tokio::join!(second.grow_to_within(1000, wait), async { drop(first) });
        grown.unwrap();
        assert!(budget.share(peer(2)).grow_to_within(1001, wait).await.is_err());
    }
}
