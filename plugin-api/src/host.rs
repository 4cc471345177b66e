//! The host that a connector runs in: its version, data folder and options.

use std::path::{Path, PathBuf};

use crate::Metrics;

/// The host that a connector runs in, as the connector gets it when it is loaded.
#[derive(Debug, Clone, Default)]
pub struct Host {
    /// The host's version.
    pub(crate) version: String,
    pub(crate) data_folder: PathBuf,
    pub(crate) options: Vec<(String, String)>,
}

impl Host {
    /// A host as a test sets it up.
    pub fn for_test(data_folder: impl Into<PathBuf>) -> Self {
        Host {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            data_folder: data_folder.into(),
            options: Vec::new(),
        }
    }

    /// Adds an option, as the operator's configuration does. An option may have several values.
    #[must_use]
    pub fn with_option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.push((name.into(), value.into()));
        self
    }

    /// The host's version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// A folder for the connector's own files: `<data>/<name of the connector in lower case>`. It exists.
    pub fn data_folder(&self) -> &Path {
        &self.data_folder
    }

    /// Metrics of the connector, for what it measures outside of calls.
    pub fn metrics(&self) -> Metrics {
        Metrics::new()
    }

    /// The values of an option of `[connectors.<name>.options]` in the operator's configuration; none when it is not set.
    pub fn option<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.options.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}
