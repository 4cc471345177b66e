//! Connection limit: how many connections may be open, in total and for each peer. At the limit the longest idle connection
//! is evicted, so idle connections, however many, keep nobody out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::config::{Limits, ServerConfig};

/// Connections beyond the limit that still get an answer, so that a monitor can see that the host is full.
const OVERFLOW: u32 = 64;

/// How long one of those waits for another connection to close.
const EVICTION_TIMEOUT: Duration = Duration::from_secs(1);

/// The connection limit.
#[derive(Debug, Clone)]
pub(super) struct ConnectionLimit {
    max: u32,
    permits: Arc<Semaphore>,
    overflow_permits: Arc<Semaphore>,
    /// Wakes the connection that has waited for it longest, which is the longest open one.
    eviction: Arc<Notify>,
    max_per_peer: u32,
    peers: Arc<Mutex<HashMap<IpAddr, u32>>>,
    /// Have any number of connections: they have many clients.
    trusted_proxies: Arc<[IpNet]>,
}

/// Counts a connection in the limit until it is dropped.
#[derive(Debug)]
pub(super) struct ConnectionPermit {
    /// `None` as long as the connection is beyond the limit.
    permit: Option<OwnedSemaphorePermit>,
    overflow_permit: Option<OwnedSemaphorePermit>,
    limit: ConnectionLimit,
    peer: Option<IpAddr>,
}

/// The limit that is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum LimitReached {
    #[error("this address has as many connections as limits.connections_per_peer allows")]
    PerPeer,
    #[error("there are as many connections as limits.connections allows")]
    Total,
}

impl ConnectionLimit {
    pub(super) fn new(config: &ServerConfig) -> Self {
        let Limits { connections, connections_per_peer, .. } = config.limits;
        ConnectionLimit {
            max: connections.get(),
            permits: Arc::new(Semaphore::new(connections.get() as usize)),
            overflow_permits: Arc::new(Semaphore::new(OVERFLOW as usize)),
            eviction: Arc::default(),
            max_per_peer: connections_per_peer.get(),
            peers: Arc::default(),
            trusted_proxies: config.trusted_proxies.clone().into(),
        }
    }

    /// Counts a new connection of this peer.
    pub(super) fn acquire(&self, peer: IpAddr) -> Result<ConnectionPermit, LimitReached> {
        let peer = peer.to_canonical();
        let is_proxy = self.trusted_proxies.iter().any(|network| network.contains(&peer));
        let mut acquired =
            ConnectionPermit { permit: None, overflow_permit: None, limit: self.clone(), peer: None };
        if !is_proxy {
            let peer = network_of(peer);
            let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
            let connections = peers.entry(peer).or_insert(0);
            if *connections == self.max_per_peer {
                return Err(LimitReached::PerPeer);
            }
            *connections += 1;
            drop(peers);
            acquired.peer = Some(peer);
        }
        acquired.permit = Arc::clone(&self.permits).try_acquire_owned().ok();
        if acquired.permit.is_none() {
            self.eviction.notify_one();
            let overflow_permit = Arc::clone(&self.overflow_permits).try_acquire_owned();
            acquired.overflow_permit = Some(overflow_permit.map_err(|_| LimitReached::Total)?);
        }
        Ok(acquired)
    }

    /// Waits until this connection is to close for another one, if it is idle.
    pub(super) async fn eviction_requested(&self) {
        self.eviction.notified().await;
    }

    /// Waits until all connections are closed.
    pub(super) async fn all_closed(self) {
        // Fails only when a semaphore is closed, which it never is.
        let _ = self.permits.acquire_many(self.max).await;
        let _ = self.overflow_permits.acquire_many(OVERFLOW).await;
    }
}

impl ConnectionPermit {
    /// Whether the connection is within the limit, if necessary after a short wait for an eviction.
    pub(super) async fn is_within_limit(&mut self) -> bool {
        if self.permit.is_none() {
            let permit = timeout(EVICTION_TIMEOUT, Arc::clone(&self.limit.permits).acquire_owned()).await;
            self.permit = permit.ok().and_then(Result::ok);
            if self.permit.is_some() {
                self.overflow_permit = None;
            }
        }
        self.permit.is_some()
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let Some(peer) = self.peer else { return };
        let mut peers = self.limit.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connections) = peers.get_mut(&peer) {
            *connections -= 1;
            if *connections == 0 {
                peers.remove(&peer);
            }
        }
    }
}

/// The address that counts: in IPv6 a single client has a whole /64.
fn network_of(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(connections: u32, per_peer: u32) -> ConnectionLimit {
        let limits = Limits {
            connections: connections.try_into().unwrap(),
            connections_per_peer: per_peer.try_into().unwrap(),
            ..Limits::default()
        };
        let trusted_proxies = vec!["10.0.0.1/32".parse().unwrap()];
        ConnectionLimit::new(&ServerConfig { limits, trusted_proxies, ..ServerConfig::default() })
    }

    fn peer(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn connection_limit_counts_each_peer_but_not_proxies() {
        let limit = limit(100, 2);
        let first = limit.acquire(peer("192.0.2.1")).unwrap();
        let _second = limit.acquire(peer("::ffff:192.0.2.1")).unwrap();
        assert_eq!(limit.acquire(peer("192.0.2.1")).unwrap_err(), LimitReached::PerPeer);
        let _other = limit.acquire(peer("192.0.2.2")).unwrap();
        let _ipv6 =
            [limit.acquire(peer("2001:db8::1")).unwrap(), limit.acquire(peer("2001:db8::2")).unwrap()];
        assert_eq!(limit.acquire(peer("2001:db8::3")).unwrap_err(), LimitReached::PerPeer);
        let _next = limit.acquire(peer("2001:db8:0:1::3")).unwrap();
        let _proxied: Vec<_> = (0..9).map(|_| limit.acquire(peer("10.0.0.1")).unwrap()).collect();
        drop(first);
        assert!(limit.acquire(peer("192.0.2.1")).is_ok());
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn connection_limit_requests_an_eviction_and_waits_for_it() {
        let limit = limit(1, 100);
        let mut first = limit.acquire(peer("192.0.2.1")).unwrap();
        assert!(first.is_within_limit().await);
        let mut second = limit.acquire(peer("192.0.2.2")).unwrap();
        limit.eviction_requested().await;
        assert!(!second.is_within_limit().await, "the first one stays");
        drop(first);
        assert!(second.is_within_limit().await);
        let overflow: Vec<_> = (0..OVERFLOW).map(|_| limit.acquire(peer("192.0.2.3")).unwrap()).collect();
        assert_eq!(limit.acquire(peer("192.0.2.4")).unwrap_err(), LimitReached::Total);
        drop((second, overflow));
        assert!(limit.peers.lock().unwrap().is_empty());
        limit.all_closed().await;
    }
}
