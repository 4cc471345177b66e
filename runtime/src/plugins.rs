//! The plugins of a folder.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plugin_api::abi::About;
use plugin_api::abi::client::ConnectorClient;
use thiserror::Error;

use crate::load::{self, Around, LoadError};
use crate::look::{self, Look};
use crate::rules::Rules;
use crate::trust::Untrusted;

/// The plugins of a folder: every file, and the connectors of those that could be loaded.
#[derive(Debug)]
pub struct Plugins {
    pub(crate) folder: PathBuf,
    pub(crate) files: Vec<PluginFile>,
    /// By name in lower case.
    pub(crate) connectors: HashMap<String, Arc<Plugin>>,
    /// The name of the default one, where it is not the first.
    default: Option<String>,
}

/// A file of the plugins folder, and what became of it.
#[derive(Debug)]
pub struct PluginFile {
    /// The file.
    pub path: PathBuf,
    /// What it holds, in hexadecimal; `None` when it could not be read.
    pub sha256: Option<String>,
    /// What it says about itself; `None` when it says nothing that this host understands.
    pub about: Option<About>,
    /// The plugin, or why it is not there.
    pub loaded: Result<Arc<Plugin>, LoadError>,
}

/// A loaded plugin. Whoever uses its connector keeps it, so that it may be replaced by another one at any time.
#[derive(Debug, Clone)]
pub struct Plugin {
    /// The file it was loaded from (a copy of it, to be exact).
    pub path: PathBuf,
    /// What the file held, in hexadecimal.
    pub sha256: String,
    /// Name, versions, compiler and target.
    pub about: About,
    /// One line for the operator.
    pub description: String,
    /// The actor types that its connections may have, where that is known beforehand.
    pub actor_types: Vec<String>,
    /// The connector.
    pub connector: ConnectorClient,
}

/// The plugins folder is of no use.
#[derive(Debug, Error)]
pub enum FolderError {
    /// It cannot be read.
    #[error("the plugins folder {} cannot be read: {source}; create it, or name another one with --plugins", folder.display())]
    Read {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others than the operator could put plugins there.
    #[error("the plugins folder {} is not trusted: {source}", folder.display())]
    Untrusted {
        /// The folder.
        folder: PathBuf,
        /// Why, and what to do.
        source: Untrusted,
    },
}

/// There is no connector of that name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the connector '{name}' was not found, expected one of: {}", if known.is_empty() { "(none is loaded)".to_owned() } else { known.join(", ") })]
pub struct UnknownConnector {
    /// The name that was asked for.
    pub name: String,
    /// The names that there are.
    pub known: Vec<String>,
}

impl Plugins {
    /// Loads every plugin file of a folder, in the order of their names. A file that cannot be loaded is kept with the
    /// reason and stops no other one.
    ///
    /// `data` is the host's data folder: copies of the files go to `<data>/plugins-cache`, and each connector gets a
    /// folder `<data>/<its name in lower case>`.
    ///
    /// # Errors
    /// The folder cannot be read, or others may write to it.
    pub fn load(folder: &Path, data: &Path, rules: &dyn Rules) -> Result<Self, FolderError> {
        Ok(Plugins::load_seen(folder, &Plugins::look(folder, rules)?, data, rules))
    }

    pub(crate) fn look(folder: &Path, rules: &dyn Rules) -> Result<Look, FolderError> {
        let read = |source| FolderError::Read { folder: folder.to_owned(), source };
        let metadata = std::fs::metadata(folder).map_err(read)?;
        rules
            .trust()
            .check_permissions(folder, &metadata)
            .map_err(|source| FolderError::Untrusted { folder: folder.to_owned(), source })?;
        look::look(folder).map_err(read)
    }

    /// Loads the files that a look has shown.
    pub(crate) fn load_seen(folder: &Path, seen: &Look, data: &Path, rules: &dyn Rules) -> Self {
        let mut plugins = Plugins {
            folder: folder.to_owned(),
            files: Vec::new(),
            connectors: HashMap::new(),
            default: None,
        };
        for path in seen.keys() {
            let around = Around {
                data,
                rules,
                seen: None,
                serving: &|_| None,
                holder: &|name| {
                    plugins.connectors.get(&name.to_lowercase()).map(|plugin| plugin.path.clone())
                },
            };
            let file = load::load(path.clone(), &around);
            match &file.loaded {
                Ok(plugin) => {
                    plugins.connectors.insert(plugin.key(), Arc::clone(plugin));
                }
                Err(error) => tracing::warn!("plugin {} is not loaded: {error}", file.path.display()),
            }
            plugins.files.push(file);
        }
        plugins
    }

    /// Makes a connector the default one, instead of the first one by name.
    ///
    /// # Errors
    /// There is no connector of that name.
    pub fn set_default(&mut self, name: &str) -> Result<(), UnknownConnector> {
        self.default = Some(self.connector(Some(name))?.key());
        Ok(())
    }

    /// The connector of a name, in any case; without a name, the default one.
    ///
    /// # Errors
    /// There is no such connector.
    pub fn connector(&self, name: Option<&str>) -> Result<&Arc<Plugin>, UnknownConnector> {
        let found = match name {
            Some(name) => self.connectors.get(&name.to_lowercase()),
            None => self.default_connector(),
        };
        found.ok_or_else(|| UnknownConnector {
            name: name.unwrap_or_default().to_owned(),
            known: self.connectors().iter().map(|plugin| plugin.name().to_owned()).collect(),
        })
    }

    /// The default connector; `None` when there is no connector.
    pub fn default_connector(&self) -> Option<&Arc<Plugin>> {
        match &self.default {
            Some(key) => self.connectors.get(key),
            None => self.connectors().first().copied(),
        }
    }

    /// All connectors, in the order of their names.
    pub fn connectors(&self) -> Vec<&Arc<Plugin>> {
        let mut connectors: Vec<_> = self.connectors.values().collect();
        connectors.sort_by_key(|plugin| plugin.name().to_lowercase());
        connectors
    }

    /// All files, in the order of their names.
    pub fn files(&self) -> &[PluginFile] {
        &self.files
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl PluginFile {
    /// Loads one file, as [`Plugins::load`] does with those of a folder.
    pub fn load(path: PathBuf, data: &Path, rules: &dyn Rules) -> Self {
        load::load(path, &Around { data, rules, seen: None, serving: &|_| None, holder: &|_| None })
    }
}

impl Plugin {
    /// The connector's name.
    pub fn name(&self) -> &str {
        self.connector.name()
    }

    /// The name as it is compared.
    pub(crate) fn key(&self) -> String {
        self.name().to_lowercase()
    }
}
