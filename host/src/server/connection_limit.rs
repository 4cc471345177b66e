//! Connection limit: how many connections may be open, in total and for each peer. At the limit the longest idle connection
//! is evicted, so idle connections, however many, keep nobody out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::config::{Limits, ServerConfig};
use super::eviction::{Evictable, Evictions};
use erp_host_router::network_of;

/// Connections beyond the limit that still get an answer, so that a monitor can see that the host is full.
const OVERFLOW: u32 = 64;

/// How long one of those waits for another connection to close.
const EVICTION_TIMEOUT: Duration = Duration::from_secs(1);
/// Meanwhile it looks again so often for a connection that can be evicted: one that was busy or young may be idle now, and one
/// that was evicted may take long to close.
const EVICTION_INTERVAL: Duration = Duration::from_millis(100);

/// The connection limit.
#[derive(Debug, Clone)]
pub(super) struct ConnectionLimit {
    max: u32,
    permits: Arc<Semaphore>,
    overflow_permits: Arc<Semaphore>,
    evictions: Evictions,
    next_key: Arc<AtomicU64>,
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
            evictions: Evictions::new(),
            next_key: Arc::default(),
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
            let overflow_permit = Arc::clone(&self.overflow_permits).try_acquire_owned();
            acquired.overflow_permit = Some(overflow_permit.map_err(|_| LimitReached::Total)?);
        }
        Ok(acquired)
    }

    /// Waits until all connections are closed.
    pub(super) async fn all_closed(self) {
        // Fails only when a semaphore is closed, which it never is.
        let _ = self.permits.acquire_many(self.max).await;
        let _ = self.overflow_permits.acquire_many(OVERFLOW).await;
    }
}

impl ConnectionPermit {
    /// The connection among those that may be evicted, if it is within the limit; if necessary after a short wait for the
    /// eviction of another one.
    pub(super) async fn within_limit(&mut self) -> Option<Evictable> {
        if self.permit.is_none() {
            self.permit = Some(self.evict_another().await?);
            self.overflow_permit = None;
        }
        Some(self.limit.evictions.add(self.limit.next_key.fetch_add(1, Ordering::Relaxed)))
    }

    async fn evict_another(&self) -> Option<OwnedSemaphorePermit> {
        let deadline = Instant::now() + EVICTION_TIMEOUT;
        let mut permit = pin!(Arc::clone(&self.limit.permits).acquire_owned());
        while Instant::now() < deadline {
            self.limit.evictions.evict_longest_idle();
            if let Ok(permit) = timeout(EVICTION_INTERVAL, permit.as_mut()).await {
                return permit.ok();
            }
        }
        None
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
    async fn connection_limit_evicts_an_idle_connection_for_a_new_one() {
        let limit = limit(1, 100);
        let mut first = limit.acquire(peer("192.0.2.1")).unwrap();
        let evictable = first.within_limit().await.unwrap();
        let request = evictable.begin_request();
        let mut second = limit.acquire(peer("192.0.2.2")).unwrap();
        assert!(second.within_limit().await.is_none(), "the first one is busy");
        drop(request);
        let close = async {
            evictable.eviction_requested().await;
            drop(first);
        };
        let (evicting, ()) = tokio::join!(second.within_limit(), close);
        assert!(evicting.is_some());
        let overflow: Vec<_> = (0..OVERFLOW).map(|_| limit.acquire(peer("192.0.2.3")).unwrap()).collect();
        assert_eq!(limit.acquire(peer("192.0.2.4")).unwrap_err(), LimitReached::Total);
        drop((second, overflow));
        assert!(limit.peers.lock().unwrap().is_empty());
        limit.all_closed().await;
    }
}
