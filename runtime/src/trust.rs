//! Signature check, hash check and permission check of plugin files. They come before the system's loader opens a file,
//! because loading it runs its code.

mod config;

use std::fs::Metadata;
use std::io::Read;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::signature::{PublicKey, Signature};

/// The file extension of signatures.
const SIGNATURE_EXTENSION: &str = "sig";

/// The bytes of a signature file that are read at most. A signature has 64 bytes, or 89 as base64.
const MAX_SIGNATURE_SIZE: u64 = 1024;

/// Which plugin files are trusted: the section `[trust]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// The SHA-256 hashes of trusted files, in lower-case hexadecimal.
    pub sha256: Vec<String>,
    /// The keys that may sign files.
    pub signers: Vec<PublicKey>,
    /// Whether files that other users can change are refused, and such a plugins folder too.
    pub checks_permissions: bool,
}

/// Why a file is not trusted. Its `Display` is one line, with what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the message names each field")]
pub enum Untrusted {
    /// Other users may write to it.
    #[error("others than its owner may change it (mode {mode:04o}); run: chmod go-w {}", shell_quoted(path))]
    Writable { path: PathBuf, mode: u32 },
    /// Its owner is another user.
    #[error(
        "it belongs to the user with ID {owner}, who is neither root nor the user of erp-host (ID {own}); run: chown {own} {}",
        shell_quoted(path)
    )]
    WrongOwner { path: PathBuf, owner: u32, own: u32 },
    /// Its hash is not listed, and no signers are configured.
    #[error("its sha256 {0} is not listed in [trust] sha256; list it there if the file is what it should be")]
    NotListed(String),
    /// It has no signature file; the name of that file.
    #[error(
        "it is not signed, and [trust] names who must sign; put {0} beside it, which `erp-host plugins sign` makes"
    )]
    NotSigned(String),
    /// Its signature file has another format; the name of that file.
    #[error(
        "{0} is no ed25519 signature (64 bytes, or their base64); let `erp-host plugins sign` make it again"
    )]
    MalformedSignature(String),
    /// Its signature is by another key or of another file; the name of the signature file.
    #[error(
        "{0} is not a signature of this file by one of [trust] signers; get both files again from whoever signed"
    )]
    WrongSignature(String),
}

impl Trust {
    /// The default: every file that only its owner can change.
    pub const PERMISSIONS_ONLY: &Trust =
        &Trust { sha256: Vec::new(), signers: Vec::new(), checks_permissions: true };

    /// Checks a file's content: its hash must be listed, or one of the signers must have signed it. Without hashes and
    /// signers every content is accepted.
    ///
    /// # Errors
    /// The content is not accepted.
    pub(crate) fn check(&self, path: &Path, bytes: &[u8], sha256: &str) -> Result<(), Untrusted> {
        if (self.sha256.is_empty() && self.signers.is_empty()) || self.sha256.iter().any(|one| one == sha256)
        {
            return Ok(());
        }
        if self.signers.is_empty() {
            return Err(Untrusted::NotListed(sha256.to_owned()));
        }
        let file = signature_path(path);
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut text = Vec::new();
        let read =
            std::fs::File::open(&file).and_then(|file| file.take(MAX_SIGNATURE_SIZE).read_to_end(&mut text));
        if read.is_err() {
            return Err(Untrusted::NotSigned(name));
        }
        let Ok(signature) = Signature::parse(&text) else {
            return Err(Untrusted::MalformedSignature(name));
        };
        if self.signers.iter().any(|signer| signer.verifies(bytes, &signature)) {
            Ok(())
        } else {
            Err(Untrusted::WrongSignature(name))
        }
    }

    /// Checks that only its owner can change a file or folder, and that the owner is root or the user of this process.
    ///
    /// # Errors
    /// Other users can change it.
    #[cfg(unix)]
    pub(crate) fn check_permissions(&self, path: &Path, metadata: &Metadata) -> Result<(), Untrusted> {
        use std::os::unix::fs::MetadataExt;
        if !self.checks_permissions {
            return Ok(());
        }
        let (mode, owner, own) =
            (metadata.mode() & 0o7777, metadata.uid(), rustix::process::geteuid().as_raw());
        if owner != own && owner != 0 {
            return Err(Untrusted::WrongOwner { path: path.to_owned(), owner, own });
        }
        if mode & 0o022 != 0 {
            return Err(Untrusted::Writable { path: path.to_owned(), mode });
        }
        Ok(())
    }

    /// On Windows a file inherits the access list of its folder, which the installation sets: nothing is checked.
    ///
    /// # Errors
    /// None.
    #[cfg(not(unix))]
    pub(crate) fn check_permissions(&self, _path: &Path, _metadata: &Metadata) -> Result<(), Untrusted> {
        Ok(())
    }
}

impl Default for Trust {
    fn default() -> Self {
        Trust::PERMISSIONS_ONLY.clone()
    }
}

/// The path of a file's signature: the file's own with `.sig` appended.
pub fn signature_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(SIGNATURE_EXTENSION);
    name.into()
}

/// A path, quoted for a shell where it has to be.
fn shell_quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests;
