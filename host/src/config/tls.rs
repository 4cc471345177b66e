//! `[tls]`: HTTPS of the host's own.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::amount;

/// HTTPS of the host's own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate and those between it and its authority's, in PEM, its own first.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
    /// How long the handshake may take.
    #[serde(default = "handshake_timeout", deserialize_with = "amount::duration")]
    pub handshake_timeout: Duration,
    /// Certificates of authorities, in PEM: every caller must then show a certificate that one of them has signed.
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
    /// The names of which such a certificate must have one; empty: any.
    #[serde(default)]
    pub client_names: Vec<String>,
    /// Another address to listen on, for plain HTTP: who comes there is sent to HTTPS.
    #[serde(default)]
    pub redirect_from: Option<String>,
}

fn handshake_timeout() -> Duration {
    Duration::from_secs(10)
}
