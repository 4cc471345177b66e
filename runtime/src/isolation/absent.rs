//! Where there are no workers.

use std::path::PathBuf;

use plugin_api::abi::client::ConnectorClient;
use plugin_api::abi::{About, Description};

use super::Confinement;

const WHY: &str = "isolation = \"process\" is not possible on this system; leave it out of the configuration";

/// A plugin in a worker, which there is not.
pub(crate) struct Opened {
    pub(crate) about: About,
    pub(crate) confinement: Confinement,
}

impl Opened {
    pub(crate) fn open(_: PathBuf, _: &Confinement, _: &str) -> Result<Self, String> {
        Err(WHY.to_owned())
    }

    pub(crate) fn load(
        self,
        _: &str,
        _: &str,
        _: &[(String, String)],
    ) -> Result<(ConnectorClient, Description), String> {
        Err(WHY.to_owned())
    }
}

pub(crate) fn hand_over(_: &std::path::Path, _: &std::path::Path, _: &str) -> Result<(), String> {
    Err(WHY.to_owned())
}
