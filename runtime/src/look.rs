//! What a look into the plugins folder shows: which plugin files are there, and how to tell that one has changed.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::trust::signature_of;

/// The plugin files of a folder, in the order of their names. A file that nothing can be said about has no mark.
pub(super) type Look = BTreeMap<PathBuf, Option<Mark>>;

/// What differs when a file was written, or another one was put in its place. Comparing it needs no reading, so it can be
/// done every second, on network folders too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    file: Stamp,
    /// Of the file that signs it: when that comes, what was refused without it may be loaded.
    signature: Option<Stamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    /// Device, inode, and when the inode changed: also those who set `modified` back cannot help changing this.
    #[cfg(unix)]
    inode: (u64, u64, i64, i64),
}

impl Mark {
    /// What a file and its signature are like now.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let file = Stamp::of(&fs::metadata(path)?);
        let signature = fs::metadata(signature_of(path)).ok().as_ref().map(Stamp::of);
        Ok(Mark { file, signature })
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;
        Stamp {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            #[cfg(unix)]
            inode: (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Looks into a folder.
pub(super) fn look(folder: &Path) -> io::Result<Look> {
    let mut look = Look::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_library = |extension: &std::ffi::OsStr| {
            ["so", "dll", "dylib"].iter().any(|known| extension.eq_ignore_ascii_case(known))
        };
        if path.extension().is_some_and(is_library) {
            let mark = Mark::of(&path).ok();
            look.insert(path, mark);
        }
    }
    Ok(look)
}
