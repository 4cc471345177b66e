//! TLS: certificate and key, with hot reload; client certificates; the handshake.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig, version};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::config::TlsConfig;
use super::disconnect_detection::{DisconnectDetectingStream, DisconnectDetection};
use crate::access::CertificateNames;
use erp_host_files::hot_reload::Reloadable;
use erp_host_files::{read_secret, read_trusted};

/// The largest file with certificates: a bundle of all public authorities has a quarter of a megabyte.
const MAX_CERTIFICATES: u64 = 4 << 20;

/// The largest key file: far more than a key of 8192 bits takes.
const MAX_KEY: u32 = 64 * 1024;

/// The first byte of a handshake.
const HANDSHAKE: u8 = 0x16;

/// The answer to a client that speaks plain HTTP. Short enough for every socket to take it at once.
const USE_HTTPS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 49\r\nConnection: close\r\n\r\nthis port speaks HTTPS only; use https:// for it\n";

/// Performs TLS handshakes, with the certificate that is current.
#[derive(Clone)]
pub(super) struct Tls {
    config: Arc<Reloadable<ServerConfig>>,
    handshake_timeout: Duration,
}

/// Why a handshake fails.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    /// The peer has closed again, as a monitor does that only looks for an open port.
    #[error("it closed before the handshake")]
    Closed,
    #[error("it speaks plain HTTP, or something else that is no TLS")]
    NotTls,
    #[error("the handshake was not done in time")]
    TimedOut,
    #[error("the handshake failed: {0}")]
    Failed(io::Error),
}

impl Tls {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// They cannot be read, are not valid, or do not belong together. The text names the file.
    pub(super) fn new(config: &TlsConfig) -> Result<Self, String> {
        let mut files: Vec<PathBuf> = vec![config.certificate.clone(), config.key.clone()];
        files.extend(config.client_ca.clone());
        let label = format!("the TLS certificate {}", config.certificate.display());
        let owned = config.clone();
        let reloadable = Reloadable::new(label, files, move || server_config(&owned))?;
        Ok(Tls { config: Arc::new(reloadable), handshake_timeout: config.handshake_timeout })
    }

    /// What is reloaded when its files change.
    pub(super) fn files(&self) -> Arc<Reloadable<ServerConfig>> {
        Arc::clone(&self.config)
    }

    /// Performs the handshake; returns the names of the client certificate too, if there is one.
    pub(super) async fn handshake(
        &self,
        stream: TcpStream,
        detection: &DisconnectDetection,
    ) -> Result<(TlsStream<DisconnectDetectingStream>, Option<CertificateNames>), HandshakeError> {
        let handshake = timeout(self.handshake_timeout, async {
            let mut first = [0];
            match stream.peek(&mut first).await {
                Ok(1..) if first[0] == HANDSHAKE => {}
                Ok(1..) => {
                    answer_plain_http(stream).await;
                    return Err(HandshakeError::NotTls);
                }
                Ok(0) | Err(_) => return Err(HandshakeError::Closed),
            }
            let acceptor = TlsAcceptor::from(self.config.get());
            let stream = DisconnectDetectingStream::new(stream, detection.clone());
            acceptor.accept(stream).await.map_err(HandshakeError::Failed)
        });
        let stream = handshake.await.unwrap_or(Err(HandshakeError::TimedOut))?;
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let names = shown.map(|certificate| CertificateNames::of(certificate));
        Ok((stream, names))
    }
}

/// Answers a client of plain HTTP, so that its operator sees what is wrong.
async fn answer_plain_http(mut stream: TcpStream) {
    // Its request is read, or the connection would be reset and the answer lost.
    let mut request = [0; 4096];
    let _ = stream.try_read(&mut request);
    let _ = stream.write_all(USE_HTTPS).await;
    let _ = stream.shutdown().await;
}

fn server_config(config: &TlsConfig) -> Result<ServerConfig, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let chain = certificates(&config.certificate, "tls.certificate")?;
    let key = private_key(&config.key)?;
    let signing = provider
        .key_provider
        .load_private_key(key)
        .map_err(|error| format!("tls.key {}: it cannot be used: {error}", config.key.display()))?;
    let certified = CertifiedKey::new(chain, signing);
    certified.keys_match().map_err(|_| {
        let (certificate, key) = (config.certificate.display(), config.key.display());
        format!("tls.key {key} does not belong to the first certificate of tls.certificate {certificate}")
    })?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(|error| error.to_string())?;
    let builder = match &config.client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => builder.with_client_cert_verifier(verifier(file, provider)?),
    };
    let mut server = builder.with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(server)
}

/// Verifies client certificates. A client without one passes: it gets an answer in HTTP about what is missing, or about the
/// host's health.
fn verifier(
    file: &Path,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(file, "tls.client_ca")? {
        roots.add(authority).map_err(|error| {
            format!("tls.client_ca {}: a certificate is no authority's: {error}", file.display())
        })?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .allow_unauthenticated()
        .build()
        .map_err(|error| format!("tls.client_ca {}: {error}", file.display()))
}

fn certificates(file: &Path, setting: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let error = |reason: String| format!("{setting} {}: {reason}", file.display());
    let pem = read_trusted(file, MAX_CERTIFICATES).map_err(|cause| error(cause.to_string()))?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let all = all.map_err(|cause| error(format!("it is broken PEM: {cause}")))?;
    if all.is_empty() {
        return Err(error("it holds no certificate; expected PEM with BEGIN CERTIFICATE".to_owned()));
    }
    Ok(all)
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let error = |reason: String| format!("tls.key {}: {reason}", file.display());
    let pem = read_secret(file, MAX_KEY).map_err(|cause| error(cause.to_string()))?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
        error("it holds no private key; expected PEM with BEGIN PRIVATE KEY, not encrypted".to_owned())
    })
}
