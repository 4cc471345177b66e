//! `Forwarded` (RFC 7239) and `X-Forwarded-*` headers of trusted proxies.

use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::{FORWARDED, HeaderName, HeaderValue};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies whose headers are believed.
#[derive(Debug, Clone)]
pub(super) struct TrustedProxies(pub(super) Vec<IpNet>);

/// The proxies that a request has come through.
///
/// Proxies append, so lists are read from the right: the last entry was written by the peer, the one before it by the proxy
/// that the peer names. Reading ends at the first address that is not trusted, which is the client's. Everything left of it
/// may have been written by the client.
#[derive(Debug)]
pub(super) struct ProxyChain<'h> {
    /// The client's address; `None` when a trusted proxy gives none that can be relied on.
    pub(super) client: Option<IpAddr>,
    /// How many entries from the right were written by trusted proxies: one by each of them.
    proxies: usize,
    headers: &'h HeaderMap,
}

/// An element of `Forwarded`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Element<'h> {
    node: Option<&'h str>,
    scheme: Option<&'h str>,
    host: Option<&'h str>,
}

impl TrustedProxies {
    /// An IPv4 address that came in over an IPv6 socket is the IPv4 address that the operator wrote.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl<'h> ProxyChain<'h> {
    pub(super) fn new(headers: &'h HeaderMap, peer: IpAddr, trusted: &TrustedProxies) -> Self {
        let peer = peer.to_canonical();
        if !trusted.contains(peer) {
            return ProxyChain { client: Some(peer), proxies: 0, headers };
        }
        let x_forwarded = items(headers, &X_FORWARDED_FOR).map(address);
        let (client, proxies) = walk(peer, x_forwarded, trusted);
        let elements: Vec<_> = elements(headers).collect();
        // A proxy may write only the scheme. An element that cannot be parsed might hide an address.
        let has_nodes = elements.iter().any(|element| element.as_ref().is_none_or(|it| it.node.is_some()));
        if !has_nodes {
            return ProxyChain { client, proxies, headers };
        }
        let nodes = elements.iter().map(|element| element.as_ref().and_then(|it| it.node).and_then(address));
        let (other_client, other_proxies) = walk(peer, nodes, trusted);
        let is_alone = !headers.contains_key(&X_FORWARDED_FOR);
        // A proxy writes one of the two headers and passes the other one on as the client sent it. It does not matter which
        // one only if both are the same.
        let client = other_client.filter(|_| is_alone || client == other_client);
        ProxyChain { client, proxies: if is_alone { other_proxies } else { proxies }, headers }
    }

    /// `proto` of `Forwarded`: the scheme that the client used.
    pub(super) fn element_scheme(&self) -> Option<&'h str> {
        self.element().and_then(|element| element.scheme)
    }

    /// `host` of `Forwarded`: the host, perhaps with a port, that the client asked for.
    pub(super) fn element_host(&self) -> Option<&'h str> {
        self.element().and_then(|element| element.host)
    }

    /// The value that the first proxy (the one next to the client) has written into this list.
    pub(super) fn value(&self, header: &HeaderName) -> Option<&'h str> {
        self.of_first_proxy(items(self.headers, header))
    }

    /// The same for a header that proxies replace: more values than proxies are not all theirs, and are returned as they are.
    pub(super) fn single_value(&self, header: &HeaderName) -> Option<&'h str> {
        let mut lines = self.headers.get_all(header).iter();
        match (lines.next(), lines.next()) {
            _ if self.proxies == 0 => None,
            (Some(line), None) if items(self.headers, header).count() > self.proxies => Some(text_of(line)),
            (Some(_), Some(_)) if items(self.headers, header).count() > self.proxies => Some("several lines"),
            _ => self.value(header),
        }
    }

    fn element(&self) -> Option<Element<'h>> {
        self.of_first_proxy(elements(self.headers)).flatten()
    }

    /// The entry of the first proxy (the one next to the client); the first entry, where proxies have replaced the list
    /// instead of appending to it. Entries come last first.
    fn of_first_proxy<T>(&self, entries: impl Iterator<Item = T>) -> Option<T> {
        entries.take(self.proxies).last()
    }
}

/// Follows the chain from proxy to proxy. Entries come last first; `None` for those that name no address.
fn walk(
    peer: IpAddr,
    entries: impl Iterator<Item = Option<IpAddr>>,
    trusted: &TrustedProxies,
) -> (Option<IpAddr>, usize) {
    let (mut client, mut proxies) = (peer, 1);
    for entry in entries {
        let Some(address) = entry else { return (None, proxies) };
        client = address;
        if !trusted.contains(address) {
            break;
        }
        proxies += 1;
    }
    (Some(client), proxies)
}

/// The items of a list, last first, over all lines of the header.
fn items<'h>(headers: &'h HeaderMap, header: &HeaderName) -> impl Iterator<Item = &'h str> + use<'h> {
    let lines: Vec<_> = headers.get_all(header).iter().collect();
    // A line that is not text names no address, but it counts.
    lines.into_iter().rev().flat_map(|line| text_of(line).rsplit(',').map(str::trim))
}

/// The elements of `Forwarded`, last first; `None` for a line that is not well-formed.
fn elements(headers: &HeaderMap) -> impl Iterator<Item = Option<Element<'_>>> {
    let lines: Vec<_> = headers.get_all(FORWARDED).iter().collect();
    lines.into_iter().rev().flat_map(|line| match line.to_str().ok().and_then(parse) {
        Some(elements) => elements.into_iter().rev().map(Some).collect(),
        None => vec![None],
    })
}

/// `for=192.0.2.1;proto=https, for="[2001:db8::1]:4711"`. Strict: what a client has begun must not hide what a proxy
/// appends to it.
fn parse(line: &str) -> Option<Vec<Element<'_>>> {
    let mut elements = vec![Element::default()];
    let mut rest = line;
    loop {
        rest = rest.trim_start();
        if !rest.starts_with([';', ',']) && !rest.is_empty() {
            let (name, after) = rest.split_once('=')?;
            let (value, after) = match after.strip_prefix('"') {
                // No value that is used here can hold an escape.
                Some(quoted) => quoted.split_once('"').filter(|(value, _)| !value.contains('\\'))?,
                None => after.split_at(after.find([';', ',', ' ', '\t', '"']).unwrap_or(after.len())),
            };
            let name = name.trim();
            if name.is_empty()
                || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            {
                return None;
            }
            let element = elements.last_mut()?;
            for (known, value_of) in
                [("for", &mut element.node), ("proto", &mut element.scheme), ("host", &mut element.host)]
            {
                // The same parameter twice is ambiguous.
                if name.eq_ignore_ascii_case(known) && value_of.replace(value).is_some() {
                    return None;
                }
            }
            rest = after.trim_start();
        }
        let Some(separator) = rest.chars().next() else { return Some(elements) };
        match separator {
            ',' => elements.push(Element::default()),
            ';' => {}
            _ => return None,
        }
        rest = &rest[1..];
    }
}

/// An address, with or without a port: `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`.
fn address(node: &str) -> Option<IpAddr> {
    let is_port = |port: &str| port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    let address = match node.strip_prefix('[') {
        Some(bracketed) => {
            let (address, port) = bracketed.split_once(']')?;
            if !port.is_empty() && !is_port(port) {
                return None;
            }
            IpAddr::V6(address.parse().ok()?)
        }
        None => match node.parse() {
            Ok(address) => address,
            Err(_) => {
                let (address, port) = node.split_at(node.find(':')?);
                IpAddr::V4(address.parse().ok().filter(|_| is_port(port))?)
            }
        },
    };
    Some(address.to_canonical())
}

fn text_of(line: &HeaderValue) -> &str {
    line.to_str().unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PROXY: &str = "10.1.2.3";

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn trusted() -> TrustedProxies {
        TrustedProxies(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()])
    }

    fn client(lines: &[(&'static str, &str)], peer: &str) -> String {
        let headers = headers(lines);
        let proxies = ProxyChain::new(&headers, peer.parse().unwrap(), &trusted());
        proxies.client.map_or("unknown".to_owned(), |address| address.to_string())
    }

    #[test]
    fn client_is_the_first_address_from_the_right_that_is_not_trusted() {
        const X: &str = "x-forwarded-for";
        for (lines, peer, expected) in [
            (&[][..], "192.0.2.9", "192.0.2.9"),
            (&[], "::ffff:192.0.2.9", "192.0.2.9"),
            (&[(X, "192.0.2.1")], "192.0.2.9", "192.0.2.9"),
            (&[("forwarded", "for=192.0.2.1")], "192.0.2.9", "192.0.2.9"),
            // The proxy itself calls, or says nothing.
            (&[], PROXY, PROXY),
            (&[(X, "192.0.2.1")], PROXY, "192.0.2.1"),
            (&[(X, "192.0.2.1")], "::ffff:10.1.2.3", "192.0.2.1"),
            (&[(X, "::ffff:192.0.2.1")], PROXY, "192.0.2.1"),
            (&[(X, "192.0.2.1")], "fd00::1", "192.0.2.1"),
            // Forged entries are left of the one that the proxy has written.
            (&[(X, "10.9.9.9, 192.0.2.1")], PROXY, "192.0.2.1"),
            (&[(X, "127.0.0.1"), (X, "192.0.2.1")], PROXY, "192.0.2.1"),
            (&[(X, "x, 192.0.2.1 , 10.0.0.7")], PROXY, "192.0.2.1"),
            (&[(X, "10.0.0.8,10.0.0.7")], PROXY, "10.0.0.8"),
            (&[(X, "192.0.2.1:4711")], PROXY, "192.0.2.1"),
            (&[(X, "[2001:db8::1]:4711")], PROXY, "2001:db8::1"),
            (&[(X, "2001:db8::1")], PROXY, "2001:db8::1"),
            // Not an address.
            (&[(X, "192.0.2.1, unknown")], PROXY, "unknown"),
            (&[(X, "192.0.2.1,")], PROXY, "unknown"),
            (&[(X, "")], PROXY, "unknown"),
            (&[(X, "192.0.2.1:http")], PROXY, "unknown"),
            (&[("forwarded", "for=192.0.2.1;proto=https")], PROXY, "192.0.2.1"),
            (&[("forwarded", "for=1.1.1.1, For=\"[2001:db8::1]:4711\"")], PROXY, "2001:db8::1"),
            (&[("forwarded", "for=192.0.2.1, for=10.0.0.7;by=10.0.0.8")], PROXY, "192.0.2.1"),
            (&[("forwarded", "for=_hidden")], PROXY, "unknown"),
            (&[("forwarded", "for=unknown")], PROXY, "unknown"),
            (&[("forwarded", "proto=https")], PROXY, PROXY),
            (&[("forwarded", "proto=https"), (X, "192.0.2.1")], PROXY, "192.0.2.1"),
            // An open quote of the client does not hide what the proxy has appended.
            (&[("forwarded", "for=10.0.0.5;x=\", for=192.0.2.1")], PROXY, "unknown"),
            (&[("forwarded", "for=10.0.0.5;x=\", for=\"[2001:db8::1]\"")], PROXY, "unknown"),
            (&[("forwarded", "for=10.0.0.5;for=192.0.2.1")], PROXY, "unknown"),
            (&[("forwarded", "for=10.0.0.5;x=\""), ("forwarded", "for=192.0.2.1")], PROXY, "192.0.2.1"),
            // The client adds the header that the proxy does not write.
            (&[("forwarded", "for=192.0.2.77"), (X, "192.0.2.1")], PROXY, "unknown"),
            (&[("forwarded", "x=\""), (X, "192.0.2.1")], PROXY, "unknown"),
            (&[("forwarded", "for=192.0.2.1"), (X, "192.0.2.1")], PROXY, "192.0.2.1"),
        ] {
            assert_eq!(client(lines, peer), expected, "{lines:?} from {peer}");
        }
    }

    #[test]
    fn forwarded_elements_are_parsed() {
        let element = |node, scheme, host| Element { node, scheme, host };
        for (line, expected) in [
            (
                "For=a; Host=\"b:83\" ;PROTO=https",
                Some(vec![element(Some("a"), Some("https"), Some("b:83"))]),
            ),
            ("for=a,for=b", Some(vec![element(Some("a"), None, None), element(Some("b"), None, None)])),
            ("secret=\"x;y,z\";for=a", Some(vec![element(Some("a"), None, None)])),
            ("", Some(vec![Element::default()])),
            ("for=a b", None),
            ("for", None),
            ("=a", None),
            ("for=\"a", None),
            ("for=\"a\"b", None),
            ("for=\"a\\\"b\"", None),
        ] {
            assert_eq!(parse(line), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn client_cannot_forge_x_forwarded_for(
            forged in prop::collection::vec("[ -~]{0,40}", 0..3),
            appended in any::<bool>(),
        ) {
            let mut lines: Vec<_> = forged.iter().map(|line| ("x-forwarded-for", line.clone())).collect();
            match lines.last_mut().filter(|_| appended) {
                Some((_, last)) => last.push_str(", 192.0.2.1"),
                None => lines.push(("x-forwarded-for", "192.0.2.1".to_owned())),
            }
            let lines: Vec<_> = lines.iter().map(|(name, value)| (*name, value.as_str())).collect();
            prop_assert_eq!(client(&lines, PROXY), "192.0.2.1");
        }

        #[test]
        fn client_cannot_forge_forwarded(forged in "[ -~]{0,60}") {
            // Appended to by the proxy, as a list.
            let line = format!("{forged}, for=192.0.2.1");
            let found = client(&[("forwarded", &line)], PROXY);
            prop_assert!(["192.0.2.1", "unknown"].contains(&found.as_str()), "{} from {:?}", found, line);
        }
    }
}
