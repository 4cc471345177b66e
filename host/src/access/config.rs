//! The section `[access]`: who may call.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::SecretHash;

/// Who may call. Without any of it everybody may who reaches the host.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccessConfig {
    /// From where calls are taken; empty: from everywhere. Addresses or networks of IPv4 and IPv6.
    #[serde(deserialize_with = "networks")]
    pub networks: Vec<IpNet>,
    /// From where `/health` and `/ready` are answered, which need no credential; empty: from everywhere.
    #[serde(deserialize_with = "networks")]
    pub health_networks: Vec<IpNet>,
    /// From where the connectors and their versions are shown, besides this machine and callers that pass a check.
    #[serde(deserialize_with = "networks")]
    pub details_networks: Vec<IpNet>,
    /// The header that holds a shared secret.
    pub secret_header: String,
    /// Shared secrets, by the names that they have in the log.
    pub secrets: BTreeMap<String, SecretHash>,
    /// Passwords of basic authentication, by user.
    pub users: BTreeMap<String, SecretHash>,
}

impl Default for AccessConfig {
    fn default() -> Self {
        AccessConfig {
            networks: Vec::new(),
            health_networks: Vec::new(),
            details_networks: Vec::new(),
            secret_header: "X-Connector-Secret".to_owned(),
            secrets: BTreeMap::new(),
            users: BTreeMap::new(),
        }
    }
}

/// Reads networks such as `10.0.0.0/8`, or single addresses.
pub(crate) fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let network = |text: String| {
        let single = || text.parse::<std::net::IpAddr>().map(IpNet::from);
        text.parse().or_else(|_| single()).map_err(|_| {
            D::Error::custom(format!(
                "{text:?} is not a network, expected a form like 10.0.0.0/8, 127.0.0.1 or ::1"
            ))
        })
    };
    Vec::<String>::deserialize(deserializer)?.into_iter().map(network).collect()
}
