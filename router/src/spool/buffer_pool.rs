//! The buffer pool of replies: buffers of one size that are used again, and a limit for the memory of all replies together.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Bytes of a buffer.
pub(super) const BUFFER_SIZE: usize = 256 * 1024;
/// What is written to a file, or read from it, in one step.
pub(super) const FILE_STEP: usize = 64 * 1024;
/// Buffers of up to this size are not counted: there are no more of them than connections.
const SMALL: usize = 32 * 1024;
/// The step of reading when the limit is reached.
const SMALL_STEP: usize = 16 * 1024;

/// How many free buffers are kept. More of them, after a peak, go back to the system.
const MAX_FREE: usize = 96;

/// The memory of all replies.
#[derive(Debug)]
pub(super) struct BufferPool {
    free: Mutex<Vec<Vec<u8>>>,
    /// Bytes that are counted.
    in_use: AtomicUsize,
    limit: usize,
}

impl BufferPool {
    /// A pool whose buffers take up to `limit` bytes together.
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(BufferPool { free: Mutex::default(), in_use: AtomicUsize::new(0), limit })
    }

    /// An empty buffer of [`BUFFER_SIZE`]; `None` when the limit is reached.
    pub(super) fn acquire(self: &Arc<Self>) -> Option<Buffer> {
        if !self.reserve(BUFFER_SIZE, self.limit) {
            return None;
        }
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let bytes = free.unwrap_or_else(|| Vec::with_capacity(BUFFER_SIZE));
        Some(Buffer { bytes, counted: BUFFER_SIZE, pool: Arc::clone(self) })
    }

    /// An empty buffer that is not counted while it is small.
    pub(super) fn small(self: &Arc<Self>, capacity: usize) -> Buffer {
        Buffer { bytes: Vec::with_capacity(capacity), counted: 0, pool: Arc::clone(self) }
    }

    /// An empty buffer for the next bytes of a file. Half of the memory is left to replies that are being written; when the
    /// other half is taken, the steps are smaller.
    pub(super) fn for_reading(self: &Arc<Self>, left: u64) -> Buffer {
        let wanted = usize::try_from(left).map_or(FILE_STEP, |left| left.min(FILE_STEP));
        if wanted > SMALL_STEP && self.reserve(wanted, self.limit / 2) {
            return Buffer { bytes: Vec::with_capacity(wanted), counted: wanted, pool: Arc::clone(self) };
        }
        self.small(wanted.min(SMALL_STEP))
    }

    /// Counts so many bytes more, up to a limit.
    fn reserve(&self, bytes: usize, limit: usize) -> bool {
        let more = |in_use: usize| in_use.checked_add(bytes).filter(|&in_use| in_use <= limit);
        self.in_use.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    fn release(&self, mut bytes: Vec<u8>, counted: usize) {
        self.in_use.fetch_sub(counted, Ordering::Relaxed);
        // A buffer that had to grow is freed: otherwise all of them would be larger in time.
        if (BUFFER_SIZE..=2 * BUFFER_SIZE).contains(&bytes.capacity()) {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            if free.len() < MAX_FREE {
                bytes.clear();
                free.push(bytes);
            }
        }
    }
}

/// Memory for a part of a reply. Dropping it gives it back to its pool.
#[derive(Debug)]
pub(super) struct Buffer {
    pub(super) bytes: Vec<u8>,
    counted: usize,
    pool: Arc<BufferPool>,
}

impl Buffer {
    /// Counts what the buffer has grown by; `false` when the limit is reached.
    pub(super) fn count(&mut self) -> bool {
        let capacity = self.bytes.capacity();
        if capacity <= self.counted.max(SMALL) {
            return true;
        }
        let fits = self.pool.reserve(capacity - self.counted, self.pool.limit);
        if fits {
            self.counted = capacity;
        }
        fits
    }
}

impl From<Buffer> for Bytes {
    fn from(mut buffer: Buffer) -> Self {
        if buffer.counted == 0 {
            Bytes::from(std::mem::take(&mut buffer.bytes))
        } else {
            Bytes::from_owner(buffer)
        }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.pool.release(std::mem::take(&mut self.bytes), self.counted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffer_pool_counts_what_buffers_grow_by() {
        let pool = BufferPool::new(4 * BUFFER_SIZE);
        let mut small = pool.small(4096);
        assert!(small.count());
        small.bytes.reserve_exact(3 * BUFFER_SIZE);
        assert!(small.count());
        let pooled = pool.acquire().unwrap();
        assert!(pool.acquire().is_none());
        let mut another = pool.small(SMALL);
        another.bytes.reserve_exact(BUFFER_SIZE);
        assert!(!another.count(), "there is no room for it");
        assert_eq!(pool.for_reading(1 << 30).bytes.capacity(), SMALL_STEP);
        let sent = Bytes::from(small);
        assert!(pool.acquire().is_none(), "until it is sent");
        drop(sent);
        assert_eq!(pool.for_reading(1 << 30).bytes.capacity(), FILE_STEP);
        drop((pooled, another));
        assert_eq!(pool.in_use.load(Ordering::Relaxed), 0);
    }
}
