//! The vocabulary that both sides of the ERP Sync contract share: typed field values (`[I:123]`), dates, localised
//! texts (`US:"..";NO:".."`), connection GUIDs, and the constants that travel by name (states, field types, access,
//! operators, actor types, error codes).
//!
//! This crate knows neither SOAP nor plugins, and depends on nothing: `contract` and `plugin-api` both build on it,
//! so that a value means the same on the wire and in a connector.

mod date_time;
mod guid;
mod localized;
mod names;
mod value;

pub use date_time::{DateTime, DateTimeError};
pub use guid::{Guid, GuidError};
pub use localized::LocalizedText;
pub use names::{Access, FieldType, Operator, State, UnknownName, actor_type, error_code};
pub use value::{Value, ValueError};

#[cfg(test)]
mod round_trips;
#[cfg(test)]
mod tests;
