//! The key file: the encryption keys of a store, one per line.
//!
//! Usually there is one key. While the key is rotated there are two, and the store determines which one is the newest.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use erp_host_files::replace;
use zeroize::Zeroizing;

use super::encryption::{KeyError, SecretKey};
use crate::private_file::{self, IfPresent, sync_folder};

/// More than a key file has. If the path is wrong, no more than this is read.
const MAX_BYTES: usize = 1024;

/// A key file. The file need not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFile(PathBuf);

impl KeyFile {
    /// The key file at this path.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        KeyFile(path.into())
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Reads the keys, at least one; `None` if there is no file.
    ///
    /// # Errors
    /// The file cannot be read, other users can read it, or it is not a key file.
    pub fn read(&self) -> Result<Option<Vec<SecretKey>>, KeyError> {
        let failed = |cause| KeyError::Io { path: self.0.clone(), attempt: "read", cause };
        let file = match File::open(&self.0) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        self.check_permissions(&file.metadata().map_err(failed)?)?;
        // Enough capacity that the buffer never moves: that would leave a copy of the key in memory.
        let mut text = Zeroizing::new(String::with_capacity(MAX_BYTES + 1));
        file.take(MAX_BYTES as u64).read_to_string(&mut text).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => self.damaged(),
            _ => failed(error),
        })?;
        KeyFile::parse(&text).map(Some).ok_or_else(|| self.damaged())
    }

    /// The text of a key file.
    pub(crate) fn text<'k>(keys: impl IntoIterator<Item = &'k SecretKey>) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(MAX_BYTES));
        for key in keys {
            text.push_str(&key.to_line());
        }
        text
    }

    /// Parses the text of a key file; `None` if it is not in the format.
    pub(crate) fn parse(text: &str) -> Option<Vec<SecretKey>> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let keys: Vec<_> = lines.map(SecretKey::from_line).collect::<Option<_>>()?;
        (!keys.is_empty()).then_some(keys)
    }

    /// Creates the file with this key, durably, with mode 0600 and the owner of another file: that of the store, whose
    /// host reads the key. Never overwrites a file.
    ///
    /// # Errors
    /// The file exists, or cannot be written.
    pub fn create(&self, key: &SecretKey, owner_of: &Path) -> Result<(), KeyError> {
        self.create_for(std::slice::from_ref(key), owner_of)
    }

    /// Replaces the file atomically and durably. The new file has the owner of the old one: a command that root runs must
    /// not lock out the host's user.
    ///
    /// # Errors
    /// It cannot be written. Then the old file is unchanged.
    pub fn replace<'k>(&self, keys: impl IntoIterator<Item = &'k SecretKey>) -> Result<(), KeyError> {
        self.write_and_rename(KeyFile::text(keys).as_bytes()).map_err(|cause| KeyError::Io {
            path: self.0.clone(),
            attempt: "replaced",
            cause,
        })
    }

    /// Creates the file with these keys, with the owner of another file.
    ///
    /// # Errors
    /// The file exists, or cannot be written.
    pub(crate) fn create_for(&self, keys: &[SecretKey], owner_of: &Path) -> Result<(), KeyError> {
        let text = KeyFile::text(keys);
        let write = || {
            private_file::write(&self.0, text.as_bytes(), IfPresent::Keep)?;
            private_file::give_to_owner_of(&File::open(&self.0)?, owner_of)
        };
        let written: io::Result<()> = write();
        written.map_err(|cause| KeyError::Io { path: self.0.clone(), attempt: "created", cause })
    }

    fn write_and_rename(&self, bytes: &[u8]) -> io::Result<()> {
        // If the path is a symbolic link, the file it points to is replaced, not the link.
        let path = fs::canonicalize(&self.0)?;
        let new = path.with_added_extension("new");
        // An earlier attempt that crashed may have left this file. It has keys, so it must not stay.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let written = private_file::create_new(&new).and_then(|mut file| {
            private_file::give_to_owner_of(&file, &path)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            drop(file);
            replace::rename(&new, &path)
        });
        if written.is_err() {
            // If that fails as well, nothing more can be done.
            let _ = fs::remove_file(&new);
        }
        written?;
        sync_folder(path.parent().unwrap_or(Path::new(".")))
    }

    fn damaged(&self) -> KeyError {
        KeyError::Damaged { path: self.0.clone() }
    }

    /// Others may not read it. A group may, if root has given it the file: that is how an access list of systemd's
    /// credentials shows.
    #[cfg(unix)]
    fn check_permissions(&self, metadata: &fs::Metadata) -> Result<(), KeyError> {
        use std::os::unix::fs::MetadataExt;
        let mode = metadata.mode() & 0o7777;
        let is_from_root = metadata.uid() == 0 && !rustix::process::geteuid().is_root();
        let forbidden = if is_from_root { 0o037 } else { 0o077 };
        if mode & forbidden != 0 { Err(KeyError::Loose { path: self.0.clone(), mode }) } else { Ok(()) }
    }

    /// On Windows the file inherits the access list of its folder.
    #[cfg(not(unix))]
    #[expect(clippy::unused_self, reason = "as on other systems")]
    fn check_permissions(&self, _metadata: &fs::Metadata) -> Result<(), KeyError> {
        Ok(())
    }
}
