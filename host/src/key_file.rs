//! Reads files with private keys, and refuses those that others may read.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

/// The largest file: far more than a key of 8192 bits takes.
const MAX_BYTES: usize = 64 * 1024;

/// Reads a file that only its owner, and at most its group, may read.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let failed = |error: std::io::Error| format!("it cannot be read: {error}");
    let file = File::open(path).map_err(failed)?;
    refuse_open_permissions(&file.metadata().map_err(failed)?)?;
    // Large enough never to be reallocated, which would leave a copy in memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES + 1));
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > MAX_BYTES {
        return Err(format!("it is larger than {MAX_BYTES} bytes, which no key is"));
    }
    Ok(bytes)
}

/// A group may read it: systems share a key between services like that (`ssl-cert`, credentials of systemd).
#[cfg(unix)]
fn refuse_open_permissions(metadata: &std::fs::Metadata) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o027 == 0 {
        return Ok(());
    }
    Err(format!("others may read it (mode {mode:04o}); make it 0600, or 0640 with a group of its own"))
}

/// On Windows a file inherits the access list of its folder.
#[cfg(not(unix))]
fn refuse_open_permissions(_: &std::fs::Metadata) -> Result<(), String> {
    Ok(())
}
