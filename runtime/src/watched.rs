//! The plugins folder of a running host: looked into again and again, its connectors replaced and retired as its files
//! are.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::load::{self, Around};
use super::look::Look;
use super::{FolderError, LoadError, Plugin, PluginFile, Plugins, Rules, copies};

/// Characters of a hash that tell two files apart well enough for people.
const HASH_SHOWN: usize = 12;

/// The plugins of a folder that is watched.
///
/// The rules: A file counts when two looks in a row have shown it unchanged. A file that cannot be loaded leaves the
/// connector serving that it was to replace. A file counts as gone when two looks in a row have not shown it and no other
/// one is just being written, for that may be what takes its place.
#[derive(Debug)]
pub struct Watched {
    plugins: Plugins,
    data: PathBuf,
    /// What the last look has shown.
    before: Look,
    /// The files that were dealt with, as they were then.
    known: Look,
}

/// What a look has changed. Its `Display` is one line.
#[derive(Debug)]
pub enum Change {
    /// A connector that was not there.
    Installed(Arc<Plugin>),
    /// Another version of a connector, or another build.
    Replaced {
        /// What serves now.
        plugin: Arc<Plugin>,
        /// The version that served before.
        before: String,
    },
    /// The same file under another name.
    Renamed {
        /// What serves, as before.
        plugin: Arc<Plugin>,
        /// The file's name before.
        before: String,
    },
    /// A connector that no file holds any more.
    Retired {
        /// The connector's name.
        connector: String,
        /// The version that served.
        version: String,
        /// The name of the file that held it.
        file: String,
        /// What it held, in hexadecimal.
        sha256: String,
    },
    /// A file that is not loaded.
    Refused {
        /// The file's name.
        file: String,
        /// Why, and what to do.
        reason: String,
        /// What serves in its place: a connector's name and version.
        serving: Option<(String, String)>,
    },
}

impl Watched {
    /// Loads every plugin file of a folder, as [`Plugins::load`] does.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn load(folder: &Path, data: &Path, rules: &dyn Rules) -> Result<Self, FolderError> {
        // The look comes first, so that what is written while the files are loaded is seen as a change.
        let before = Plugins::look(folder, rules)?;
        let plugins = Plugins::load_seen(folder, &before, data, rules);
        copies::clean(data, &plugins);
        let mut known = before.clone();
        for file in plugins.files.iter().filter(|file| matches!(file.loaded, Err(LoadError::Changing))) {
            known.remove(&file.path);
        }
        Ok(Watched { plugins, data: data.to_owned(), before, known })
    }

    /// The plugins as they are now.
    pub fn plugins(&self) -> &Plugins {
        &self.plugins
    }

    /// Whether the last look has shown nothing that still has to be dealt with.
    pub fn is_settled(&self) -> bool {
        self.before == self.known
    }

    /// Looks into the folder, and does what is to be done. `again`: also tries files again that could not be loaded.
    ///
    /// As a file is trusted when two looks show it the same, there should be a second between them.
    ///
    /// # Errors
    /// The folder cannot be read: then everything serves on.
    pub fn look(&mut self, rules: &dyn Rules, again: bool) -> Result<Vec<Change>, FolderError> {
        let now = Plugins::look(&self.plugins.folder, rules)?;
        let is_as_before = |(path, mark): &(&PathBuf, &_)| self.before.get(*path) == Some(*mark);
        let is_due = |(path, mark): &(&PathBuf, &_)| {
            self.known.get(*path) != Some(*mark) || (again && self.is_refused(path))
        };
        let due: Vec<PathBuf> =
            now.iter().filter(is_as_before).filter(is_due).map(|(path, _)| path.clone()).collect();
        let known = self.known.len();
        if now.iter().all(|file| is_as_before(&file)) {
            self.known.retain(|path, _| now.contains_key(path) || self.before.contains_key(path));
        }
        let is_anything_gone = self.known.len() < known;
        self.before.clone_from(&now);
        if due.is_empty() && !is_anything_gone {
            return Ok(Vec::new());
        }
        Ok(self.heed(&now, due, rules))
    }

    fn is_refused(&self, path: &Path) -> bool {
        self.plugins.file(path).is_some_and(|file| file.loaded.is_err())
    }

    /// Deals with the files that are due, and with those that have gone.
    fn heed(&mut self, now: &Look, due: Vec<PathBuf>, rules: &dyn Rules) -> Vec<Change> {
        self.plugins.files.retain(|file| now.contains_key(&file.path));
        let mut changes = Vec::new();
        for path in due {
            changes.extend(self.take(path, now, rules));
        }
        for path in self.freed(now) {
            changes.extend(self.take(path, now, rules));
        }
        self.retire(now, &mut changes);
        changes
    }

    /// Loads a file, and lets its connector serve if that works.
    fn take(&mut self, path: PathBuf, now: &Look, rules: &dyn Rules) -> Option<Change> {
        let seen = now.get(&path)?;
        // Before, for a connector that hangs as it is made leaves no other line.
        tracing::debug!(file = name_of(&path), "loading");
        let plugins = &self.plugins;
        let file = load::load(
            path.clone(),
            &Around {
                data: &self.data,
                rules,
                seen: Some(seen),
                serving: &|sha256| plugins.serving(sha256, &path, now),
                holder: &|name| plugins.holder(name, &path, now),
            },
        );
        if matches!(file.loaded, Err(LoadError::Changing)) {
            // Not known, so that the next looks deal with it.
            return None;
        }
        self.known.insert(path, seen.clone());
        let change = match &file.loaded {
            Ok(plugin) => self.plugins.serve(plugin),
            Err(error) => Some(self.plugins.refused(&file, error)),
        };
        self.plugins.put_file(file);
        change
    }

    /// Files that were refused for a connector of the same name which another file held, and holds no more.
    fn freed(&self, now: &Look) -> Vec<PathBuf> {
        let is_freed = |file: &&PluginFile| match &file.loaded {
            Err(LoadError::Duplicate { name, .. }) => self.plugins.holder(name, &file.path, now).is_none(),
            _ => false,
        };
        self.plugins.files.iter().filter(is_freed).map(|file| file.path.clone()).collect()
    }

    /// Takes out the connectors whose file has gone, or holds something else now.
    fn retire(&mut self, now: &Look, changes: &mut Vec<Change>) {
        let Plugins { files, connectors, .. } = &mut self.plugins;
        let known = &self.known;
        connectors.retain(|_, plugin| {
            let is_there = now.contains_key(&plugin.path) || known.contains_key(&plugin.path);
            // A bad new version leaves the old one serving, also when the old one's file has gone already.
            let fails = |file: &PluginFile| {
                file.loaded.is_err()
                    && file.about.as_ref().is_some_and(|about| plugin.is_called(&about.connector))
            };
            if (is_there && plugin.is_held_by(files)) || files.iter().any(fails) {
                return true;
            }
            changes.push(Change::Retired {
                connector: plugin.name().to_owned(),
                version: plugin.about.version.clone(),
                file: name_of(&plugin.path),
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

    /// Puts a file in its place among the others.
    fn put_file(&mut self, file: PluginFile) {
        match self.files.binary_search_by(|other| other.path.cmp(&file.path)) {
            Ok(place) => self.files[place] = file,
            Err(place) => self.files.insert(place, file),
        }
    }

    /// The plugin that serves this content, if it came from this file, or from one that has gone.
    fn serving(&self, sha256: &str, path: &Path, now: &Look) -> Option<Arc<Plugin>> {
        let is_it = |plugin: &&Arc<Plugin>| {
            plugin.sha256 == sha256 && (plugin.path == path || !now.contains_key(&plugin.path))
        };
        self.connectors.values().find(is_it).cloned()
    }

    /// The other file that holds the connector of this name.
    fn holder(&self, name: &str, path: &Path, now: &Look) -> Option<PathBuf> {
        let plugin = self.connectors.get(&name.to_lowercase())?;
        let is_held = plugin.path != path && now.contains_key(&plugin.path) && plugin.is_held_by(&self.files);
        is_held.then(|| plugin.path.clone())
    }

    /// Lets a plugin serve, in the place of one of the same name.
    fn serve(&mut self, plugin: &Arc<Plugin>) -> Option<Change> {
        let plugin = Arc::clone(plugin);
        match self.connectors.insert(plugin.key(), Arc::clone(&plugin)) {
            None => Some(Change::Installed(plugin)),
            Some(before) if before.sha256 != plugin.sha256 => {
                Some(Change::Replaced { plugin, before: before.about.version.clone() })
            }
            Some(before) if before.path != plugin.path => {
                Some(Change::Renamed { plugin, before: name_of(&before.path) })
            }
            Some(_) => None,
        }
    }

    fn refused(&self, file: &PluginFile, error: &LoadError) -> Change {
        let is_its = |plugin: &&Arc<Plugin>| {
            plugin.path == file.path
                || file.about.as_ref().is_some_and(|about| plugin.is_called(&about.connector))
        };
        // Of a duplicate the error says already what serves.
        let serving = match error {
            LoadError::Duplicate { .. } => None,
            _ => self.connectors.values().find(is_its),
        };
        Change::Refused {
            file: name_of(&file.path),
            reason: error.to_string(),
            serving: serving.map(|plugin| (plugin.name().to_owned(), plugin.about.version.clone())),
        }
    }
}

impl Plugin {
    fn is_called(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name)
    }

    /// Whether its file, as far as it could be loaded since, still holds this connector.
    fn is_held_by(&self, files: &[PluginFile]) -> bool {
        let is_other = |file: &PluginFile| {
            file.path == self.path && file.loaded.as_ref().is_ok_and(|plugin| !plugin.is_called(self.name()))
        };
        !files.iter().any(is_other)
    }

    /// The file's name, without the folder.
    pub fn file_name(&self) -> String {
        name_of(&self.path)
    }

    /// The beginning of its hash, which tells it from other builds well enough for people.
    pub fn short_hash(&self) -> &str {
        short(&self.sha256)
    }
}

impl Change {
    /// Leaves one line in the log.
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
                    sha256 = short(sha256),
                    "retired: no file holds it any more"
                );
            }
            Change::Refused { .. } => tracing::warn!("{self}"),
        }
    }

    /// The name of the file that it is about.
    pub fn file(&self) -> String {
        match self {
            Change::Installed(plugin) | Change::Replaced { plugin, .. } | Change::Renamed { plugin, .. } => {
                plugin.file_name()
            }
            Change::Retired { file, .. } | Change::Refused { file, .. } => file.clone(),
        }
    }

    /// Whether it is a file that is not loaded.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Change::Refused { .. })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about =
            |plugin: &Plugin| (plugin.file_name(), plugin.name().to_owned(), plugin.about.version.clone());
        match self {
            Change::Installed(plugin) => {
                let (file, name, version) = about(plugin);
                write!(f, "{file}: {name} {version} is installed (sha256 {})", plugin.short_hash())
            }
            Change::Replaced { plugin, before } => {
                let (file, name, version) = about(plugin);
                let hash = plugin.short_hash();
                write!(f, "{file}: {name} {before} is replaced by {version} (sha256 {hash})")
            }
            Change::Renamed { plugin, before } => {
                let (file, name, version) = about(plugin);
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

/// The name of a file, for the folder is the same for all.
fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn short(sha256: &str) -> &str {
    sha256.get(..HASH_SHOWN).unwrap_or(sha256)
}
