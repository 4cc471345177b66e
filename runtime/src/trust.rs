//! Which plugin files are trusted: looked at before the system's loader sees the file, for loading it runs its code.

mod config;

use std::fs::Metadata;
use std::io::Read;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::signature::{PublicKey, Signature};

/// The end of the name of the file that signs another one.
pub(super) const SIGNATURE: &str = "sig";

/// The most bytes of a signature file that are looked at: it has 64, or 89 as text.
const LONGEST_SIGNATURE: u64 = 1024;

/// Which plugin files are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// What files may hold, as SHA-256 hashes in lower-case hexadecimal.
    pub sha256: Vec<String>,
    /// Who may sign files.
    pub signers: Vec<PublicKey>,
    /// Whether files and the folder that others can change are refused.
    pub checks_permissions: bool,
}

/// Why a file is not trusted. Its `Display` is one line, with what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Untrusted {
    /// Others may write to it.
    #[error("others than its owner may change it (mode {mode:04o}); run: chmod go-w {}", quoted(path))]
    Writable {
        /// What it is about.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It belongs to somebody else.
    #[error(
        "it belongs to the user with ID {owner}, who is neither root nor the user of erp-host (ID {own}); run: chown {own} {}",
        quoted(path)
    )]
    Foreign {
        /// What it is about.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who the host is.
        own: u32,
    },
    /// Its hash is not listed.
    #[error("its sha256 {0} is not listed in [trust] sha256; list it there if the file is what it should be")]
    NotListed(String),
    /// It has no signature.
    #[error(
        "it is not signed, and [trust] names who must sign; put {0} beside it, which `erp-host plugins sign` makes"
    )]
    NotSigned(String),
    /// Its signature is none.
    #[error(
        "{0} is no ed25519 signature (64 bytes, or their base64); let `erp-host plugins sign` make it again"
    )]
    NoSignature(String),
    /// Its signature is not by one of the signers, or for another file.
    #[error(
        "{0} is not a signature of this file by one of [trust] signers; get both files again from whoever signed"
    )]
    WrongSignature(String),
}

impl Trust {
    /// Trusts every file that nobody else can change.
    pub const IN_OWN_FILES: &Trust =
        &Trust { sha256: Vec::new(), signers: Vec::new(), checks_permissions: true };

    /// Whether what a file holds may be loaded: its hash is listed, or one of the signers has signed it. Without hashes and
    /// signers it always may.
    ///
    /// # Errors
    /// It may not.
    pub(super) fn check(&self, path: &Path, bytes: &[u8], sha256: &str) -> Result<(), Untrusted> {
        if (self.sha256.is_empty() && self.signers.is_empty()) || self.sha256.iter().any(|one| one == sha256)
        {
            return Ok(());
        }
        if self.signers.is_empty() {
            return Err(Untrusted::NotListed(sha256.to_owned()));
        }
        let file = signature_of(path);
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut text = Vec::new();
        let read =
            std::fs::File::open(&file).and_then(|file| file.take(LONGEST_SIGNATURE).read_to_end(&mut text));
        if read.is_err() {
            return Err(Untrusted::NotSigned(name));
        }
        let Ok(signature) = Signature::parse(&text) else { return Err(Untrusted::NoSignature(name)) };
        if self.signers.iter().any(|signer| signer.verifies(bytes, &signature)) {
            Ok(())
        } else {
            Err(Untrusted::WrongSignature(name))
        }
    }

    /// Whether nobody but its owner can change a file or folder, and its owner is root or this process's user.
    ///
    /// # Errors
    /// Others can.
    #[cfg(unix)]
    pub(super) fn check_permissions(&self, path: &Path, metadata: &Metadata) -> Result<(), Untrusted> {
        use std::os::unix::fs::MetadataExt;
        if !self.checks_permissions {
            return Ok(());
        }
        let (mode, owner, own) =
            (metadata.mode() & 0o7777, metadata.uid(), rustix::process::geteuid().as_raw());
        if owner != own && owner != 0 {
            return Err(Untrusted::Foreign { path: path.to_owned(), owner, own });
        }
        if mode & 0o022 != 0 {
            return Err(Untrusted::Writable { path: path.to_owned(), mode });
        }
        Ok(())
    }

    /// On Windows a file has the access list of its folder, which the installation sets.
    ///
    /// # Errors
    /// None.
    #[cfg(not(unix))]
    pub(super) fn check_permissions(&self, _path: &Path, _metadata: &Metadata) -> Result<(), Untrusted> {
        Ok(())
    }
}

impl Default for Trust {
    fn default() -> Self {
        Trust::IN_OWN_FILES.clone()
    }
}

/// The file that signs this one: its name with `.sig` behind it.
pub fn signature_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(SIGNATURE);
    name.into()
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests;
