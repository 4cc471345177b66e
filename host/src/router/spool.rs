//! The spool of a reply: it is kept in memory up to a limit, then in a temporary file, until its outcome is known. Only then
//! is it sent: a call may fail after its first row, and its caller gets an error and no rows then.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

mod buffer_pool;

use self::buffer_pool::{BUFFER_SIZE, Buffer, BufferPool};

/// The first buffer of a reply, which is all that a small one needs.
const FIRST_BUFFER: usize = 4 * 1024;
/// From this size on a reply continues in buffers of the pool.
const SMALL_REPLY: usize = 16 * 1024;
/// Rows are appended whole. A buffer with less room than this counts as full, so that few of them have to grow.
const ROOM_FOR_A_ROW: usize = 32 * 1024;
/// The pool has room for so many replies of the largest size that is kept in memory.
const LARGEST_REPLIES_IN_POOL: usize = 8;

/// Makes spools: it has their folder, their buffer pool and their limits.
#[derive(Debug)]
pub(super) struct SpoolFolder {
    folder: PathBuf,
    max_in_memory: usize,
    pool: Arc<BufferPool>,
    /// The largest reply in bytes.
    pub(super) max_reply: u64,
}

/// A reply that is being written: in memory up to a limit, then in a file without a name, which the system removes when the
/// process ends. Bytes are appended to [`Spool::buffer`]; call [`Spool::flush_if_full`] after each row.
#[derive(Debug)]
pub(super) struct Spool<'f> {
    folder: &'f SpoolFolder,
    /// The full buffers. Empty once there is a file.
    full: VecDeque<Bytes>,
    /// Bytes in `full`, or in the file.
    flushed: u64,
    file: Option<File>,
    buffer: Buffer,
}

/// A complete reply, to be read block by block: `head`, then `file`, then `rest`.
#[derive(Debug, Default)]
pub struct SpooledReply {
    head: Bytes,
    file: Option<SpooledFile>,
    rest: VecDeque<Bytes>,
}

/// The part of a reply that is in a file.
#[derive(Debug)]
struct SpooledFile {
    /// At the position of the next block.
    file: File,
    /// Bytes that are left to be read.
    left: u64,
    pool: Arc<BufferPool>,
}

impl SpoolFolder {
    /// Spools that keep up to `max_in_memory` bytes in memory, and more in files of this folder. The folder is created if
    /// it does not exist.
    ///
    /// # Errors
    /// The folder cannot be created.
    pub(super) fn new(folder: &Path, max_in_memory: usize, max_reply: usize) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let pool = BufferPool::new(max_in_memory.saturating_mul(LARGEST_REPLIES_IN_POOL));
        Ok(SpoolFolder { folder: folder.to_owned(), max_in_memory, pool, max_reply: max_reply as u64 })
    }

    pub(super) fn path(&self) -> &Path {
        &self.folder
    }

    /// An empty spool.
    pub(super) fn spool(&self) -> Spool<'_> {
        let buffer = Buffer::unpooled(FIRST_BUFFER);
        Spool { folder: self, full: VecDeque::new(), flushed: 0, file: None, buffer }
    }
}

impl Spool<'_> {
    /// The end of the reply, to be appended to.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer.bytes
    }

    /// Flushes the buffer if it is full: to the full buffers, or to the file. The reply moves to a file when it is larger
    /// than what is kept in memory, or when the pool has no buffer left.
    ///
    /// # Errors
    /// The file cannot be created or written, for example because the disk is full.
    pub(super) fn flush_if_full(&mut self) -> io::Result<()> {
        let buffered = self.buffer.bytes.len();
        if self.file.is_none() && self.flushed + buffered as u64 > self.folder.max_in_memory as u64 {
            return self.move_to_file();
        }
        let is_small = self.file.is_none() && self.full.is_empty();
        if buffered < if is_small { SMALL_REPLY } else { BUFFER_SIZE - ROOM_FOR_A_ROW } {
            return Ok(());
        }
        if self.file.is_some() {
            return self.write_to_file();
        }
        let Some(next) = self.folder.pool.acquire() else { return self.move_to_file() };
        self.flushed += buffered as u64;
        self.full.push_back(std::mem::replace(&mut self.buffer, next).into());
        Ok(())
    }

    /// Moves the reply from memory to a file.
    fn move_to_file(&mut self) -> io::Result<()> {
        let mut file = tempfile::tempfile_in(&self.folder.folder)?;
        for bytes in self.full.drain(..) {
            file.write_all(&bytes)?;
        }
        self.file = Some(file);
        self.write_to_file()?;
        // From now on it is written in steps of this size.
        self.buffer.bytes.reserve(BUFFER_SIZE);
        Ok(())
    }

    /// Writes the buffer to the end of the file.
    fn write_to_file(&mut self) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            let written = &mut self.buffer.bytes;
            file.write_all(written)?;
            self.flushed += written.len() as u64;
            written.clear();
        }
        Ok(())
    }

    /// Ends the reply. `head`, if there is one, replaces so many of its first bytes.
    ///
    /// # Errors
    /// The file cannot be read from its beginning.
    pub(super) fn finish(self, head: Option<(usize, Vec<u8>)>) -> io::Result<SpooledReply> {
        let Spool { folder, full: mut rest, flushed, file, buffer } = self;
        rest.push_back(buffer.into());
        let (replaced, head) = head.unwrap_or_default();
        let file = match file {
            Some(mut file) => {
                file.seek(SeekFrom::Start(replaced as u64))?;
                let left = flushed.saturating_sub(replaced as u64);
                Some(SpooledFile { file, left, pool: Arc::clone(&folder.pool) })
            }
            None => {
                if let Some(first) = rest.front_mut() {
                    // The head was written to the first buffer.
                    *first = first.split_off(replaced.min(first.len()));
                }
                None
            }
        };
        Ok(SpooledReply { head: head.into(), file, rest })
    }
}

impl SpooledReply {
    /// A reply that is in memory.
    pub fn in_memory(bytes: impl Into<Bytes>) -> Self {
        SpooledReply { head: bytes.into(), ..SpooledReply::default() }
    }

    /// Bytes that are left to be read.
    pub fn len(&self) -> u64 {
        let in_file = self.file.as_ref().map_or(0, |file| file.left);
        let rest: usize = self.rest.iter().map(Bytes::len).sum();
        self.head.len() as u64 + in_file + rest as u64
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether [`next_block`](SpooledReply::next_block) may wait for a disk.
    pub fn is_in_file(&self) -> bool {
        self.file.is_some()
    }

    /// Reads the next block; an empty one is the end. May wait for a disk.
    ///
    /// # Errors
    /// The file cannot be read, or has become shorter.
    pub fn next_block(&mut self) -> io::Result<Bytes> {
        if !self.head.is_empty() {
            return Ok(std::mem::take(&mut self.head));
        }
        if let Some(SpooledFile { file, left, pool }) = &mut self.file {
            let length = usize::try_from(*left).map_or(BUFFER_SIZE, |left| left.min(BUFFER_SIZE));
            let mut buffer = pool.acquire().unwrap_or_else(|| Buffer::unpooled(length));
            if file.take(length as u64).read_to_end(&mut buffer.bytes)? < length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            *left -= length as u64;
            if *left == 0 {
                self.file = None;
            }
            return Ok(buffer.into());
        }
        while let Some(block) = self.rest.pop_front() {
            if !block.is_empty() {
                return Ok(block);
            }
        }
        Ok(Bytes::new())
    }
}
