//! Graceful shutdown: no connection is accepted any more, idle ones are closed, and requests in progress are finished.

use tokio::sync::watch;

use super::connection_limit::ConnectionLimit;

/// Starts the shutdown of every connection when it is dropped.
pub(super) struct ShutdownTrigger(
    #[expect(dead_code, reason = "only dropping it matters")] watch::Sender<()>,
);

/// Received by every connection.
#[derive(Debug, Clone)]
pub(super) struct ShutdownSignal(watch::Receiver<()>);

pub(super) fn channel() -> (ShutdownTrigger, ShutdownSignal) {
    let (sender, receiver) = watch::channel(());
    (ShutdownTrigger(sender), ShutdownSignal(receiver))
}

impl ShutdownSignal {
    /// Waits until the server shuts down.
    pub(super) async fn received(&mut self) {
        // Nothing is ever sent: an error means that the trigger was dropped.
        let _ = self.0.changed().await;
    }
}

/// The connections of a server that shuts down, with their requests in progress.
#[must_use]
pub struct Drain {
    connections: ConnectionLimit,
}

impl Drain {
    pub(super) fn new(connections: ConnectionLimit) -> Self {
        Drain { connections }
    }

    /// Waits until all connections are closed.
    pub async fn finish(self) {
        self.connections.all_closed().await;
    }
}
