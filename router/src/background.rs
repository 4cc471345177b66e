//! Work that no caller waits for: refreshes of open connections, and notices of deletion.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};
use values::Guid;

use super::connector::LiveConnection;
use super::connectors::Connectors;
use super::deletion_notices::DeletionNotices;
use super::early_outcome::NotOpened;
use super::refresh;
use erp_host_store::Connections;

/// How often to look for what is due.
const INTERVAL: Duration = Duration::from_secs(1);

/// The background work of a router. It ends when this is dropped: calls of connectors that run are cancelled.
#[derive(Debug)]
pub(super) struct BackgroundWork {
    notices: Arc<DeletionNotices>,
    wake: Arc<Notify>,
    tasks: [AbortHandle; 2],
}

impl BackgroundWork {
    pub(super) fn start(
        connections: &Connections<LiveConnection, NotOpened>,
        connectors: &Arc<Connectors>,
    ) -> Self {
        let (notices, wake) = <(Arc<DeletionNotices>, Arc<Notify>)>::default();
        let refreshing = tokio::spawn(refresh_periodically(connections.clone()));
        let (own, woken) = (Arc::clone(&notices), Arc::clone(&wake));
        let notifying =
            tokio::spawn(notify_periodically(own, woken, connections.clone(), Arc::clone(connectors)));
        BackgroundWork { notices, wake, tasks: [refreshing.abort_handle(), notifying.abort_handle()] }
    }

    /// Has the connector notified of a deletion, soon.
    pub(super) fn connection_deleted(&self, connector: &Arc<str>, guid: Guid) {
        self.notices.add(connector, guid);
        self.wake.notify_one();
    }

    /// Ends it, when the host stops.
    pub(super) fn stop(&self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Drop for BackgroundWork {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn refresh_periodically(connections: Connections<LiveConnection, NotOpened>) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut running = JoinSet::new();
    loop {
        ticks.tick().await;
        while running.try_join_next().is_some() {}
        for due in connections.due_refreshes() {
            running.spawn(refresh::refresh(connections.clone(), due));
        }
    }
}

async fn notify_periodically(
    notices: Arc<DeletionNotices>,
    wake: Arc<Notify>,
    connections: Connections<LiveConnection, NotOpened>,
    connectors: Arc<Connectors>,
) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            _ = ticks.tick() => connectors.in_use().forget_unused(),
            () = wake.notified() => {}
        }
        while running.try_join_next().is_some() {}
        notices.send(&connections, &connectors, &mut running);
    }
}
