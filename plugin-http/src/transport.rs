//! One exchange over HTTP: sends a request and receives the whole answer, in the context of a call.

use std::collections::HashMap;
use std::error::Error as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use plugin_api::{Context, Error, Result, ResultExt};
use reqwest::header::HeaderMap;
use reqwest::{Certificate, Client, redirect};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use url::Url;

/// For how long a TCP and TLS connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// For how long an idle connection is kept. Short: a server that closes it just when a write is sent leaves the outcome unknown.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// In the text of rustls for a certificate that it does not accept.
const NOT_TRUSTED: &str = "invalid peer certificate";

/// Threads that resolve names. The resolver of the system blocks, and cannot be cancelled.
const RESOLVER_THREADS: usize = 32;

/// Waits for sockets for all connections of the plugin; requests themselves run on the thread of their call.
static RUNTIME: LazyLock<std::io::Result<Runtime>> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(RESOLVER_THREADS)
        .thread_name("plugin-http")
        .enable_all()
        .build()
});

/// The HTTP clients of the plugin, by the certificates that they trust beside those of the system: each reads these when it is made,
/// and has them in memory, so the connections of a connector share them.
static CLIENTS: Mutex<Option<HashMap<Vec<u8>, Weak<Client>>>> = Mutex::new(None);

/// An answer as it was received.
pub(crate) struct Received {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct NoAnswer {
    pub(crate) cause: NoAnswerCause,
    /// Whether the request may have arrived.
    pub(crate) left: bool,
}

#[derive(Debug)]
pub(crate) enum NoAnswerCause {
    Cancelled,
    Timeout(Duration),
    Network(String),
    /// The certificate of the server is not trusted.
    Certificate(String),
    /// The answer is larger than this many bytes.
    TooLarge(usize),
    /// There is something wrong here, not in the network.
    Local(String),
}

/// A request, ready to be sent any number of times.
pub(crate) struct Prepared<'r> {
    pub(crate) method: &'r reqwest::Method,
    pub(crate) url: &'r Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The client that trusts these certificates (PEM) beside those of the system.
pub(crate) fn client(trusted: &[u8]) -> Result<Arc<Client>> {
    let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
    let clients = clients.get_or_insert_default();
    if let Some(client) = clients.get(trusted).and_then(Weak::upgrade) {
        return Ok(client);
    }
    let client = Arc::new(new_client(trusted)?);
    clients.retain(|_, client| client.strong_count() > 0);
    clients.insert(trusted.to_vec(), Arc::downgrade(&client));
    Ok(client)
}

fn new_client(trusted: &[u8]) -> Result<Client> {
    let certificates = Certificate::from_pem_bundle(trusted)
        .map_err(|error| Error::settings("the certificates are not valid, expected PEM").caused_by(error))?;
    if !trusted.is_empty() && certificates.is_empty() {
        return Err(Error::settings("there is no certificate in the file, expected PEM (BEGIN CERTIFICATE)"));
    }
    Client::builder()
        .tls_certs_merge(certificates)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        // A redirect of a write would send it twice, or as a read; and credentials are for one server.
        .redirect(redirect::Policy::none())
        .build()
        .user("the HTTP client cannot be made")
}

/// Sends a request and receives the answer. A cancelled call ends at once, and its socket is closed.
pub(crate) fn exchange(
    cx: &Context,
    client: &Client,
    request: Prepared<'_>,
    timeout: Duration,
    most: usize,
) -> Result<Received, NoAnswer> {
    let cancelled = cancelled(cx);

    let left = Arc::new(AtomicBool::new(false));
    // The polls of an empty body show nothing: it counts as sent as soon as there is a connection.
    let is_empty = request.body.is_empty();
    let body = Watched { body: Full::new(request.body), polled: Arc::clone(&left) };
    let mut sent = reqwest::Request::new(request.method.clone(), request.url.clone());
    *sent.headers_mut() = request.headers;
    if !is_empty {
        *sent.body_mut() = Some(reqwest::Body::wrap(body));
    }
    let receive = async {
        let mut response = client.execute(sent).await.map_err(|error| {
            let may_have_left = is_empty && !error.is_connect() && !error.is_builder();
            left.fetch_or(may_have_left, Ordering::Relaxed);
            network(error)
        })?;
        left.store(true, Ordering::Relaxed);
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(network)? {
            if body.len().saturating_add(chunk.len()) > most {
                return Err(NoAnswerCause::TooLarge(most));
            }
            body.extend_from_slice(&chunk);
        }
        let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
        Ok(Received { status, headers, body: body.freeze() })
    };
    let done = match &*RUNTIME {
        Ok(runtime) => runtime.block_on(async {
            tokio::select! {
                biased;
                () = cancelled.notified() => Err(NoAnswerCause::Cancelled),
                received = receive => received,
                () = tokio::time::sleep(timeout) => {
                    left.fetch_or(is_empty, Ordering::Relaxed);
                    Err(NoAnswerCause::Timeout(timeout))
                }
            }
        }),
        Err(error) => Err(NoAnswerCause::Local(error.to_string())),
    };
    done.map_err(|cause| NoAnswer { cause, left: left.load(Ordering::Relaxed) })
}

/// Waits; fails when the call is cancelled meanwhile.
pub(crate) fn wait(cx: &Context, time: Duration) -> Result<()> {
    let cancelled = cancelled(cx);
    if let Ok(runtime) = &*RUNTIME {
        runtime.block_on(async {
            tokio::select! {
                () = cancelled.notified() => {}
                () = tokio::time::sleep(time) => {}
            }
        });
    }
    cx.check()
}

/// Notified when the call is cancelled.
fn cancelled(cx: &Context) -> Arc<Notify> {
    let cancelled = Arc::new(Notify::new());
    let notify = Arc::clone(&cancelled);
    cx.on_cancel(move || notify.notify_one());
    cancelled
}

/// An error of the library with its causes, but without the address: its query may have secrets.
fn network(error: reqwest::Error) -> NoAnswerCause {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    if text.contains(NOT_TRUSTED) { NoAnswerCause::Certificate(text) } else { NoAnswerCause::Network(text) }
}

/// A body that notes when it is asked for: this happens when there is a connection to send it over.
struct Watched {
    body: Full<Bytes>,
    polled: Arc<AtomicBool>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.polled.store(true, Ordering::Relaxed);
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
