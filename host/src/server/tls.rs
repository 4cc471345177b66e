//! HTTPS of the host's own.

use std::fs;
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

use super::attended::{Attended, Stays};
use super::config::TlsConfig;
use crate::access::CertificateNames;
use crate::file_reload::Reloadable;
use crate::key_file;

/// The first byte of a handshake.
const HANDSHAKE: u8 = 0x16;

/// What a client is told that speaks plain HTTP here. Short enough to be taken at once by every socket.
const SPEAK_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 49\r\nConnection: close\r\n\r\nthis port speaks HTTPS only; use https:// for it\n";

/// Makes plain connections secure.
#[derive(Clone)]
pub(super) struct Tls {
    config: Arc<Reloadable<ServerConfig>>,
    handshake_timeout: Duration,
}

/// Why a connection is not secure.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotSecured {
    /// It was closed again, as a monitor does that only looks for an open port.
    #[error("it closed without a word")]
    Silent,
    #[error("it speaks plain HTTP, or something else that is no TLS")]
    Plain,
    #[error("the handshake was not done in time")]
    Slow,
    #[error("the handshake failed: {0}")]
    Failed(io::Error),
}

impl Tls {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// They cannot be read, are none, or do not belong together. The text says which file.
    pub(super) fn new(config: &TlsConfig) -> Result<Self, String> {
        let mut files: Vec<PathBuf> = vec![config.certificate.clone(), config.key.clone()];
        files.extend(config.client_ca.clone());
        let told = format!("the TLS certificate {}", config.certificate.display());
        let owned = config.clone();
        let reloadable = Reloadable::new(told, files, move || server_config(&owned))?;
        Ok(Tls { config: Arc::new(reloadable), handshake_timeout: config.handshake_timeout })
    }

    /// What is to be read again when its files change.
    pub(super) fn files(&self) -> Arc<Reloadable<ServerConfig>> {
        Arc::clone(&self.config)
    }

    /// Makes a connection secure; with the names of the certificate that the client has shown.
    pub(super) async fn secure(
        &self,
        stream: TcpStream,
        stays: &Stays,
    ) -> Result<(TlsStream<Attended>, Option<CertificateNames>), NotSecured> {
        let secured = timeout(self.handshake_timeout, async {
            let mut first = [0];
            match stream.peek(&mut first).await {
                Ok(1..) if first[0] == HANDSHAKE => {}
                Ok(1..) => {
                    speak_tls(stream).await;
                    return Err(NotSecured::Plain);
                }
                Ok(0) | Err(_) => return Err(NotSecured::Silent),
            }
            let acceptor = TlsAcceptor::from(self.config.get());
            acceptor.accept(Attended::new(stream, stays.clone())).await.map_err(NotSecured::Failed)
        });
        let stream = secured.await.unwrap_or(Err(NotSecured::Slow))?;
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let names = shown.map(|certificate| CertificateNames::of(certificate));
        Ok((stream, names))
    }
}

/// Tells a client of plain HTTP what is wrong, so that somebody finds it out.
async fn speak_tls(mut stream: TcpStream) {
    // What it has sent is taken in, or the connection would be reset and the answer lost.
    let mut request = [0; 4096];
    let _ = stream.try_read(&mut request);
    let _ = stream.write_all(SPEAK_TLS).await;
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

/// Verifies the certificates of clients. Who shows none is let in this far, and learns from an answer in HTTP what is
/// missing; or that the host lives.
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
    let told = |why: String| format!("{setting} {}: {why}", file.display());
    let pem = fs::read(file).map_err(|error| told(format!("it cannot be read: {error}")))?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let all = all.map_err(|error| told(format!("it is broken PEM: {error}")))?;
    if all.is_empty() {
        return Err(told("it holds no certificate; expected PEM with BEGIN CERTIFICATE".to_owned()));
    }
    Ok(all)
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let told = |why: String| format!("tls.key {}: {why}", file.display());
    let pem = key_file::read(file).map_err(told)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
        told("it holds no private key; expected PEM with BEGIN PRIVATE KEY, not encrypted".to_owned())
    })
}
