//! HTTP requests and responses as plain values.

use std::time::Duration;

use crate::content_type::ContentType;
use contract::SoapVersion;
use reqwest::{Method, Url};

/// An HTTP request to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The address.
    pub url: Url,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body, before it is split into chunks.
    pub body: Vec<u8>,
    /// How the length of the body is announced.
    pub framing: BodyFraming,
    /// Whether to send it as HTTP/1.0.
    pub use_http_10: bool,
    /// Whether to accept a gzip response. It is unpacked before it is returned.
    pub accept_gzip: bool,
}

/// How the length of a request body is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyFraming {
    /// In one piece, with `Content-Length`.
    #[default]
    ContentLength,
    /// In chunks of this many bytes, with `Transfer-Encoding: chunked`.
    Chunked(usize),
}

/// An HTTP response, unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// An HTTP request and the response to it.
#[derive(Debug, Clone)]
pub struct HttpExchange {
    /// What was sent.
    pub request: HttpRequest,
    /// What was received.
    pub response: HttpResponse,
    /// Time from the first byte sent to the last byte received.
    pub elapsed: Duration,
}

impl HttpRequest {
    /// A POST.
    pub fn post(url: Url, body: Vec<u8>) -> Self {
        HttpRequest {
            method: Method::POST,
            url,
            headers: Vec::new(),
            body,
            framing: BodyFraming::ContentLength,
            use_http_10: false,
            accept_gzip: false,
        }
    }

    /// A POST of a SOAP message, with the headers that name its version and action.
    pub fn soap(url: Url, version: SoapVersion, action: &str, message: Vec<u8>) -> Self {
        let mut request = HttpRequest::post(url, message);
        let content_type = format!("{}; charset=utf-8", version.media_type());
        match version {
            SoapVersion::V11 => {
                request.set_header("Content-Type", content_type);
                request.set_header("SOAPAction", format!("\"{action}\""));
            }
            SoapVersion::V12 => {
                request.set_header("Content-Type", format!("{content_type}; action=\"{action}\""));
            }
        }
        request
    }

    /// A GET.
    pub fn get(url: Url) -> Self {
        HttpRequest { method: Method::GET, ..HttpRequest::post(url, Vec::new()) }
    }

    /// Adds a header, or replaces the one of this name.
    pub fn set_header(&mut self, name: &str, value: impl Into<String>) {
        self.remove_header(name);
        self.headers.push((name.to_owned(), value.into()));
    }

    /// Removes a header.
    pub fn remove_header(&mut self, name: &str) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }
}

impl HttpResponse {
    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The media type, in lower case and without its parameters; empty when there is none.
    pub fn media_type(&self) -> String {
        let value = self.header("Content-Type").unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// The charset that the content type names.
    pub fn charset(&self) -> Option<String> {
        ContentType::parse(self.header("Content-Type")?).parameter("charset").map(str::to_owned)
    }

    /// Whether the media type is one of SOAP messages.
    pub fn is_xml(&self) -> bool {
        matches!(self.media_type().as_str(), "text/xml" | "application/soap+xml" | "application/xml")
    }

    /// The body as text, decoded as its content type and its byte order mark say. Bytes that are no text are replaced.
    pub fn text(&self) -> String {
        let decoded = contract::decode(&self.body, self.charset().as_deref());
        String::from_utf8_lossy(decoded.as_deref().unwrap_or(&self.body)).into_owned()
    }
}
