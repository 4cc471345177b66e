//! The public URL of the service, as the caller sees it: the `soap:address` of a WSDL, and the address on the help page.
//!
//! A strict parser for each header: what does not parse is ignored, and the log has why.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::net::{IpAddr, Ipv6Addr};

use hyper::HeaderMap;
use hyper::header::{FORWARDED, HOST, HeaderName};

use super::connection_info::ConnectionInfo;
use super::forwarded::ProxyChain;

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// The longest name of a host, and the longest prefix, in bytes.
const MAX_HOST: usize = 253;
const MAX_PREFIX: usize = 256;

/// A URL, and what was ignored to make it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PublicUrl {
    pub(super) url: String,
    pub(super) ignored: Vec<IgnoredHeader>,
}

/// A header of a trusted proxy that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IgnoredHeader {
    name: HeaderName,
    value: String,
    expected: &'static str,
}

impl Display for IgnoredHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IgnoredHeader { name, value, expected } = self;
        write!(
            f,
            "{name} {value:?} is ignored, expected {expected}; a trusted proxy must set this header or remove it"
        )
    }
}

/// The URL that the caller used for `path`: from its own `Host`, or from `Forwarded` or `X-Forwarded-*` of a trusted proxy.
pub(super) fn public_url(
    headers: &HeaderMap,
    path: &str,
    connection: &ConnectionInfo,
    proxies: &ProxyChain<'_>,
) -> PublicUrl {
    let mut reader = HeaderReader(Vec::new());
    let scheme = reader
        .read(FORWARDED, proxies.element_scheme(), parse_scheme, "http or https")
        .or_else(|| {
            reader.read(X_FORWARDED_PROTO, proxies.value(&X_FORWARDED_PROTO), parse_scheme, "http or https")
        })
        .unwrap_or(if connection.is_tls { "https" } else { "http" });
    const AUTHORITY: &str = "a host, with or without a port from 1 to 65535";
    let forwarded_host =
        reader.read(FORWARDED, proxies.element_host(), Authority::parse, AUTHORITY).or_else(|| {
            reader.read(X_FORWARDED_HOST, proxies.value(&X_FORWARDED_HOST), Authority::parse, AUTHORITY)
        });
    let port = proxies.single_value(&X_FORWARDED_PORT);
    let port = reader.read(X_FORWARDED_PORT, port, parse_port, "one port from 1 to 65535");
    let prefix = proxies.single_value(&X_FORWARDED_PREFIX);
    let prefix =
        reader.read(X_FORWARDED_PREFIX, prefix, parse_prefix, "one path like /erp").unwrap_or_default();

    let own_host = || headers.get(HOST)?.to_str().ok().and_then(Authority::parse);
    let (name, port) = match (forwarded_host, own_host()) {
        // A port that is in X-Forwarded-Host is the public one; one in our own Host may be the proxy's target.
        (Some(forwarded), _) => (Cow::Borrowed(forwarded.name), forwarded.port.or(port)),
        (None, Some(own)) => (Cow::Borrowed(own.name), port.or(own.port)),
        // HTTP/1.0 without a Host: the address that was reached.
        (None, None) => {
            let name = match connection.local.ip() {
                IpAddr::V4(address) => address.to_string(),
                IpAddr::V6(address) => format!("[{address}]"),
            };
            (Cow::Owned(name), port.or(Some(connection.local.port())))
        }
    };
    let usual = if scheme == "https" { 443 } else { 80 };
    let port = port.filter(|&port| port != usual).map(|port| format!(":{port}")).unwrap_or_default();
    PublicUrl { url: format!("{scheme}://{name}{port}{prefix}{path}"), ignored: reader.0 }
}

/// Reads headers, and keeps those that do not parse.
struct HeaderReader(Vec<IgnoredHeader>);

impl HeaderReader {
    /// An empty header is none: proxies that cannot remove one set it to nothing.
    fn read<'h, T>(
        &mut self,
        name: HeaderName,
        value: Option<&'h str>,
        parse: impl FnOnce(&'h str) -> Option<T>,
        expected: &'static str,
    ) -> Option<T> {
        let value = value.filter(|value| !value.is_empty())?;
        let parsed = parse(value);
        if parsed.is_none() {
            self.0.push(IgnoredHeader { name, value: value.chars().take(100).collect(), expected });
        }
        parsed
    }
}

/// A host, with or without a port.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Authority<'h> {
    /// A name, an IPv4 address, or an IPv6 address in brackets.
    pub(super) name: &'h str,
    pub(super) port: Option<u16>,
}

impl<'h> Authority<'h> {
    pub(super) fn parse(text: &'h str) -> Option<Self> {
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let end = rest.find(']')?;
                rest[..end].parse::<Ipv6Addr>().ok()?;
                (&text[..end + 2], &text[end + 2..])
            }
            None => {
                let (name, port) = text.split_at(text.find(':').unwrap_or(text.len()));
                let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
                let is_label = |label: &str| !label.is_empty() && label.bytes().all(is_plain);
                let labels = name.strip_suffix('.').unwrap_or(name);
                if name.len() > MAX_HOST || !labels.split('.').all(is_label) {
                    return None;
                }
                (name, port)
            }
        };
        let port = match port.strip_prefix(':') {
            Some(port) => Some(parse_port(port)?),
            None if port.is_empty() => None,
            None => return None,
        };
        Some(Authority { name, port })
    }
}

fn parse_scheme(text: &str) -> Option<&'static str> {
    ["http", "https"].into_iter().find(|scheme| text.eq_ignore_ascii_case(scheme))
}

/// Only digits: `parse` would take a sign.
fn parse_port(text: &str) -> Option<u16> {
    let is_number = !text.is_empty() && text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&port| is_number && port != 0)
}

/// A path from the root, of plain segments: none is empty, or goes up. A slash at its end does not count.
fn parse_prefix(text: &str) -> Option<&str> {
    let prefix = text.strip_suffix('/').unwrap_or(text);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let is_segment = |segment: &str| {
        !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(is_plain)
    };
    let is_root = prefix.is_empty();
    let is_path = || prefix.strip_prefix('/').is_some_and(|path| path.split('/').all(is_segment));
    (text.len() <= MAX_PREFIX && (is_root || is_path())).then_some(prefix)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::server::forwarded::TrustedProxies;

    fn made(lines: &[(&'static str, &'static str)], peer: &str) -> PublicUrl {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let value = hyper::header::HeaderValue::from_bytes(value.as_bytes()).unwrap();
            headers.append(HeaderName::from_static(name), value);
        }
        let (peer, local) = (peer.parse().unwrap(), "192.0.2.1:8080".parse().unwrap());
        let connection =
            ConnectionInfo { peer, local, is_tls: false, certificate: None, framing_error: Arc::default() };
        let trusted = TrustedProxies(vec!["10.0.0.0/8".parse().unwrap()]);
        let proxies = ProxyChain::new(&headers, connection.peer.ip(), &trusted);
        public_url(&headers, "/p", &connection, &proxies)
    }

    fn url(lines: &[(&'static str, &'static str)], peer: &str) -> String {
        made(lines, peer).url
    }

    #[test]
    fn public_url_ignores_what_is_no_value_of_its_header() {
        const LONG: &str = "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
            aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
            aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
        for (name, values) in [
            (
                "x-forwarded-prefix",
                &[
                    "//evil",
                    "/a//b",
                    "/a/../b",
                    "/..",
                    "/.",
                    "/a b",
                    "/a\"b",
                    "/a'b",
                    "/<script>",
                    "erp",
                    "erp/x",
                    "http://evil.example",
                    "https://evil.example/x",
                    "/a%2fb",
                    "/a%2Fb",
                    "/%2e%2e/b",
                    "/a\\b",
                    "/a?b",
                    "/a#b",
                    "/a&b",
                    "/a;b",
                    "/a,/b",
                    "/\u{e9}",
                    LONG,
                ][..],
            ),
            (
                "x-forwarded-port",
                &[
                    "0", "00", "99999", "65536", "80,443", "80, 443", "+80", "-1", " 8 0", "0x50", "80a",
                    "000080", "1e3",
                ],
            ),
            (
                "x-forwarded-host",
                &[
                    "b:99999", "b:0", "b:", "b:80:80", "b:x", "b/evil", "b@evil", "evil b", "http://b", "..",
                    "a..b", "[::1", "[::1]x", "[b]", "::1", "b<", "\"b\"", "b%41", "\u{e9}",
                ],
            ),
            ("x-forwarded-proto", &["javascript", "httpss", "http://", "ftp", "https;"]),
            ("forwarded", &["host=\"b:99999\"", "host=\"b/x\"", "proto=javascript"]),
        ] {
            for value in values {
                let PublicUrl { url, ignored } = made(&[("host", "a:81"), (name, value)], "10.1.2.3:5555");
                assert_eq!(url, "http://a:81/p", "{name}: {value}");
                assert_eq!(ignored.len(), 1, "{name}: {value}: {ignored:?}");
                let shown = ignored[0].to_string();
                assert!(shown.contains(name) && shown.contains("expected"), "{shown}");
                // A client that is no trusted proxy has no say, and no line.
                let own = PublicUrl { url: "http://a:81/p".to_owned(), ignored: Vec::new() };
                assert_eq!(made(&[("host", "a:81"), (name, value)], "192.0.2.9:5"), own);
            }
        }
        for (prefix, expected) in [("/erp/", "/erp"), ("/", ""), ("", ""), ("/a/b-c._~9", "/a/b-c._~9")] {
            let found = made(&[("host", "a"), ("x-forwarded-prefix", prefix)], "10.1.2.3:5555");
            assert_eq!(
                found,
                PublicUrl { url: format!("http://a{expected}/p"), ignored: Vec::new() },
                "{prefix}"
            );
        }
        // Several values, or lines, of a header that proxies replace and do not append to.
        let lines = [("host", "a"), ("x-forwarded-port", "81"), ("x-forwarded-port", "82")];
        assert_eq!(made(&lines, "10.1.2.3:5555").ignored.len(), 1);
    }

    #[test]
    fn public_url_uses_valid_headers_of_trusted_proxies() {
        const PROXY: &str = "10.1.2.3:5555";
        for (headers, peer, expected) in [
            (&[][..], PROXY, "http://192.0.2.1:8080/p"),
            (&[("host", "a")], PROXY, "http://a/p"),
            (&[("host", "[::1]:81")], PROXY, "http://[::1]:81/p"),
            (&[("host", "a b")], PROXY, "http://192.0.2.1:8080/p"),
            (&[("host", "a"), ("x-forwarded-proto", "HTTPS")], PROXY, "https://a/p"),
            (&[("host", "a"), ("x-forwarded-proto", "https")], "[::ffff:10.0.0.1]:5", "https://a/p"),
            (&[("host", "a"), ("x-forwarded-proto", "https")], "192.0.2.9:5", "http://a/p"),
            (&[("host", "a"), ("x-forwarded-proto", "javascript")], PROXY, "http://a/p"),
            (&[("host", "a:8080"), ("x-forwarded-port", "81")], PROXY, "http://a:81/p"),
            (&[("host", "a:8080"), ("x-forwarded-port", "80")], PROXY, "http://a/p"),
            (&[("host", "[::1]"), ("x-forwarded-port", "81")], PROXY, "http://[::1]:81/p"),
            (
                &[("host", "a"), ("x-forwarded-host", "c, b:82"), ("x-forwarded-port", "81")],
                PROXY,
                "http://b:82/p",
            ),
            (
                &[("x-forwarded-host", "b"), ("x-forwarded-port", "443"), ("x-forwarded-proto", "https")],
                PROXY,
                "https://b/p",
            ),
            (&[("host", "a"), ("x-forwarded-prefix", "/erp")], PROXY, "http://a/erp/p"),
            (&[("host", "a:81"), ("x-forwarded-port", "65535")], PROXY, "http://a:65535/p"),
            (&[("host", "[::1]:81"), ("x-forwarded-port", "82")], PROXY, "http://[::1]:82/p"),
            (&[("host", "a:99999")], PROXY, "http://192.0.2.1:8080/p"),
            // Each of two proxies has appended.
            (
                &[
                    ("host", "a"),
                    ("x-forwarded-for", "192.0.2.5, 10.0.0.7"),
                    ("x-forwarded-port", "8443, 82"),
                    ("x-forwarded-prefix", "/out, /in"),
                ],
                PROXY,
                "http://a:8443/out/p",
            ),
            (
                &[
                    ("host", "a"),
                    ("forwarded", "for=2.2.2.2;host=c, For=1.1.1.1; Host=\"b:83\" ;PROTO=https"),
                ],
                PROXY,
                "https://b:83/p",
            ),
            // Two proxies, which both append: the first one has the host that the client asked for.
            (
                &[
                    ("x-forwarded-for", "192.0.2.5, 10.0.0.7"),
                    ("x-forwarded-host", "evil, b, c"),
                    ("x-forwarded-proto", "https, http"),
                ],
                PROXY,
                "https://b/p",
            ),
        ] {
            assert_eq!(url(headers, peer), expected, "{headers:?} from {peer}");
        }
    }
}
