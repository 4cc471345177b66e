//! Options of a client.

use std::path::PathBuf;
use std::time::Duration;

/// Options of a client: timeouts, limits and TLS.
#[derive(Debug, Clone)]
pub struct Options {
    /// Time limit for a whole call.
    pub timeout: Duration,
    /// Time limit for opening a connection.
    pub connect_timeout: Duration,
    /// Size limit of a response in bytes, after unpacking.
    pub max_response_bytes: usize,
    /// A PEM file with the certificates to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// Accept any certificate.
    pub insecure: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            timeout: Duration::from_secs(100),
            connect_timeout: Duration::from_secs(10),
            max_response_bytes: 512 * 1024 * 1024,
            ca: None,
            insecure: false,
        }
    }
}
