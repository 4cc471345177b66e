//! A proxy in front of a host: what passes it can be changed, answered or dropped on the way.

use std::io;
use std::net::SocketAddr;

use crate::http::server::{self, Received};
use crate::http::{Request, Response};

/// The proxy. It serves until the process ends.
#[derive(Debug, Clone, Copy)]
pub struct Proxy {
    address: SocketAddr,
}

impl Proxy {
    /// In front of a host, with a handler of each request. The handler forwards it with [`forward`], or answers it itself;
    /// where it gives `None`, the connection is closed without a response.
    pub fn in_front_of(
        host: SocketAddr,
        handler: impl Fn(Received, SocketAddr) -> Option<Response> + Send + Sync + 'static,
    ) -> Self {
        Proxy { address: server::serve(move |received| handler(received, host)) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Sends a request on, on a connection of its own, and gives the response: uncompressed, and without the headers that
/// belong to that connection.
///
/// # Errors
/// There is no connection, or what comes back is no HTTP response.
pub fn forward(request: &Request, host: SocketAddr) -> io::Result<Response> {
    let mut request = request.clone();
    for name in ["Connection", "Transfer-Encoding", "Content-Length", "Expect", "Accept-Encoding"] {
        request = request.without(name);
    }
    let mut response = request.send(host)?;
    response.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("Connection"));
    Ok(response)
}
