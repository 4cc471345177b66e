//! Body memory: a limit of the memory that the bodies of all requests take together.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bodies up to this size are not counted: there are no more of them than connections.
const SMALL: usize = 16 * 1024;

/// The memory that all bodies share.
#[derive(Debug, Clone)]
pub(super) struct BodyMemory(Arc<Semaphore>);

/// The memory that is reserved for a body; released when dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    memory: BodyMemory,
    permit: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

/// `limits.total_body_memory` is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OutOfBodyMemory;

impl BodyMemory {
    pub(super) fn new(bytes: usize) -> Self {
        BodyMemory(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    /// A reservation for a body of which nothing has arrived yet.
    pub(super) fn reserve(&self) -> Reservation {
        Reservation { memory: self.clone(), permit: None, bytes: 0 }
    }
}

impl Reservation {
    /// The body has grown to this size.
    pub(super) fn grow_to(&mut self, bytes: usize) -> Result<(), OutOfBodyMemory> {
        if bytes <= SMALL || bytes <= self.bytes {
            return Ok(());
        }
        let more = u32::try_from(bytes - self.bytes).map_err(|_| OutOfBodyMemory)?;
        let more = Arc::clone(&self.memory.0).try_acquire_many_owned(more).map_err(|_| OutOfBodyMemory)?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Attaches the reservation to its body: it is released with the last reference to a part of it.
    pub(super) fn attach(self, body: Bytes) -> Bytes {
        if self.permit.is_none() {
            body
        } else {
            Bytes::from_owner(ReservedBody { body, _reservation: self })
        }
    }
}

struct ReservedBody {
    body: Bytes,
    _reservation: Reservation,
}

impl AsRef<[u8]> for ReservedBody {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_memory_limits_large_bodies_and_ignores_small_ones() {
        let memory = BodyMemory::new(100_000);
        let mut small = memory.reserve();
        small.grow_to(SMALL).unwrap();
        let mut first = memory.reserve();
        first.grow_to(60_000).unwrap();
        let kept = first.attach(Bytes::from(vec![0; 60_000]));
        let mut second = memory.reserve();
        second.grow_to(40_000).unwrap();
        assert_eq!(second.grow_to(40_001), Err(OutOfBodyMemory));
        let piece = kept.slice(1..2);
        drop(kept);
        assert_eq!(second.grow_to(40_001), Err(OutOfBodyMemory), "a piece of it is still there");
        drop(piece);
        second.grow_to(100_000).unwrap();
        drop(second);
        assert_eq!(memory.0.available_permits(), 100_000);
    }
}
