//! What the audit log records: the events, and the names of settings in them. Never a setting's value.

use serde::Serialize;

/// Names of settings in one record at most. A caller must not be able to fill the disk.
const MAX_NAMES: usize = 50;
/// Characters of one name, file name or reason at most.
const MAX_CHARACTERS: usize = 300;

/// What happened. The names in the file (`event`, and the members) are part of the file format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all_fields = "snake_case")]
pub enum Event {
    /// The host began to serve.
    #[serde(rename = "host started")]
    HostStarted {
        /// The version of erp-host.
        version: &'static str,
        /// The plugins that serve.
        plugins: Vec<PluginFile>,
    },
    /// A new connection was saved.
    #[serde(rename = "connection added")]
    ConnectionAdded {
        /// The connection.
        connection: String,
        /// Its connector.
        connector: String,
        /// The names of its settings.
        settings: Names,
    },
    /// A connection was saved with other settings than before.
    #[serde(rename = "connection changed")]
    ConnectionChanged {
        /// The connection.
        connection: String,
        /// Its connector.
        connector: String,
        /// The connector it belonged to before, if an import changed that.
        #[serde(skip_serializing_if = "Option::is_none")]
        former_connector: Option<String>,
        /// Which settings are different.
        settings: Difference,
    },
    /// A connection was saved with the same settings as before.
    #[serde(rename = "connection saved")]
    ConnectionSaved {
        /// The connection.
        connection: String,
        /// Its connector.
        connector: String,
    },
    /// A connection was deleted.
    #[serde(rename = "connection deleted")]
    ConnectionDeleted {
        /// The connection.
        connection: String,
        /// The connector it belonged to.
        connector: String,
    },
    /// Connections were exported to a file.
    #[serde(rename = "connections exported")]
    Exported {
        /// The file.
        file: String,
        /// How many.
        connections: usize,
        /// Whether their secrets are in the file.
        with_secrets: bool,
    },
    /// Connections were imported from a file. A record for each connection follows.
    #[serde(rename = "connections imported")]
    Imported {
        /// The file.
        file: String,
        /// How many are new.
        added: usize,
        /// How many were replaced.
        replaced: usize,
    },
    /// A plugin with a new connector was loaded.
    #[serde(rename = "plugin loaded")]
    PluginLoaded(PluginFile),
    /// A plugin was replaced by another version or another build of it.
    #[serde(rename = "plugin replaced")]
    PluginReplaced {
        /// The plugin that serves now.
        #[serde(flatten)]
        plugin: PluginFile,
        /// The version that served before.
        former_version: String,
    },
    /// The file of a plugin has another name, and the same content.
    #[serde(rename = "plugin renamed")]
    PluginRenamed {
        /// The plugin.
        #[serde(flatten)]
        plugin: PluginFile,
        /// The name of the file before.
        former_file: String,
    },
    /// The file of a plugin was removed, so its connector serves no more.
    #[serde(rename = "plugin retired")]
    PluginRetired(PluginFile),
    /// A plugin file was not loaded.
    #[serde(rename = "plugin refused")]
    PluginRefused {
        /// The name of the file.
        file: String,
        /// Why.
        reason: String,
    },
    /// The encryption key was rotated: every secret is encrypted with the new key.
    #[serde(rename = "key rotated")]
    KeyRotated {
        /// The id of the new key.
        key: String,
        /// The ids of the keys before.
        former: Vec<String>,
        /// How many secrets were encrypted again.
        secrets: usize,
    },
    /// A backup of the store was made.
    #[serde(rename = "backup made")]
    BackupMade {
        /// The file.
        file: String,
        /// The SHA-256 of the file, in hexadecimal.
        sha256: String,
        /// Whether the encryption key is in the backup, itself encrypted with a passphrase.
        with_key: bool,
    },
    /// The store was replaced by a backup.
    #[serde(rename = "store restored")]
    StoreRestored {
        /// The file.
        file: String,
        /// The SHA-256 of the file, in hexadecimal.
        sha256: String,
        /// When the backup was made.
        made_at: String,
    },
    /// The store is older than this log, and no `store restored` explains it: somebody replaced the file by hand.
    #[serde(rename = "store set back")]
    StoreSetBack {
        /// The number of the newest record in the store.
        store_at: i64,
        /// The number of the newest record in the files.
        log_at: i64,
    },
}

/// A plugin file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PluginFile {
    /// The name of the connector.
    pub connector: String,
    /// The version of the plugin.
    pub version: String,
    /// The name of the file.
    pub file: String,
    /// The SHA-256 of the file, in hexadecimal.
    pub sha256: String,
}

/// Names of settings: the first 50, each shortened to 300 characters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Names(Vec<String>);

/// The names of the settings in which two versions of a connection differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// New settings.
    #[serde(skip_serializing_if = "Names::is_empty")]
    pub added: Names,
    /// Settings with another value.
    #[serde(skip_serializing_if = "Names::is_empty")]
    pub changed: Names,
    /// Settings that were removed.
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
        let mut first: Vec<_> = names.by_ref().take(MAX_NAMES).map(shortened).collect();
        let more = names.count();
        if more > 0 {
            first.push(format!("and {more} more"));
        }
        Names(first)
    }
}

impl Difference {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

/// The text, cut at 300 characters, so that a record stays small.
pub fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
