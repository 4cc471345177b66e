//! Spool files: temporary files without a name for what does not stay in memory, with a limit of their bytes and of their number.
//! The system removes them when the process ends.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::shared_budget::{NoRoom, Share, SharedBudget};

/// How many files there may be at once: each is an open file of the process.
pub const MAX_FILES: usize = 2048;

/// Creates spool files in a folder, within limits.
#[derive(Debug, Clone)]
pub struct SpoolFiles {
    folder: PathBuf,
    bytes: SharedBudget,
    files: Arc<Semaphore>,
}

/// A spool file that is being written. Blocks.
#[derive(Debug)]
pub struct SpoolFile {
    file: File,
    share: Share,
    _permit: OwnedSemaphorePermit,
}

/// A spool file that is being read, from its beginning. Blocks.
#[derive(Debug)]
pub struct SpoolReader {
    file: File,
    _share: Share,
    _permit: OwnedSemaphorePermit,
}

/// Why nothing can be written to a spool file.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain each one")]
pub enum SpoolError {
    #[error("the spool folder holds as much as is allowed: {0}")]
    NoRoom(#[from] NoRoom),
    #[error("there are {MAX_FILES} files in the spool folder, and no more are allowed")]
    TooManyFiles,
    #[error("{0}; is the disk full?")]
    Disk(#[from] io::Error),
}

impl SpoolFiles {
    /// Files in this folder, which together have up to `max_bytes`.
    pub fn new(folder: &Path, max_bytes: u64) -> Self {
        SpoolFiles {
            folder: folder.to_owned(),
            bytes: SharedBudget::new(max_bytes),
            files: Arc::new(Semaphore::new(MAX_FILES)),
        }
    }

    /// A new file for something of this peer. Blocks.
    pub fn create(&self, peer: IpAddr) -> Result<SpoolFile, SpoolError> {
        let permit = Arc::clone(&self.files).try_acquire_owned().map_err(|_| SpoolError::TooManyFiles)?;
        let file = tempfile::tempfile_in(&self.folder)?;
        Ok(SpoolFile { file, share: self.bytes.share(peer), _permit: permit })
    }

    /// Whether a peer that has no file gets one of so many bytes.
    pub fn has_room(&self, bytes: u64) -> bool {
        self.files.available_permits() > 0 && self.bytes.has_room(bytes, 0)
    }
}

impl SpoolFile {
    /// Appends these bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), SpoolError> {
        self.share.grow_to(self.share.bytes() + bytes.len() as u64, 0)?;
        Ok(self.file.write_all(bytes)?)
    }

    /// Ends writing, to read from this position on.
    pub fn into_reader(mut self, position: u64) -> io::Result<SpoolReader> {
        self.file.seek(SeekFrom::Start(position))?;
        Ok(SpoolReader { file: self.file, _share: self.share, _permit: self._permit })
    }
}

impl SpoolReader {
    /// Goes back by so many bytes.
    pub fn back(&mut self, bytes: u64) -> io::Result<()> {
        let bytes = i64::try_from(bytes).map_err(io::Error::other)?;
        self.file.seek(SeekFrom::Current(-bytes)).map(drop)
    }
}

impl io::Read for SpoolReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn spool_files_have_a_limit_of_their_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let files = SpoolFiles::new(folder.path(), 1000);
        let [one, other] = [[192, 0, 2, 1], [192, 0, 2, 2]].map(IpAddr::from);
        let mut first = files.create(one).unwrap();
        first.write(&[b'x'; 500]).unwrap();
        assert!(matches!(first.write(&[b'x'; 100]), Err(SpoolError::NoRoom(_))));
        let mut second = files.create(one).unwrap();
        assert!(matches!(second.write(&[b'x'; 100]), Err(SpoolError::NoRoom(_))), "the same peer");
        files.create(other).unwrap().write(&[b'x'; 100]).unwrap();
        let mut read = Vec::new();
        let mut reader = first.into_reader(1).unwrap();
        reader.read_to_end(&mut read).unwrap();
        assert_eq!(read, [b'x'; 499]);
        assert!(!files.has_room(501), "until the last part is read");
        drop(reader);
        assert!(files.has_room(501));
    }
}
