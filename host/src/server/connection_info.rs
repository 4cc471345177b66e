//! What is known of a connection: addresses, TLS, client certificate.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::access::CertificateNames;

/// What is known of a connection.
#[derive(Debug, Clone)]
pub(super) struct ConnectionInfo {
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
    pub(super) is_tls: bool,
    /// The names of the client certificate, if the peer has shown one.
    pub(super) certificate: Option<Arc<CertificateNames>>,
}
