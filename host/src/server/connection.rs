//! One connection, from its handshake to its end.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
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
use tokio::time::{Instant, sleep};

use super::config::Limits;
use super::connection_info::ConnectionInfo;
use super::connection_limit::{ConnectionPermit, LimitReached};
use super::disconnect_detection::{DisconnectDetectingStream, DisconnectDetection};
use super::endpoint::Endpoint;
use super::eviction::{BodyInProgress, Evictable};
use super::graceful_shutdown::ShutdownSignal;
use super::https_redirect;
use super::rejection::Rejection;
use super::slow_client::{SlowClientStream, StreamEnd};
use super::tls::{HandshakeError, Tls};
use erp_host_router::rejection::{self, Cause};

/// How long an evicted connection stays open for a request whose head has begun to come.
const EVICTED_HEAD_TIMEOUT: Duration = Duration::from_secs(1);

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

/// How long the head of a request may take on a connection beyond the limit.
const OVER_LIMIT_HEAD_TIMEOUT: Duration = Duration::from_secs(1);

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
        let mut info =
            ConnectionInfo { peer, local, is_tls: false, certificate: None, framing_error: Arc::default() };
        // Replies are written whole; waiting for more to send would only delay them.
        let _ = stream.set_nodelay(true);
        let evictable = permit.within_limit().await;
        let service = if evictable.is_none() {
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
            return self.serve(stream, info, service, evictable.as_ref(), detection).await;
        };
        let handshake = tokio::select! {
            handshake = tls.handshake(stream, &detection) => handshake,
            () = self.shutdown.received() => return,
            () = eviction_requested(evictable.as_ref()) => return,
        };
        match handshake {
            Ok((stream, certificate)) => {
                info.is_tls = true;
                info.certificate = certificate.map(Arc::new);
                self.serve(stream, info, service, evictable.as_ref(), detection).await;
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
        evictable: Option<&Evictable>,
        detection: DisconnectDetection,
    ) {
        let ConnectionHandler { http, endpoint, limits, mut shutdown } = self;
        let (peer, info) = (info.peer.ip().to_canonical(), Arc::new(info));
        let (served, max_requests) = (AtomicU32::new(0), limits.requests_per_connection.get());
        let respond = service_fn(|request| {
            let in_progress = evictable.map(Evictable::begin_request);
            detection.arm(&request);
            let detection = detection.clone();
            let is_last = served.fetch_add(1, Ordering::Relaxed) + 1 >= max_requests;
            let (endpoint, info) = (Arc::clone(&endpoint), Arc::clone(&info));
            // Boxed, because hyper gives a stream back only from a service with such futures.
            Box::pin(async move {
                let mut response = match service {
                    Service::OverLimit => endpoint.respond_over_limit(&request),
                    Service::HttpsRedirect { https_port } => https_redirect::respond(&request, https_port),
                    Service::Endpoint => endpoint.respond(request, &info).await,
                };
                detection.disarm();
                if is_last {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(response.map(|body| BodyInProgress::new(body, in_progress)))
            })
        });
        let header_timeout = match service {
            Service::OverLimit => limits.header_timeout.min(OVER_LIMIT_HEAD_TIMEOUT),
            Service::Endpoint | Service::HttpsRedirect { .. } => limits.header_timeout,
        };
        let stream = TokioIo::new(SlowClientStream::new(
            stream,
            &limits,
            header_timeout,
            Arc::clone(&info.framing_error),
        ));
        let mut connection = http.serve_connection(stream, respond);
        let mut evicted_head_timer = pin!(sleep(EVICTED_HEAD_TIMEOUT));
        let (mut is_shutting_down, mut is_evicting) = (false, false);
        let result = loop {
            tokio::select! {
                result = poll_fn(|cx| connection.poll_without_shutdown(cx)) => break result,
                () = shutdown.received(), if !is_shutting_down => {
                    is_shutting_down = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
                () = eviction_requested(evictable) => {
                    is_evicting = true;
                    evicted_head_timer.as_mut().reset(Instant::now() + EVICTED_HEAD_TIMEOUT);
                    // Closes it at once, unless a request has begun to come.
                    Pin::new(&mut connection).graceful_shutdown();
                }
                () = evicted_head_timer.as_mut(), if is_evicting => {
                    is_evicting = false;
                    if is_evicted(evictable) {
                        break Ok(());
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
            // Nothing is on its way to the peer, and another connection waits for the place of this one.
            (None, Ok(())) if is_evicted(evictable) => {
                tracing::debug!(%peer, "an idle connection was evicted")
            }
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

/// Waits until the connection is to close for another one; for ever if it may not be evicted.
async fn eviction_requested(evictable: Option<&Evictable>) {
    match evictable {
        Some(evictable) => evictable.eviction_requested().await,
        None => pending().await,
    }
}

fn is_evicted(evictable: Option<&Evictable>) -> bool {
    evictable.is_some_and(Evictable::is_evicted)
}
