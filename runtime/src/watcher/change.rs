//! The changes that the watcher applied, as log records and as lines for the operator.

use std::fmt;
use std::sync::Arc;

use crate::plugin::{Plugin, short_hash};

/// A change that was applied. Its `Display` is one line.
#[derive(Debug)]
pub enum Change {
    /// A new connector.
    Installed(Arc<Plugin>),
    /// Another version or build of a connector.
    Replaced {
        /// The version that serves now.
        plugin: Arc<Plugin>,
        /// The number of the version that served before.
        before: String,
    },
    /// The same file under another name.
    Renamed {
        /// The plugin, which serves as before.
        plugin: Arc<Plugin>,
        /// The file's name before.
        before: String,
    },
    /// A connector that no file contains any more.
    Retired {
        /// The connector's name.
        connector: String,
        /// The version that served.
        version: String,
        /// The name of its file.
        file: String,
        /// SHA-256 of its file, in hexadecimal.
        sha256: String,
    },
    /// A file that is not loaded.
    Refused {
        /// The file's name.
        file: String,
        /// The error, with what to do.
        reason: String,
        /// Name and version of the connector that keeps serving, if the file was to replace one.
        serving: Option<(String, String)>,
    },
}

impl Change {
    /// Writes one line to the log.
    pub fn log(&self) {
        match self {
            Change::Installed(plugin) => tracing::info!(
                file = plugin.file_name(),
                connector = plugin.name(),
                version = plugin.about.version,
                sha256 = plugin.short_hash(),
                "installed"
            ),
            Change::Replaced { plugin, before } => tracing::info!(
                file = plugin.file_name(),
                connector = plugin.name(),
                before,
                version = plugin.about.version,
                sha256 = plugin.short_hash(),
                "replaced"
            ),
            Change::Renamed { plugin, before } => tracing::info!(
                file = plugin.file_name(),
                connector = plugin.name(),
                before,
                version = plugin.about.version,
                sha256 = plugin.short_hash(),
                "its file was renamed"
            ),
            Change::Retired { connector, version, file, sha256 } => {
                tracing::info!(
                    file,
                    connector,
                    version,
                    sha256 = short_hash(sha256),
                    "retired: no file holds it any more"
                );
            }
            Change::Refused { .. } => tracing::warn!("{self}"),
        }
    }

    /// The name of the file.
    pub fn file(&self) -> String {
        match self {
            Change::Installed(plugin) | Change::Replaced { plugin, .. } | Change::Renamed { plugin, .. } => {
                plugin.file_name()
            }
            Change::Retired { file, .. } | Change::Refused { file, .. } => file.clone(),
        }
    }

    /// Whether a file was refused.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Change::Refused { .. })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            |plugin: &Plugin| (plugin.file_name(), plugin.name().to_owned(), plugin.about.version.clone());
        match self {
            Change::Installed(plugin) => {
                let (file, name, version) = names(plugin);
                write!(f, "{file}: {name} {version} is installed (sha256 {})", plugin.short_hash())
            }
            Change::Replaced { plugin, before } => {
                let (file, name, version) = names(plugin);
                let hash = plugin.short_hash();
                write!(f, "{file}: {name} {before} is replaced by {version} (sha256 {hash})")
            }
            Change::Renamed { plugin, before } => {
                let (file, name, version) = names(plugin);
                write!(f, "{file}: was {before}; {name} {version} serves on")
            }
            Change::Retired { connector, version, file, sha256: _ } => {
                write!(f, "{file}: {connector} {version} is retired: no file holds it any more")
            }
            Change::Refused { file, reason, serving } => {
                write!(f, "{file}: not loaded: {reason}")?;
                match serving {
                    Some((connector, version)) => write!(f, "; {connector} {version} serves on"),
                    None => Ok(()),
                }
            }
        }
    }
}
