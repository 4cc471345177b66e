//! What the operator configures about plugins.

use crate::isolation::Confinement;
use crate::trust::Trust;

/// The operator's configuration of plugin files and connectors. The host implements it.
///
/// A function from a connector's name to its options is a policy too: every connector runs in the host's process then.
pub trait PluginPolicy {
    /// The options of a connector, by its name. One option may have several values.
    fn options(&self, connector: &str) -> Vec<(String, String)>;

    /// Which plugin files are trusted. By default all that only their owner can change.
    fn trust(&self) -> &Trust {
        Trust::PERMISSIONS_ONLY
    }

    /// How a connector runs in a worker process; `None`: it runs in the host's process.
    fn confinement(&self, _connector: &str) -> Option<Confinement> {
        None
    }

    /// Whether any connector runs in a worker process. Then the name of a file's connector is read without running any code
    /// of the file, because it decides where that code may run.
    fn isolates_any(&self) -> bool {
        false
    }
}

impl<F: Fn(&str) -> Vec<(String, String)>> PluginPolicy for F {
    fn options(&self, connector: &str) -> Vec<(String, String)> {
        self(connector)
    }
}
