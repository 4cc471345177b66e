//! Files that only their owner can read, written atomically and durably.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// What to do if the file exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfPresent {
    /// Replace it atomically.
    Replace,
    /// Keep it, and fail with [`io::ErrorKind::AlreadyExists`].
    Keep,
}

/// Writes the file with mode 0600, atomically and durably. Creates its folder if that is missing.
pub fn write(path: &Path, bytes: &[u8], present: IfPresent) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    // tempfile creates the file with mode 0600.
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

/// Creates an empty file with mode 0600; fails if it exists.
pub fn create_new(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Opens a lock file. Creates it, with the owner of its folder, if it is missing.
pub fn lock_file(path: &Path) -> io::Result<File> {
    let is_new = !fs::exists(path)?;
    let file = File::options().create(true).append(true).open(path)?;
    if is_new && let Some(folder) = path.parent() {
        give_to_owner_of(&file, folder)?;
    }
    Ok(file)
}

/// Changes the owner of a file to that of another file, so that the host's user can use what a command of root has
/// written. Users other than root may not change owners, and need not: their files have the right owner already.
#[cfg(unix)]
pub fn give_to_owner_of(file: &File, other: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let (own, other) = (file.metadata()?, fs::metadata(other)?);
    if (own.uid(), own.gid()) != (other.uid(), other.gid()) {
        std::os::unix::fs::fchown(file, Some(other.uid()), Some(other.gid()))?;
    }
    Ok(())
}

/// On Windows a file inherits the access list of its folder.
#[cfg(not(unix))]
pub fn give_to_owner_of(_file: &File, _other: &Path) -> io::Result<()> {
    Ok(())
}

/// Makes new, renamed and removed names in a folder durable.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Windows writes names through by itself and cannot sync a folder.
#[cfg(not(unix))]
pub fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}
