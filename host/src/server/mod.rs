//! The HTTP side: listener, endpoint, limits, replies, help page, WSDL.

mod accept;
mod address;
mod attended;
mod body_budget;
mod config;
mod endpoint;
mod forwarded;
mod framing;
mod guarded;
mod help;
mod pace;
mod query;
mod redirect;
mod reply_body;
mod request;
mod seats;
mod tls;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::access::{Access, AccessConfig};
use crate::file_reload::Reload;
use crate::logging::rejection::{self, Cause};
use crate::router::Router;

use self::address::Ends;
use self::attended::{Attended, Stays};
pub use self::config::{Limits, ServerConfig, TlsConfig};
use self::endpoint::{Endpoint, SERVICE_PATH};
use self::guarded::{End, Guarded};
pub use self::help::{ConnectorCard, HelpPage};
use self::seats::{NoSeat, Seat, Seats};
use self::tls::{NotSecured, Tls};

/// How long accepting pauses when the system has no sockets left.
const OUT_OF_SOCKETS: Duration = Duration::from_millis(100);

/// For so long a connection is not asked to end for the sake of others.
const FIRST_WORDS: Duration = Duration::from_secs(1);

/// What a connection reads through at most, when heads need no more.
const READ_BUFFER: usize = 256 * 1024;

/// A host that listens.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Tls>,
    redirect: Option<TcpListener>,
    endpoint: Arc<Endpoint>,
    help: HelpPage,
    seats: Seats,
    limits: Limits,
}

impl Server {
    /// Listens at the configured address.
    ///
    /// # Errors
    /// The address is none, is taken, or may not be used; or the configuration says something of TLS or of who may call
    /// that cannot be done.
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
            warn_of_openness(&access, config);
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
            seats: Seats::new(config),
            limits: config.limits.clone(),
        })
    }

    /// The address of the service, with the real port.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{SERVICE_PATH}", self.address)
    }

    /// What is to be read again when its files change.
    pub fn files(&self) -> Vec<Arc<dyn Reload>> {
        self.tls.iter().map(|tls| tls.files() as Arc<dyn Reload>).collect()
    }

    /// The page for people, to be changed when the connectors do.
    pub fn help_page(&self) -> HelpPage {
        self.help.clone()
    }

    /// Serves until `stop`; then takes no more connections, closes those that are idle, and returns the rest.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Finishing {
        let Server { listener, address, tls, redirect, endpoint, seats, limits, .. } = self;
        let door = tls.map_or(Door::Plain, Door::Tls);
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            // Between requests; for the rest of a head see `guarded`.
            .header_read_timeout(limits.idle_timeout)
            .max_headers(limits.header_lines.get() as usize)
            // A client that has said all that it wants to say may still want to hear the answer; see `attended`.
            .half_close(true)
            .max_header_size(limits.header_size)
            // The buffer that a head must fit into while it arrives, and that bodies are read through.
            .max_buf_size(limits.header_size.max(READ_BUFFER));

        let (stopping, stopped) = watch::channel(());
        let mut stop = pin!(stop);
        loop {
            let ((stream, peer), door) = tokio::select! {
                () = &mut stop => break,
                accepted = accept(&listener) => (accepted, door.clone()),
                accepted = accept_if_any(redirect.as_ref()) => (accepted, Door::Redirect(address.port())),
            };
            let seat = match seats.take(peer.ip()) {
                Ok(seat) => seat,
                Err(full) => {
                    turn_away(&stream, peer, &door, full);
                    continue;
                }
            };
            let connection = Connection {
                http: http.clone(),
                endpoint: Arc::clone(&endpoint),
                seats: seats.clone(),
                stream,
                peer,
                door,
            };
            let (limits, stopped) = (limits.clone(), stopped.clone());
            tokio::spawn(connection.serve(limits, seat, stopped));
        }
        drop((listener, redirect));
        // Dropping the sender tells every connection.
        drop(stopping);
        Finishing { seats }
    }
}

/// The connections of a server that has stopped, with what is still under way on them.
#[must_use]
pub struct Finishing {
    seats: Seats,
}

impl Finishing {
    /// Waits until all of them are closed.
    pub async fn finish(self) {
        self.seats.empty().await;
    }
}

/// Waits for a connection.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                // A client that is gone again is its own affair; all else means that the system is short of something.
                if error.kind() != io::ErrorKind::ConnectionAborted {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    sleep(OUT_OF_SOCKETS).await;
                }
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

async fn listen(address: &str) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(BindError::at(address))
}

/// Says at the start what an operator may not have meant.
fn warn_of_openness(access: &Access, config: &ServerConfig) {
    if access.is_open() {
        tracing::warn!(
            "whoever reaches {} can call: say who may in [access], or let only the web server in front reach it",
            config.listen
        );
    }
    if access.has_credentials() && config.tls.is_none() && config.trusted_proxies.is_empty() {
        tracing::warn!(
            "callers must show a secret, over plain HTTP: whoever is on the way can read it; see [tls]"
        );
    }
}

/// Why a server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address is none, is taken, or may not be used.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        cause: io::Error,
    },
    /// Certificate or key cannot be used.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// The rules of who may call make no sense.
    #[error("{0}")]
    Access(String),
}

impl BindError {
    fn at(address: &str) -> impl FnOnce(io::Error) -> BindError {
        let address = address.to_owned();
        |cause| BindError::Listen { address, cause }
    }
}

/// Closes a connection for which there is no room, with a word if that takes no time.
fn turn_away(stream: &TcpStream, peer: SocketAddr, door: &Door, full: NoSeat) {
    rejection::log(Cause::TooManyConnections, peer.ip().to_canonical(), full);
    if matches!(door, Door::Tls(_)) {
        return;
    }
    let _ = stream.try_write(
        b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    );
}

/// Where a connection has come in.
#[derive(Clone)]
enum Door {
    /// Calls over HTTP.
    Plain,
    /// Calls over HTTPS.
    Tls(Tls),
    /// No calls: the way to HTTPS, on this port.
    Redirect(u16),
}

struct Connection {
    http: http1::Builder,
    endpoint: Arc<Endpoint>,
    seats: Seats,
    stream: TcpStream,
    peer: SocketAddr,
    door: Door,
}

impl Connection {
    /// Serves a connection until it closes, or is idle when the host stops or others wait for a seat.
    async fn serve(self, limits: Limits, mut seat: Seat, mut stopped: watch::Receiver<()>) {
        let Connection { http, endpoint, seats, stream, peer, door } = self;
        let Ok(local) = stream.local_addr() else { return };
        let mut ends = Ends { peer, local, is_tls: false, certificate: None };
        // Replies are written whole; waiting for more to send would only delay them.
        let _ = stream.set_nodelay(true);
        let has_seat = seat.sit().await;
        if !has_seat {
            rejection::log(Cause::TooManyConnections, peer.ip().to_canonical(), NoSeat::All);
        }
        let stays = Stays::default();
        let mut talk = Talk { http, endpoint, seats, has_seat, redirect_to: None, stays: stays.clone() };
        match door {
            Door::Plain => talk.hold(Attended::new(stream, stays), ends, limits, stopped).await,
            Door::Redirect(port) => {
                talk.redirect_to = Some(port);
                talk.hold(Attended::new(stream, stays), ends, limits, stopped).await;
            }
            Door::Tls(tls) => {
                let secured = tokio::select! {
                    secured = tls.secure(stream, &stays) => secured,
                    _ = stopped.changed() => return,
                };
                match secured {
                    Ok((stream, certificate)) => {
                        ends.is_tls = true;
                        ends.certificate = certificate.map(Arc::new);
                        talk.hold(stream, ends, limits, stopped).await;
                    }
                    Err(NotSecured::Silent) => tracing::debug!(%peer, "a connection closed without a word"),
                    Err(why) => rejection::log(Cause::TlsHandshake, peer.ip().to_canonical(), why),
                }
            }
        }
    }
}

/// What is said on a connection, secure or not.
struct Talk {
    http: http1::Builder,
    endpoint: Arc<Endpoint>,
    seats: Seats,
    has_seat: bool,
    /// The port of HTTPS, where nothing else is served.
    redirect_to: Option<u16>,
    /// Shared with the stream.
    stays: Stays,
}

impl Talk {
    async fn hold(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        ends: Ends,
        limits: Limits,
        mut stopped: watch::Receiver<()>,
    ) {
        let Talk { http, endpoint, seats, has_seat, redirect_to, stays } = self;
        let (peer, ends) = (ends.peer, Arc::new(ends));
        let (served, most) = (AtomicU32::new(0), limits.requests_per_connection.get());
        let service = service_fn(|request| {
            stays.asked(&request);
            let stays = stays.clone();
            let is_last = served.fetch_add(1, Ordering::Relaxed) + 1 >= most;
            let (endpoint, ends) = (Arc::clone(&endpoint), Arc::clone(&ends));
            // Boxed, because hyper lends a stream back only from a service with such futures.
            Box::pin(async move {
                if !has_seat {
                    return Ok::<_, Infallible>(endpoint.turn_away(&request));
                }
                let mut response = match redirect_to {
                    Some(port) => redirect::respond(&request, port),
                    None => endpoint.respond(request, &ends).await,
                };
                stays.answered();
                if is_last {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok(response)
            })
        });
        let stream = TokioIo::new(Guarded::new(stream, &limits));
        let mut connection = http.serve_connection(stream, service);
        let mut crowded = pin!(seats.crowded());
        let began = Instant::now();
        let (mut is_stopping, mut is_crowded) = (false, false);
        let ended = loop {
            tokio::select! {
                ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => break ended,
                _ = stopped.changed(), if !is_stopping => {
                    is_stopping = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
                () = crowded.as_mut(), if !is_crowded => {
                    is_crowded = true;
                    // Not one that has only just come and was told in the place of one that is gone.
                    if began.elapsed() > FIRST_WORDS {
                        Pin::new(&mut connection).graceful_shutdown();
                    }
                }
            }
        };
        let stream = connection.into_parts().io.into_inner();
        let peer = peer.ip().to_canonical();
        match stream.end() {
            Some(End::Refused(refused)) => {
                rejection::log(refused.cause, peer, refused.reason);
                // Whoever reads the body has answered; what is still on its way must not take that answer away.
                if refused.in_body { stream.close().await } else { stream.refuse(&refused).await }
            }
            Some(End::NotTaken) => rejection::log(Cause::SlowReader, peer, "it does not take its reply"),
            Some(End::Silent) => tracing::debug!(%peer, "a connection sent no request in time"),
            None => match ended {
                Ok(()) => stream.close().await,
                Err(error) => {
                    if error.is_parse() {
                        rejection::log(Cause::BadHttp, peer, &error);
                    }
                    tracing::debug!(%peer, %error, "a connection ended early");
                    // hyper has answered what it could not read.
                    stream.close().await;
                }
            },
        }
    }
}
