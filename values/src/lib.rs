//! The vocabulary that both sides of the ERP Sync contract share: typed field values (`[I:123]`), dates, localised
//! texts (`US:"..";NO:".."`), connection GUIDs, and the constants that travel by name (states, field types, access,
//! operators, actor types, error codes).
//!
//! This crate has no dependencies: `contract` and `plugin-api` both build on it, so that a value means the same on the
//! wire and in a connector.
//!
//! ```
//! use values::{FieldType, Value};
//!
//! let value = Value::parse("[I:123]", FieldType::Integer)?;
//! assert_eq!(value, Value::Integer(123));
//! assert_eq!(value.to_wire().as_deref(), Some("[I:123]"));
//! # Ok::<(), values::ValueError>(())
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | `value` | [`Value`]: typed field values and their wire form |
//! | `date_time` | [`DateTime`]: the two wire forms of dates |
//! | `localized` | [`LocalizedText`]: texts in several languages |
//! | `guid` | [`Guid`]: connection GUIDs |
//! | `names` | the constants: [`State`], [`FieldType`], [`Access`], [`Operator`], [`actor_type`], [`error_code`] |
//! | `secret_name` | [`is_secret_name`]: settings that are secrets by their names |

mod date_time;
mod guid;
mod localized;
mod names;
mod secret_name;
mod value;

pub use date_time::{DateTime, DateTimeError};
pub use guid::{Guid, GuidError};
pub use localized::LocalizedText;
pub use names::{Access, FieldType, Operator, State, UnknownName, actor_type, error_code};
pub use secret_name::is_secret_name;
pub use value::{Value, ValueError};

#[cfg(test)]
mod round_trips;
#[cfg(test)]
mod tests;
