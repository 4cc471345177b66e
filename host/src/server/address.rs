//! How a caller reaches this host: what a WSDL must say in `soap:address`.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::HeaderMap;
use hyper::header::{HOST, HeaderName};

use super::forwarded::{Way, is_host};
use crate::access::CertificateNames;

const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// The two ends of a connection.
#[derive(Debug, Clone)]
pub(super) struct Ends {
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
    /// Whether it is secure.
    pub(super) is_tls: bool,
    /// What the peer is called, if it has shown a certificate.
    pub(super) certificate: Option<Arc<CertificateNames>>,
}

/// The address that the caller used for `path`, as far as headers tell: its own `Host`, or what a trusted proxy says
/// in `Forwarded` or `X-Forwarded-*`. Whatever is no scheme, host, port or path is passed over.
pub(super) fn public_address(headers: &HeaderMap, path: &str, ends: &Ends, way: &Way<'_>) -> String {
    let scheme = match way.scheme() {
        Some(scheme) if scheme.eq_ignore_ascii_case("https") => "https",
        None if ends.is_tls => "https",
        _ => "http",
    };
    let told_host = way.host();
    let own_host = headers.get(HOST).and_then(|host| host.to_str().ok()).filter(|host| is_host(host));
    let mut host = match told_host.or(own_host) {
        Some(host) => host.to_owned(),
        // HTTP/1.0 without a Host: the address that was reached.
        None => ends.local.to_string(),
    };
    if let Some(port) = way.told(&X_FORWARDED_PORT).and_then(|port| port.parse::<u16>().ok()) {
        let named = host.rfind(':').filter(|&colon| !host[colon..].contains(']'));
        let usual = port == if scheme == "https" { 443 } else { 80 };
        // A port that stands in X-Forwarded-Host is the public one; one in our own Host may be the proxy's target.
        if told_host.is_none()
            && let Some(colon) = named
        {
            host.truncate(colon);
        }
        if !usual && (told_host.is_none() || named.is_none()) {
            host.push_str(&format!(":{port}"));
        }
    }
    let prefix = way.told(&X_FORWARDED_PREFIX).filter(|prefix| is_path(prefix)).unwrap_or_default();
    let prefix = prefix.trim_end_matches('/');
    format!("{scheme}://{host}{prefix}{path}")
}

fn is_path(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/.-_~%".contains(&byte);
    path.starts_with('/') && path.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::forwarded::Trusted;

    fn address(headers: &[(&'static str, &'static str)], peer: &str) -> String {
        let headers = headers.iter().map(|(name, value)| {
            (HeaderName::from_static(name), hyper::header::HeaderValue::from_static(value))
        });
        let headers = headers.collect();
        let (peer, local) = (peer.parse().unwrap(), "192.0.2.1:8080".parse().unwrap());
        let ends = Ends { peer, local, is_tls: false, certificate: None };
        let trusted = Trusted(vec!["10.0.0.0/8".parse().unwrap()]);
        public_address(&headers, "/p", &ends, &Way::new(&headers, ends.peer.ip(), &trusted))
    }

    #[test]
    fn headers_count_as_far_as_they_are_trusted_and_make_sense() {
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
            (&[("host", "a"), ("x-forwarded-prefix", "erp")], PROXY, "http://a/p"),
            (&[("host", "a"), ("x-forwarded-prefix", "/<>")], PROXY, "http://a/p"),
            (
                &[
                    ("host", "a"),
                    ("forwarded", "for=2.2.2.2;host=c, For=1.1.1.1; Host=\"b:83\" ;PROTO=https"),
                ],
                PROXY,
                "https://b:83/p",
            ),
            // Two proxies, which both append: the first of them knows what the client asked for.
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
            assert_eq!(address(headers, peer), expected, "{headers:?} from {peer}");
        }
    }
}
