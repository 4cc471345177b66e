//! Reads whole files, up to a size. The limit is checked before anything is read, and again while it is read: a file may
//! grow, and a device has no size.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::permissions::{self, LoosePermissions};

/// Why a file cannot be used. Its `Display` is one line without the path.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the message names each field")]
pub enum ReadError {
    /// The system refuses.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is larger than the limit.
    #[error("it is larger than {limit} bytes, which no such file is")]
    TooLarge { limit: u64 },
    /// It is not UTF-8.
    #[error("it is no UTF-8 text")]
    NotText,
    /// It is UTF-16, as some editors and PowerShell write.
    #[error("it is UTF-16 text; save it as UTF-8 (Notepad: Save as, Encoding; PowerShell: -Encoding utf8)")]
    Utf16,
    /// Others can read or change it.
    #[error(transparent)]
    Permissions(#[from] LoosePermissions),
}

impl ReadError {
    /// Whether there is no such file.
    pub fn is_not_found(&self) -> bool {
        matches!(self, ReadError::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

/// Reads a file of at most `limit` bytes.
///
/// # Errors
/// It cannot be read, or is larger.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    fill(&File::open(path)?, limit, &mut bytes)?;
    Ok(bytes)
}

/// The same as text.
///
/// # Errors
/// It cannot be read, is larger, or is not UTF-8.
pub fn read_text(path: &Path, limit: u64) -> Result<String, ReadError> {
    text(read(path, limit)?)
}

/// Reads a file that decides what the host does: nobody but its owner may be able to change it.
///
/// # Errors
/// It cannot be read, is larger, or others can change it.
pub fn read_trusted(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    let file = File::open(path)?;
    permissions::refuse_writable_by_others(path, &file.metadata()?)?;
    let mut bytes = Vec::new();
    fill(&file, limit, &mut bytes)?;
    Ok(bytes)
}

/// The same as text.
///
/// # Errors
/// It cannot be read, is larger, is not UTF-8, or others can change it.
pub fn read_trusted_text(path: &Path, limit: u64) -> Result<String, ReadError> {
    text(read_trusted(path, limit)?)
}

/// Reads a file with a secret: nobody but its owner may be able to change it, and nobody but its owner and its group to
/// read it. The buffer has room for `limit` bytes, so it never moves, which would leave a copy in memory.
///
/// # Errors
/// It cannot be read, is larger, or others can read or change it.
pub fn read_secret(path: &Path, limit: u32) -> Result<Zeroizing<Vec<u8>>, ReadError> {
    let file = File::open(path)?;
    permissions::refuse_readable_by_others(path, &file.metadata()?)?;
    // One byte more: reading ends when there was nothing more to read.
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit as usize + 1));
    fill(&file, limit.into(), &mut bytes)?;
    Ok(bytes)
}

/// The same as text.
///
/// # Errors
/// It cannot be read, is larger, is not UTF-8, or others can read or change it.
pub fn read_secret_text(path: &Path, limit: u32) -> Result<Zeroizing<String>, ReadError> {
    let mut bytes = read_secret(path, limit)?;
    if is_utf16(&bytes) {
        return Err(ReadError::Utf16);
    }
    let text = String::from_utf8(std::mem::take(&mut *bytes)).map(Zeroizing::new);
    let mut text = text.map_err(|error| {
        drop(Zeroizing::new(error.into_bytes()));
        ReadError::NotText
    })?;
    remove_byte_order_mark(&mut text);
    Ok(text)
}

fn fill(file: &File, limit: u64, bytes: &mut Vec<u8>) -> Result<(), ReadError> {
    if file.metadata()?.len() > limit {
        return Err(ReadError::TooLarge { limit });
    }
    let read = file.take(limit + 1).read_to_end(bytes)?;
    if read as u64 > limit { Err(ReadError::TooLarge { limit }) } else { Ok(()) }
}

fn text(bytes: Vec<u8>) -> Result<String, ReadError> {
    if is_utf16(&bytes) {
        return Err(ReadError::Utf16);
    }
    let mut text = String::from_utf8(bytes).map_err(|_| ReadError::NotText)?;
    remove_byte_order_mark(&mut text);
    Ok(text)
}

/// The byte order mark of UTF-16. UTF-8 text never begins like this.
fn is_utf16(bytes: &[u8]) -> bool {
    matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..])
}

/// Removes the byte order mark that Notepad and PowerShell put before UTF-8 text. The text does not move in memory to another place.
fn remove_byte_order_mark(text: &mut String) {
    const MARK: char = '\u{feff}';
    if text.starts_with(MARK) {
        text.replace_range(..MARK.len_utf8(), "");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_order_mark_of_utf8_is_no_part_of_the_text_and_utf16_is_refused_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let read = |bytes: &[u8]| {
            crate::private_file::write(&path, bytes, crate::private_file::IfPresent::Replace).unwrap();
            let text = read_text(&path, 100).map_err(|error| error.to_string());
            let secret = read_secret_text(&path, 100).map(|text| text.to_string());
            assert_eq!(text, secret.map_err(|error| error.to_string()));
            text
        };
        assert_eq!(read(b"\xef\xbb\xbfKey=value").as_deref(), Ok("Key=value"));
        assert_eq!(read(b"Key=value").as_deref(), Ok("Key=value"));
        for utf16 in [b"\xff\xfeK\0e\0y\0=\0".as_slice(), b"\xfe\xff\0K\0e\0y\0="] {
            assert!(read(utf16).unwrap_err().starts_with("it is UTF-16 text; save it as UTF-8"));
        }
        assert_eq!(read(b"\xff").unwrap_err(), "it is no UTF-8 text");
    }
}
