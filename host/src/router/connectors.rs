//! The connectors by name.

use std::sync::Arc;

use contract::Outcome;
use plugin_api::abi::client::ConnectorClient;

use super::connector::Connector;
use super::stop::Stop;
use crate::config::Config;

/// The connectors by name, and which of them serves calls that name none.
#[derive(Clone)]
pub(super) struct Connectors {
    all: Arc<[Arc<Connector>]>,
    default: Option<Arc<str>>,
}

impl Connectors {
    /// The connector that serves calls which name none is the configured one, or else the first of these.
    pub(super) fn new(config: &Config, connectors: impl IntoIterator<Item = ConnectorClient>) -> Self {
        let all: Arc<[_]> =
            connectors.into_iter().map(|client| Arc::new(Connector::new(client, config))).collect();
        let first = all.first().map(|connector| connector.name());
        let default = config.default_connector.as_deref().or(first).map(Arc::from);
        Connectors { all, default }
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Connector> {
        self.all.iter().map(Arc::as_ref)
    }

    /// The connector of that name: exactly, or else in another case.
    pub(super) fn get(&self, name: &str) -> Option<&Arc<Connector>> {
        let exact = self.all.iter().find(|connector| connector.name() == name);
        exact.or_else(|| self.all.iter().find(|connector| connector.name().eq_ignore_ascii_case(name)))
    }

    /// The connector that a call names, or the default one.
    pub(super) fn find(&self, named: Option<&str>) -> Result<&Arc<Connector>, Stop> {
        match named.or(self.default.as_deref()) {
            Some(name) => self.get(name).ok_or_else(|| {
                let here = self.here();
                Stop::Outcome(Outcome::error(format!("connector '{name}' was not found; here: {here}")))
            }),
            None => Err(Stop::Outcome(
                Outcome::error("no connector is installed on this host").with_tech_explanation(
                    "put a plugin file into the plugins folder and start the host again",
                ),
            )),
        }
    }

    /// Why a connection of a connector that is not here cannot be used.
    pub(super) fn not_loaded(&self, name: &str) -> Outcome<'static> {
        let here = self.here();
        Outcome::error(format!(
            "the connection belongs to the connector '{name}', which is not installed; here: {here}"
        ))
        .with_tech_explanation("put its plugin file into the plugins folder and start the host again")
    }

    /// The names, for an error text.
    fn here(&self) -> String {
        let names: Vec<_> = self.all.iter().map(|connector| connector.name()).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }
}
