//! Files that only their owner can read, whole and durable or not there at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// What to do when the file exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfPresent {
    /// Put the new one in its place, in one step.
    Replace,
    /// Leave it alone and fail with [`io::ErrorKind::AlreadyExists`].
    Keep,
}

/// Writes the file with mode 0600, and its folder if that is missing.
pub fn write(path: &Path, bytes: &[u8], present: IfPresent) -> io::Result<()> {
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

/// Makes an empty file with mode 0600; fails if there is one.
pub fn create_new(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Opens a file that is there to be locked; makes it, for the owner of its folder, if it is missing.
pub fn lock_file(path: &Path) -> io::Result<File> {
    let is_new = !fs::exists(path)?;
    let file = File::options().create(true).append(true).open(path)?;
    if is_new && let Some(folder) = path.parent() {
        give_to_owner_of(&file, folder)?;
    }
    Ok(file)
}

/// Gives a file to whom another one belongs, so that what root writes serves the host's user. Who may not give files
/// away is their owner, or cannot use them anyway.
#[cfg(unix)]
pub fn give_to_owner_of(file: &File, other: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let (own, other) = (file.metadata()?, fs::metadata(other)?);
    if (own.uid(), own.gid()) != (other.uid(), other.gid()) {
        std::os::unix::fs::fchown(file, Some(other.uid()), Some(other.gid()))?;
    }
    Ok(())
}

/// On Windows a file has the access list of its folder.
#[cfg(not(unix))]
pub fn give_to_owner_of(_file: &File, _other: &Path) -> io::Result<()> {
    Ok(())
}

/// Makes the names in a folder durable.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Windows writes names through by itself and cannot sync a folder.
#[cfg(not(unix))]
pub fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}
