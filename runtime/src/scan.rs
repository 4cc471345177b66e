//! Scans the plugins folder: which plugin files it has, and whether one has changed since the last scan.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::trust::signature_path;

/// The plugin files of a folder, in the order of their names. `None`: the file's metadata cannot be read.
pub(crate) type Scan = BTreeMap<PathBuf, Option<Fingerprint>>;

/// Metadata that changes when a file is written or replaced. It is compared without reading the file, so that a scan every
/// second is cheap, on network folders too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    file: FileStat,
    /// Of its signature file: when that appears, a file that was refused without it is tried again.
    signature: Option<FileStat>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct FileStat {
    length: u64,
    modified: Option<SystemTime>,
    /// Device, inode and time of the inode's last change, which also changes when `modified` is set back.
    #[cfg(unix)]
    inode: (u64, u64, i64, i64),
}

impl Fingerprint {
    /// The fingerprint of a file and its signature as they are now.
    ///
    /// # Errors
    /// The file's metadata cannot be read.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let file = FileStat::from(&fs::metadata(path)?);
        let signature = fs::metadata(signature_path(path)).ok().as_ref().map(FileStat::from);
        Ok(Fingerprint { file, signature })
    }
}

impl From<&Metadata> for FileStat {
    fn from(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;
        FileStat {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            #[cfg(unix)]
            inode: (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Scans a folder.
///
/// # Errors
/// The folder cannot be read.
pub(crate) fn scan(folder: &Path) -> io::Result<Scan> {
    let mut scan = Scan::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_library = |extension: &std::ffi::OsStr| {
            ["so", "dll", "dylib"].iter().any(|known| extension.eq_ignore_ascii_case(known))
        };
        if path.extension().is_some_and(is_library) {
            let fingerprint = Fingerprint::of(&path).ok();
            scan.insert(path, fingerprint);
        }
    }
    Ok(scan)
}
