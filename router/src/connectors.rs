//! The registry of connectors: those that serve now, by name, and those that were replaced and still run calls.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use arc_swap::ArcSwap;
use plugin_api::abi::StateStore;
use plugin_api::abi::client::ConnectorClient;

use super::config::RouterConfig;
use super::connections_in_use::ConnectionsInUse;
use super::connector::Connector;
use super::early_outcome::{self, EarlyOutcome};
use super::threads::Threads;
use super::watchdog::Watchdog;
use crate::caller::Caller;

/// The connectors by name. Lookups take no lock while connectors are added, replaced and removed: a call continues with the
/// connector that it has found.
pub(super) struct Connectors {
    config: RouterConfig,
    /// The state of connections.
    state: Arc<dyn StateStore>,
    watchdog: Arc<Watchdog>,
    threads: Arc<Threads>,
    in_use: ConnectionsInUse,
    /// In the order of their names.
    current: ArcSwap<Vec<Arc<Connector>>>,
    /// Connectors that were replaced or removed, as long as calls run in them. The lock also serialises changes of
    /// `current`.
    draining: Mutex<Vec<Weak<Connector>>>,
}

impl Connectors {
    pub(super) fn new(
        config: &RouterConfig,
        state: Arc<dyn StateStore>,
        connectors: impl IntoIterator<Item = ConnectorClient>,
    ) -> Self {
        let all = Connectors {
            config: config.clone(),
            state,
            watchdog: Arc::new(Watchdog::start()),
            threads: Threads::new(config.blocking_threads([])),
            in_use: ConnectionsInUse::default(),
            current: ArcSwap::default(),
            draining: Mutex::default(),
        };
        for client in connectors {
            all.put(client);
        }
        all
    }

    /// Adds a connector, or replaces the one of the same name. It serves all calls from now on.
    pub(super) fn put(&self, client: ConnectorClient) {
        let threads = self.threads.of(client.name(), self.config.concurrent_calls(client.name()));
        let (state, watchdog) = (Arc::clone(&self.state), Arc::clone(&self.watchdog));
        let connector = Arc::new(Connector::new(client, &self.config, state, threads, watchdog));
        self.change(|all| {
            let replaced = take(all, connector.name());
            let name = connector.name().to_lowercase();
            let position = all.partition_point(|other| other.name().to_lowercase() < name);
            all.insert(position, Arc::clone(&connector));
            replaced
        });
    }

    /// Removes a connector; later calls for it get an error.
    pub(super) fn remove(&self, name: &str) {
        self.change(|all| take(all, name));
    }

    /// Changes the current connectors; `change` returns the one that it has taken out.
    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Connector>>) -> Option<Arc<Connector>>) {
        let mut draining = self.draining.lock().unwrap_or_else(PoisonError::into_inner);
        draining.retain(|connector| connector.strong_count() > 0);
        let mut all = Vec::clone(&self.current.load());
        draining.extend(change(&mut all).as_ref().map(Arc::downgrade));
        self.current.store(Arc::new(all));
    }

    pub(super) fn threads(&self) -> &Threads {
        &self.threads
    }

    /// The connections of all connectors that are in use.
    pub(super) fn in_use(&self) -> &ConnectionsInUse {
        &self.in_use
    }

    /// The connectors that serve now.
    pub(super) fn serving(&self) -> Vec<Arc<Connector>> {
        Vec::clone(&self.current.load())
    }

    /// All connectors, with those that were replaced or removed and still run calls.
    pub(super) fn all(&self) -> Vec<Arc<Connector>> {
        let draining = self.draining.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::clone(&self.current.load());
        all.extend(draining.iter().filter_map(Weak::upgrade));
        all
    }

    pub(super) fn is_empty(&self) -> bool {
        self.current.load().is_empty()
    }

    /// The connector of that name: the same spelling first, then without regard to case.
    pub(super) fn get(&self, name: &str) -> Option<Arc<Connector>> {
        let all = self.current.load();
        let exact = all.iter().find(|connector| **connector.name() == *name);
        exact.or_else(|| all.iter().find(|connector| connector.name().eq_ignore_ascii_case(name))).cloned()
    }

    /// The connector that a call names; without a name the configured one, or else the first.
    pub(super) fn find(&self, named: Option<&str>, caller: &Caller) -> Result<Arc<Connector>, EarlyOutcome> {
        match named.or(self.config.default_connector.as_deref()) {
            Some(name) => self.get(name).ok_or_else(|| {
                let loaded = caller.sees_details.then(|| self.loaded_names());
                early_outcome::unknown_connector(name, loaded.as_deref())
            }),
            None => self.current.load().first().cloned().ok_or_else(early_outcome::no_connector),
        }
    }

    /// The connector that a stored connection belongs to.
    pub(super) fn owner(&self, name: &str) -> Result<Arc<Connector>, EarlyOutcome> {
        self.get(name).ok_or_else(|| early_outcome::not_loaded(name, !self.is_empty()))
    }

    /// The names, for an error text.
    fn loaded_names(&self) -> String {
        let all = self.current.load();
        let names: Vec<_> = all.iter().map(|connector| &**connector.name()).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }
}

/// Removes the connector of that name from these.
fn take(all: &mut Vec<Arc<Connector>>, name: &str) -> Option<Arc<Connector>> {
    let position = all.iter().position(|connector| connector.name().eq_ignore_ascii_case(name))?;
    Some(all.remove(position))
}
