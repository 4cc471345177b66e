//! Where a reply gathers until its outcome is known.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// What is written to a file at once, and read from it.
const BLOCK: usize = 256 * 1024;

/// Where spools keep what does not stay in memory.
#[derive(Debug)]
pub(super) struct SpoolFolder {
    folder: PathBuf,
    in_memory: usize,
}

/// A reply that is being written: in memory up to a limit, then in a file without a name, which goes with the process
/// whatever happens to it. Bytes are appended to [`Spool::buffer`]; [`Spool::settle`] moves them on when there are
/// enough of them.
#[derive(Debug)]
pub(super) struct Spool<'f> {
    folder: &'f SpoolFolder,
    buffer: Vec<u8>,
    file: Option<File>,
    in_file: u64,
}

/// A complete reply.
#[derive(Debug, Default)]
pub struct Spooled {
    /// What stands first.
    head: Vec<u8>,
    /// What follows it, and how many bytes that is; the file stands at its beginning.
    file: Option<(File, u64)>,
    /// What stands last.
    rest: Vec<u8>,
}

impl SpoolFolder {
    /// Spools that keep up to `in_memory` bytes in memory, and more in files of this folder, which is made if it does
    /// not exist.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub(super) fn new(folder: &Path, in_memory: usize) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(SpoolFolder { folder: folder.to_owned(), in_memory })
    }

    /// An empty spool.
    pub(super) fn spool(&self) -> Spool<'_> {
        Spool { folder: self, buffer: Vec::with_capacity(4096), file: None, in_file: 0 }
    }
}

impl Spool<'_> {
    /// The end of the reply, to be appended to.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Moves the buffer to the file, if there is enough of it. To be called now and then while writing.
    ///
    /// # Errors
    /// The file cannot be made or written, for example because the disk is full.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        let enough = if self.file.is_some() { BLOCK } else { self.folder.in_memory };
        if self.buffer.len() < enough {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            empty => empty.insert(tempfile::tempfile_in(&self.folder.folder)?),
        };
        file.write_all(&self.buffer)?;
        self.in_file += self.buffer.len() as u64;
        self.buffer.clear();
        // What memory the first block took is given back: from now on blocks are small.
        self.buffer.shrink_to(2 * BLOCK);
        Ok(())
    }

    /// Ends the reply. `head` stands before everything else.
    ///
    /// # Errors
    /// The file cannot be read from its beginning.
    pub(super) fn finish(self, head: Vec<u8>) -> io::Result<Spooled> {
        let file = match self.file {
            Some(mut file) => {
                file.rewind()?;
                Some((file, self.in_file))
            }
            None => None,
        };
        Ok(Spooled { head, file, rest: self.buffer })
    }
}

impl Spooled {
    /// A reply that stands in memory.
    pub fn in_memory(bytes: Vec<u8>) -> Self {
        Spooled { rest: bytes, ..Spooled::default() }
    }

    /// Bytes that are still to be taken.
    pub fn len(&self) -> u64 {
        let in_file = self.file.as_ref().map_or(0, |(_, length)| *length);
        self.head.len() as u64 + in_file + self.rest.len() as u64
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The whole reply in its two parts, if neither of them stands in a file.
    ///
    /// # Errors
    /// Gives the reply back when it does.
    pub fn into_memory(self) -> Result<[Vec<u8>; 2], Self> {
        if self.file.is_some() { Err(self) } else { Ok([self.head, self.rest]) }
    }

    /// Takes the next block; an empty one means the end. May wait for a disk.
    ///
    /// # Errors
    /// The file cannot be read, or has become shorter.
    pub fn take_block(&mut self) -> io::Result<Vec<u8>> {
        if !self.head.is_empty() {
            return Ok(std::mem::take(&mut self.head));
        }
        if let Some((file, left)) = &mut self.file {
            let length = usize::try_from(*left).map_or(BLOCK, |left| left.min(BLOCK));
            let mut block = vec![0; length];
            file.read_exact(&mut block)?;
            *left -= length as u64;
            if *left == 0 {
                self.file = None;
            }
            return Ok(block);
        }
        Ok(std::mem::take(&mut self.rest))
    }
}
