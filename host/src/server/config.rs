//! The server's configuration: where it listens, TLS, trusted proxies, and the limits of HTTP.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

use crate::quantity;

/// The server's configuration.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Address and port to listen on; port 0 takes a free one.
    pub listen: String,
    /// TLS of the host's own; `None`: plain HTTP.
    pub tls: Option<TlsConfig>,
    /// The proxies whose `Forwarded` and `X-Forwarded-*` headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Limits of what callers may do.
    pub limits: Limits,
}

/// The section `[tls]`: TLS of the host's own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate chain in PEM: the certificate of the host first, then the intermediate ones.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
    /// How long the handshake may take.
    #[serde(default = "handshake_timeout", deserialize_with = "quantity::duration")]
    pub handshake_timeout: Duration,
    /// Certificates of authorities, in PEM: every caller must then show a certificate that one of them has signed.
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
    /// The names of which such a certificate must have one; empty: any.
    #[serde(default)]
    pub client_names: Vec<String>,
    /// Another address to listen on, for plain HTTP: requests there are redirected to HTTPS.
    #[serde(default)]
    pub redirect_from: Option<String>,
}

impl TlsConfig {
    /// All paths in it.
    pub(crate) fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let TlsConfig {
            certificate,
            key,
            handshake_timeout: _,
            client_ca,
            client_names: _,
            redirect_from: _,
        } = self;
        [certificate, key].into_iter().chain(client_ca)
    }

    /// The names of which a client certificate must have one; `None`: no certificate is required.
    pub(super) fn required_client_names(&self) -> Option<&[String]> {
        self.client_ca.is_some().then_some(self.client_names.as_slice())
    }
}

fn handshake_timeout() -> Duration {
    Duration::from_secs(10)
}

/// Limits of what callers may do. Beyond each, the caller gets the status that is given here, and the log a line.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest request body in bytes, also after unpacking; 413.
    pub body: usize,
    /// How many times its size a gzip body may have when it is unpacked, from 1 MiB on; 413.
    pub gzip_ratio: NonZeroU32,
    /// How many bytes the bodies of all requests may have in memory together, from the first byte to the end of the call. While
    /// more than half of it is taken, bodies are received into files; a complete one that finds no room is refused with 503.
    pub total_body_memory: usize,
    /// How many bytes the bodies of all requests may have in files together, while they arrive; 503.
    pub total_body_spool: usize,
    /// The largest request head in bytes; 431, or 414 when it is the request line.
    pub header_size: usize,
    /// The most header lines of a request; 431.
    pub header_lines: NonZeroU32,
    /// How many connections may be open. One more evicts the longest idle one, or else gets 503.
    pub connections: NonZeroU32,
    /// How many connections may be open from one address (of IPv6: one /64), unless it is a trusted proxy's; 503.
    pub connections_per_peer: NonZeroU32,
    /// How many requests may come over one connection before it is closed, which the last reply announces.
    pub requests_per_connection: NonZeroU32,
    /// How many calls may be in progress in the whole host, running and waiting; 503, if possible before the body is read.
    pub calls: NonZeroU32,
    /// How long the head of a request may take to arrive: from its first byte, for the first request of a connection from
    /// the beginning of the connection; 408.
    pub header_timeout: Duration,
    /// How long a body may take to arrive, whatever its size; 408.
    pub body_timeout: Duration,
    /// How long a peer may make no progress in the middle of a request's body (408) or of a reply (its connection ends).
    pub stall_timeout: Duration,
    /// How many bytes a second a peer must send of a body, or take of a reply, over each `stall_timeout`; the same consequences.
    pub min_bytes_per_second: usize,
    /// How long a connection may be open without a request. Longer than that of the proxy in front (nginx: 60 s), which
    /// would otherwise now and then send a request into a connection that is just closing.
    pub idle_timeout: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        ServerConfig {
            listen: "127.0.0.1:8080".to_owned(),
            tls: None,
            trusted_proxies: Vec::new(),
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        const fn number(number: u32) -> NonZeroU32 {
            NonZeroU32::MIN.saturating_add(number - 1)
        }
        Limits {
            body: 16 << 20,
            gzip_ratio: number(100),
            total_body_memory: 256 << 20,
            total_body_spool: 4 << 30,
            header_size: 64 << 10,
            header_lines: number(100),
            connections: number(2048),
            connections_per_peer: number(256),
            requests_per_connection: number(10_000),
            calls: number(512),
            header_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(300),
            stall_timeout: Duration::from_secs(30),
            min_bytes_per_second: 4 << 10,
            idle_timeout: Duration::from_secs(90),
        }
    }
}
