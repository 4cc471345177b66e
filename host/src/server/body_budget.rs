//! How much memory the bodies of all requests take together.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bodies up to this size are not counted: there are no more of them than connections.
const SMALL: usize = 16 * 1024;

/// A number of bytes that all bodies share.
#[derive(Debug, Clone)]
pub(super) struct BodyBudget(Arc<Semaphore>);

/// The part of a budget that a body takes; given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: BodyBudget,
    taken: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

/// The budget is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UsedUp;

impl BodyBudget {
    pub(super) fn new(bytes: usize) -> Self {
        BodyBudget(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    /// The part of a body of which nothing is there yet.
    pub(super) fn share(&self) -> Share {
        Share { budget: self.clone(), taken: None, bytes: 0 }
    }
}

impl Share {
    /// The body has grown to this size.
    pub(super) fn grow_to(&mut self, bytes: usize) -> Result<(), UsedUp> {
        if bytes <= SMALL || bytes <= self.bytes {
            return Ok(());
        }
        let more = u32::try_from(bytes - self.bytes).map_err(|_| UsedUp)?;
        let more = Arc::clone(&self.budget.0).try_acquire_many_owned(more).map_err(|_| UsedUp)?;
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            None => self.taken = Some(more),
        }
        self.bytes = bytes;
        Ok(())
    }

    /// The body is gone.
    pub(super) fn give_back(&mut self) {
        self.taken = None;
        self.bytes = 0;
    }

    /// Ties the part to its body: it is given back with the last piece of it, however long a call goes on with that.
    pub(super) fn keep(self, body: Bytes) -> Bytes {
        if self.taken.is_none() { body } else { Bytes::from_owner(Kept { body, _share: self }) }
    }
}

struct Kept {
    body: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bodies_share_and_small_ones_are_free() {
        let budget = BodyBudget::new(100_000);
        let mut small = budget.share();
        small.grow_to(SMALL).unwrap();
        let mut first = budget.share();
        first.grow_to(60_000).unwrap();
        let kept = first.keep(Bytes::from(vec![0; 60_000]));
        let mut second = budget.share();
        second.grow_to(40_000).unwrap();
        assert_eq!(second.grow_to(40_001), Err(UsedUp));
        let piece = kept.slice(1..2);
        drop(kept);
        assert_eq!(second.grow_to(40_001), Err(UsedUp), "a piece of it is still there");
        drop(piece);
        second.grow_to(100_000).unwrap();
        drop(second);
        assert_eq!(budget.0.available_permits(), 100_000);
    }
}
