//! What travels.

use std::time::Duration;

use contract::{Answer, Operation};
use reqwest::{Method, Url};

/// A request to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The address.
    pub url: Url,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body, before it is packed.
    pub body: Vec<u8>,
    /// How the body travels.
    pub form: Body,
    /// Whether to send it as HTTP/1.0.
    pub is_http_10: bool,
    /// Whether to ask for gzip, which is unpacked when it comes.
    pub takes_gzip: bool,
}

/// How the body of a request travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Body {
    /// In one piece, with its length.
    #[default]
    Whole,
    /// In chunks of so many bytes, without a length.
    Chunked(usize),
}

/// An answer, unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// A request and its answer.
#[derive(Debug, Clone)]
pub struct Traffic {
    /// What was sent.
    pub sent: HttpRequest,
    /// What came back.
    pub answered: Answered,
    /// From sending the first byte to receiving the last one.
    pub elapsed: Duration,
}

/// A call of the contract that was answered by a reply.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The operation.
    pub operation: Operation,
    /// What travelled.
    pub traffic: Traffic,
    /// The reply, read.
    pub answer: Answer<'static>,
}

impl HttpRequest {
    /// A POST.
    pub fn post(url: Url, body: Vec<u8>) -> Self {
        HttpRequest {
            method: Method::POST,
            url,
            headers: Vec::new(),
            body,
            form: Body::Whole,
            is_http_10: false,
            takes_gzip: false,
        }
    }

    /// A GET.
    pub fn get(url: Url) -> Self {
        HttpRequest { method: Method::GET, ..HttpRequest::post(url, Vec::new()) }
    }

    /// Adds a header, or replaces the one of this name.
    pub fn set_header(&mut self, name: &str, value: impl Into<String>) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.into()));
    }

    /// Takes a header away.
    pub fn remove_header(&mut self, name: &str) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }
}

impl Answered {
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

    /// Whether it claims to be a SOAP message.
    pub fn is_xml(&self) -> bool {
        matches!(self.media_type().as_str(), "text/xml" | "application/soap+xml" | "application/xml")
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
