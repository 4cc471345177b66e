//! Options of a client.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};

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
    /// Headers with credentials, sent with every request.
    pub credentials: Credentials,
}

/// Headers with credentials. `Debug` shows no value.
#[derive(Clone, Default)]
pub struct Credentials(Vec<(HeaderName, HeaderValue)>);

impl Credentials {
    /// Parses lines: `Name: value` is a header, and `user:password`, without white space after the colon, is for basic
    /// authentication. Empty lines and lines that begin with `#` are skipped.
    ///
    /// # Errors
    /// A line is neither. The text names its number, and does not quote it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut headers = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let header = match line.split_once(':') {
                Some((name, value)) if value.starts_with([' ', '\t']) => {
                    HeaderName::try_from(name).ok().zip(HeaderValue::try_from(value.trim()).ok())
                }
                Some((user, _)) if !user.is_empty() => {
                    let basic = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(line)));
                    Some(AUTHORIZATION).zip(basic.ok())
                }
                _ => None,
            };
            let (name, mut value) = header.ok_or_else(|| {
                format!("line {} is neither a header \"Name: value\" nor \"user:password\"", number + 1)
            })?;
            value.set_sensitive(true);
            headers.push((name, value));
        }
        Ok(Credentials(headers))
    }

    pub(crate) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.0
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Default for Options {
    fn default() -> Self {
        Options {
            timeout: Duration::from_secs(100),
            connect_timeout: Duration::from_secs(10),
            max_response_bytes: 512 * 1024 * 1024,
            ca: None,
            insecure: false,
            credentials: Credentials::default(),
        }
    }
}
