//! What a connector gets of the actors and searches that a caller sends.

/// Whether the host checks what a caller sends before it calls the connector: [`Connector::INPUT`](crate::Connector::INPUT).
///
/// Checked, a call reaches the connector only when it fits the fields that the connector has described:
///
/// - the actor type is one of the connection, and every field that is sent or searched by is one of its fields;
/// - a value is one of its field's type, no longer than its greatest length, and the key of a list item is in the list;
///   values are passed on in the one form of their type (`12` for a whole number as `[I:12]`);
/// - a new actor has all mandatory fields, and no value in a read-only one;
/// - of an actor that is saved, a read-only field has the value that it has already: it is passed on, and
///   [`Actor::is_unchanged`](crate::Actor::is_unchanged).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Input {
    /// The host checks it.
    #[default]
    Checked,
    /// It arrives as the caller has sent it: for a connector whose fields depend on what is written to them.
    Raw,
}
