//! Files and folders that only their owner can use, written atomically and durably.
//!
//! Their mode does not depend on the umask, which code in this process may change. They belong to the owner of the folder
//! that they are in: what a command of root writes must be usable by the host's user.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::replace;
pub use crate::replace::IfPresent;

/// Writes the file with mode 0600, atomically and durably. Creates its folder if that is missing.
///
/// # Errors
/// It cannot be written, or exists and shall be kept.
pub fn write(path: &Path, bytes: &[u8], present: IfPresent) -> io::Result<()> {
    let folder = parent(path);
    make_folder(folder)?;
    // tempfile creates the file with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    give_to_owner_of(file.as_file(), folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    replace::persist(file, path, present)?;
    sync_folder(folder)
}

/// Creates an empty file with mode 0600; fails if it exists.
///
/// # Errors
/// It exists, or cannot be created.
pub fn create_new(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).append(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    give_to_owner_of(&file, parent(path))?;
    Ok(file)
}

/// Opens a file to append to it. Creates it if it is missing, with mode 0600.
///
/// # Errors
/// It cannot be opened or created, or is a symbolic link.
pub fn open_or_create(path: &Path) -> io::Result<File> {
    loop {
        match create_new(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return created,
        }
        let mut options = File::options();
        options.read(true).append(true);
        // Where another user owns the folder, root must not write to what that user has linked to.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, no_follow());
        match options.open(path) {
            // Removed between the two.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened,
        }
    }
}

/// Opens a lock file. Creates it with mode 0600 if it is missing. Another user who can open a lock file can hold its lock
/// for ever, so an existing one gets this mode, too.
///
/// # Errors
/// It cannot be opened or created, or belongs to another user and is open to others.
pub fn lock_file(path: &Path) -> io::Result<File> {
    let file = open_or_create(path)?;
    restrict(&file, 0o077).map_err(|error| {
        let name = path.display();
        io::Error::new(
            error.kind(),
            format!("others may open {name}, and its mode cannot be changed: {error}"),
        )
    })?;
    Ok(file)
}

/// Creates a folder with mode 0700, and its parents. If it exists, it stays as it is.
///
/// # Errors
/// It cannot be created.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = parent(folder);
    if above != folder {
        make_folder(above)?;
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Ok(()) => give_folder_to_owner_of(folder, above),
        // Another process has created it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// The same for a folder that only the host writes to. If it exists, others than its owner may not write to it from now on.
///
/// # Errors
/// It cannot be created; or others may write to it, and that cannot be changed.
pub fn make_own_folder(folder: &Path) -> io::Result<()> {
    make_folder(folder)?;
    restrict_folder(folder)
}

/// Changes the owner of a file to that of another file or folder, so that the host's user can use what a command of root has
/// written. Users other than root may not change owners: their files stay as they are, with the group that the system has
/// chosen. So do those of a root without that right, as in some containers.
///
/// # Errors
/// One of the two is gone, or on a broken disk.
#[cfg(unix)]
pub fn give_to_owner_of(file: &File, other: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let (own, other) = (file.metadata()?, fs::metadata(other)?);
    if (own.uid(), own.gid()) == (other.uid(), other.gid()) {
        return Ok(());
    }
    unless_forbidden(std::os::unix::fs::fchown(file, Some(other.uid()), Some(other.gid())))
}

/// The same for a folder that was just created. It is not opened, and a symbolic link is not followed: another user may own
/// the folder around it.
#[cfg(unix)]
fn give_folder_to_owner_of(folder: &Path, other: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let other = fs::metadata(other)?;
    unless_forbidden(std::os::unix::fs::lchown(folder, Some(other.uid()), Some(other.gid())))
}

#[cfg(unix)]
fn unless_forbidden(changed: io::Result<()>) -> io::Result<()> {
    match changed {
        // EINVAL: the owner is not known in this user namespace.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput) =>
        {
            Ok(())
        }
        changed => changed,
    }
}

/// Takes rights of others away.
#[cfg(unix)]
fn restrict(file: &File, rights: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata()?.permissions().mode() & 0o7777;
    if mode & rights == 0 { Ok(()) } else { file.set_permissions(PermissionsExt::from_mode(mode & !rights)) }
}

#[cfg(unix)]
fn restrict_folder(folder: &Path) -> io::Result<()> {
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(folder)?);
    if mode & 0o022 == 0 {
        return Ok(());
    }
    let mut options = File::options();
    options.read(true);
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, no_follow());
    options.open(folder).and_then(|folder| restrict(&folder, 0o022))
}

#[cfg(unix)]
fn no_follow() -> i32 {
    rustix::fs::OFlags::NOFOLLOW.bits().cast_signed()
}

/// On Windows a file inherits the access list of its folder.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn give_to_owner_of(_file: &File, _other: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn give_folder_to_owner_of(_folder: &Path, _other: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn restrict(_file: &File, _rights: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn restrict_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Makes new, renamed and removed names in a folder durable.
///
/// # Errors
/// The disk fails.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Windows writes names through by itself and cannot sync a folder.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// The folder that a path is in.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) => Path::new("."),
        None => path,
    }
}
