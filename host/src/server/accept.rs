//! What a client accepts, and what a body is.

use hyper::HeaderMap;
use hyper::header::ACCEPT_ENCODING;

/// A `Content-Type`, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContentType<'a> {
    /// Such as `text/xml`, as it was written.
    pub(super) media_type: &'a str,
    parameters: &'a str,
}

impl<'a> ContentType<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        let (media_type, parameters) = text.split_once(';').unwrap_or((text, ""));
        ContentType { media_type: media_type.trim(), parameters }
    }

    /// Whether a SOAP message can come in it.
    pub(super) fn is_soap(&self) -> bool {
        ["text/xml", "application/soap+xml"].iter().any(|soap| self.media_type.eq_ignore_ascii_case(soap))
    }

    /// The value of a parameter, without its quotes.
    pub(super) fn parameter(&self, name: &str) -> Option<&'a str> {
        let mut rest = self.parameters;
        loop {
            let (key, after) = rest.split_once('=')?;
            let after = after.trim_start();
            // A quoted value may hold semicolons: an action is a URL.
            let (value, next) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
                None => after.split_once(';').map_or((after, ""), |(value, next)| (value, next)),
            };
            let key = key.rsplit(';').next().unwrap_or(key);
            if key.trim().eq_ignore_ascii_case(name) {
                return Some(value.trim());
            }
            rest = next;
        }
    }
}

/// Whether the client takes gzip: only when it names it, with a weight above zero.
pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let items = headers.get_all(ACCEPT_ENCODING).iter().flat_map(|header| {
        header.to_str().unwrap_or_default().split(',').map(|item| item.split_once(';').unwrap_or((item, "")))
    });
    let is_gzip = |coding: &str| ["gzip", "x-gzip"].iter().any(|name| coding.eq_ignore_ascii_case(name));
    let mut gzip = items.filter(|(coding, _)| is_gzip(coding.trim()));
    gzip.next().is_some_and(|(_, parameters)| weight(parameters) > 0.0)
}

/// The `q` of an item; 1 when it has none, and 0 when it is no number.
fn weight(parameters: &str) -> f32 {
    let q = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then_some(value)
    });
    q.map_or(1.0, |value| value.trim().parse().unwrap_or(0.0))
}
