//! Who else may read or write a file or folder. On Windows it has the access list of its folder: nothing is checked there.
//!
//! What is checked is the mode of a file that is open, where it is read. Only files and folders are checked: a pipe
//! (`<(command)` of a shell) or a device belongs to who has opened it.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Others can read or change something that they should not. The `Display` is one line with the command that corrects it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the message names each field")]
pub enum LoosePermissions {
    /// Others may write to it.
    #[error("others than its owner may change it (mode {mode:04o}); run: chmod go-w {}", shell_quoted(path))]
    Writable { path: PathBuf, mode: u32 },
    /// Others may read a secret.
    #[error(
        "others may read it (mode {mode:04o}); make it 0600, or 0640 with a group of its own; run: chmod o-rwx,g-w {}",
        shell_quoted(path)
    )]
    Readable { path: PathBuf, mode: u32 },
    /// It belongs to another user, who can change it at any time.
    #[error(
        "it belongs to the user with ID {owner}, who is neither root nor the user of this process (ID {own}); run: \
         chown {own} {}",
        shell_quoted(path)
    )]
    WrongOwner { path: PathBuf, owner: u32, own: u32 },
}

/// Refuses a file or folder that others than its owner may change, or that belongs to another user than root and the user
/// of this process. Root may use what belongs to others: its commands work on the files of the host's user.
///
/// # Errors
/// Others can change it.
#[cfg(unix)]
pub fn refuse_writable_by_others(path: &Path, metadata: &Metadata) -> Result<(), LoosePermissions> {
    use std::os::unix::fs::MetadataExt;
    if !metadata.is_file() && !metadata.is_dir() {
        return Ok(());
    }
    let (mode, owner) = (metadata.mode() & 0o7777, metadata.uid());
    let own = rustix::process::geteuid().as_raw();
    if own != 0 && owner != own && owner != 0 {
        return Err(LoosePermissions::WrongOwner { path: path.to_owned(), owner, own });
    }
    if mode & 0o022 != 0 {
        return Err(LoosePermissions::Writable { path: path.to_owned(), mode });
    }
    Ok(())
}

/// Refuses a file with a secret that others can change, or that others than its owner and its group may read: systems share
/// keys between services by a group (`ssl-cert`), and an access list of systemd's credentials shows as rights of the group.
///
/// # Errors
/// Others can read or change it.
#[cfg(unix)]
pub fn refuse_readable_by_others(path: &Path, metadata: &Metadata) -> Result<(), LoosePermissions> {
    use std::os::unix::fs::MetadataExt;
    let mode = metadata.mode() & 0o7777;
    if metadata.is_file() && mode & 0o027 != 0 {
        return Err(LoosePermissions::Readable { path: path.to_owned(), mode });
    }
    refuse_writable_by_others(path, metadata)
}

/// Nothing is checked.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn refuse_writable_by_others(_path: &Path, _metadata: &Metadata) -> Result<(), LoosePermissions> {
    Ok(())
}

/// Nothing is checked.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn refuse_readable_by_others(_path: &Path, _metadata: &Metadata) -> Result<(), LoosePermissions> {
    Ok(())
}

/// A path, quoted for a shell where it has to be.
pub fn shell_quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
