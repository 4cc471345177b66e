//! Writing the workbook's archive anew with some entries changed and all others as they are.

use std::io::{Cursor, Write};

use zip::result::ZipError;
use zip::{ZipArchive, ZipWriter};

/// The archive with the contents of some entries replaced. All other entries keep their compressed bytes and what the
/// archive says about them; the order stays.
///
/// # Errors
/// The archive cannot be read, or it has no entry of that name.
pub(crate) fn replace_entries(archive: &[u8], entries: &[(String, String)]) -> Result<Vec<u8>, ZipError> {
    let mut old = ZipArchive::new(Cursor::new(archive))?;
    let mut new = ZipWriter::new(Cursor::new(Vec::with_capacity(archive.len() + 4096)));
    new.set_raw_comment(old.comment().into())?;
    let mut replaced = 0;
    for index in 0..old.len() {
        let entry = old.by_index_raw(index)?;
        match entries.iter().find(|(name, _)| name.as_bytes() == entry.name_raw()) {
            None => new.raw_copy_file(entry)?,
            Some((name, contents)) => {
                replaced += 1;
                let options = entry.options();
                drop(entry);
                new.start_file(name, options)?;
                new.write_all(contents.as_bytes())?;
            }
        }
    }
    if replaced != entries.len() {
        return Err(ZipError::FileNotFound);
    }
    Ok(new.finish()?.into_inner())
}
