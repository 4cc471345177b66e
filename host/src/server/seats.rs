//! How many connections there may be: in all, and from one peer.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::config::{Limits, ServerConfig};

/// Connections beyond the limit that are still heard, so that a monitor learns that the host is full.
const STANDING: u32 = 64;

/// How long one of those waits for a seat.
const WAIT: Duration = Duration::from_secs(1);

/// The places for connections. When all are taken, the connection that has been open for longest is asked to end, which it
/// does at once when it is idle: so idle connections, however many, keep nobody out.
#[derive(Debug, Clone)]
pub(super) struct Seats {
    seats: Arc<Semaphore>,
    standing: Arc<Semaphore>,
    most: u32,
    crowd: Arc<Notify>,
    peers: Arc<Mutex<HashMap<IpAddr, u32>>>,
    most_per_peer: u32,
    /// Those who speak for many.
    proxies: Arc<[IpNet]>,
}

/// A connection's place. Given back when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    /// None while it stands.
    seat: Option<OwnedSemaphorePermit>,
    standing: Option<OwnedSemaphorePermit>,
    seats: Seats,
    peer: Option<IpAddr>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoSeat {
    #[error("this address has as many connections as limits.connections_per_peer allows")]
    Peer,
    #[error("there are as many connections as limits.connections allows")]
    All,
}

impl Seats {
    pub(super) fn new(config: &ServerConfig) -> Self {
        let Limits { connections, connections_per_peer, .. } = config.limits;
        Seats {
            seats: Arc::new(Semaphore::new(connections.get() as usize)),
            standing: Arc::new(Semaphore::new(STANDING as usize)),
            most: connections.get(),
            crowd: Arc::default(),
            peers: Arc::default(),
            most_per_peer: connections_per_peer.get(),
            proxies: config.trusted_proxies.clone().into(),
        }
    }

    /// Takes a place for a connection of this peer.
    pub(super) fn take(&self, peer: IpAddr) -> Result<Seat, NoSeat> {
        let peer = peer.to_canonical();
        let is_proxy = self.proxies.iter().any(|network| network.contains(&peer));
        let mut seat = Seat { seat: None, standing: None, seats: self.clone(), peer: None };
        if !is_proxy {
            let peer = network_of(peer);
            let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
            let connections = peers.entry(peer).or_insert(0);
            if *connections == self.most_per_peer {
                return Err(NoSeat::Peer);
            }
            *connections += 1;
            drop(peers);
            seat.peer = Some(peer);
        }
        seat.seat = Arc::clone(&self.seats).try_acquire_owned().ok();
        if seat.seat.is_none() {
            self.crowd.notify_one();
            let standing = Arc::clone(&self.standing).try_acquire_owned();
            seat.standing = Some(standing.map_err(|_| NoSeat::All)?);
        }
        Ok(seat)
    }

    /// Waits until this connection is asked to end, for others wait.
    pub(super) async fn crowded(&self) {
        self.crowd.notified().await;
    }

    /// Waits until there is no connection.
    pub(super) async fn empty(self) {
        // Fails only when a semaphore is closed, which it never is.
        let _ = self.seats.acquire_many(self.most).await;
        let _ = self.standing.acquire_many(STANDING).await;
    }
}

impl Seat {
    /// Whether the connection has a seat, perhaps after a short wait. One without is told so, and nothing else.
    pub(super) async fn sit(&mut self) -> bool {
        if self.seat.is_none() {
            let seat = timeout(WAIT, Arc::clone(&self.seats.seats).acquire_owned()).await;
            self.seat = seat.ok().and_then(Result::ok);
            if self.seat.is_some() {
                self.standing = None;
            }
        }
        self.seat.is_some()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some(peer) = self.peer else { return };
        let mut peers = self.seats.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connections) = peers.get_mut(&peer) {
            *connections -= 1;
            if *connections == 0 {
                peers.remove(&peer);
            }
        }
    }
}

/// Whose address it is: in IPv6 everybody has a whole network of addresses.
fn network_of(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats(connections: u32, per_peer: u32) -> Seats {
        let limits = Limits {
            connections: connections.try_into().unwrap(),
            connections_per_peer: per_peer.try_into().unwrap(),
            ..Limits::default()
        };
        let trusted_proxies = vec!["10.0.0.1/32".parse().unwrap()];
        Seats::new(&ServerConfig { limits, trusted_proxies, ..ServerConfig::default() })
    }

    fn peer(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_peer_has_so_many_and_a_proxy_any_number() {
        let seats = seats(100, 2);
        let first = seats.take(peer("192.0.2.1")).unwrap();
        let _second = seats.take(peer("::ffff:192.0.2.1")).unwrap();
        assert_eq!(seats.take(peer("192.0.2.1")).unwrap_err(), NoSeat::Peer);
        let _other = seats.take(peer("192.0.2.2")).unwrap();
        let _six = [seats.take(peer("2001:db8::1")).unwrap(), seats.take(peer("2001:db8::2")).unwrap()];
        assert_eq!(seats.take(peer("2001:db8::3")).unwrap_err(), NoSeat::Peer);
        let _next = seats.take(peer("2001:db8:0:1::3")).unwrap();
        let _proxied: Vec<_> = (0..9).map(|_| seats.take(peer("10.0.0.1")).unwrap()).collect();
        drop(first);
        assert!(seats.take(peer("192.0.2.1")).is_ok());
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn who_finds_no_seat_stands_until_one_is_free() {
        let seats = seats(1, 100);
        let mut first = seats.take(peer("192.0.2.1")).unwrap();
        assert!(first.sit().await);
        let mut second = seats.take(peer("192.0.2.2")).unwrap();
        seats.crowded().await;
        assert!(!second.sit().await, "the first one stays");
        drop(first);
        assert!(second.sit().await);
        let standing: Vec<_> = (0..STANDING).map(|_| seats.take(peer("192.0.2.3")).unwrap()).collect();
        assert_eq!(seats.take(peer("192.0.2.4")).unwrap_err(), NoSeat::All);
        drop((second, standing));
        assert!(seats.peers.lock().unwrap().is_empty());
        seats.empty().await;
    }
}
