//! Keeps request bodies while they arrive: in memory while there is plenty of it, and otherwise in spool files. A body is loaded from its
//! file when it is complete, so what a slow sender holds is a file, and memory is for bodies that are being processed.

use std::io::{self, Read};
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::config::Limits;
use erp_host_spool::{NoRoom, Share, SharedBudget};
use erp_host_spool::{SpoolError, SpoolFile, SpoolFiles, SpoolReader};

/// Bodies up to this size are not counted: there are no more of them than connections.
const SMALL: usize = 16 * 1024;
/// The first allocation for a body that comes in several pieces.
const FIRST_ALLOCATION: usize = 2 * 1024;
/// Pieces for a file are collected up to this size.
const FILE_BUFFER: usize = 16 * 1024;
/// How long a complete body waits for memory.
const MEMORY_TIMEOUT: Duration = Duration::from_secs(5);
/// For so long after a body was refused the host counts as exhausted: the time that rejected callers wait.
const EXHAUSTED_AFTER_REFUSAL: Duration = Duration::from_secs(5);

/// The room for all request bodies.
#[derive(Debug)]
pub(super) struct BodySpool {
    memory: SharedBudget,
    files: SpoolFiles,
    refused: Mutex<Option<Instant>>,
}

/// A body that is arriving.
#[derive(Debug)]
pub(super) struct PartialBody {
    content: PartialContent,
    /// Bytes that have come.
    length: usize,
    /// Of the memory of `content`.
    share: Share,
    files: SpoolFiles,
    peer: IpAddr,
    /// The length that is announced, or else the largest.
    expected: usize,
    /// So much memory stays free for bodies that are complete.
    kept_free: u64,
}

#[derive(Debug)]
enum PartialContent {
    Memory(Vec<u8>),
    /// `buffer` is the end, which has not been written yet.
    File {
        file: SpoolFile,
        buffer: Vec<u8>,
    },
}

/// A body that has arrived.
#[derive(Debug)]
pub(super) enum CompleteBody {
    Memory { bytes: Bytes, share: Share },
    File { file: SpoolFile, rest: Vec<u8>, length: usize, share: Share },
}

/// Why a body cannot be kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodySpoolError {
    #[error("limits.total_body_memory: {0}")]
    Memory(NoRoom),
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error("a spool file cannot be read: {0}")]
    Read(#[from] io::Error),
}

impl BodySpool {
    pub(super) fn new(limits: &Limits, folder: &Path) -> Self {
        BodySpool {
            memory: SharedBudget::new(limits.total_body_memory as u64),
            files: SpoolFiles::new(folder, limits.total_body_spool as u64),
            refused: Mutex::default(),
        }
    }

    /// The room for a body of this peer; `expected`: its length if it is announced, or else the largest.
    pub(super) fn begin(&self, peer: IpAddr, expected: usize) -> PartialBody {
        PartialBody {
            content: PartialContent::Memory(Vec::new()),
            length: 0,
            share: self.memory.share(peer),
            files: self.files.clone(),
            peer,
            expected,
            kept_free: self.kept_free(),
        }
    }

    /// Half of the memory is for complete bodies alone.
    fn kept_free(&self) -> u64 {
        self.memory.limit() / 2
    }

    /// Records why a body was refused.
    pub(super) fn refuse(&self, error: &BodySpoolError) {
        let is_refused_for_all = match error {
            // One peer that wants more than its share is refused alone.
            BodySpoolError::Memory(no_room) | BodySpoolError::Spool(SpoolError::NoRoom(no_room)) => {
                no_room.for_all
            }
            BodySpoolError::Spool(SpoolError::TooManyFiles | SpoolError::Disk(_))
            | BodySpoolError::Read(_) => true,
        };
        if is_refused_for_all {
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
    }

    /// Whether large bodies are refused, whoever sends them.
    pub(super) fn is_exhausted(&self) -> bool {
        let bytes = SMALL as u64 + 1;
        // A memory of less than that has no large bodies.
        let can_be_loaded = self.memory.limit() < bytes || self.memory.has_room(bytes, 0);
        let can_arrive = self.memory.has_room(bytes, self.kept_free()) || self.files.has_room(bytes);
        let refused = *self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        !can_be_loaded
            || !can_arrive
            || refused.is_some_and(|refused| refused.elapsed() < EXHAUSTED_AFTER_REFUSAL)
    }
}

impl PartialBody {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Whether there is memory for a body that comes as a single piece, which [is not copied](Self::finish_with).
    pub(super) fn has_memory_for(&mut self, piece: &[u8]) -> bool {
        self.length == 0 && self.has_memory(piece.len())
    }

    /// Ends a body that is this piece alone.
    pub(super) fn finish_with(self, piece: Bytes) -> CompleteBody {
        CompleteBody::Memory { bytes: piece, share: self.share }
    }

    /// Appends a piece if that needs no file; else it has to be [written](Self::write).
    pub(super) fn append(&mut self, piece: &[u8]) -> bool {
        let length = self.length + piece.len();
        if let PartialContent::Memory(bytes) = &self.content
            && length > bytes.capacity()
        {
            // Never more than twice of what has come, whatever length is announced.
            let capacity = (2 * bytes.capacity()).min(self.expected).max(length).max(FIRST_ALLOCATION);
            if !self.has_memory(capacity) {
                return false;
            }
            if let PartialContent::Memory(bytes) = &mut self.content {
                bytes.reserve_exact(capacity - bytes.len());
            }
        }
        match &mut self.content {
            PartialContent::File { buffer, .. } if buffer.len() + piece.len() > FILE_BUFFER => return false,
            PartialContent::File { buffer, .. } => buffer.extend_from_slice(piece),
            PartialContent::Memory(bytes) => bytes.extend_from_slice(piece),
        }
        self.length = length;
        true
    }

    /// Appends a piece to the file, which is created if there is none. Blocks.
    pub(super) fn write(mut self, piece: &[u8]) -> Result<Self, SpoolError> {
        let (mut file, buffer) = match self.content {
            PartialContent::Memory(bytes) => (self.files.create(self.peer)?, bytes),
            PartialContent::File { file, buffer } => (file, buffer),
        };
        file.write(&buffer)?;
        file.write(piece)?;
        self.length += piece.len();
        let buffer = Vec::with_capacity(FILE_BUFFER);
        self.content = PartialContent::File { file, buffer };
        self.share.release();
        Ok(self)
    }

    /// Ends the body.
    pub(super) fn finish(self) -> CompleteBody {
        match self.content {
            PartialContent::Memory(bytes) => CompleteBody::Memory { bytes: bytes.into(), share: self.share },
            PartialContent::File { file, buffer } => {
                CompleteBody::File { file, rest: buffer, length: self.length, share: self.share }
            }
        }
    }

    fn has_memory(&mut self, bytes: usize) -> bool {
        bytes <= SMALL || self.share.grow_to(bytes as u64, self.kept_free).is_ok()
    }
}

impl CompleteBody {
    /// Loads the body into memory, after a wait for its turn if there is none left. The memory counts until the last part of the body
    /// is dropped.
    pub(super) async fn load(self) -> Result<Bytes, BodySpoolError> {
        let (file, rest, length, mut share) = match self {
            CompleteBody::Memory { bytes, share } => return Ok(attach(bytes, share)),
            CompleteBody::File { file, rest, length, share } => (file, rest, length, share),
        };
        share.grow_to_within(length as u64, MEMORY_TIMEOUT).await.map_err(BodySpoolError::Memory)?;
        let load = move || -> Result<Bytes, BodySpoolError> {
            let mut bytes = Vec::with_capacity(length);
            file.into_reader(0)?.read_to_end(&mut bytes)?;
            bytes.extend_from_slice(&rest);
            Ok(attach(bytes.into(), share))
        };
        spawn_blocking(load).await.map_err(io::Error::other)?
    }

    pub(super) fn len(&self) -> usize {
        match self {
            CompleteBody::Memory { bytes, .. } => bytes.len(),
            CompleteBody::File { length, .. } => *length,
        }
    }

    /// Reads the body once, without loading it. Blocks.
    pub(super) fn into_reader(self) -> io::Result<BodyReader> {
        Ok(match self {
            CompleteBody::Memory { bytes, share } => {
                BodyReader { file: None, rest: io::Cursor::new(bytes), _share: share }
            }
            CompleteBody::File { file, rest, share, .. } => BodyReader {
                file: Some(io::BufReader::new(file.into_reader(0)?)),
                rest: io::Cursor::new(rest.into()),
                _share: share,
            },
        })
    }
}

/// Reads a body once.
pub(super) struct BodyReader {
    file: Option<io::BufReader<SpoolReader>>,
    rest: io::Cursor<Bytes>,
    _share: Share,
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(file) = &mut self.file {
            let read = file.read(buffer)?;
            if read > 0 {
                return Ok(read);
            }
            self.file = None;
        }
        self.rest.read(buffer)
    }
}

/// Attaches a share to its body: it is released with the last reference to a part of it.
fn attach(body: Bytes, share: Share) -> Bytes {
    if share.bytes() == 0 { body } else { Bytes::from_owner(CountedBody { body, _share: share }) }
}

struct CountedBody {
    body: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for CountedBody {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spool(total_body_memory: usize, total_body_spool: usize) -> (tempfile::TempDir, BodySpool) {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits { total_body_memory, total_body_spool, ..Limits::default() };
        let spool = BodySpool::new(&limits, folder.path());
        (folder, spool)
    }

    fn peer(number: u8) -> IpAddr {
        [192, 0, 2, number].into()
    }

    /// A body that arrives in pieces.
    fn receive(spool: &BodySpool, peer: IpAddr, length: usize) -> Result<PartialBody, SpoolError> {
        let mut body = spool.begin(peer, length);
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
        for piece in bytes.chunks(7_000) {
            if !body.append(piece) {
                body = body.write(piece)?;
            }
        }
        assert_eq!(body.len(), length);
        Ok(body)
    }

    fn is_in_file(body: &PartialBody) -> bool {
        matches!(body.content, PartialContent::File { .. })
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn body_spool_keeps_in_files_what_memory_has_no_room_for() {
        let (_folder, spool) = spool(400_000, 1 << 20);
        // A peer that sends a lot and does not end has a quarter of the memory, and the rest of it is in files.
        let slow = [receive(&spool, peer(1), 90_000).unwrap(), receive(&spool, peer(1), 90_000).unwrap()];
        assert_eq!(slow.each_ref().map(is_in_file), [false, true]);
        assert!(!spool.is_exhausted());
        // Another body of the same peer, and of another one.
        for (number, length) in [(1, 100_000), (2, 50_000), (2, 100_000), (1, SMALL), (1, 0)] {
            let body = receive(&spool, peer(number), length).unwrap().finish();
            assert_eq!(body.len(), length);
            let body = body.load().await.unwrap();
            assert!(body.iter().copied().eq((0..=u8::MAX).cycle().take(length)));
            assert_eq!(body.len(), length);
        }
        drop(slow);
        // Complete ones wait for memory.
        let first = receive(&spool, peer(1), 300_000).unwrap().finish().load().await.unwrap();
        let second = receive(&spool, peer(1), 300_000).unwrap().finish();
        let (second, ()) = tokio::join!(second.load(), async { drop(first) });
        let third = receive(&spool, peer(2), 300_000).unwrap().finish();
        let refused = third.load().await.unwrap_err();
        spool.refuse(&refused);
        assert!(spool.is_exhausted(), "{refused}");
        drop(second);
        tokio::time::advance(EXHAUSTED_AFTER_REFUSAL).await;
        assert!(!spool.is_exhausted());
    }

    #[test]
    fn body_spool_is_limited_and_leaves_room_for_other_peers() {
        let (_folder, spool) = spool(100_000, 400_000);
        let held = [receive(&spool, peer(1), 90_000).unwrap(), receive(&spool, peer(1), 90_000).unwrap()];
        assert!(matches!(receive(&spool, peer(1), 90_000), Err(SpoolError::NoRoom(_))));
        receive(&spool, peer(2), 90_000).unwrap();
        drop(held);
        receive(&spool, peer(1), 90_000).unwrap();
    }

    #[test]
    fn body_spool_reserves_nothing_for_what_is_only_announced() {
        let (_folder, spool) = spool(200_000, 400_000);
        let mut body = spool.begin(peer(1), 16 << 20);
        assert!(body.append(&[0; 10]));
        let PartialContent::Memory(bytes) = &body.content else { panic!("{body:?}") };
        assert_eq!((bytes.capacity(), body.share.bytes()), (FIRST_ALLOCATION, 0));
        // Each chunk of a byte.
        for _ in 0..20_000 {
            assert!(body.append(b"x"));
        }
        let PartialContent::Memory(bytes) = &body.content else { panic!("{body:?}") };
        assert!(bytes.capacity() as u64 <= body.share.bytes(), "{body:?}");
    }
}
