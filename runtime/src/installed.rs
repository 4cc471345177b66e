//! The plugin files of a folder by their handshakes, without running their code.

use std::path::{Path, PathBuf};

use plugin_api::abi::About;
use sha2::{Digest, Sha256};

use crate::file_handshake;
use crate::load::MAX_PLUGIN_SIZE;
use crate::plugins::{FolderError, Plugins};
use crate::policy::PluginPolicy;

/// A file of a plugins folder. Nothing of it was run, and nothing was checked but that it can be read.
#[derive(Debug)]
pub struct InstalledFile {
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of its content, in hexadecimal; `None` when it cannot be read.
    pub sha256: Option<String>,
    /// Its handshake; `None` when it has none that can be read.
    pub about: Option<About>,
}

impl InstalledFile {
    fn read(path: PathBuf) -> Self {
        let bytes = erp_host_files::read(&path, MAX_PLUGIN_SIZE).ok();
        let sha256 = bytes.as_ref().map(|bytes| hex::encode(Sha256::digest(bytes)));
        let about = bytes.and_then(|bytes| file_handshake::read(&bytes).ok());
        InstalledFile { path, sha256, about }
    }

    /// Whether its connector has this name, in any case.
    pub fn has_connector(&self, name: &str) -> bool {
        self.about.as_ref().is_some_and(|about| about.connector.eq_ignore_ascii_case(name))
    }
}

/// The plugin files of a folder, in the order of their names.
///
/// # Errors
/// The folder cannot be read, or others may write to it.
pub fn installed(folder: &Path, policy: &dyn PluginPolicy) -> Result<Vec<InstalledFile>, FolderError> {
    Ok(Plugins::scan(folder, policy)?.into_keys().map(InstalledFile::read).collect())
}
