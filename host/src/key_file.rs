//! Files with private keys that somebody else has made.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

/// Far more than a key of 8192 bits takes.
const MOST_BYTES: usize = 64 * 1024;

/// Reads a file that only its owner, and at most its group, may read.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let failed = |error: std::io::Error| format!("it cannot be read: {error}");
    let file = File::open(path).map_err(failed)?;
    refuse_loose(&file.metadata().map_err(failed)?)?;
    // Room enough for the buffer never to move, which would leave a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MOST_BYTES + 1));
    file.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > MOST_BYTES {
        return Err(format!("it is larger than {MOST_BYTES} bytes, which no key is"));
    }
    Ok(bytes)
}

/// A group may read it: that is how systems share one key between services (`ssl-cert`, systemd's credentials).
#[cfg(unix)]
fn refuse_loose(metadata: &std::fs::Metadata) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o027 == 0 {
        return Ok(());
    }
    Err(format!("others may read it (mode {mode:04o}); make it 0600, or 0640 with a group of its own"))
}

/// On Windows the file has the access list of its folder.
#[cfg(not(unix))]
fn refuse_loose(_: &std::fs::Metadata) -> Result<(), String> {
    Ok(())
}
