//! All plugins of a folder, by file and by connector name.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::load::{LoadContext, PluginFile};
use crate::plugin::Plugin;
use crate::policy::PluginPolicy;
use crate::scan::{self, Scan};
use crate::trust::Untrusted;

/// The plugins of a folder: every file, and the connectors of those that could be loaded.
#[derive(Debug)]
pub struct Plugins {
    pub(crate) folder: PathBuf,
    /// In the order of their paths.
    pub(crate) files: Vec<PluginFile>,
    /// By name in lower case.
    pub(crate) connectors: HashMap<String, Arc<Plugin>>,
    /// The configured default, in lower case; without one it is the first by name.
    default: Option<String>,
}

/// The plugins folder cannot be used.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the message names each field")]
pub enum FolderError {
    /// It cannot be read.
    #[error("the plugins folder {} cannot be read: {source}; create it, or name another one with --plugins", folder.display())]
    Read { folder: PathBuf, source: std::io::Error },
    /// Other users could put plugins there.
    #[error("the plugins folder {} is not trusted: {source}", folder.display())]
    Untrusted { folder: PathBuf, source: Untrusted },
}

/// There is no connector of that name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the connector '{name}' was not found, expected one of: {}", if known.is_empty() { "(none is loaded)".to_owned() } else { known.join(", ") })]
pub struct UnknownConnector {
    /// The name that was requested.
    pub name: String,
    /// The names of all connectors.
    pub known: Vec<String>,
}

impl Plugins {
    /// Loads every plugin file of a folder, in the order of their names. A file that cannot be loaded is kept with the
    /// reason; the others are loaded all the same.
    ///
    /// `data` is the host's data folder: copies of the files go to `<data>/plugins-cache`, and each connector gets a
    /// folder `<data>/<its name in lower case>`.
    ///
    /// # Errors
    /// The folder cannot be read, or others may write to it.
    pub fn load(folder: &Path, data: &Path, policy: &dyn PluginPolicy) -> Result<Self, FolderError> {
        Ok(Plugins::load_scanned(folder, &Plugins::scan(folder, policy)?, data, policy))
    }

    pub(crate) fn scan(folder: &Path, policy: &dyn PluginPolicy) -> Result<Scan, FolderError> {
        let read = |source| FolderError::Read { folder: folder.to_owned(), source };
        let metadata = std::fs::metadata(folder).map_err(read)?;
        policy
            .trust()
            .check_permissions(folder, &metadata)
            .map_err(|source| FolderError::Untrusted { folder: folder.to_owned(), source })?;
        scan::scan(folder).map_err(read)
    }

    /// Loads the files of a scan.
    pub(crate) fn load_scanned(folder: &Path, scan: &Scan, data: &Path, policy: &dyn PluginPolicy) -> Self {
        let mut plugins = Plugins {
            folder: folder.to_owned(),
            files: Vec::new(),
            connectors: HashMap::new(),
            default: None,
        };
        for path in scan.keys() {
            let context = LoadContext {
                data,
                policy,
                scanned: None,
                serving: &|_| None,
                other_file: &|name| {
                    plugins.connectors.get(&name.to_lowercase()).map(|plugin| plugin.path.clone())
                },
            };
            let file = PluginFile::load_in(path.clone(), &context);
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

    /// Makes a connector the default, instead of the first by name.
    ///
    /// # Errors
    /// There is no connector of that name.
    pub fn set_default(&mut self, name: &str) -> Result<(), UnknownConnector> {
        self.default = Some(self.connector(Some(name))?.key());
        Ok(())
    }

    /// The connector of a name, in any case; without a name, the default.
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

    /// The plugins folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}
