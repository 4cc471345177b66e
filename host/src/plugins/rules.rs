//! What the operator has decided about connectors.

use super::trust::Trust;

/// What the operator has decided about connectors, by their names, and about plugin files.
pub trait Rules {
    /// The options of a connector.
    fn options(&self, connector: &str) -> Vec<(String, String)>;

    /// Which plugin files are trusted: unless said otherwise, all that nobody else can change.
    fn trust(&self) -> &Trust {
        Trust::IN_OWN_FILES
    }
}

/// Options alone.
impl<F: Fn(&str) -> Vec<(String, String)>> Rules for F {
    fn options(&self, connector: &str) -> Vec<(String, String)> {
        self(connector)
    }
}
