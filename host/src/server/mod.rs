//! The HTTP server of the host.
//!
//! A connection goes through these modules:
//!
//! - `accept`: the accept loop; `connection_limit`: how many connections there may be; `eviction` of idle ones;
//! - `connection`: one connection from its handshake (`tls`) to its end; `graceful_shutdown`;
//! - `slow_client`: slow-client protection, with the minimum `transfer_rate`; `framing`: strict checks of message framing
//!   against request smuggling; `disconnect_detection`: clients that go away during a call.
//!
//! And a request through these:
//!
//! - `resource`: what an address names; `endpoint`: what each resource answers; `https_redirect`: plain HTTP beside HTTPS; `help`: the help page;
//! - `forwarded`: headers of trusted proxies; `public_url`: the URL that a caller used; `query`;
//! - `readiness`: whether a load balancer should send calls here;
//! - `request_body`: receives a body; `body_spool`: the memory and the files that all bodies may take;
//! - `rejection`: the answer and the log line of every request that is not served;
//! - `reply_body`: sends a reply from memory or from a file.
//!
//! Certificates and keys are reloaded by [`erp_host_files::hot_reload`].

mod accept;
mod body_spool;
mod config;
mod connection;
mod connection_info;
mod connection_limit;
mod disconnect_detection;
mod endpoint;
mod eviction;
mod forwarded;
mod framing;
mod graceful_shutdown;
mod help;
mod https_redirect;
mod public_url;
mod query;
mod readiness;
mod rejection;
mod reply_body;
mod request_body;
mod resource;
mod slow_client;
mod tls;
mod transfer_rate;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

pub use self::config::{Limits, ServerConfig, TlsConfig};
use self::connection_limit::ConnectionLimit;
use self::endpoint::Endpoint;
pub use self::graceful_shutdown::Drain;
pub use self::help::{ConnectorCard, HelpPage};
use self::resource::SERVICE_PATH;
use self::tls::Tls;
use crate::access::{Access, AccessConfig};
use erp_host_files::hot_reload::Reload;
use erp_host_router::Router;

/// A server that listens, and serves once it is [run](Server::run).
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Tls>,
    /// Plain HTTP that is redirected to HTTPS.
    redirect: Option<TcpListener>,
    endpoint: Arc<Endpoint>,
    help: HelpPage,
    connections: ConnectionLimit,
    limits: Limits,
}

impl Server {
    /// Listens at the configured address.
    ///
    /// # Errors
    /// The address is not valid, is in use, or may not be used; or the configuration of TLS or access is not valid.
    pub async fn bind(
        config: &ServerConfig,
        access: &AccessConfig,
        router: Arc<Router>,
        connectors: &[ConnectorCard],
    ) -> Result<Self, BindError> {
        let client_names = config.tls.as_ref().and_then(TlsConfig::required_client_names);
        let access = Access::new(access, client_names).map_err(BindError::Access)?;
        let tls = config.tls.as_ref().map(Tls::new).transpose().map_err(BindError::Tls)?;
        let listener = listen(&config.listen).await?;
        let redirect = match config.tls.as_ref().and_then(|tls| tls.redirect_from.as_ref()) {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let address = listener.local_addr().map_err(BindError::at(&config.listen))?;
        if !address.ip().is_loopback() {
            warn_of_open_access(&access, config);
        }
        if let Some(plain) = redirect.as_ref().and_then(|listener| listener.local_addr().ok()) {
            tracing::info!("plain HTTP at {plain} is sent to https://{address}");
        }
        let help = HelpPage::new(connectors);
        Ok(Server {
            address,
            listener,
            tls,
            redirect,
            endpoint: Arc::new(Endpoint::new(config, access, router, help.clone())),
            help,
            connections: ConnectionLimit::new(config),
            limits: config.limits.clone(),
        })
    }

    /// The address of the service, with the real port.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{SERVICE_PATH}", self.address)
    }

    /// Certificate and key, which are reloaded when their files change.
    pub fn files(&self) -> Vec<Arc<dyn Reload>> {
        self.tls.iter().map(|tls| tls.files() as Arc<dyn Reload>).collect()
    }

    /// The help page, to be updated when the connectors change.
    pub fn help_page(&self) -> HelpPage {
        self.help.clone()
    }
}

async fn listen(address: &str) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(BindError::at(address))
}

/// Warns of a configuration that an operator may not have meant.
fn warn_of_open_access(access: &Access, config: &ServerConfig) {
    if access.is_open() {
        tracing::warn!(
            "everybody who reaches {} can call: say who may in [access], or let only the web server in front reach it",
            config.listen
        );
    }
    if access.has_credentials() && config.tls.is_none() && config.trusted_proxies.is_empty() {
        tracing::warn!(
            "callers must show a secret, over plain HTTP: everybody on the way can read it; see [tls]"
        );
    }
}

/// Why a server cannot listen.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the message names each field")]
pub enum BindError {
    /// The address is not valid, is in use, or may not be used.
    #[error("cannot listen on {address}: {cause}")]
    Listen { address: String, cause: io::Error },
    /// Certificate or key cannot be used.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// The configuration of access is not valid.
    #[error("{0}")]
    Access(String),
}

impl BindError {
    fn at(address: &str) -> impl FnOnce(io::Error) -> BindError {
        let address = address.to_owned();
        |cause| BindError::Listen { address, cause }
    }
}
