//! One loaded plugin.

use std::path::{Path, PathBuf};

use plugin_api::abi::About;
use plugin_api::abi::client::ConnectorClient;

/// Hexadecimal digits of a hash that are shown to people.
const SHORT_HASH: usize = 12;

/// A loaded plugin. It is shared: a caller keeps the version that it began with, also when another one replaces it.
#[derive(Debug, Clone)]
pub struct Plugin {
    /// The file in the plugins folder. What runs is a private copy of it.
    pub path: PathBuf,
    /// SHA-256 of the file's content, in hexadecimal.
    pub sha256: String,
    /// Name, versions, compiler and target, from the handshake.
    pub about: About,
    /// One line for the operator.
    pub description: String,
    /// The actor types that its connections may have; empty when they are only known per connection.
    pub actor_types: Vec<String>,
    /// The connector.
    pub connector: ConnectorClient,
}

impl Plugin {
    /// The connector's name.
    pub fn name(&self) -> &str {
        self.connector.name()
    }

    /// The file's name, without the folder.
    pub fn file_name(&self) -> String {
        file_name(&self.path)
    }

    /// The first digits of its hash: enough to distinguish two builds.
    pub fn short_hash(&self) -> &str {
        short_hash(&self.sha256)
    }

    /// The name in lower case: names that differ only in case are the same.
    pub(crate) fn key(&self) -> String {
        self.name().to_lowercase()
    }

    pub(crate) fn has_name(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name)
    }
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

pub(crate) fn short_hash(sha256: &str) -> &str {
    sha256.get(..SHORT_HASH).unwrap_or(sha256)
}
