//! Hot reload: watches the plugins folder of a running host, and replaces and retires connectors as its files change.

mod change;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use change::Change;

use crate::cache;
use crate::load::{LoadContext, LoadError, PluginFile};
use crate::plugin::{Plugin, file_name};
use crate::plugins::{FolderError, Plugins};
use crate::policy::PluginPolicy;
use crate::scan::Scan;

/// The plugins of a folder that is watched by polling.
///
/// The rules:
/// - A file is loaded when two scans in a row have shown it unchanged (debouncing): it may still be being written.
/// - A file that cannot be loaded leaves the old version of its connector serving.
/// - A file counts as removed when two scans in a row have not shown it, and no other file is just being written, which
///   may be its replacement.
#[derive(Debug)]
pub struct PluginWatcher {
    plugins: Plugins,
    /// The host's data folder.
    data: PathBuf,
    /// The last scan.
    previous: Scan,
    /// The files that were loaded or refused, with their fingerprints at that time.
    processed: Scan,
}

impl PluginWatcher {
    /// Loads every plugin file of a folder, as [`Plugins::load`] does, and deletes copies in the cache that no file needs
    /// any more.
    ///
    /// # Errors
    /// The folder cannot be read, or others may write to it.
    pub fn load(folder: &Path, data: &Path, policy: &dyn PluginPolicy) -> Result<Self, FolderError> {
        // Scanned before loading: what is written meanwhile is found as a change by the next scan.
        let previous = Plugins::scan(folder, policy)?;
        let plugins = Plugins::load_scanned(folder, &previous, data, policy);
        // The copies of files that could not be loaded stay too, because they may be tried again.
        let copy_name = |file: &PluginFile| Some(cache::copy_name(file.sha256.as_deref()?, &file.path));
        cache::remove_unused(data, &plugins.files.iter().filter_map(copy_name).collect());
        let mut processed = previous.clone();
        for file in plugins.files.iter().filter(|file| matches!(file.loaded, Err(LoadError::Changing))) {
            processed.remove(&file.path);
        }
        Ok(PluginWatcher { plugins, data: data.to_owned(), previous, processed })
    }

    /// The plugins as they are now.
    pub fn plugins(&self) -> &Plugins {
        &self.plugins
    }

    /// Whether everything that the last scan found has been applied.
    pub fn is_settled(&self) -> bool {
        self.previous == self.processed
    }

    /// Scans the folder, and applies what has changed. `retry`: also loads unchanged files again that were refused.
    ///
    /// Call it about once a second: a file is taken for complete when two scans show it unchanged.
    ///
    /// # Errors
    /// The folder cannot be read, or others may write to it. All connectors keep serving then.
    pub fn poll(&mut self, policy: &dyn PluginPolicy, retry: bool) -> Result<Vec<Change>, FolderError> {
        let current = Plugins::scan(&self.plugins.folder, policy)?;
        let is_stable = |(path, fingerprint): &(&PathBuf, &_)| self.previous.get(*path) == Some(*fingerprint);
        let is_due = |(path, fingerprint): &(&PathBuf, &_)| {
            self.processed.get(*path) != Some(*fingerprint) || (retry && self.is_refused(path))
        };
        let due: Vec<PathBuf> =
            current.iter().filter(is_stable).filter(is_due).map(|(path, _)| path.clone()).collect();
        let count = self.processed.len();
        if current.iter().all(|file| is_stable(&file)) {
            let previous = &self.previous;
            self.processed.retain(|path, _| current.contains_key(path) || previous.contains_key(path));
        }
        let has_removed = self.processed.len() < count;
        self.previous.clone_from(&current);
        if due.is_empty() && !has_removed {
            return Ok(Vec::new());
        }
        Ok(self.apply(&current, due, policy))
    }

    fn is_refused(&self, path: &Path) -> bool {
        self.plugins.file(path).is_some_and(|file| file.loaded.is_err())
    }

    /// Loads the files that are due, and retires the connectors of files that were removed.
    fn apply(&mut self, scan: &Scan, due: Vec<PathBuf>, policy: &dyn PluginPolicy) -> Vec<Change> {
        self.plugins.files.retain(|file| scan.contains_key(&file.path));
        let mut changes = Vec::new();
        for path in due {
            changes.extend(self.load_file(path, scan, policy));
        }
        for path in self.former_duplicates(scan) {
            changes.extend(self.load_file(path, scan, policy));
        }
        self.retire(scan, &mut changes);
        changes
    }

    /// Loads a file. Its connector serves from now on if that succeeds.
    fn load_file(&mut self, path: PathBuf, scan: &Scan, policy: &dyn PluginPolicy) -> Option<Change> {
        let fingerprint = scan.get(&path)?;
        // Logged before: it is the only line about a connector that hangs while it is made.
        tracing::debug!(file = file_name(&path), "loading");
        let plugins = &self.plugins;
        let file = PluginFile::load_in(
            path.clone(),
            &LoadContext {
                data: &self.data,
                policy,
                scanned: Some(fingerprint),
                serving: &|sha256| plugins.serving(sha256, &path, scan),
                other_file: &|name| plugins.other_file(name, &path, scan),
            },
        );
        if matches!(file.loaded, Err(LoadError::Changing)) {
            // Not processed: the next scans find it again.
            return None;
        }
        self.processed.insert(path, fingerprint.clone());
        let change = match &file.loaded {
            Ok(plugin) => self.plugins.serve(plugin),
            Err(error) => Some(self.plugins.refusal(&file, error)),
        };
        self.plugins.insert_file(file);
        change
    }

    /// Files that were refused because another file had the same connector, and that other file has it no more.
    fn former_duplicates(&self, scan: &Scan) -> Vec<PathBuf> {
        let is_free = |file: &&PluginFile| match &file.loaded {
            Err(LoadError::Duplicate { name, .. }) => {
                self.plugins.other_file(name, &file.path, scan).is_none()
            }
            _ => false,
        };
        self.plugins.files.iter().filter(is_free).map(|file| file.path.clone()).collect()
    }

    /// Removes the connectors whose file was removed, or contains another connector now.
    fn retire(&mut self, scan: &Scan, changes: &mut Vec<Change>) {
        let Plugins { files, connectors, .. } = &mut self.plugins;
        let processed = &self.processed;
        connectors.retain(|_, plugin| {
            let has_file = scan.contains_key(&plugin.path) || processed.contains_key(&plugin.path);
            // A bad new version leaves the old one serving, even when the old one's file was removed.
            let is_bad_version = |file: &PluginFile| {
                file.loaded.is_err()
                    && file.about.as_ref().is_some_and(|about| plugin.has_name(&about.connector))
            };
            if (has_file && is_in_own_file(plugin, files)) || files.iter().any(is_bad_version) {
                return true;
            }
            changes.push(Change::Retired {
                connector: plugin.name().to_owned(),
                version: plugin.about.version.clone(),
                file: file_name(&plugin.path),
                sha256: plugin.sha256.clone(),
            });
            false
        });
    }
}

impl Plugins {
    fn file(&self, path: &Path) -> Option<&PluginFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Inserts or replaces a file, in the order of their paths.
    fn insert_file(&mut self, file: PluginFile) {
        match self.files.binary_search_by(|other| other.path.cmp(&file.path)) {
            Ok(index) => self.files[index] = file,
            Err(index) => self.files.insert(index, file),
        }
    }

    /// The plugin that serves this content, if it came from this file or from one that was removed.
    fn serving(&self, sha256: &str, path: &Path, scan: &Scan) -> Option<Arc<Plugin>> {
        let is_same = |plugin: &&Arc<Plugin>| {
            plugin.sha256 == sha256 && (plugin.path == path || !scan.contains_key(&plugin.path))
        };
        self.connectors.values().find(is_same).cloned()
    }

    /// The other file that the connector of this name is loaded from.
    fn other_file(&self, name: &str, path: &Path, scan: &Scan) -> Option<PathBuf> {
        let plugin = self.connectors.get(&name.to_lowercase())?;
        let is_loaded =
            plugin.path != path && scan.contains_key(&plugin.path) && is_in_own_file(plugin, &self.files);
        is_loaded.then(|| plugin.path.clone())
    }

    /// Lets a plugin serve, and returns what that changes.
    fn serve(&mut self, plugin: &Arc<Plugin>) -> Option<Change> {
        let plugin = Arc::clone(plugin);
        match self.connectors.insert(plugin.key(), Arc::clone(&plugin)) {
            None => Some(Change::Installed(plugin)),
            Some(before) if before.sha256 != plugin.sha256 => {
                Some(Change::Replaced { plugin, before: before.about.version.clone() })
            }
            Some(before) if before.path != plugin.path => {
                Some(Change::Renamed { plugin, before: file_name(&before.path) })
            }
            Some(_) => None,
        }
    }

    fn refusal(&self, file: &PluginFile, error: &LoadError) -> Change {
        let is_replaced = |plugin: &&Arc<Plugin>| {
            plugin.path == file.path
                || file.about.as_ref().is_some_and(|about| plugin.has_name(&about.connector))
        };
        // The text of a duplicate names what serves already.
        let serving = match error {
            LoadError::Duplicate { .. } => None,
            _ => self.connectors.values().find(is_replaced),
        };
        Change::Refused {
            file: file_name(&file.path),
            reason: error.to_string(),
            serving: serving.map(|plugin| (plugin.name().to_owned(), plugin.about.version.clone())),
        }
    }
}

/// Whether a plugin's file still contains its connector. A file that cannot be loaded any more counts as if it did.
fn is_in_own_file(plugin: &Plugin, files: &[PluginFile]) -> bool {
    let has_other_connector = |file: &PluginFile| {
        file.path == plugin.path && file.loaded.as_ref().is_ok_and(|loaded| !loaded.has_name(plugin.name()))
    };
    !files.iter().any(has_other_connector)
}
