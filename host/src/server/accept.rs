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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_content_type_is_read(
            text in ".*",
            name in "[a-z]{1,8}",
            value in "[^\"]*",
            other in "[a-z]{9}=\"[^\"]*\"",
        ) {
            // Whatever stands there is no reason to panic; and a quoted value is found behind others.
            ContentType::parse(&text).parameter(&name);
            let whole = format!("text/xml; {other}; {name}=\"{value}\"");
            prop_assert_eq!(ContentType::parse(&whole).parameter(&name), Some(value.trim()));
        }
    }

    #[test]
    fn content_types_are_taken_apart() {
        let full =
            ContentType::parse(r#"Application/SOAP+xml ; charset="utf-16" ;action="http://x/a;b=c/WSx""#);
        assert!(full.is_soap());
        assert_eq!(full.parameter("Charset"), Some("utf-16"));
        assert_eq!(full.parameter("action"), Some("http://x/a;b=c/WSx"));
        assert_eq!(full.parameter("b"), None, "inside another one's quotes");
        for (text, charset) in [
            ("text/xml;charset=utf-8", Some("utf-8")),
            ("text/xml; charset = utf-8 ; x=y", Some("utf-8")),
            ("text/xml; x; charset=utf-8", Some("utf-8")),
            ("text/xml; charset=\"utf-8", Some("utf-8")),
            ("text/xml; charset", None),
            ("text/xml", None),
            ("text/xml;", None),
        ] {
            let parsed = ContentType::parse(text);
            assert!(parsed.is_soap(), "{text}");
            assert_eq!(parsed.parameter("charset"), charset, "{text}");
        }
        assert!(!ContentType::parse("text/xmlx").is_soap());
    }

    #[test]
    fn gzip_must_be_named() {
        for (accepted, gzip) in [
            (vec!["gzip"], true),
            (vec!["deflate", "x-gzip;q=0.1"], true),
            (vec!["br;q=1.0, gzip;q=0.8, *;q=0.1"], true),
            (vec!["*"], false),
            (vec!["gzip;q=0"], false),
            (vec!["gzip; Q=0.000"], false),
            (vec!["gzip;q=none"], false),
            (vec!["gzipped"], false),
            (vec![], false),
        ] {
            let mut headers = HeaderMap::new();
            for value in &accepted {
                headers.append(ACCEPT_ENCODING, hyper::header::HeaderValue::from_static(value));
            }
            assert_eq!(accepts_gzip(&headers), gzip, "{accepted:?}");
        }
    }
}
