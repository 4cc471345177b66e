//! Sends HTTP requests, and turns errors of HTTP, TLS and DNS into [`CallErrorKind`].

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use erp_host_files::{ReadError, read_trusted};

use bytes::Bytes;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, RequestBuilder, Response, Url, Version};

use crate::address::is_loopback;
use crate::error::CallErrorKind;
use crate::http_message::{BodyFraming, HttpExchange, HttpRequest, HttpResponse};
use crate::options::{Credentials, Options};

/// Idle connections are closed after this time, before a usual server closes them: a request sent just as the server
/// closes is lost.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Why a client cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The file of trusted certificates cannot be used.
    #[error("the certificates in {} cannot be read: {why}; expected a PEM file", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// TLS cannot be set up, for example because the system has no trusted certificates.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

#[derive(Debug)]
pub(super) struct Transport {
    client: Client,
    timeout: Duration,
    connect_timeout: Duration,
    max_response_bytes: usize,
    credentials: Credentials,
}

impl Transport {
    /// A transport to the host of this URL.
    pub(super) fn new(url: &Url, options: &Options) -> Result<Self, SetupError> {
        // SuperOffice does not follow redirects. Responses are unpacked here, where the size limit is checked.
        let mut builder = Client::builder()
            .user_agent(concat!("erp-host/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .gzip(false)
            .connect_timeout(options.connect_timeout)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .tls_danger_accept_invalid_certs(options.insecure);
        if is_loopback(url) {
            builder = builder.no_proxy();
        }
        if let Some(path) = &options.ca {
            builder = builder.tls_certs_only(certificates(path)?);
        } else if url.scheme() == "http" {
            // The system's certificates are not needed, and may be missing.
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(|error| SetupError::Tls(root_cause(&error)))?;
        let Options { timeout, connect_timeout, max_response_bytes, .. } = *options;
        let credentials = options.credentials.clone();
        Ok(Transport { client, timeout, connect_timeout, max_response_bytes, credentials })
    }

    /// The time limit for a request.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) async fn send(&self, request: HttpRequest) -> Result<HttpExchange, CallErrorKind> {
        self.send_limited(request, self.max_response_bytes).await
    }

    /// The same with a limit of its own for the bytes of the response.
    pub(super) async fn send_limited(
        &self,
        request: HttpRequest,
        limit: usize,
    ) -> Result<HttpExchange, CallErrorKind> {
        let started = Instant::now();
        let url = request.url.clone();
        let response = match tokio::time::timeout(self.timeout, self.exchange(&request, limit)).await {
            Ok(response) => response?,
            Err(_) => return Err(CallErrorKind::Timeout { authority: authority(&url), after: self.timeout }),
        };
        Ok(HttpExchange { request, response, elapsed: started.elapsed() })
    }

    async fn exchange(&self, request: &HttpRequest, limit: usize) -> Result<HttpResponse, CallErrorKind> {
        let url = &request.url;
        let sent = self.build(request).send().await;
        let mut response = sent.map_err(|error| self.classify(url, &error))?;
        let (status, headers) = (response.status().as_u16(), headers_of(&response));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.classify(url, &error))? {
            if body.len() + chunk.len() > limit {
                return Err(CallErrorKind::TooLarge { limit });
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = HttpResponse { status, headers, body };
        if response
            .header(CONTENT_ENCODING.as_str())
            .is_some_and(|coding| coding.eq_ignore_ascii_case("gzip"))
        {
            response.body = gunzip(&response.body, limit, url)?;
        }
        Ok(response)
    }

    fn build(&self, request: &HttpRequest) -> RequestBuilder {
        let mut builder = self.client.request(request.method.clone(), request.url.clone());
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        for (name, value) in self.credentials.headers() {
            builder = builder.header(name, value);
        }
        if request.accept_gzip {
            builder = builder.header(ACCEPT_ENCODING, "gzip");
        }
        if request.use_http_10 {
            builder = builder.version(Version::HTTP_10);
        }
        match request.framing {
            BodyFraming::ContentLength
                if request.body.is_empty() && request.method == reqwest::Method::GET =>
            {
                builder
            }
            BodyFraming::ContentLength => builder.body(request.body.clone()),
            BodyFraming::Chunked(size) => {
                let rest = Bytes::from(request.body.clone());
                builder.body(reqwest::Body::wrap(ChunkedBody { rest, chunk_size: size.max(1) }))
            }
        }
    }

    /// The kind of an HTTP error.
    fn classify(&self, url: &Url, error: &reqwest::Error) -> CallErrorKind {
        let authority = authority(url);
        let why = root_cause(error);
        if let Some(tls) = find_cause::<rustls::Error>(error) {
            return CallErrorKind::Tls { authority, why: tls.to_string() };
        }
        if error.is_builder() {
            return CallErrorKind::Request(why);
        }
        let io_error = io_error_kind(error);
        if error.is_connect() {
            return match io_error {
                _ if error.is_dns() => {
                    CallErrorKind::Name { host: url.host_str().unwrap_or_default().to_owned(), why }
                }
                _ if error.is_timeout() => {
                    CallErrorKind::ConnectTimeout { authority, after: self.connect_timeout }
                }
                Some(io::ErrorKind::ConnectionRefused) => CallErrorKind::ConnectionRefused { authority },
                // A server that does not speak TLS ends the handshake in one of these ways.
                Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData)
                    if url.scheme() == "https" =>
                {
                    CallErrorKind::Tls { authority, why }
                }
                _ => CallErrorKind::Connect { authority, why },
            };
        }
        match find_cause::<hyper::Error>(error) {
            Some(parse) if parse.is_parse() => CallErrorKind::NotHttp { authority, why },
            _ => CallErrorKind::Lost { authority, why },
        }
    }
}

/// The largest file with certificates: a bundle of all public authorities has a quarter of a megabyte.
const MAX_CERTIFICATES: u64 = 4 << 20;

fn certificates(path: &Path) -> Result<Vec<Certificate>, SetupError> {
    let failed = |why: String| SetupError::Certificates { path: path.to_owned(), why };
    let pem = read_trusted(path, MAX_CERTIFICATES).map_err(|error| match error {
        ReadError::Io(error) => failed(error.to_string()),
        other => failed(other.to_string()),
    })?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|error| failed(root_cause(&error)))?;
    if found.is_empty() { Err(failed("there is no certificate in it".to_owned())) } else { Ok(found) }
}

fn headers_of(response: &Response) -> Vec<(String, String)> {
    let headers = response.headers().iter();
    headers
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}

fn gunzip(packed: &[u8], limit: usize, url: &Url) -> Result<Vec<u8>, CallErrorKind> {
    use io::Read;
    let mut unpacked = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    flate2::read::MultiGzDecoder::new(packed).take(most).read_to_end(&mut unpacked).map_err(|error| {
        CallErrorKind::Lost { authority: authority(url), why: format!("its gzip is broken: {error}") }
    })?;
    if unpacked.len() > limit { Err(CallErrorKind::TooLarge { limit }) } else { Ok(unpacked) }
}

pub(super) fn authority(url: &Url) -> String {
    let port = url.port_or_known_default().map(|port| format!(":{port}"));
    format!("{}{}", url.host_str().unwrap_or_default(), port.unwrap_or_default())
}

/// The error and its sources, outermost first.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error: &&'e (dyn Error + 'static)| {
        // `source` of an io::Error skips the error that it wraps.
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

fn find_cause<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    causes(error).find_map(|error| error.downcast_ref::<E>())
}

fn root_cause(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

fn io_error_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    let found = causes(error).filter_map(|error| error.downcast_ref::<io::Error>()).last();
    found.map(io::Error::kind)
}

/// A body without a known length, sent in chunks of one size.
struct ChunkedBody {
    rest: Bytes,
    chunk_size: usize,
}

impl hyper::body::Body for ChunkedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let size = self.chunk_size.min(self.rest.len());
        let chunk = self.rest.split_to(size);
        Poll::Ready(Some(Ok(hyper::body::Frame::data(chunk))))
    }
}
