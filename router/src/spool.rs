//! The spool of a reply: it is kept in memory up to a limit, then in a spool file, until its outcome is known. Only then
//! is it sent: a call may fail after its first row, and its caller gets an error and no rows then. What a slow reader has not taken
//! stays where it is: all replies in memory have one limit, and all files have one.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use erp_host_files::private_file;
use flate2::Compression;
use flate2::write::GzEncoder;

mod buffer_pool;

use self::buffer_pool::{BUFFER_SIZE, Buffer, BufferPool, FILE_STEP};
use super::config::RouterConfig;
use erp_host_spool::{SpoolError, SpoolFile, SpoolFiles, SpoolReader};

/// The first buffer of a reply, which is all that a small one needs.
const FIRST_BUFFER: usize = 4 * 1024;
/// From this size on a reply continues in buffers of the pool.
const SMALL_REPLY: usize = 16 * 1024;
/// Rows are appended whole. A buffer with less room than this counts as full, so that few of them have to grow.
const ROOM_FOR_A_ROW: usize = 32 * 1024;

/// Makes spools: it has their folder, their buffer pool and their limits.
#[derive(Debug)]
pub(super) struct SpoolFolder {
    path: PathBuf,
    files: SpoolFiles,
    max_in_memory: usize,
    pool: Arc<BufferPool>,
    /// The largest reply in bytes.
    max_reply: u64,
}

/// The spools of a peer, which has a share of the files.
#[derive(Debug, Clone)]
pub(super) struct PeerSpools {
    folder: Arc<SpoolFolder>,
    peer: IpAddr,
}

/// A reply that is being written: in memory up to a limit, then in a file without a name, which the system removes when the
/// process ends. Bytes are appended to [`Spool::buffer`]; call [`Spool::flush_if_full`] after each row.
#[derive(Debug)]
pub(super) struct Spool {
    spools: PeerSpools,
    /// The full buffers. Empty once there is a file.
    full: VecDeque<Bytes>,
    /// Bytes in `full`, or in the file.
    flushed: u64,
    file: Option<SpoolFile>,
    buffer: Buffer,
}

/// A complete reply, to be read block by block: `head`, then `file` or `rest`.
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
    reader: SpoolReader,
    /// Bytes that are left to be read.
    left: u64,
    pool: Arc<BufferPool>,
}

impl SpoolFolder {
    /// Spools with the limits of this configuration, and files in this folder. The folder is created if it does not exist.
    ///
    /// # Errors
    /// The folder cannot be created.
    pub(super) fn new(folder: &Path, config: &RouterConfig) -> io::Result<Arc<Self>> {
        private_file::make_own_folder(folder)?;
        Ok(Arc::new(SpoolFolder {
            path: folder.to_owned(),
            files: SpoolFiles::new(folder, config.total_reply_spool as u64),
            max_in_memory: config.reply_in_memory,
            pool: BufferPool::new(config.total_reply_memory),
            max_reply: config.max_reply as u64,
        }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The spools of this peer.
    pub(super) fn of_peer(self: &Arc<Self>, peer: IpAddr) -> PeerSpools {
        PeerSpools { folder: Arc::clone(self), peer }
    }
}

impl PeerSpools {
    /// An empty spool.
    pub(super) fn spool(&self) -> Spool {
        let buffer = self.folder.pool.small(FIRST_BUFFER);
        Spool { spools: self.clone(), full: VecDeque::new(), flushed: 0, file: None, buffer }
    }

    /// The largest reply in bytes.
    pub(super) fn max_reply(&self) -> u64 {
        self.folder.max_reply
    }

    /// Packs a reply with gzip. It is packed as a whole before it is sent: a slow reader holds no state of a packer. Where there is no
    /// room for the packed reply, it stays as it is; returns whether it is packed. Blocks.
    ///
    /// # Errors
    /// The reply cannot be read.
    pub(super) fn pack(&self, mut reply: SpooledReply) -> io::Result<(SpooledReply, bool)> {
        let (head, rest) = (reply.head.clone(), reply.rest.clone());
        let left = reply.file.as_ref().map(|file| file.left);
        match self.try_pack(&mut reply) {
            Ok(packed) => Ok((packed, true)),
            Err(error) => {
                tracing::debug!(%error, "a reply is sent without gzip");
                if let (Some(file), Some(left)) = (&mut reply.file, left) {
                    file.reader.back(left - file.left)?;
                    file.left = left;
                }
                Ok((SpooledReply { head, rest, file: reply.file }, false))
            }
        }
    }

    fn try_pack(&self, reply: &mut SpooledReply) -> Result<SpooledReply, SpoolError> {
        let mut spool = self.spool();
        let mut packer = GzEncoder::new(Vec::with_capacity(FIRST_BUFFER), Compression::fast());
        while let Some(block) = reply.read_block()? {
            packer.write_all(&block)?;
            spool.buffer().append(packer.get_mut());
            spool.flush_if_full()?;
        }
        spool.buffer().append(&mut packer.finish()?);
        spool.flush_if_full()?;
        spool.finish(None)
    }
}

impl Spool {
    /// The end of the reply, to be appended to.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer.bytes
    }

    /// Flushes the buffer if it is full: to the full buffers, or to the file. The reply moves to a file when it is larger
    /// than what is kept in memory of one reply, or when there is no memory left for all of them.
    ///
    /// # Errors
    /// The file cannot be created or written: the disk is full, or there are as many bytes in files as is allowed.
    pub(super) fn flush_if_full(&mut self) -> Result<(), SpoolError> {
        let buffered = self.buffer.bytes.len();
        if self.file.is_some() {
            return if buffered < FILE_STEP - ROOM_FOR_A_ROW { Ok(()) } else { self.write_to_file() };
        }
        let PeerSpools { folder, peer: _ } = &self.spools;
        if self.flushed + buffered as u64 > folder.max_in_memory as u64 || !self.buffer.count() {
            return self.move_to_file();
        }
        let is_small = self.full.is_empty();
        if buffered < if is_small { SMALL_REPLY } else { BUFFER_SIZE - ROOM_FOR_A_ROW } {
            return Ok(());
        }
        let Some(next) = folder.pool.acquire() else { return self.move_to_file() };
        self.flushed += buffered as u64;
        self.full.push_back(std::mem::replace(&mut self.buffer, next).into());
        Ok(())
    }

    /// Moves the reply from memory to a file.
    fn move_to_file(&mut self) -> Result<(), SpoolError> {
        let mut file = self.spools.folder.files.create(self.spools.peer)?;
        for bytes in self.full.drain(..) {
            file.write(&bytes)?;
        }
        self.file = Some(file);
        self.write_to_file()?;
        // The pool gets back what the reply had of it.
        self.buffer = self.spools.folder.pool.small(FILE_STEP);
        Ok(())
    }

    /// Writes the buffer to the end of the file.
    fn write_to_file(&mut self) -> Result<(), SpoolError> {
        if let Some(file) = &mut self.file {
            let written = &mut self.buffer.bytes;
            file.write(written)?;
            self.flushed += written.len() as u64;
            written.clear();
            // After a row that was very large.
            written.shrink_to(FILE_STEP);
        }
        Ok(())
    }

    /// Ends the reply. `head`, if there is one, replaces so many of its first bytes.
    ///
    /// # Errors
    /// The file cannot be written to its end, or read from its beginning.
    pub(super) fn finish(mut self, head: Option<(usize, Vec<u8>)>) -> Result<SpooledReply, SpoolError> {
        // Nothing of a reply in a file stays in memory.
        self.write_to_file()?;
        let Spool { spools, full: mut rest, flushed, file, buffer } = self;
        let (replaced, head) = head.unwrap_or_default();
        let file = match file {
            Some(file) => {
                let left = flushed.saturating_sub(replaced as u64);
                let reader = file.into_reader(replaced as u64)?;
                Some(SpooledFile { reader, left, pool: Arc::clone(&spools.folder.pool) })
            }
            None => {
                rest.push_back(buffer.into());
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
        if let Some(SpooledFile { reader, left, pool }) = &mut self.file
            && *left > 0
        {
            let mut buffer = pool.for_reading(*left);
            let length = usize::try_from(*left).map_or(FILE_STEP, |left| left.min(buffer.bytes.capacity()));
            if reader.take(length as u64).read_to_end(&mut buffer.bytes)? < length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            *left -= length as u64;
            return Ok(buffer.into());
        }
        while let Some(block) = self.rest.pop_front() {
            if !block.is_empty() {
                return Ok(block);
            }
        }
        Ok(Bytes::new())
    }

    fn read_block(&mut self) -> io::Result<Option<Bytes>> {
        let block = self.next_block()?;
        Ok(Some(block).filter(|block| !block.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spools(total_reply_memory: usize, total_reply_spool: usize) -> (tempfile::TempDir, Arc<SpoolFolder>) {
        let folder = tempfile::tempdir().unwrap();
        let config = RouterConfig { total_reply_memory, total_reply_spool, ..RouterConfig::default() };
        let spools = SpoolFolder::new(folder.path(), &config).unwrap();
        (folder, spools)
    }

    fn write(spools: &PeerSpools, bytes: &[u8]) -> Result<SpooledReply, SpoolError> {
        let mut spool = spools.spool();
        for row in bytes.chunks(1000) {
            spool.buffer().extend_from_slice(row);
            spool.flush_if_full()?;
        }
        spool.finish(None)
    }

    fn read(mut reply: SpooledReply) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(block) = reply.read_block().unwrap() {
            bytes.extend_from_slice(&block);
        }
        bytes
    }

    #[test]
    fn spool_continues_in_a_file_when_all_replies_have_their_memory() {
        let (_folder, spools) = spools(2 * BUFFER_SIZE, 4 << 20);
        let [one, other] = [[192, 0, 2, 1], [192, 0, 2, 2]].map(|peer| spools.of_peer(peer.into()));
        let row: Vec<u8> = (0..=u8::MAX).cycle().take(300_000).collect();
        let in_memory = write(&one, &row).unwrap();
        let in_file = write(&one, &row).unwrap();
        assert_eq!([in_memory.is_in_file(), in_file.is_in_file()], [false, true]);
        // A single row that is as large.
        let mut spool = one.spool();
        spool.buffer().extend_from_slice(&row);
        spool.flush_if_full().unwrap();
        assert!(spool.file.is_some());
        assert_eq!(read(spool.finish(Some((3, b"new".to_vec()))).unwrap())[..5], *b"new\x03\x04");
        // Small ones are not counted.
        assert!(!write(&one, &row[..SMALL_REPLY - 1]).unwrap().is_in_file());
        let too_much = vec![0; 3 << 20];
        assert!(matches!(write(&one, &too_much), Err(SpoolError::NoRoom(_))));
        write(&other, &row).unwrap();
        assert_eq!(read(in_memory), row);
        assert_eq!(read(in_file), row);
        assert!(!write(&one, &row).unwrap().is_in_file(), "there is memory again");
    }

    #[test]
    fn packed_reply_is_a_spool_too_or_the_reply_stays_as_it_is() {
        let (_folder, spools) = spools(BUFFER_SIZE, 700_000);
        let spools = spools.of_peer([192, 0, 2, 1].into());
        let pattern: Vec<u8> = (0..=u8::MAX).cycle().take(300_000).collect();
        let mut random = fastrand::Rng::with_seed(1);
        let noise: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(300_000).collect();
        for (bytes, is_packed) in [(&pattern, true), (&noise, false)] {
            let reply = write(&spools, bytes).unwrap();
            assert!(reply.is_in_file());
            let (reply, packed) = spools.pack(reply).unwrap();
            assert_eq!(packed, is_packed);
            let mut sent = read(reply);
            if packed {
                let mut unpacked = Vec::new();
                flate2::read::GzDecoder::new(&sent[..]).read_to_end(&mut unpacked).unwrap();
                sent = unpacked;
            }
            assert!(sent == *bytes);
        }
    }
}
