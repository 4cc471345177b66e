//! Who may authenticate for which connectors, and with which keys.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// Online authentication. Without clients there is none.
#[derive(Debug, Clone)]
pub struct OnlineConfig {
    /// The `iss` of tokens.
    pub issuer: String,
    /// By how much the caller's clock and this machine's may differ.
    pub clock_skew: Duration,
    /// The longest that a token may be valid.
    pub token_lifetime: Duration,
    /// What belongs to each client ID (without `app://` or `spn:`).
    pub clients: BTreeMap<String, OnlineClient>,
}

/// What belongs to a client ID.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnlineClient {
    /// Certificate files of SuperOffice, PEM or DER; several while one replaces another.
    #[serde(default)]
    pub certificates: Vec<PathBuf>,
    /// A JSON Web Key Set: an `https` URL or a file.
    #[serde(default)]
    pub jwks: Option<KeySetSource>,
    /// The partner's private key: `RSAKeyValue` in XML, or PEM.
    pub private_key: PathBuf,
    /// The connectors that this client ID is for; `None`: all.
    #[serde(default)]
    pub connectors: Option<Vec<String>>,
}

/// Where a JSON Web Key Set comes from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum KeySetSource {
    /// An address, asked again and again.
    Url(String),
    /// A file.
    File(PathBuf),
}

impl From<String> for KeySetSource {
    fn from(text: String) -> Self {
        if text.contains("://") { KeySetSource::Url(text) } else { KeySetSource::File(text.into()) }
    }
}

impl OnlineConfig {
    /// All paths in it.
    pub fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.clients.values_mut().flat_map(|client| {
            let OnlineClient { certificates, jwks, private_key, connectors: _ } = client;
            let key_set = match jwks {
                Some(KeySetSource::File(file)) => Some(file),
                Some(KeySetSource::Url(_)) | None => None,
            };
            certificates.iter_mut().chain(key_set).chain([private_key])
        })
    }
}

impl Default for OnlineConfig {
    fn default() -> Self {
        OnlineConfig {
            issuer: "SuperOffice AS".to_owned(),
            clock_skew: Duration::from_secs(120),
            token_lifetime: Duration::from_secs(3600),
            clients: BTreeMap::new(),
        }
    }
}
