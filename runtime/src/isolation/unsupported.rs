//! The same interface on systems without worker processes: every function fails.

use std::path::PathBuf;

use plugin_api::abi::client::ConnectorClient;
use plugin_api::abi::{About, Description};

use super::Confinement;

const UNSUPPORTED: &str =
    "isolation = \"process\" is not possible on this system; leave it out of the configuration";

pub(crate) struct IsolatedPlugin {
    pub(crate) about: About,
}

impl IsolatedPlugin {
    pub(crate) fn open(_: PathBuf, _: PathBuf, _: &Confinement, _: &str) -> Result<Self, String> {
        Err(UNSUPPORTED.to_owned())
    }

    pub(crate) fn make_connector(
        self,
        _: &str,
        _: &str,
        _: &[(String, String)],
    ) -> Result<(ConnectorClient, Description), String> {
        Err(UNSUPPORTED.to_owned())
    }
}

pub(crate) fn grant_access(_: &std::path::Path, _: &std::path::Path, _: &str) -> Result<(), String> {
    Err(UNSUPPORTED.to_owned())
}
