//! What the operator has decided about connectors.

use super::isolation::Confinement;
use super::trust::Trust;

/// What the operator has decided about connectors, by their names, and about plugin files.
pub trait Rules {
    /// The options of a connector.
    fn options(&self, connector: &str) -> Vec<(String, String)>;

    /// Which plugin files are trusted: unless said otherwise, all that nobody else can change.
    fn trust(&self) -> &Trust {
        Trust::IN_OWN_FILES
    }

    /// How a connector runs in a process of its own; `None`: it runs in the host's.
    fn confinement(&self, _connector: &str) -> Option<Confinement> {
        None
    }

    /// How a file is opened of which nobody knows yet whose it is; `None`: in the host's process, because no connector
    /// has one of its own.
    fn first_confinement(&self) -> Option<Confinement> {
        None
    }
}

/// Options alone: every connector runs in the host's process.
impl<F: Fn(&str) -> Vec<(String, String)>> Rules for F {
    fn options(&self, connector: &str) -> Vec<(String, String)> {
        self(connector)
    }
}
