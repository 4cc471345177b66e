//! The accept loop, and what happens to connections beyond the connection limit.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::Server;
use super::config::Limits;
use super::connection::{ConnectionHandler, ListenerKind};
use super::connection_limit::LimitReached;
use super::graceful_shutdown::{self, Drain};
use super::rejection::Rejection;

/// How long accepting pauses when the system has no sockets left.
const PAUSE_WITHOUT_SOCKETS: Duration = Duration::from_millis(100);

/// The read buffer of a connection, unless heads may be larger; and how much of a reply hyper takes at once. Nothing else counts it.
const READ_BUFFER: usize = 64 * 1024;

/// The answer to a connection beyond the limit, for which nothing may be allocated.
const TOO_MANY_CONNECTIONS: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

impl Server {
    /// Accepts connections and serves them until `stop`. Then it shuts down gracefully: it accepts no more, closes idle
    /// connections, and returns those with requests in progress.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Drain {
        let Server { listener, address, tls, redirect, endpoint, connections, limits, .. } = self;
        let kind = tls.map_or(ListenerKind::Http, ListenerKind::Https);
        let redirect_kind = ListenerKind::Redirect { https_port: address.port() };
        let (shutdown_trigger, shutdown) = graceful_shutdown::channel();
        let http = http1_builder(&limits);
        let handler = ConnectionHandler { http, endpoint, limits: Arc::new(limits), shutdown };
        let mut stop = pin!(stop);
        loop {
            let ((stream, peer), kind) = tokio::select! {
                () = &mut stop => break,
                accepted = accept(&listener) => (accepted, kind.clone()),
                accepted = accept_if_any(redirect.as_ref()) => (accepted, redirect_kind.clone()),
            };
            match connections.acquire(peer.ip()) {
                Ok(permit) => {
                    tokio::spawn(handler.clone().handle(stream, peer, kind, permit));
                }
                Err(reached) => reject(&stream, peer, &kind, reached),
            }
        }
        drop((listener, redirect, shutdown_trigger));
        Drain::new(connections)
    }
}

fn http1_builder(limits: &Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        // Between requests; for the rest of a head see `slow_client`.
        .header_read_timeout(limits.idle_timeout)
        .max_headers(limits.header_lines.get() as usize)
        // A client that has ended its side may still wait for the reply; see `disconnect_detection`.
        .half_close(true)
        .max_header_size(limits.header_size)
        // The buffer that a head must fit into while it arrives, and that bodies are read through.
        .max_buf_size(limits.header_size.max(READ_BUFFER));
    http
}

/// Waits for a connection.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // The client has gone again.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            // The system is short of sockets or memory.
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                sleep(PAUSE_WITHOUT_SOCKETS).await;
            }
        }
    }
}

/// Waits for a connection at a second address, if there is one.
async fn accept_if_any(listener: Option<&TcpListener>) -> (TcpStream, SocketAddr) {
    match listener {
        Some(listener) => accept(listener).await,
        None => std::future::pending().await,
    }
}

/// Closes a connection beyond the limit, after a short answer if it can be sent at once.
fn reject(stream: &TcpStream, peer: SocketAddr, kind: &ListenerKind, reached: LimitReached) {
    Rejection::too_many_connections(reached).log(peer.ip().to_canonical());
    if !matches!(kind, ListenerKind::Https(_)) {
        let _ = stream.try_write(TOO_MANY_CONNECTIONS);
    }
}
