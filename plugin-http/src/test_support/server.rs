//! An HTTP server in this process.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::runtime::{Builder, Runtime};

/// A server that answers with a function, in a thread for each request. It ends when it is dropped.
///
/// ```
/// use plugin_api::Context;
/// use plugin_http::Client;
/// use plugin_http::test_support::{Reply, Server};
///
/// let server = Server::start(|request| match request.path() {
///     "/customers" => Reply::json(200, &["Fjord & Fjell"]),
///     _ => Reply::status(404),
/// })?;
/// let http = Client::builder(&server.address())?.build()?;
/// let names: Vec<String> = http.get("customers").send(&Context::default())?.json()?;
/// assert_eq!(names, ["Fjord & Fjell"]);
/// # Ok::<(), plugin_api::Error>(())
/// ```
pub struct Server {
    address: SocketAddr,
    runtime: Option<Runtime>,
}

/// A request as a server gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedRequest {
    /// The method, such as `GET`.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names, in small letters, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What a server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status; 0 closes the connection without an answer.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Server {
    /// A server of this computer only, at a free port.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(answer: impl Fn(ServedRequest) -> Reply + Send + Sync + 'static) -> io::Result<Self> {
        Server::start_at("127.0.0.1:0", answer)
    }

    /// A server at an address.
    ///
    /// # Errors
    /// It cannot be started: the port may be in use.
    pub fn start_at(
        address: &str,
        answer: impl Fn(ServedRequest) -> Reply + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let context = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let answer = Arc::new(answer);
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let answer = Arc::clone(&answer);
                tokio::spawn(async move {
                    let service = service_fn(|request| serve(request, Arc::clone(&answer)));
                    // Ended by the client, or by a reply that closes the connection.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
        drop(context);
        Ok(Server { address, runtime: Some(runtime) })
    }

    /// The address, such as `http://127.0.0.1:40123`.
    pub fn address(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn serve<A>(
    request: hyper::Request<Incoming>,
    answer: Arc<A>,
) -> io::Result<hyper::Response<Full<Bytes>>>
where
    A: Fn(ServedRequest) -> Reply + Send + Sync + 'static,
{
    let (head, body) = request.into_parts();
    let headers = head.headers.iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let request = ServedRequest {
        method: head.method.as_str().to_owned(),
        target: head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
        headers: headers.collect(),
        body: body.collect().await.map_err(io::Error::other)?.to_bytes().to_vec(),
    };
    let reply = tokio::task::spawn_blocking(move || answer(request)).await.map_err(io::Error::other)?;
    if reply.status == 0 {
        return Err(io::Error::other("the connection is closed without an answer"));
    }
    let mut response = hyper::Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(name, value);
    }
    response.body(Full::new(Bytes::from(reply.body))).map_err(io::Error::other)
}

impl ServedRequest {
    /// The path, without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A parameter of the query.
    pub fn query(&self, name: &str) -> Option<String> {
        let query = self.target.split_once('?')?.1;
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// A header by its name in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as a text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Reply {
    /// A reply without a body.
    pub fn status(status: u16) -> Self {
        Reply { status, headers: Vec::new(), body: Vec::new() }
    }

    /// A reply in JSON.
    pub fn json(status: u16, body: &(impl Serialize + ?Sized)) -> Self {
        // Values of tests: what cannot be written shows in the test.
        let body = serde_json::to_vec(body).unwrap_or_else(|error| error.to_string().into_bytes());
        Reply { body, ..Reply::status(status) }.header("content-type", "application/json")
    }

    /// Closes the connection without an answer.
    pub fn close() -> Self {
        Reply::status(0)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}
