//! How a client reaches a service.

use std::path::PathBuf;
use std::time::Duration;

/// How a client reaches a service.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long a whole call may take.
    pub timeout: Duration,
    /// How long opening a connection may take.
    pub connect_timeout: Duration,
    /// Bytes that an answer may have, after unpacking.
    pub largest_answer: usize,
    /// A PEM file with the certificates to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// Take any certificate.
    pub insecure: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            timeout: Duration::from_secs(100),
            connect_timeout: Duration::from_secs(10),
            largest_answer: 512 * 1024 * 1024,
            ca: None,
            insecure: false,
        }
    }
}
