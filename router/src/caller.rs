//! The caller of a call: addresses and proven name. The server determines it; the router, the log and the audit log use it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use erp_host_store::audit::{Origin, shortened};

/// The caller of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The other end of the socket: the client, or the proxy in front of this host.
    pub peer: SocketAddr,
    /// The client's address: from the headers of trusted proxies, or else the peer's own. `None` when the proxies give none
    /// that can be relied on: then no access may be granted by address.
    pub client: Option<IpAddr>,
    /// The name that the caller has proved, and how, such as `basic:superoffice`; `None` when no proof was required.
    pub name: Option<Arc<str>>,
    /// Whether it may see which connectors are here.
    pub sees_details: bool,
}

impl Caller {
    /// A caller without a proxy and without a name; a stranger.
    pub fn direct(peer: SocketAddr) -> Self {
        Caller { peer, client: Some(peer.ip().to_canonical()), name: None, sees_details: false }
    }

    /// The address that limits for each peer count: of the client, or else of the proxy in front.
    pub fn network(&self) -> IpAddr {
        network_of(self.client.unwrap_or(self.peer.ip()))
    }
}

/// The address that counts as one peer: in IPv6 a single client has a whole /64.
pub fn network_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
        address => address,
    }
}

/// For the audit log.
impl From<&Caller> for Origin {
    fn from(caller: &Caller) -> Self {
        let peer = caller.peer.ip().to_canonical();
        Origin::Call {
            name: caller.name.as_deref().map(shortened),
            client: caller.client.map_or_else(|| "unknown".to_owned(), |client| client.to_string()),
            via: (Some(peer) != caller.client).then(|| peer.to_string()),
        }
    }
}

/// For a log line: `203.0.113.9`, `203.0.113.9 via 10.0.0.1`, `unknown via 10.0.0.1`, `basic:superoffice at 203.0.113.9`.
impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{name} at ")?;
        }
        let peer = self.peer.ip().to_canonical();
        match self.client {
            Some(client) if client == peer => write!(f, "{client}"),
            Some(client) => write!(f, "{client} via {peer}"),
            None => write!(f, "unknown via {peer}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caller_in_a_log_line() {
        let direct = Caller::direct("[::ffff:10.0.0.1]:50000".parse().unwrap());
        let forwarded = Caller { client: "203.0.113.9".parse().ok(), ..direct.clone() };
        let named = Caller { name: Some("basic:superoffice".into()), ..forwarded.clone() };
        let unknown = Caller { client: None, ..direct.clone() };
        for (caller, expected) in [
            (unknown, "unknown via 10.0.0.1"),
            (direct, "10.0.0.1"),
            (forwarded, "203.0.113.9 via 10.0.0.1"),
            (named, "basic:superoffice at 203.0.113.9 via 10.0.0.1"),
        ] {
            assert_eq!(caller.to_string(), expected);
        }
    }
}
