//! One connection, from its handshake to its end.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::config::Limits;
use super::connection_info::ConnectionInfo;
use super::connection_limit::{ConnectionLimit, ConnectionPermit, LimitReached};
use super::disconnect_detection::{DisconnectDetectingStream, DisconnectDetection};
use super::endpoint::Endpoint;
use super::graceful_shutdown::ShutdownSignal;
use super::https_redirect;
use super::rejection::Rejection;
use super::slow_client::{SlowClientStream, StreamEnd};
use super::tls::{HandshakeError, Tls};
use crate::logging::rejection::{self, Cause};

/// A connection younger than this is not evicted.
const EVICTION_GRACE: Duration = Duration::from_secs(1);

/// The kind of listener that a connection came in at.
#[derive(Clone)]
pub(super) enum ListenerKind {
    /// Calls over HTTP.
    Http,
    /// Calls over HTTPS.
    Https(Tls),
    /// Plain HTTP that is redirected to HTTPS.
    Redirect { https_port: u16 },
}

/// What requests of a connection get.
#[derive(Debug, Clone, Copy)]
enum Service {
    Endpoint,
    HttpsRedirect {
        https_port: u16,
    },
    /// The connection is beyond the limit: only `/health` is served.
    OverLimit,
}

/// Serves a connection.
#[derive(Clone)]
pub(super) struct ConnectionHandler {
    pub(super) http: http1::Builder,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) limits: Arc<Limits>,
    pub(super) connections: ConnectionLimit,
    pub(super) shutdown: ShutdownSignal,
}

impl ConnectionHandler {
    /// Serves a connection until it closes; or is idle when the host shuts down or the connection is evicted.
    pub(super) async fn handle(
        mut self,
        stream: TcpStream,
        peer: SocketAddr,
        kind: ListenerKind,
        mut permit: ConnectionPermit,
    ) {
        let Ok(local) = stream.local_addr() else { return };
        let mut info = ConnectionInfo { peer, local, is_tls: false, certificate: None };
        // Replies are written whole; waiting for more to send would only delay them.
        let _ = stream.set_nodelay(true);
        let service = if !permit.is_within_limit().await {
            Rejection::too_many_connections(LimitReached::Total).log(peer.ip().to_canonical());
            Service::OverLimit
        } else if let ListenerKind::Redirect { https_port } = kind {
            Service::HttpsRedirect { https_port }
        } else {
            Service::Endpoint
        };
        let detection = DisconnectDetection::default();
        let ListenerKind::Https(tls) = kind else {
            let stream = DisconnectDetectingStream::new(stream, detection.clone());
            return self.serve(stream, info, service, detection).await;
        };
        let handshake = tokio::select! {
            handshake = tls.handshake(stream, &detection) => handshake,
            () = self.shutdown.received() => return,
        };
        match handshake {
            Ok((stream, certificate)) => {
                info.is_tls = true;
                info.certificate = certificate.map(Arc::new);
                self.serve(stream, info, service, detection).await;
            }
            Err(HandshakeError::Closed) => tracing::debug!(%peer, "a connection closed before its handshake"),
            Err(error) => rejection::log(Cause::TlsHandshake, peer.ip().to_canonical(), error),
        }
    }

    /// Serves the requests of a connection, secure or not.
    async fn serve(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        info: ConnectionInfo,
        service: Service,
        detection: DisconnectDetection,
    ) {
        let ConnectionHandler { http, endpoint, limits, connections, mut shutdown } = self;
        let (peer, info) = (info.peer.ip().to_canonical(), Arc::new(info));
        let (served, max_requests) = (AtomicU32::new(0), limits.requests_per_connection.get());
        let respond = service_fn(|request| {
            detection.arm(&request);
            let detection = detection.clone();
            let is_last = served.fetch_add(1, Ordering::Relaxed) + 1 >= max_requests;
            let (endpoint, info) = (Arc::clone(&endpoint), Arc::clone(&info));
            // Boxed, because hyper gives a stream back only from a service with such futures.
            Box::pin(async move {
                let mut response = match service {
                    Service::OverLimit => return Ok::<_, Infallible>(endpoint.respond_over_limit(&request)),
                    Service::HttpsRedirect { https_port } => https_redirect::respond(&request, https_port),
                    Service::Endpoint => endpoint.respond(request, &info).await,
                };
                detection.disarm();
                if is_last {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok(response)
            })
        });
        let stream = TokioIo::new(SlowClientStream::new(stream, &limits));
        let mut connection = http.serve_connection(stream, respond);
        let mut eviction = pin!(connections.eviction_requested());
        let opened = Instant::now();
        let (mut is_shutting_down, mut is_eviction_seen) = (false, false);
        let result = loop {
            tokio::select! {
                result = poll_fn(|cx| connection.poll_without_shutdown(cx)) => break result,
                () = shutdown.received(), if !is_shutting_down => {
                    is_shutting_down = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
                () = eviction.as_mut(), if !is_eviction_seen => {
                    is_eviction_seen = true;
                    // A request for an eviction may reach a connection that has only just opened.
                    if opened.elapsed() > EVICTION_GRACE {
                        Pin::new(&mut connection).graceful_shutdown();
                    }
                }
            }
        };
        let stream = connection.into_parts().io.into_inner();
        match (stream.end(), result) {
            (Some(StreamEnd::Rejected(error)), _) => {
                let rejection = Rejection::framing(error);
                rejection.log(peer);
                // A body is read by the endpoint, which has answered; closing at once could lose that answer.
                if error.in_body { stream.close().await } else { stream.answer_and_close(&rejection).await }
            }
            (Some(StreamEnd::SlowReader), _) => {
                rejection::log(Cause::SlowReader, peer, "it does not take its reply");
            }
            (Some(StreamEnd::Idle), _) => tracing::debug!(%peer, "a connection sent no request in time"),
            (None, Ok(())) => stream.close().await,
            (None, Err(error)) => {
                if error.is_parse() {
                    rejection::log(Cause::BadHttp, peer, &error);
                }
                tracing::debug!(%peer, %error, "a connection ended early");
                // hyper has answered what it could not read.
                stream.close().await;
            }
        }
    }
}
