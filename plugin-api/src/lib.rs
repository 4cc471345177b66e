//! What the author of an ERP Sync connector for `erp-host` depends on, and nothing else.
//!
//! A connector is a Rust library that implements two traits and exports the first with one line:
//!
//! - [`Connector`]: what the connector is called, which settings a connection needs, and how to open one;
//! - [`Connection`]: an open connection to one ERP company: its actor types, fields, lists, and its actors.
//!
//! Compiled as a `cdylib`, it is one file that an operator drops into the plugins folder. The host speaks SOAP, keeps
//! the settings, routes the calls, and catches what goes wrong; the author sees only std types.

mod actor;
mod connector;
mod export;
mod field;
mod folded;
mod host;
mod matcher;
mod outcome;
mod restriction;
mod rows;
mod search;
mod settings;
mod settings_form;
mod stamps;

pub mod abi;
pub mod testing;

pub use actor::{Actor, Parent};
pub use connector::{Connection, Connector};
pub use field::{Field, ListItem};
pub use host::Host;
pub use matcher::{Candidate, Matcher};
pub use outcome::{Error, Outcome, Result, ResultExt};
pub use plugin_api_derive::SettingsForm;
pub use restriction::Restriction;
pub use rows::{Row, RowFilter, Rows};
pub use settings::Settings;
#[doc(hidden)]
pub use settings_form::read_setting;
pub use settings_form::{Secret, SettingValue, SettingsForm};
pub use stamps::Stamps;
pub use values::{
    Access, DateTime, FieldType, LocalizedText, Operator, State, Value, ValueError, actor_type, error_code,
};

#[cfg(test)]
mod tests;
