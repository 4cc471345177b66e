//! Where a reply gathers until its outcome is known.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

mod stock;

use self::stock::{BLOCK, Block, Stock};

/// What small replies need, and large ones begin with.
const FIRST: usize = 4 * 1024;
/// From this size on a reply goes on in blocks.
const SMALL: usize = 16 * 1024;
/// Rows are appended whole; a block with less room than this is taken to be full, so that few of them have to grow.
const ROOM_FOR_A_ROW: usize = 32 * 1024;
/// What all replies in memory take together, in replies of the largest size.
const IN_ALL: usize = 8;

/// Where spools keep what does not stay in memory.
#[derive(Debug)]
pub(super) struct SpoolFolder {
    folder: PathBuf,
    in_memory: usize,
    stock: Arc<Stock>,
    /// Larger replies than this are not kept at all.
    pub(super) most: u64,
}

/// A reply that is being written: in memory up to a limit, then in a file without a name, which goes with the process
/// whatever happens to it. Bytes are appended to [`Spool::buffer`]; [`Spool::settle`] moves them on when there are
/// enough of them.
#[derive(Debug)]
pub(super) struct Spool<'f> {
    folder: &'f SpoolFolder,
    /// What is full. Empty once there is a file.
    full: VecDeque<Bytes>,
    /// Bytes in `full`, or in the file.
    settled: u64,
    file: Option<File>,
    buffer: Block,
}

/// A complete reply.
#[derive(Debug, Default)]
pub struct Spooled {
    /// What stands first.
    head: Bytes,
    /// What follows it, and how many bytes that is; the file stands at its beginning.
    file: Option<(File, u64, Arc<Stock>)>,
    /// What stands last.
    rest: VecDeque<Bytes>,
}

impl SpoolFolder {
    /// Spools that keep up to `in_memory` bytes in memory, and more in files of this folder, which is made if it does
    /// not exist.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub(super) fn new(folder: &Path, in_memory: usize, most: usize) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let stock = Stock::new(in_memory.saturating_mul(IN_ALL));
        Ok(SpoolFolder { folder: folder.to_owned(), in_memory, stock, most: most as u64 })
    }

    /// An empty spool.
    pub(super) fn spool(&self) -> Spool<'_> {
        Spool { folder: self, full: VecDeque::new(), settled: 0, file: None, buffer: Block::apart(FIRST) }
    }
}

impl Spool<'_> {
    /// The end of the reply, to be appended to.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer.bytes
    }

    /// Moves what has gathered on when it is enough.
    ///
    /// # Errors
    /// The file cannot be made or written, for example because the disk is full.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        let here = self.buffer.bytes.len();
        if self.file.is_none() && self.settled + here as u64 > self.folder.in_memory as u64 {
            return self.move_to_file();
        }
        let is_small = self.file.is_none() && self.full.is_empty();
        if here < if is_small { SMALL } else { BLOCK - ROOM_FOR_A_ROW } {
            return Ok(());
        }
        if self.file.is_some() {
            return self.write_out();
        }
        let Some(next) = self.folder.stock.take() else { return self.move_to_file() };
        self.settled += here as u64;
        self.full.push_back(std::mem::replace(&mut self.buffer, next).into());
        Ok(())
    }

    /// From memory into a file.
    fn move_to_file(&mut self) -> io::Result<()> {
        let mut file = tempfile::tempfile_in(&self.folder.folder)?;
        for block in self.full.drain(..) {
            file.write_all(&block)?;
        }
        self.file = Some(file);
        self.write_out()?;
        // From now on it is written in blocks.
        self.buffer.bytes.reserve(BLOCK);
        Ok(())
    }

    /// Writes the buffer to the end of the file.
    fn write_out(&mut self) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            let written = &mut self.buffer.bytes;
            file.write_all(written)?;
            self.settled += written.len() as u64;
            written.clear();
        }
        Ok(())
    }

    /// Ends the reply. `head`, if there is one, stands in the place of the first bytes, as many as it says.
    ///
    /// # Errors
    /// The file cannot be read from its beginning.
    pub(super) fn finish(self, head: Option<(usize, Vec<u8>)>) -> io::Result<Spooled> {
        let Spool { folder, full: mut rest, settled, file, buffer } = self;
        rest.push_back(buffer.into());
        let (skipped, head) = head.unwrap_or_default();
        let file = match file {
            Some(mut file) => {
                file.seek(SeekFrom::Start(skipped as u64))?;
                Some((file, settled.saturating_sub(skipped as u64), Arc::clone(&folder.stock)))
            }
            None => {
                if let Some(first) = rest.front_mut() {
                    // What was skipped had been written to the first one.
                    *first = first.split_off(skipped.min(first.len()));
                }
                None
            }
        };
        Ok(Spooled { head: head.into(), file, rest })
    }
}

impl Spooled {
    /// A reply that stands in memory.
    pub fn in_memory(bytes: impl Into<Bytes>) -> Self {
        Spooled { head: bytes.into(), ..Spooled::default() }
    }

    /// Bytes that are still to be taken.
    pub fn len(&self) -> u64 {
        let in_file = self.file.as_ref().map_or(0, |(_, length, _)| *length);
        let rest: usize = self.rest.iter().map(Bytes::len).sum();
        self.head.len() as u64 + in_file + rest as u64
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether taking a block may wait for a disk.
    pub fn is_in_file(&self) -> bool {
        self.file.is_some()
    }

    /// Takes the next block; an empty one means the end. May wait for a disk.
    ///
    /// # Errors
    /// The file cannot be read, or has become shorter.
    pub fn take_block(&mut self) -> io::Result<Bytes> {
        if !self.head.is_empty() {
            return Ok(std::mem::take(&mut self.head));
        }
        if let Some((file, left, stock)) = &mut self.file {
            let length = usize::try_from(*left).map_or(BLOCK, |left| left.min(BLOCK));
            let mut block = stock.take().unwrap_or_else(|| Block::apart(length));
            if file.take(length as u64).read_to_end(&mut block.bytes)? < length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            *left -= length as u64;
            if *left == 0 {
                self.file = None;
            }
            return Ok(block.into());
        }
        while let Some(block) = self.rest.pop_front() {
            if !block.is_empty() {
                return Ok(block);
            }
        }
        Ok(Bytes::new())
    }
}
