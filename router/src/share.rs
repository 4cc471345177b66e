//! Shares: the calls that take their places at a connector from the same share of its limits.

use std::fmt;

use values::Guid;

/// Whose calls they are. One share cannot use up what a connector has for all of them.
///
/// A caller can invent connections that are not stored, and settings to be tested, without end. So such calls have no shares of
/// their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Share {
    /// The calls of a stored connection, and opening it.
    Connection(Guid),
    /// Tests of settings that a caller sends.
    Tests,
    /// The settings form and its lists.
    SettingsForm,
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Share::Connection(guid) => write!(f, "the connection {guid}"),
            Share::Tests => f.write_str("the test of settings"),
            Share::SettingsForm => f.write_str("the settings form"),
        }
    }
}
