//! Loading one plugin file: read, look, copy, open, shake hands, make the connector.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plugin_api::abi::client;
use plugin_api::abi::client::ConnectorClient;
use plugin_api::abi::{About, Description, Handshake};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::image::{self, ImageError};
use super::isolation::{self, Opened};
use super::library::{self, OpenError};
use super::log::ToTracing;
use super::look::Mark;
use super::trust::Untrusted;
use super::{Plugin, PluginFile, Rules};

/// The folder of the copies, below the data folder.
pub(super) const CACHE: &str = "plugins-cache";

/// Folders of the host's own below the data folder: no connector is called so.
const TAKEN: [&str; 2] = [CACHE, "spool"];

/// Why a plugin file is not loaded. Its `Display` is one line: the reason, and what to do.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("the file cannot be read: {0}; let the user of erp-host read it")]
    Read(#[source] io::Error),
    /// Somebody writes to it at the moment.
    #[error("it is being written; it is loaded when it stays as it is")]
    Changing,
    /// It is a folder or a device.
    #[error("it is not a file; take it out of the plugins folder")]
    NotAFile,
    /// It is not trusted.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// It is no library, or not a whole one.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The copy cannot be made.
    #[error("it cannot be copied to {}: {source}; let the user of erp-host write there", folder.display())]
    Copy {
        /// The folder of the copies.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system's loader refuses it.
    #[error("the system cannot load it: {0}; build the plugin on a system like this one")]
    Open(String),
    /// It does not fit, or its connector cannot be made.
    #[error(transparent)]
    Plugin(#[from] client::LoadError),
    /// The worker process that it is to run in says so.
    #[error("{0}")]
    Isolated(String),
    /// Its connector's name cannot be the name of a folder.
    #[error(
        "its connector is called {0:?}; a name has up to 64 letters, digits, - and _, begins with a letter or digit, and is not the name of a folder of the host's own"
    )]
    Name(String),
    /// Another file has a connector of this name.
    #[error("its connector {name} is already loaded from {}; keep one of the two files", other.display())]
    Duplicate {
        /// The connector's name.
        name: String,
        /// The file that came first.
        other: PathBuf,
    },
    /// The connector's own folder cannot be made.
    #[error("its data folder {} cannot be made: {source}; let the user of erp-host write there", folder.display())]
    DataFolder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What loading a file has to know of everything around it.
pub(super) struct Around<'a> {
    /// The host's data folder.
    pub(super) data: &'a Path,
    /// What the operator has decided.
    pub(super) rules: &'a dyn Rules,
    /// What a look has shown of the file; `None` when nobody has looked.
    pub(super) seen: Option<&'a Option<Mark>>,
    /// The plugin that already serves this content (by its hash), if the file may take its place.
    pub(super) serving: &'a dyn Fn(&str) -> Option<Arc<Plugin>>,
    /// Another file that a connector of this name is loaded from.
    pub(super) holder: &'a dyn Fn(&str) -> Option<PathBuf>,
}

/// Loads a plugin file.
pub(super) fn load(path: PathBuf, around: &Around<'_>) -> PluginFile {
    let mut file = Loading { path, sha256: None, about: None };
    let loaded = file.load(around);
    let Loading { path, sha256, about } = file;
    PluginFile { path, sha256, about, loaded }
}

/// What is known of a file so far.
struct Loading {
    path: PathBuf,
    sha256: Option<String>,
    about: Option<About>,
}

impl Loading {
    fn load(&mut self, around: &Around<'_>) -> Result<Arc<Plugin>, LoadError> {
        let metadata = fs::metadata(&self.path).map_err(LoadError::Read)?;
        if !metadata.is_file() {
            return Err(LoadError::NotAFile);
        }
        let mark = Mark::of(&self.path).ok();
        let mut file = File::open(&self.path).map_err(LoadError::Read)?;
        // Of what was opened, whatever has the name by now.
        let opened = file.metadata().map_err(LoadError::Read)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(LoadError::Read)?;
        let sha256 = hexadecimal(&Sha256::digest(&bytes));
        let trust = around.rules.trust();
        // From here on the file is these bytes, which nobody else can change.
        let trusted = trust
            .check_permissions(&self.path, &opened)
            .and_then(|()| trust.check(&self.path, &bytes, &sha256));
        // Written to since the look, or while it was read: what was read may be half of one file and half of another.
        if mark.is_none()
            || mark != Mark::of(&self.path).ok()
            || around.seen.is_some_and(|seen| *seen != mark)
        {
            return Err(LoadError::Changing);
        }
        self.sha256 = Some(sha256.clone());
        trusted?;
        if let Some(plugin) = (around.serving)(&sha256) {
            self.about = Some(plugin.about.clone());
            return Ok(if plugin.path == self.path {
                plugin
            } else {
                Arc::new(Plugin { path: self.path.clone(), ..Plugin::clone(&plugin) })
            });
        }
        image::check(&bytes)?;

        let Around { data, rules, .. } = around;
        let cache = data.join(CACHE);
        let copy = library::copy(&bytes, &cache, &copy_name(&sha256, &self.path))
            .map_err(|source| LoadError::Copy { folder: cache, source })?;
        drop(bytes);
        let label = self.path.file_name().unwrap_or_default().to_string_lossy();
        let opened = Way::open(&copy, *rules, &label)?;
        let about = opened.about()?;
        self.about = Some(about.clone());
        about.check().map_err(client::LoadError::from)?;

        let name = &about.connector;
        if !is_name(name) {
            return Err(LoadError::Name(name.clone()));
        }
        if let Some(other) = (around.holder)(name) {
            return Err(LoadError::Duplicate { name: name.clone(), other });
        }
        let folder = data.join(name.to_lowercase());
        library::make_private_folder(&folder)
            .map_err(|source| LoadError::DataFolder { folder: folder.clone(), source })?;
        // As a connector's settings may be relative to it, it must not depend on where the process stands.
        let folder =
            std::path::absolute(&folder).map_err(|source| LoadError::DataFolder { folder, source })?;
        let _span = tracing::error_span!("load", connector = %name).entered();
        let opened = opened.settle(&copy, &folder, *rules, name)?;
        let (connector, description) = opened.load(name, folder, rules.options(name))?;
        let Description { description, actor_types, .. } = description;
        Ok(Arc::new(Plugin { path: self.path.clone(), sha256, about, description, actor_types, connector }))
    }
}

/// The name of the copy of a file that holds this.
pub(super) fn copy_name(sha256: &str, path: &Path) -> String {
    format!("{sha256}-{}", path.file_name().unwrap_or_default().to_string_lossy())
}

/// Where a plugin was opened.
enum Way {
    /// In the host's process.
    Here(&'static Handshake),
    /// In a process of its own.
    Apart(Box<Opened>),
}

impl Way {
    /// Opens a file of which nobody knows yet whose it is.
    fn open(copy: &Path, rules: &dyn Rules, label: &str) -> Result<Self, LoadError> {
        match rules.first_confinement() {
            None => Way::here(copy),
            Some(confinement) => Opened::open(copy.to_owned(), &confinement, label)
                .map(Box::new)
                .map(Way::Apart)
                .map_err(LoadError::Isolated),
        }
    }

    fn here(copy: &Path) -> Result<Self, LoadError> {
        library::open(copy).map(Way::Here).map_err(|error| match error {
            OpenError::System(error) => LoadError::Open(told(&error, copy)),
            OpenError::Refused(refused) => LoadError::Plugin(refused.into()),
        })
    }

    /// What the plugin says about itself.
    fn about(&self) -> Result<About, LoadError> {
        Ok(match self {
            Way::Here(handshake) => handshake.about().map_err(client::LoadError::from)?,
            Way::Apart(opened) => opened.about.clone(),
        })
    }

    /// Goes to where this connector is to run, now that its name is known.
    fn settle(self, copy: &Path, folder: &Path, rules: &dyn Rules, name: &str) -> Result<Self, LoadError> {
        let Some(confinement) = rules.confinement(name) else {
            return if matches!(self, Way::Here(_)) { Ok(self) } else { Way::here(copy) };
        };
        if let Some(user) = &confinement.user {
            isolation::hand_over(copy, folder, user).map_err(LoadError::Isolated)?;
        }
        match self {
            Way::Apart(opened) if opened.confinement == confinement => Ok(Way::Apart(opened)),
            other => {
                drop(other);
                let opened = Opened::open(copy.to_owned(), &confinement, name);
                opened.map(Box::new).map(Way::Apart).map_err(LoadError::Isolated)
            }
        }
    }

    /// Makes the connector.
    fn load(
        self,
        name: &str,
        folder: PathBuf,
        options: Vec<(String, String)>,
    ) -> Result<(ConnectorClient, Description), LoadError> {
        let version = env!("CARGO_PKG_VERSION");
        match self {
            Way::Here(handshake) => {
                let host = client::host(version, folder, options);
                Ok(client::load(handshake, &host, ToTracing::new(name))?)
            }
            Way::Apart(opened) => {
                let Some(folder) = folder.to_str() else {
                    return Err(client::LoadError::DataFolder(folder).into());
                };
                opened.load(version, folder, &options).map_err(LoadError::Isolated)
            }
        }
    }
}

/// Whether a connector's name can stand in a URL and be the name of a folder beside the host's own.
pub fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    name.len() <= 64
        && name.chars().all(is_plain)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !TAKEN.iter().any(|taken| name.eq_ignore_ascii_case(taken))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = std::fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
        text
    })
}

/// An error of the system's loader in one line, without the path of the copy, which says nothing to the operator.
pub(super) fn told(error: &libloading::Error, copy: &Path) -> String {
    let mut text = error.to_string();
    if let Some(cause) = std::error::Error::source(error) {
        text = format!("{text}: {cause}");
    }
    text = text.replace(&format!("{}: ", copy.display()), "");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
