//! `[access]`: who may call.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::Deserialize;

use crate::access::SecretHash;

/// Who may call. Without any of it everybody may who reaches the host.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccessConfig {
    /// From where calls are taken; empty: from everywhere. Addresses or networks of IPv4 and IPv6.
    #[serde(deserialize_with = "super::networks")]
    pub networks: Vec<IpNet>,
    /// From where `/health` and `/ready` are answered, which need no credential; empty: from everywhere.
    #[serde(deserialize_with = "super::networks")]
    pub health_networks: Vec<IpNet>,
    /// The header that holds a shared secret.
    pub secret_header: String,
    /// Shared secrets, by the name that the log calls each by.
    pub secrets: BTreeMap<String, SecretHash>,
    /// Passwords of basic authentication, by user.
    pub users: BTreeMap<String, SecretHash>,
}

impl Default for AccessConfig {
    fn default() -> Self {
        AccessConfig {
            networks: Vec::new(),
            health_networks: Vec::new(),
            secret_header: "X-Connector-Secret".to_owned(),
            secrets: BTreeMap::new(),
            users: BTreeMap::new(),
        }
    }
}
