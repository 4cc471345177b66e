//! The connectors by name, as they are at the moment.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use arc_swap::ArcSwap;
use contract::Outcome;
use plugin_api::abi::client::ConnectorClient;

use super::config::RouterConfig;
use super::connector::Connector;
use super::stop::Stop;

/// The connectors by name, and which of them serves calls that name none. They change while calls look them up: a call
/// goes on with the one that it has found.
pub(super) struct Connectors {
    config: RouterConfig,
    /// In the order of their names.
    current: ArcSwap<Vec<Arc<Connector>>>,
    /// Those that were replaced or retired, as long as anything runs in them. Also what those wait for who change
    /// `current`.
    former: Mutex<Vec<Weak<Connector>>>,
}

impl Connectors {
    pub(super) fn new(config: &RouterConfig, connectors: impl IntoIterator<Item = ConnectorClient>) -> Self {
        let all =
            Connectors { config: config.clone(), current: ArcSwap::default(), former: Mutex::default() };
        for client in connectors {
            all.put(client);
        }
        all
    }

    /// Puts a connector in its place, from where it serves whoever asks from now on; in the place of the one of its name
    /// if there is one.
    pub(super) fn put(&self, client: ConnectorClient) {
        let connector = Arc::new(Connector::new(client, &self.config));
        self.change(|all| {
            let before = take(all, connector.name());
            let name = connector.name().to_lowercase();
            let place = all.partition_point(|other| other.name().to_lowercase() < name);
            all.insert(place, Arc::clone(&connector));
            before
        });
    }

    /// Takes a connector out; whoever asks for it from now on is told that it is not here.
    pub(super) fn remove(&self, name: &str) {
        self.change(|all| take(all, name));
    }

    /// Makes a change that takes out one of them, perhaps.
    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Connector>>) -> Option<Arc<Connector>>) {
        let mut former = self.former.lock().unwrap_or_else(PoisonError::into_inner);
        former.retain(|connector| connector.strong_count() > 0);
        let mut all = Vec::clone(&self.current.load());
        former.extend(change(&mut all).as_ref().map(Arc::downgrade));
        self.current.store(Arc::new(all));
    }

    /// All of them, with those former ones in which something still runs.
    pub(super) fn all(&self) -> Vec<Arc<Connector>> {
        let former = self.former.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::clone(&self.current.load());
        all.extend(former.iter().filter_map(Weak::upgrade));
        all
    }

    /// The connector of that name: exactly, or else in another case.
    pub(super) fn get(&self, name: &str) -> Option<Arc<Connector>> {
        let all = self.current.load();
        let exact = all.iter().find(|connector| **connector.name() == *name);
        exact.or_else(|| all.iter().find(|connector| connector.name().eq_ignore_ascii_case(name))).cloned()
    }

    /// The connector that a call names; without a name the configured one, or else the first.
    pub(super) fn find(&self, named: Option<&str>) -> Result<Arc<Connector>, Stop> {
        match named.or(self.config.default_connector.as_deref()) {
            Some(name) => self.get(name).ok_or_else(|| {
                let here = self.here();
                Stop::Outcome(Outcome::error(format!("connector '{name}' was not found; here: {here}")))
            }),
            None => self.current.load().first().cloned().ok_or_else(|| {
                Stop::Outcome(
                    Outcome::error("no connector is installed on this host")
                        .with_tech_explanation("put a plugin file into the plugins folder"),
                )
            }),
        }
    }

    /// Why a connection of a connector that is not here cannot be used.
    pub(super) fn not_loaded(&self, name: &str) -> Outcome<'static> {
        let here = self.here();
        Outcome::error(format!(
            "the connection belongs to the connector '{name}', which is not installed; here: {here}"
        ))
        .with_tech_explanation(
            "put its plugin file into the plugins folder; the connection is kept until then",
        )
    }

    /// The names, for an error text.
    fn here(&self) -> String {
        let all = self.current.load();
        let names: Vec<_> = all.iter().map(|connector| &**connector.name()).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }
}

/// Takes the connector of that name out of these.
fn take(all: &mut Vec<Arc<Connector>>, name: &str) -> Option<Arc<Connector>> {
    let place = all.iter().position(|connector| connector.name().eq_ignore_ascii_case(name))?;
    Some(all.remove(place))
}
