//! Writing the workbook's ZIP archive with some entries replaced and all others copied raw.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use zip::result::ZipError;
use zip::{ZipArchive, ZipWriter};

/// The archive with the contents of some entries replaced, by their numbers. All other entries keep their compressed bytes
/// and their metadata; the order stays.
///
/// # Errors
/// The archive cannot be read, or it has no entry of that number.
pub(crate) fn replace_entries(
    archive: &[u8],
    entries: &BTreeMap<usize, Vec<u8>>,
) -> Result<Vec<u8>, ZipError> {
    let mut old = ZipArchive::new(Cursor::new(archive))?;
    if entries.keys().any(|index| *index >= old.len()) {
        return Err(ZipError::FileNotFound);
    }
    let mut new = ZipWriter::new(Cursor::new(Vec::with_capacity(archive.len() + 4096)));
    new.set_raw_comment(old.comment().into())?;
    for index in 0..old.len() {
        let entry = old.by_index_raw(index)?;
        match entries.get(&index) {
            None => new.raw_copy_file(entry)?,
            Some(contents) => {
                let (name, options) = (entry.name()?.into_owned(), entry.options());
                drop(entry);
                new.start_file(name, options)?;
                new.write_all(contents)?;
            }
        }
    }
    Ok(new.finish()?.into_inner())
}
