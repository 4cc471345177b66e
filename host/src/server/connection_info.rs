//! What is known of a connection: addresses, TLS, client certificate.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use super::framing::FramingError;
use crate::access::CertificateNames;

/// What is known of a connection.
#[derive(Debug, Clone)]
pub(super) struct ConnectionInfo {
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
    pub(super) is_tls: bool,
    /// The names of the client certificate, if the peer has shown one.
    pub(super) certificate: Option<Arc<CertificateNames>>,
    /// Why the stream was ended, if it had broken framing.
    pub(super) framing_error: Arc<OnceLock<FramingError>>,
}
