//! The buffer pool of replies: buffers of one size that are used again, and a limit for all of them together.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Bytes of a buffer; also what is written to a file, or read from it, in one step.
pub(super) const BUFFER_SIZE: usize = 256 * 1024;

/// How many free buffers are kept. More of them, after a peak, go back to the system.
const MAX_FREE: usize = 96;

/// The buffers of all replies.
#[derive(Debug)]
pub(super) struct BufferPool {
    free: Mutex<Vec<Vec<u8>>>,
    /// Buffers in use.
    in_use: AtomicUsize,
    max_in_use: usize,
}

impl BufferPool {
    /// A pool whose buffers take up to `bytes` together.
    pub(super) fn new(bytes: usize) -> Arc<Self> {
        let max_in_use = (bytes / BUFFER_SIZE).max(1);
        Arc::new(BufferPool { free: Mutex::default(), in_use: AtomicUsize::new(0), max_in_use })
    }

    /// An empty buffer; `None` when the limit is reached.
    pub(super) fn acquire(self: &Arc<Self>) -> Option<Buffer> {
        let one_more = |in_use| (in_use < self.max_in_use).then_some(in_use + 1);
        self.in_use.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let bytes = free.unwrap_or_else(|| Vec::with_capacity(BUFFER_SIZE));
        Some(Buffer { bytes, pool: Some(Arc::clone(self)) })
    }

    fn release(&self, mut bytes: Vec<u8>) {
        self.in_use.fetch_sub(1, Ordering::Relaxed);
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        // A buffer that had to grow is freed: otherwise all of them would be larger in time.
        if bytes.capacity() <= 2 * BUFFER_SIZE && free.len() < MAX_FREE {
            bytes.clear();
            free.push(bytes);
        }
    }
}

/// Memory for a part of a reply. Dropping it gives it back to its pool.
#[derive(Debug)]
pub(super) struct Buffer {
    pub(super) bytes: Vec<u8>,
    pool: Option<Arc<BufferPool>>,
}

impl Buffer {
    /// A buffer that belongs to no pool.
    pub(super) fn unpooled(capacity: usize) -> Self {
        Buffer { bytes: Vec::with_capacity(capacity), pool: None }
    }
}

impl From<Buffer> for Bytes {
    fn from(mut buffer: Buffer) -> Self {
        match &buffer.pool {
            None => Bytes::from(std::mem::take(&mut buffer.bytes)),
            Some(_) => Bytes::from_owner(buffer),
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
        if let Some(pool) = self.pool.take() {
            pool.release(std::mem::take(&mut self.bytes));
        }
    }
}
