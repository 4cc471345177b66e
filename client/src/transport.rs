//! HTTP and HTTPS, and what can go wrong there.

use std::convert::Infallible;
use std::error::Error;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, RequestBuilder, Response, Url, Version};

use super::address::ServiceAddress;
use super::error::Trouble;
use super::exchange::{Answered, Body, HttpRequest, Traffic};
use super::options::Options;

/// A connection that has been idle for longer may be closed by the other side just as a request goes out on it.
const IDLE: Duration = Duration::from_secs(20);

/// A client that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The file of certificates.
    #[error("the certificates in {} cannot be read: {why}; expected a PEM file", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// TLS cannot be set up, as where the system has no certificates to trust.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

#[derive(Debug)]
pub(super) struct Transport {
    client: Client,
    timeout: Duration,
    connect_timeout: Duration,
    largest_answer: usize,
}

impl Transport {
    pub(super) fn new(address: &ServiceAddress, options: &Options) -> Result<Self, SetupError> {
        // Redirects are answers to tell about. What is packed is unpacked here, where its size is counted.
        let mut builder = Client::builder()
            .user_agent(concat!("erp-host/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .gzip(false)
            .connect_timeout(options.connect_timeout)
            .pool_idle_timeout(IDLE)
            .tls_danger_accept_invalid_certs(options.insecure);
        if address.is_loopback() {
            builder = builder.no_proxy();
        }
        if let Some(path) = &options.ca {
            builder = builder.tls_certs_only(certificates(path)?);
        } else if address.url().scheme() == "http" {
            // The system's certificates are not needed, and may be missing.
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(|error| SetupError::Tls(innermost(&error)))?;
        let Options { timeout, connect_timeout, largest_answer, .. } = *options;
        Ok(Transport { client, timeout, connect_timeout, largest_answer })
    }

    pub(super) async fn send(&self, request: HttpRequest) -> Result<Traffic, Trouble> {
        let started = Instant::now();
        let url = request.url.clone();
        let answered = match tokio::time::timeout(self.timeout, self.answer(&request)).await {
            Ok(answered) => answered?,
            Err(_) => return Err(Trouble::Timeout { authority: authority(&url), after: self.timeout }),
        };
        Ok(Traffic { sent: request, answered, elapsed: started.elapsed() })
    }

    async fn answer(&self, request: &HttpRequest) -> Result<Answered, Trouble> {
        let url = &request.url;
        let sent = self.prepare(request).send().await;
        let mut response = sent.map_err(|error| self.trouble(url, &error))?;
        let (status, headers) = (response.status().as_u16(), headers_of(&response));
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.trouble(url, &error))? {
            if body.len() + piece.len() > self.largest_answer {
                return Err(Trouble::TooLarge { limit: self.largest_answer });
            }
            body.extend_from_slice(&piece);
        }
        let mut answered = Answered { status, headers, body };
        if answered
            .header(CONTENT_ENCODING.as_str())
            .is_some_and(|coding| coding.eq_ignore_ascii_case("gzip"))
        {
            answered.body = unpack(&answered.body, self.largest_answer, url)?;
        }
        Ok(answered)
    }

    fn prepare(&self, request: &HttpRequest) -> RequestBuilder {
        let mut builder = self.client.request(request.method.clone(), request.url.clone());
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        if request.takes_gzip {
            builder = builder.header(ACCEPT_ENCODING, "gzip");
        }
        if request.is_http_10 {
            builder = builder.version(Version::HTTP_10);
        }
        match request.form {
            Body::Whole if request.body.is_empty() && request.method == reqwest::Method::GET => builder,
            Body::Whole => builder.body(request.body.clone()),
            Body::Chunked(size) => {
                let rest = Bytes::from(request.body.clone());
                builder.body(reqwest::Body::wrap(Pieces { rest, size: size.max(1) }))
            }
        }
    }

    /// What an error of HTTP means.
    fn trouble(&self, url: &Url, error: &reqwest::Error) -> Trouble {
        let authority = authority(url);
        let why = innermost(error);
        if let Some(tls) = cause::<rustls::Error>(error) {
            return Trouble::Tls { authority, why: tls.to_string() };
        }
        if error.is_builder() {
            return Trouble::Request(why);
        }
        let kind = io_kind(error);
        if error.is_connect() {
            return match kind {
                _ if error.is_dns() => {
                    Trouble::Name { host: url.host_str().unwrap_or_default().to_owned(), why }
                }
                _ if error.is_timeout() => Trouble::ConnectTimeout { authority, after: self.connect_timeout },
                Some(io::ErrorKind::ConnectionRefused) => Trouble::ConnectionRefused { authority },
                // What is no TLS ends the handshake as it likes.
                Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData)
                    if url.scheme() == "https" =>
                {
                    Trouble::Tls { authority, why }
                }
                _ => Trouble::Connect { authority, why },
            };
        }
        match cause::<hyper::Error>(error) {
            Some(parse) if parse.is_parse() => Trouble::NotHttp { authority, why },
            _ => Trouble::Lost { authority, why },
        }
    }
}

fn certificates(path: &PathBuf) -> Result<Vec<Certificate>, SetupError> {
    let failed = |why: String| SetupError::Certificates { path: path.clone(), why };
    let pem = fs::read(path).map_err(|error| failed(error.to_string()))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|error| failed(innermost(&error)))?;
    if found.is_empty() { Err(failed("there is no certificate in it".to_owned())) } else { Ok(found) }
}

fn headers_of(response: &Response) -> Vec<(String, String)> {
    let headers = response.headers().iter();
    headers
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}

fn unpack(packed: &[u8], limit: usize, url: &Url) -> Result<Vec<u8>, Trouble> {
    use io::Read;
    let mut unpacked = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    flate2::read::MultiGzDecoder::new(packed).take(most).read_to_end(&mut unpacked).map_err(|error| {
        Trouble::Lost { authority: authority(url), why: format!("its gzip is broken: {error}") }
    })?;
    if unpacked.len() > limit { Err(Trouble::TooLarge { limit }) } else { Ok(unpacked) }
}

fn authority(url: &Url) -> String {
    let port = url.port_or_known_default().map(|port| format!(":{port}"));
    format!("{}{}", url.host_str().unwrap_or_default(), port.unwrap_or_default())
}

/// The chain of causes, from the outside in.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error: &&'e (dyn Error + 'static)| {
        // An io::Error hides the error that it wraps behind the source of that.
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

fn cause<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    causes(error).find_map(|error| error.downcast_ref::<E>())
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

fn io_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    let found = causes(error).filter_map(|error| error.downcast_ref::<io::Error>()).last();
    found.map(io::Error::kind)
}

/// A body that goes out in chunks.
struct Pieces {
    rest: Bytes,
    size: usize,
}

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let size = self.size.min(self.rest.len());
        let piece = self.rest.split_to(size);
        Poll::Ready(Some(Ok(hyper::body::Frame::data(piece))))
    }
}
