//! `[targets.NAME]`: a connector service that `call`, `verify` and `simulate` reach as `@NAME`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

/// `[targets.NAME]`. `Debug` shows no value of a setting, because it may be a secret.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The address of the service.
    pub url: String,
    /// The connector, by its registered name.
    pub connector: Option<String>,
    /// Settings of a connection, in the contract's form.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// File with a line `KEY=VALUE` for each setting.
    pub settings_file: Option<PathBuf>,
    /// File with the credentials to send with every request.
    pub credentials: Option<PathBuf>,
    /// PEM file with the certificates to trust.
    pub ca: Option<PathBuf>,
    /// The dialect of calls.
    pub dialect: Option<String>,
    /// The contract file of calls.
    pub contract: Option<PathBuf>,
}

impl Target {
    /// All its paths.
    pub(super) fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        [&mut self.settings_file, &mut self.credentials, &mut self.ca, &mut self.contract]
            .into_iter()
            .flatten()
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("url", &self.url)
            .field("connector", &self.connector)
            .field("settings", &self.settings.keys())
            .finish_non_exhaustive()
    }
}
