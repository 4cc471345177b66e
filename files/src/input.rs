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
    String::from_utf8(std::mem::take(&mut *bytes)).map(Zeroizing::new).map_err(|error| {
        drop(Zeroizing::new(error.into_bytes()));
        ReadError::NotText
    })
}

fn fill(file: &File, limit: u64, bytes: &mut Vec<u8>) -> Result<(), ReadError> {
    if file.metadata()?.len() > limit {
        return Err(ReadError::TooLarge { limit });
    }
    let read = file.take(limit + 1).read_to_end(bytes)?;
    if read as u64 > limit { Err(ReadError::TooLarge { limit }) } else { Ok(()) }
}

fn text(bytes: Vec<u8>) -> Result<String, ReadError> {
    String::from_utf8(bytes).map_err(|_| ReadError::NotText)
}
