//! Change detection: whether a file is still the one that was read.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The metadata by which another or a changed file is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    length: u64,
    modified: SystemTime,
    /// Device, inode, and when the inode changed: times can be set back, this one cannot.
    inode: (u64, u64, i64, i64),
}

impl Stat {
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        Ok(Stat::from(&std::fs::metadata(path)?))
    }

    pub(crate) fn of_file(file: &File) -> io::Result<Self> {
        Ok(Stat::from(&file.metadata()?))
    }

    /// The state of the same file with the contents that it had at another moment.
    pub(crate) fn with_contents_of(self, other: &Stat) -> Self {
        Stat { length: other.length, modified: other.modified, ..self }
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Whether another change after `moment` would show. File systems count time in ticks: a second change within one
    /// looks like the first. A file from the future counts as old: a change would bring its time back.
    pub(crate) fn is_settled(&self, moment: SystemTime) -> bool {
        const TICK: Duration = Duration::from_millis(20);
        const COARSE_TICK: Duration = Duration::from_secs(2);
        let whole_seconds =
            self.modified.duration_since(UNIX_EPOCH).is_ok_and(|since| since.subsec_nanos() == 0);
        let tick = if whole_seconds { COARSE_TICK } else { TICK };
        let age = moment.duration_since(self.modified).unwrap_or_else(|ahead| ahead.duration());
        age > tick
    }
}

impl From<&Metadata> for Stat {
    fn from(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let inode = {
            use std::os::unix::fs::MetadataExt;
            (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
        };
        #[cfg(not(unix))]
        let inode = (0, 0, 0, 0);
        Stat { length: metadata.len(), modified: metadata.modified().unwrap_or(UNIX_EPOCH), inode }
    }
}

/// A digest of a file's contents.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    use std::hash::Hasher;
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}
