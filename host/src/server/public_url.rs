//! The public URL of the service, as the caller sees it: the `soap:address` of a WSDL.

use hyper::HeaderMap;
use hyper::header::{HOST, HeaderName};

use super::connection_info::ConnectionInfo;
use super::forwarded::{ProxyChain, is_host};

const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// The URL that the caller used for `path`: from its own `Host`, or from `Forwarded` or `X-Forwarded-*` of a trusted proxy.
/// Values that are not a valid scheme, host, port or path are ignored.
pub(super) fn public_url(
    headers: &HeaderMap,
    path: &str,
    connection: &ConnectionInfo,
    proxies: &ProxyChain<'_>,
) -> String {
    let scheme = match proxies.scheme() {
        Some(scheme) if scheme.eq_ignore_ascii_case("https") => "https",
        None if connection.is_tls => "https",
        _ => "http",
    };
    let forwarded_host = proxies.host();
    let own_host = headers.get(HOST).and_then(|host| host.to_str().ok()).filter(|host| is_host(host));
    let mut host = match forwarded_host.or(own_host) {
        Some(host) => host.to_owned(),
        // HTTP/1.0 without a Host: the address that was reached.
        None => connection.local.to_string(),
    };
    if let Some(port) = proxies.value(&X_FORWARDED_PORT).and_then(|port| port.parse::<u16>().ok()) {
        let named = host.rfind(':').filter(|&colon| !host[colon..].contains(']'));
        let usual = port == if scheme == "https" { 443 } else { 80 };
        // A port that stands in X-Forwarded-Host is the public one; one in our own Host may be the proxy's target.
        if forwarded_host.is_none()
            && let Some(colon) = named
        {
            host.truncate(colon);
        }
        if !usual && (forwarded_host.is_none() || named.is_none()) {
            host.push_str(&format!(":{port}"));
        }
    }
    let prefix = proxies.value(&X_FORWARDED_PREFIX).filter(|prefix| is_path(prefix)).unwrap_or_default();
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
    use crate::server::forwarded::TrustedProxies;

    fn url(headers: &[(&'static str, &'static str)], peer: &str) -> String {
        let headers = headers.iter().map(|(name, value)| {
            (HeaderName::from_static(name), hyper::header::HeaderValue::from_static(value))
        });
        let headers = headers.collect();
        let (peer, local) = (peer.parse().unwrap(), "192.0.2.1:8080".parse().unwrap());
        let connection = ConnectionInfo { peer, local, is_tls: false, certificate: None };
        let trusted = TrustedProxies(vec!["10.0.0.0/8".parse().unwrap()]);
        public_url(&headers, "/p", &connection, &ProxyChain::new(&headers, connection.peer.ip(), &trusted))
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
