//! Atomic replacement of a file: readers see the old one or the new one, and a crash leaves one of them.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use plugin_api::{Error, Result, ResultExt};

use super::change::Stat;

/// Replaces the file with `bytes`, if `is_unchanged` right before the rename. Mode and owner stay.
///
/// Returns the state of the file with these bytes; `None` when nothing was replaced.
///
/// # Errors
/// The file is write-protected, its folder cannot be written to, or the disk is full. The file is as it was then.
pub(crate) fn replace(
    path: &Path,
    bytes: &[u8],
    is_unchanged: impl FnOnce() -> bool,
) -> Result<Option<Stat>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let cannot = format!("the workbook {name:?} cannot be written");
    let folder = path.parent().unwrap_or(Path::new("."));
    let old = std::fs::metadata(path).user(cannot.clone())?;
    if old.permissions().readonly() {
        return Err(Error::user(format!("the workbook {name:?} is write-protected: nothing was written")));
    }
    let mut new = tempfile::Builder::new()
        .prefix(".~erp-host-")
        .suffix(".tmp")
        .tempfile_in(folder)
        .user(cannot.clone())?;
    new.write_all(bytes).user(cannot.clone())?;
    new.as_file().set_permissions(old.permissions()).user(cannot.clone())?;
    keep_owner(new.as_file(), &old);
    new.as_file().sync_all().user(cannot.clone())?;
    let written = Stat::of_file(new.as_file()).user(cannot.clone())?;
    if !is_unchanged() {
        return Ok(None);
    }
    let new = new.persist(path).map_err(|error| error.error).user(cannot)?;
    // The rename itself must survive a power cut. Not every file system can promise it; the change is in place anyway.
    if let Err(error) = File::open(folder).and_then(|folder| folder.sync_all()) {
        tracing::debug!(%error, "the folder of the workbook cannot be synced");
    }
    // The rename changes the inode. Somebody may have changed the contents since: that must show as a change.
    Ok(Some(Stat::of_file(&new).map_or(written, |renamed| renamed.with_contents_of(&written))))
}

#[cfg(unix)]
fn keep_owner(new: &File, old: &std::fs::Metadata) {
    use std::os::unix::fs::MetadataExt;
    // Only root may give files away; without the right the new file is ours, and its mode is the old one's.
    if let Err(error) = std::os::unix::fs::fchown(new, Some(old.uid()), Some(old.gid())) {
        tracing::debug!(%error, "the owner of the workbook cannot be kept");
    }
}

#[cfg(not(unix))]
fn keep_owner(_new: &File, _old: &std::fs::Metadata) {}
