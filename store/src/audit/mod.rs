//! The audit log: who changed what, in an order that nobody can change afterwards unnoticed.
//!
//! - here: what is recorded, and by whom it came; never a setting's value;
//! - `record`: a record as a line of JSON, chained to the one before and signed;
//! - `files`: the files that the lines go to;
//! - `verify`: whether the files are whole and as they were written.
//!
//! The store of connections keeps the end of the chain and writes each record in the transaction of the change that it
//! tells of (`connections::recorded`).

use serde::Serialize;

mod files;
mod origin;
mod record;
mod verify;

#[cfg(test)]
mod tests;

pub use files::{AuditFiles, FOLDER};
pub use origin::Origin;
pub use record::{AuditKey, Head, Record, Recording, Signature, hash_of_file};
pub use verify::{Break, Report, verify};

/// Names of settings in one record, and characters of a name or reason: a caller must not fill the disk.
const MOST_NAMES: usize = 50;
const MOST_CHARACTERS: usize = 300;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all_fields = "snake_case")]
pub enum Event {
    /// The host began to serve, with these plugins.
    #[serde(rename = "host started")]
    HostStarted {
        /// The version of erp-host.
        version: &'static str,
        /// What serves.
        plugins: Vec<PluginFile>,
    },
    /// A connection that was not there.
    #[serde(rename = "connection added")]
    ConnectionAdded {
        /// The connection.
        connection: String,
        /// Its connector.
        connector: String,
        /// The names of its settings.
        settings: Names,
    },
    /// A connection that has other settings now.
    #[serde(rename = "connection changed")]
    ConnectionChanged {
        /// The connection.
        connection: String,
        /// Its connector.
        connector: String,
        /// The connector it belonged to, where an import has changed that.
        #[serde(skip_serializing_if = "Option::is_none")]
        former_connector: Option<String>,
        /// What is different.
        settings: Difference,
    },
    /// A connection that was saved as it was.
    #[serde(rename = "connection saved")]
    ConnectionSaved {
        /// The connection.
        connection: String,
        /// Its connector.
        connector: String,
    },
    /// A connection that is gone.
    #[serde(rename = "connection deleted")]
    ConnectionDeleted {
        /// The connection.
        connection: String,
        /// The connector it belonged to.
        connector: String,
    },
    /// Connections were written to a file.
    #[serde(rename = "connections exported")]
    Exported {
        /// The file.
        file: String,
        /// How many.
        connections: usize,
        /// Whether their secrets are in the file.
        with_secrets: bool,
    },
    /// Connections were read from a file; a record for each follows.
    #[serde(rename = "connections imported")]
    Imported {
        /// The file.
        file: String,
        /// How many were not there before.
        added: usize,
        /// How many were replaced.
        replaced: usize,
    },
    /// A connector that was not there.
    #[serde(rename = "plugin loaded")]
    PluginLoaded(PluginFile),
    /// Another version of a connector, or another build.
    #[serde(rename = "plugin replaced")]
    PluginReplaced {
        /// What serves now.
        #[serde(flatten)]
        plugin: PluginFile,
        /// The version before.
        former_version: String,
    },
    /// The same plugin under another file name.
    #[serde(rename = "plugin renamed")]
    PluginRenamed {
        /// What serves.
        #[serde(flatten)]
        plugin: PluginFile,
        /// The file's name before.
        former_file: String,
    },
    /// A connector that no file holds any more.
    #[serde(rename = "plugin retired")]
    PluginRetired(PluginFile),
    /// A file that is not loaded.
    #[serde(rename = "plugin refused")]
    PluginRefused {
        /// The file's name.
        file: String,
        /// Why.
        reason: String,
    },
    /// A new key seals the secrets, and the former ones seal none any more.
    #[serde(rename = "key rotated")]
    KeyRotated {
        /// The id of the key.
        key: String,
        /// The ids of those before.
        former: Vec<String>,
        /// How many secrets were sealed anew.
        secrets: usize,
    },
    /// A copy of the store was made.
    #[serde(rename = "backup made")]
    BackupMade {
        /// The file.
        file: String,
        /// What it holds.
        sha256: String,
        /// Whether the key is in it, encrypted with a passphrase.
        with_key: bool,
    },
    /// The store was replaced by a copy.
    #[serde(rename = "store restored")]
    StoreRestored {
        /// The file.
        file: String,
        /// What it holds.
        sha256: String,
        /// When the copy was made.
        made_at: String,
    },
    /// The store is older than this log, without a `store restored`: somebody has put another file in its place.
    #[serde(rename = "store set back")]
    StoreSetBack {
        /// The newest record that the store knew of.
        store_at: i64,
        /// The newest record of this log.
        log_at: i64,
    },
}

/// A plugin file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PluginFile {
    /// The connector's name.
    pub connector: String,
    /// Its version.
    pub version: String,
    /// The file's name.
    pub file: String,
    /// What it held.
    pub sha256: String,
}

/// Names of settings: the first few, shortened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Names(Vec<String>);

/// In what the settings of a connection differ, by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Those that are new.
    #[serde(skip_serializing_if = "Names::is_empty")]
    pub added: Names,
    /// Those with another value.
    #[serde(skip_serializing_if = "Names::is_empty")]
    pub changed: Names,
    /// Those that are gone.
    #[serde(skip_serializing_if = "Names::is_empty")]
    pub removed: Names,
}

impl Names {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> FromIterator<&'a str> for Names {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Self {
        let mut names = names.into_iter();
        let mut first: Vec<_> = names.by_ref().take(MOST_NAMES).map(shortened).collect();
        let more = names.count();
        if more > 0 {
            first.push(format!("and {more} more"));
        }
        Names(first)
    }
}

impl Difference {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

/// A text of whatever length as a record may hold it.
pub fn shortened(text: &str) -> String {
    match text.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
