//! The memory that large replies stand in: blocks of one size, used again and again, and never more than so many.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// What is written to a file at once, and read from it.
pub(super) const BLOCK: usize = 256 * 1024;

/// Blocks that are kept for the next reply. More of them, after a rush, go back to the system.
const KEPT: usize = 96;

/// The blocks of all replies.
#[derive(Debug)]
pub(super) struct Stock {
    free: Mutex<Vec<Vec<u8>>>,
    /// Blocks that are with a reply.
    given: AtomicUsize,
    most: usize,
}

impl Stock {
    /// A stock of blocks of so many bytes together.
    pub(super) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Stock { free: Mutex::default(), given: AtomicUsize::new(0), most: (bytes / BLOCK).max(1) })
    }

    /// An empty block; none when all are given.
    pub(super) fn take(self: &Arc<Self>) -> Option<Block> {
        let more = |given| (given < self.most).then_some(given + 1);
        self.given.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let bytes = free.unwrap_or_else(|| Vec::with_capacity(BLOCK));
        Some(Block { bytes, stock: Some(Arc::clone(self)) })
    }

    fn give_back(&self, mut bytes: Vec<u8>) {
        self.given.fetch_sub(1, Ordering::Relaxed);
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        // One that had to grow would make all of them larger in time.
        if bytes.capacity() <= 2 * BLOCK && free.len() < KEPT {
            bytes.clear();
            free.push(bytes);
        }
    }
}

/// Memory for a part of a reply: of a stock, to which it goes back when nobody needs it any more, or apart from it.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    stock: Option<Arc<Stock>>,
}

impl Block {
    /// One that belongs to no stock.
    pub(super) fn apart(capacity: usize) -> Self {
        Block { bytes: Vec::with_capacity(capacity), stock: None }
    }
}

impl From<Block> for Bytes {
    fn from(mut block: Block) -> Self {
        match &block.stock {
            None => Bytes::from(std::mem::take(&mut block.bytes)),
            Some(_) => Bytes::from_owner(block),
        }
    }
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Some(stock) = self.stock.take() {
            stock.give_back(std::mem::take(&mut self.bytes));
        }
    }
}
