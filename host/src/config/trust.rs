//! The section `[trust]`, and what of the configuration counts for plugins.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::Config;
use crate::plugins::isolation::Confinement;
use crate::plugins::{PublicKey, Rules, Trust};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Section {
    sha256: Vec<String>,
    signers: Vec<String>,
    check_permissions: Option<bool>,
}

impl<'de> Deserialize<'de> for Trust {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Section { sha256, signers, check_permissions } = Section::deserialize(deserializer)?;
        let is_hash = |hash: &str| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        if let Some(hash) = sha256.iter().find(|hash| !is_hash(hash)) {
            return Err(D::Error::custom(format!(
                "{hash:?} is no SHA-256 hash, expected 64 hexadecimal digits, as `sha256sum FILE` or `erp-host plugins --json` tells them"
            )));
        }
        let signers = signers.iter().map(|key| PublicKey::parse(key)).collect::<Result<_, _>>();
        Ok(Trust {
            sha256: sha256.iter().map(|hash| hash.to_ascii_lowercase()).collect(),
            signers: signers.map_err(D::Error::custom)?,
            checks_permissions: check_permissions.unwrap_or(true),
        })
    }
}

impl Rules for Config {
    fn options(&self, connector: &str) -> Vec<(String, String)> {
        Config::options(self, connector).to_vec()
    }

    fn trust(&self) -> &Trust {
        &self.trust
    }

    fn confinement(&self, connector: &str) -> Option<Confinement> {
        self.worker_of(connector)
    }

    fn first_confinement(&self) -> Option<Confinement> {
        self.first_worker()
    }
}
