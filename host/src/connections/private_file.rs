//! Files that only their owner can read, whole and durable or not there at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// What to do when the file exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfPresent {
    /// Put the new one in its place, in one step.
    Replace,
    /// Leave it alone and fail with [`io::ErrorKind::AlreadyExists`].
    Keep,
}

/// Writes the file with mode 0600, and its folder if that is missing.
pub(crate) fn write(path: &Path, bytes: &[u8], present: IfPresent) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    // tempfile creates with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    let named = match present {
        IfPresent::Replace => file.persist(path),
        IfPresent::Keep => file.persist_noclobber(path),
    };
    named.map_err(|error| error.error)?;
    sync_folder(folder)
}

/// Makes the names in a folder durable.
#[cfg(unix)]
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Windows writes names through by itself and cannot sync a folder.
#[cfg(not(unix))]
pub(super) fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}
