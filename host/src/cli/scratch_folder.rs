//! A temporary data folder, for commands that load plugin files and keep nothing.

use std::io;

use tempfile::TempDir;

/// Creates an empty data folder, which is deleted when it is dropped. The users of worker processes can enter it, as they
/// must, and not list it.
pub(crate) fn scratch_folder() -> io::Result<TempDir> {
    let folder = TempDir::with_prefix("erp-host-")?;
    #[cfg(unix)]
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711))?;
    Ok(folder)
}
