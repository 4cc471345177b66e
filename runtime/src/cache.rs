//! The cache of plugin files: private copies, named by their hash, that the process runs from. So a file in the plugins
//! folder can be replaced or deleted at any time (overwriting a mapped file kills the process; Windows locks it).

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use erp_host_files::private_file::{self, IfPresent};
use erp_host_files::replace;

/// The name of the cache's folder, below the data folder.
pub(crate) const FOLDER: &str = "plugins-cache";

/// Hexadecimal digits of a SHA-256 hash, which a copy's name begins with.
const HASH_DIGITS: usize = 64;

/// The prefix of temporary files, which become copies.
const TEMPORARY_PREFIX: &str = ".tmp";

/// The file name of the copy of a plugin file with this hash.
pub(crate) fn copy_name(sha256: &str, path: &Path) -> String {
    format!("{sha256}-{}", path.file_name().unwrap_or_default().to_string_lossy())
}

/// Writes a copy into the cache's folder, unless the same content is there already. Returns its path.
///
/// # Errors
/// The folder cannot be created, or the copy cannot be written.
pub(crate) fn copy(bytes: &[u8], folder: &Path, name: &str) -> io::Result<PathBuf> {
    private_file::make_folder(folder)?;
    // Also of a folder that exists: a user who can write to it could run code as this user. One that users of worker processes
    // may enter stays so: they open their copies again at every start.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(folder)?.permissions().mode();
        fs::set_permissions(folder, PermissionsExt::from_mode(mode & 0o711 | 0o700))?;
    }
    let path = folder.join(name);
    if has_content(&path, bytes).unwrap_or(false) {
        return Ok(path);
    }
    let mut copy = tempfile::NamedTempFile::new_in(folder)?;
    private_file::give_to_owner_of(copy.as_file(), folder)?;
    copy.write_all(bytes)?;
    replace::persist(copy, &path, IfPresent::Replace)?;
    Ok(path)
}

/// Whether a file has exactly this content. The name alone does not count: what is loaded must be what was checked. It
/// compares block by block, to save the memory of a second whole file.
fn has_content(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let mut block = [0; 32 * 1024];
    for expected in bytes.chunks(block.len()) {
        let actual = &mut block[..expected.len()];
        file.read_exact(actual)?;
        if actual != expected {
            return Ok(false);
        }
    }
    Ok(file.read(&mut block)? == 0)
}

/// Deletes all copies but these. Only files that are named like copies are deleted. A copy that cannot be deleted (Windows
/// locks one that is in use) stays until the next start.
pub(crate) fn remove_unused(data: &Path, used: &HashSet<String>) {
    let Ok(entries) = fs::read_dir(data.join(FOLDER)) else { return };
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && !used.contains(&name) && is_copy(&name) {
            match fs::remove_file(entry.path()) {
                Ok(()) => tracing::debug!(name, "an old copy of a plugin was deleted"),
                Err(error) => tracing::debug!(name, %error, "an old copy of a plugin stays"),
            }
        }
    }
}

fn is_copy(name: &str) -> bool {
    let has_hash = name.split_once('-').is_some_and(|(hash, _)| {
        hash.len() == HASH_DIGITS && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    has_hash || name.starts_with(TEMPORARY_PREFIX)
}
