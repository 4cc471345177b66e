//! A proxy in front of a host: what passes it can be changed, answered or dropped on the way.

use std::cell::RefCell;
use std::io::{self, BufReader};
use std::net::{SocketAddr, TcpStream};

use crate::http::server::{self, Received};
use crate::http::{self, Request, Response};

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

thread_local! {
    /// The connection to a host. A thread serves one connection of the proxy, and keeps its connection to the host.
    static UPSTREAM: RefCell<Option<BufReader<TcpStream>>> = const { RefCell::new(None) };
}

/// Sends a request on, and gives the response: uncompressed, and without the headers that belong to the connection.
///
/// # Errors
/// There is no connection, or what comes back is no HTTP response.
pub fn forward(request: &Request, host: SocketAddr) -> io::Result<Response> {
    let mut request = request.clone();
    for name in ["Transfer-Encoding", "Content-Length", "Expect", "Accept-Encoding"] {
        request = request.without(name);
    }
    let bytes = request.header("Connection", "keep-alive").to_bytes(&host.to_string());
    let mut response = UPSTREAM.with_borrow_mut(|upstream| {
        let is_new = upstream.is_none();
        match http::exchange_on(upstream, host, &bytes) {
            // The host may have closed it meanwhile.
            Err(_) if !is_new => http::exchange_on(upstream, host, &bytes),
            result => result,
        }
    })?;
    response.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("Connection"));
    Ok(response)
}
