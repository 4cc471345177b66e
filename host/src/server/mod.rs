//! The HTTP side: listener, endpoint, limits, replies, help page, WSDL.

mod accept;
mod address;
mod endpoint;
mod forwarded;
mod help;
mod query;
mod reply_body;
mod request;
mod stall;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;

use crate::config::{Config, Limits};
use crate::router::Router;

use self::address::Ends;
use self::endpoint::{Endpoint, SERVICE_PATH};
pub use self::help::{ConnectorCard, HelpPage};
use self::stall::Unstalled;

/// How long accepting pauses when the system has no sockets left.
const OUT_OF_SOCKETS: Duration = Duration::from_millis(100);

/// What a connection reads through at most, when heads need no more.
const READ_BUFFER: usize = 256 * 1024;

/// A host that listens.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    endpoint: Arc<Endpoint>,
    help: HelpPage,
    limits: Limits,
}

impl Server {
    /// Listens at the configured address.
    ///
    /// # Errors
    /// The address is none, is taken, or may not be used.
    pub async fn bind(
        config: &Config,
        router: Arc<Router>,
        connectors: &[ConnectorCard],
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(&config.listen).await?;
        let help = HelpPage::new(connectors);
        Ok(Server {
            address: listener.local_addr()?,
            listener,
            endpoint: Arc::new(Endpoint::new(config, router, help.clone())),
            help,
            limits: config.limits.clone(),
        })
    }

    /// The address of the service, with the real port.
    pub fn url(&self) -> String {
        format!("http://{}{SERVICE_PATH}", self.address)
    }

    /// The page for people, to be changed when the connectors do.
    pub fn help_page(&self) -> HelpPage {
        self.help.clone()
    }

    /// Serves until `stop`; then takes no more connections, closes those that are idle, and returns the rest.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Finishing {
        let Server { listener, endpoint, limits, .. } = self;
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(limits.idle_timeout)
            .max_headers(limits.headers.get() as usize)
            // A client that has said all that it wants to say may still want to hear the answer.
            .half_close(true)
            .max_header_size(limits.head)
            // The buffer that a head must fit into while it arrives, and that bodies are read through.
            .max_buf_size(limits.head.max(READ_BUFFER));

        let most = limits.connections.get();
        let places = Arc::new(Semaphore::new(most as usize));
        let (stopping, stopped) = watch::channel(());
        let mut stop = pin!(stop);
        loop {
            let (stream, peer, place) = tokio::select! {
                () = &mut stop => break,
                accepted = accept(&listener, &places) => accepted,
            };
            let connection = Connection { http: http.clone(), endpoint: Arc::clone(&endpoint), stream, peer };
            let (limits, stopped) = (limits.clone(), stopped.clone());
            tokio::spawn(async move {
                connection.serve(&limits, stopped).await;
                drop(place);
            });
        }
        drop(listener);
        // Dropping the sender tells every connection.
        drop(stopping);
        Finishing { places, most }
    }
}

/// The connections of a server that has stopped, with what is still under way on them.
#[must_use]
pub struct Finishing {
    places: Arc<Semaphore>,
    most: u32,
}

impl Finishing {
    /// Waits until all of them are closed.
    pub async fn finish(self) {
        // Fails only when the semaphore is closed, which it never is.
        let _ = self.places.acquire_many(self.most).await;
    }
}

/// Waits for a place, then for a connection to fill it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, Option<tokio::sync::OwnedSemaphorePermit>) {
    // The semaphore is never closed, so there always is a permit to be had.
    let place = Arc::clone(places).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, place),
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

struct Connection {
    http: http1::Builder,
    endpoint: Arc<Endpoint>,
    stream: TcpStream,
    peer: SocketAddr,
}

impl Connection {
    /// Serves a connection until it closes, or is idle when the host stops.
    async fn serve(self, limits: &Limits, mut stopped: watch::Receiver<()>) {
        let Connection { http, endpoint, stream, peer } = self;
        let Ok(local) = stream.local_addr() else { return };
        let ends = Ends { peer, local };
        // Replies are written whole; waiting for more to send would only delay them.
        let _ = stream.set_nodelay(true);

        let has_asked = AtomicBool::new(false);
        let service = service_fn(|request| {
            has_asked.store(true, Ordering::Relaxed);
            let endpoint = Arc::clone(&endpoint);
            async move { Ok::<_, Infallible>(endpoint.respond(request, ends).await) }
        });
        let stream = TokioIo::new(Unstalled::new(stream, limits.stall_timeout));
        let mut connection = pin!(http.serve_connection(stream, service));
        let mut first_head = pin!(sleep(limits.head_timeout));
        let (mut is_waiting, mut is_stopping) = (true, false);
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%peer, %error, "a connection ended early");
                    }
                    return;
                }
                _ = stopped.changed(), if !is_stopping => {
                    is_stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = first_head.as_mut(), if is_waiting => {
                    is_waiting = false;
                    if !has_asked.load(Ordering::Relaxed) {
                        tracing::debug!(%peer, "a connection sent no request in time");
                        return;
                    }
                }
            }
        }
    }
}
