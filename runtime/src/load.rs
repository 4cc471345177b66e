//! Loads one plugin file: reads it, checks it, copies it, opens the copy, and makes the connector.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use erp_host_files::private_file;
use plugin_api::abi::client;
use plugin_api::abi::client::ConnectorClient;
use plugin_api::abi::{About, Description, Handshake};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::cache;
use crate::file_handshake;
use crate::isolation::{self, IsolatedPlugin};
use crate::library::{self, OpenError};
use crate::log_bridge::LogBridge;
use crate::object_file::{self, ObjectFileError};
use crate::plugin::Plugin;
use crate::policy::PluginPolicy;
use crate::scan::Fingerprint;
use crate::trust::Untrusted;

/// Folders of the host below the data folder: no connector may have one of these names.
const RESERVED_NAMES: [&str; 2] = [cache::FOLDER, "spool"];

/// The largest plugin file, in bytes. It is in memory while it is checked and copied. One with debug information and
/// everything that it needs has some tens of megabytes.
pub const MAX_PLUGIN_SIZE: u64 = 256 << 20;

/// The longest name of a connector.
const MAX_NAME_LENGTH: usize = 64;

/// A file of the plugins folder, and the result of loading it.
#[derive(Debug)]
pub struct PluginFile {
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of its content, in hexadecimal; `None` when it could not be read.
    pub sha256: Option<String>,
    /// Its handshake; `None` when it has none that this host can read.
    pub about: Option<About>,
    /// The plugin, or why it is not loaded.
    pub loaded: Result<Arc<Plugin>, LoadError>,
}

/// Why a plugin file is not loaded. Its `Display` is one line: the reason, and what to do.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the message names each field")]
pub enum LoadError {
    /// The file cannot be read.
    #[error("the file cannot be read: {0}; let the user of erp-host read it")]
    Read(#[source] io::Error),
    /// The file changed since the scan, or while it was read.
    #[error("it is being written; it is loaded when it stays as it is")]
    Changing,
    /// It is larger than any plugin.
    #[error("it is larger than {} MiB, which no plugin is; build it without debug information", MAX_PLUGIN_SIZE >> 20)]
    TooLarge,
    /// It is a folder or a device.
    #[error("it is not a file; take it out of the plugins folder")]
    NotAFile,
    /// Its permissions, hash or signature are not accepted.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// It is not a complete shared library for this system.
    #[error(transparent)]
    ObjectFile(#[from] ObjectFileError),
    /// The copy cannot be written.
    #[error(
        "it cannot be copied to {}: {source}; let the user of erp-host write there, and make room if the disk is full",
        folder.display()
    )]
    Copy { folder: PathBuf, source: io::Error },
    /// The system cannot load it, or it is not a plugin.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It is not compatible with this host, or its connector cannot be made.
    #[error(transparent)]
    Plugin(#[from] client::LoadError),
    /// Its worker process could not load it.
    #[error("{0}")]
    Isolated(String),
    /// Its connector's name cannot be the name of a folder.
    #[error(
        "its connector is called {0:?}; a name has up to 64 letters, digits, - and _, begins with a letter or digit, and is not the name of a folder of the host's own"
    )]
    Name(String),
    /// The handshake in its file is not the one that its code shows.
    #[error(
        "the file says that its connector is {file:?}, and its code that it is {code:?} or another build; build the plugin again"
    )]
    Mismatch { file: String, code: String },
    /// Another file has a connector of this name.
    #[error("its connector {name} is already loaded from {}; keep one of the two files", other.display())]
    Duplicate { name: String, other: PathBuf },
    /// The connector's data folder cannot be created.
    #[error("its data folder {} cannot be made: {source}; let the user of erp-host write there", folder.display())]
    DataFolder { folder: PathBuf, source: io::Error },
}

/// What loading a file depends on.
pub(crate) struct LoadContext<'a> {
    /// The host's data folder.
    pub(crate) data: &'a Path,
    pub(crate) policy: &'a dyn PluginPolicy,
    /// The file's fingerprint in the last scan; `None`: there was no scan, any fingerprint will do.
    pub(crate) scanned: Option<&'a Option<Fingerprint>>,
    /// The plugin that serves this content already, by its hash, if this file may take it over.
    pub(crate) serving: &'a dyn Fn(&str) -> Option<Arc<Plugin>>,
    /// Another file that the connector of this name is loaded from.
    pub(crate) other_file: &'a dyn Fn(&str) -> Option<PathBuf>,
}

impl PluginFile {
    /// Loads one file, as [`Plugins::load`](crate::Plugins::load) does for each file of a folder.
    pub fn load(path: PathBuf, data: &Path, policy: &dyn PluginPolicy) -> Self {
        let context = LoadContext { data, policy, scanned: None, serving: &|_| None, other_file: &|_| None };
        PluginFile::load_in(path, &context)
    }

    pub(crate) fn load_in(path: PathBuf, context: &LoadContext<'_>) -> Self {
        let mut loader = Loader { path, sha256: None, about: None };
        let loaded = loader.load(context);
        let Loader { path, sha256, about } = loader;
        PluginFile { path, sha256, about, loaded }
    }
}

/// A file that is being loaded, with what is known about it so far.
struct Loader {
    path: PathBuf,
    sha256: Option<String>,
    about: Option<About>,
}

impl Loader {
    fn load(&mut self, context: &LoadContext<'_>) -> Result<Arc<Plugin>, LoadError> {
        let (bytes, sha256) = self.read(context)?;
        if let Some(plugin) = (context.serving)(&sha256) {
            self.about = Some(plugin.about.clone());
            return Ok(if plugin.path == self.path {
                plugin
            } else {
                Arc::new(Plugin { path: self.path.clone(), ..Plugin::clone(&plugin) })
            });
        }
        object_file::check(&bytes)?;

        // Where its code may run depends on the connector's name, so the name is known before any code runs.
        let expected = if context.policy.isolates_any() {
            let about = file_handshake::read(&bytes).map_err(client::LoadError::from)?;
            self.about = Some(about.clone());
            Some(Expected { folder: prepare(&about, context)?, about })
        } else {
            None
        };
        let cache = context.data.join(cache::FOLDER);
        let copy = cache::copy(&bytes, &cache, &cache::copy_name(&sha256, &self.path))
            .map_err(|source| LoadError::Copy { folder: cache, source })?;
        drop(bytes);

        let opened = OpenedPlugin::open(&copy, context.policy, expected.as_ref())?;
        let about = opened.about()?;
        self.about = Some(about.clone());
        let folder = match expected {
            None => prepare(&about, context)?,
            Some(expected) if expected.about == about => expected.folder,
            Some(expected) => {
                return Err(LoadError::Mismatch { file: expected.about.connector, code: about.connector });
            }
        };
        let name = &about.connector;
        let _span = tracing::error_span!("load", connector = %name).entered();
        let (connector, description) = opened.make_connector(name, folder, context.policy.options(name))?;
        let Description { description, actor_types, .. } = description;
        Ok(Arc::new(Plugin { path: self.path.clone(), sha256, about, description, actor_types, connector }))
    }

    /// Reads the file and checks that it is trusted. From here on the plugin is these bytes, which nobody else can change.
    fn read(&mut self, context: &LoadContext<'_>) -> Result<(Vec<u8>, String), LoadError> {
        let metadata = fs::metadata(&self.path).map_err(LoadError::Read)?;
        if !metadata.is_file() {
            return Err(LoadError::NotAFile);
        }
        let fingerprint = Fingerprint::of(&self.path).ok();
        let file = File::open(&self.path).map_err(LoadError::Read)?;
        // Of the open file: the path may lead to another one by now.
        let opened = file.metadata().map_err(LoadError::Read)?;
        // Before it is read: a file may be larger than the memory, and take no room on the disk (a sparse file).
        if opened.len() > MAX_PLUGIN_SIZE {
            return Err(LoadError::TooLarge);
        }
        let mut bytes = Vec::new();
        file.take(MAX_PLUGIN_SIZE + 1).read_to_end(&mut bytes).map_err(LoadError::Read)?;
        if bytes.len() as u64 > MAX_PLUGIN_SIZE {
            return Err(LoadError::TooLarge);
        }
        let sha256 = hex::encode(Sha256::digest(&bytes));
        let trust = context.policy.trust();
        let trusted = trust
            .check_permissions(&self.path, &opened)
            .and_then(|()| trust.check(&self.path, &bytes, &sha256));
        // The bytes may be half of one version and half of another.
        if fingerprint.is_none()
            || fingerprint != Fingerprint::of(&self.path).ok()
            || context.scanned.is_some_and(|scanned| *scanned != fingerprint)
        {
            return Err(LoadError::Changing);
        }
        self.sha256 = Some(sha256.clone());
        trusted?;
        Ok((bytes, sha256))
    }
}

/// What the file of a plugin says about it, which its code must confirm.
struct Expected {
    about: About,
    folder: PathBuf,
}

/// Checks that a connector fits this host, and creates its data folder. Returns the folder, as an absolute path: a connector
/// does not depend on the working directory.
fn prepare(about: &About, context: &LoadContext<'_>) -> Result<PathBuf, LoadError> {
    about.check().map_err(client::LoadError::from)?;
    let name = &about.connector;
    if !is_name(name) {
        return Err(LoadError::Name(name.clone()));
    }
    if let Some(other) = (context.other_file)(name) {
        return Err(LoadError::Duplicate { name: name.clone(), other });
    }
    let folder = context.data.join(name.to_lowercase());
    private_file::make_folder(&folder)
        .and_then(|()| std::path::absolute(&folder))
        .map_err(|source| LoadError::DataFolder { folder, source })
}

/// A plugin whose library is open, and whose connector is not made yet.
enum OpenedPlugin {
    InProcess(&'static Handshake),
    Isolated(Box<IsolatedPlugin>),
}

impl OpenedPlugin {
    /// Opens a file where its connector is configured to run. Without `expected` no connector runs in a worker process.
    fn open(copy: &Path, policy: &dyn PluginPolicy, expected: Option<&Expected>) -> Result<Self, LoadError> {
        let confined =
            expected.and_then(|expected| Some((expected, policy.confinement(&expected.about.connector)?)));
        let Some((Expected { about, folder }, confinement)) = confined else {
            return Ok(OpenedPlugin::InProcess(library::open(copy)?));
        };
        if let Some(user) = &confinement.user {
            isolation::grant_access(copy, folder, user).map_err(LoadError::Isolated)?;
        }
        let opened = IsolatedPlugin::open(copy.to_owned(), folder.clone(), &confinement, &about.connector);
        opened.map(Box::new).map(OpenedPlugin::Isolated).map_err(LoadError::Isolated)
    }

    fn about(&self) -> Result<About, LoadError> {
        Ok(match self {
            OpenedPlugin::InProcess(handshake) => handshake.about().map_err(client::LoadError::from)?,
            OpenedPlugin::Isolated(plugin) => plugin.about.clone(),
        })
    }

    fn make_connector(
        self,
        name: &str,
        folder: PathBuf,
        options: Vec<(String, String)>,
    ) -> Result<(ConnectorClient, Description), LoadError> {
        let version = env!("CARGO_PKG_VERSION");
        match self {
            OpenedPlugin::InProcess(handshake) => {
                let host = client::host(version, folder, options);
                Ok(client::load(handshake, &host, LogBridge::new(name))?)
            }
            OpenedPlugin::Isolated(plugin) => {
                let Some(folder) = folder.to_str() else {
                    return Err(client::LoadError::DataFolder(folder).into());
                };
                plugin.make_connector(version, folder, &options).map_err(LoadError::Isolated)
            }
        }
    }
}

/// Whether a connector's name can stand in a URL, and be the name of its data folder.
pub fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    name.len() <= MAX_NAME_LENGTH
        && name.chars().all(is_plain)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !RESERVED_NAMES.iter().any(|reserved| name.eq_ignore_ascii_case(reserved))
}
