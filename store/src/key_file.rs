//! The key file: the keys that seal the secrets of a store, a line each.
//!
//! Usually there is one. While the key is being rotated there are two; which of them seals what is new says the store.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::private_file::{self, IfPresent, sync_folder};
use super::secrets::{KeyError, SecretKey};

/// Far more than a key file has, far less than a mistaken path could hold.
const MOST_BYTES: usize = 1024;

/// A key file, by its path. It need not be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFile(PathBuf);

impl KeyFile {
    /// The key file at this path.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        KeyFile(path.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Reads the keys, at least one; `None` when there is no file.
    ///
    /// # Errors
    /// It cannot be read, others can read it too, or it is no key file.
    pub fn read(&self) -> Result<Option<Vec<SecretKey>>, KeyError> {
        let failed = |cause| KeyError::Io { path: self.0.clone(), attempt: "read", cause };
        let file = match File::open(&self.0) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        self.refuse_loose(&file.metadata().map_err(failed)?)?;
        // Room enough for the buffer never to move, which would leave a copy behind.
        let mut text = Zeroizing::new(String::with_capacity(MOST_BYTES + 1));
        file.take(MOST_BYTES as u64).read_to_string(&mut text).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => self.damaged(),
            _ => failed(error),
        })?;
        KeyFile::parse(&text).map(Some).ok_or_else(|| self.damaged())
    }

    /// The text of a key file.
    pub(super) fn text<'k>(keys: impl IntoIterator<Item = &'k SecretKey>) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(MOST_BYTES));
        for key in keys {
            text.push_str(&key.to_line());
        }
        text
    }

    /// Reads the text of a key file; `None` when it is none.
    pub(super) fn parse(text: &str) -> Option<Vec<SecretKey>> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let keys: Vec<_> = lines.map(SecretKey::from_line).collect::<Option<_>>()?;
        (!keys.is_empty()).then_some(keys)
    }

    /// Writes a file with this key, readable by its owner alone, durable before this returns. Never overwrites one.
    ///
    /// # Errors
    /// It is there already, or cannot be written.
    pub fn create(&self, key: &SecretKey) -> Result<(), KeyError> {
        private_file::write(&self.0, key.to_line().as_bytes(), IfPresent::Keep)
            .map_err(|cause| KeyError::Io { path: self.0.clone(), attempt: "created", cause })
    }

    /// Puts a file with these keys in the place of the one that is there, in one step, durable before this returns. It
    /// belongs to whom the old one belonged to: a command run as root must not lock out the host.
    ///
    /// # Errors
    /// It cannot be written: then the old one is as it was.
    pub fn replace<'k>(&self, keys: impl IntoIterator<Item = &'k SecretKey>) -> Result<(), KeyError> {
        self.put(KeyFile::text(keys).as_bytes()).map_err(|cause| KeyError::Io {
            path: self.0.clone(),
            attempt: "replaced",
            cause,
        })
    }

    /// Writes a file with these keys where there is none, for the owner of another file.
    ///
    /// # Errors
    /// It is there, or cannot be written.
    pub(super) fn write_for(&self, keys: &[SecretKey], owner_of: &Path) -> Result<(), KeyError> {
        let text = KeyFile::text(keys);
        let write = || {
            private_file::write(&self.0, text.as_bytes(), IfPresent::Keep)?;
            private_file::give_to_owner_of(&File::open(&self.0)?, owner_of)
        };
        let written: io::Result<()> = write();
        written.map_err(|cause| KeyError::Io { path: self.0.clone(), attempt: "created", cause })
    }

    fn put(&self, bytes: &[u8]) -> io::Result<()> {
        // Where a link points to, so that the link stays one.
        let path = fs::canonicalize(&self.0)?;
        let new = path.with_added_extension("new");
        // What a crash left of an earlier attempt holds keys: it must not stay.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let written = private_file::create_new(&new).and_then(|mut file| {
            private_file::give_to_owner_of(&file, &path)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&new, &path)
        });
        if written.is_err() {
            // Nothing more can be done about it if that fails, too.
            let _ = fs::remove_file(&new);
        }
        written?;
        sync_folder(path.parent().unwrap_or(Path::new(".")))
    }

    fn damaged(&self) -> KeyError {
        KeyError::Damaged { path: self.0.clone() }
    }

    #[cfg(unix)]
    fn refuse_loose(&self, metadata: &fs::Metadata) -> Result<(), KeyError> {
        use std::os::unix::fs::PermissionsExt;
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 { Err(KeyError::Loose { path: self.0.clone(), mode }) } else { Ok(()) }
    }

    /// On Windows the file has the access list of its folder.
    #[cfg(not(unix))]
    #[expect(clippy::unused_self, reason = "as on other systems")]
    fn refuse_loose(&self, _metadata: &fs::Metadata) -> Result<(), KeyError> {
        Ok(())
    }
}
