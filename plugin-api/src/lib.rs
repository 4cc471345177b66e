//! What the author of an ERP Sync connector for `erp-host` depends on, and nothing else.
//!
//! SuperOffice synchronises **actors** (customers, suppliers, partners, persons, projects) with an ERP system through a
//! connector. A connector is a Rust library with two traits implemented:
//!
//! - [`Connector`]: what it is called, which settings a connection needs, and how to open one;
//! - [`Connection`]: an open connection to one ERP company: its actor types, their fields, and the actors.
//!
//! Compiled as a `cdylib` it is one file, which an operator drops into the plugins folder. The host speaks SOAP, keeps
//! the settings, routes the calls, and catches what goes wrong. The author sees std types, blocking calls and
//! [`Result`]; there is no SOAP, no async and no `unsafe`.
//!
//! Three methods make a connection that can be read and searched in every way of the contract:
//!
//! ```
//! use plugin_api::{Connection, Connector, Error, Field, Host, Outcome, Result, Rows, Settings, SettingsForm};
//! use erp_host_conformance::testing;
//!
//! #[derive(SettingsForm)]
//! struct Setup {
//!     /// The country that the ERP system is in.
//!     country: String,
//! }
//!
//! struct MyConnector;
//!
//! impl Connector for MyConnector {
//!     const NAME: &'static str = "Mine";
//!     type Connection = Company;
//!
//!     fn new(_host: &Host) -> Result<Self> {
//!         Ok(MyConnector)
//!     }
//!
//!     fn settings(&self) -> Result<Vec<Field>> {
//!         Ok(Setup::fields())
//!     }
//!
//!     fn connect(&self, settings: &Settings) -> Result<Company> {
//!         Ok(Company { country: Setup::read(settings)?.country })
//!     }
//! }
//!
//! struct Company {
//!     country: String,
//! }
//!
//! impl Connection for Company {
//!     fn actor_types(&self) -> Result<Vec<String>> {
//!         Ok(vec!["Customer".to_owned()])
//!     }
//!
//!     fn fields(&self, actor_type: &str) -> Result<Vec<Field>> {
//!         match actor_type {
//!             "Customer" => Ok(vec![Field::text("NAME").mandatory(), Field::double("CREDIT")]),
//!             _ => Err(Error::user(format!("there is no actor type {actor_type:?}, only Customer"))),
//!         }
//!     }
//!
//!     fn actors(&self, _actor_type: &str, rows: &mut Rows<'_>) -> Result<Outcome> {
//!         rows.row(1).field("NAME", "Fjord & Fjell").field("CREDIT", 5000.0).end()?;
//!         rows.row(2).field("NAME", format!("Post of {}", self.country)).end()?;
//!         Ok(Outcome::ok())
//!     }
//! }
//!
//! // In the crate's lib.rs, the line that makes it a plugin: plugin_api::export!(MyConnector);
//!
//! let company = testing::connect::<MyConnector>([("Country", "Norway")])?;
//! let (found, _) = testing::collect("Customer", None, |rows| company.search_text("Customer", "norw", None, rows))?;
//! assert_eq!(found[0].text("NAME"), "Post of Norway");
//! # Ok::<(), plugin_api::Error>(())
//! ```
//!
//! # Where to look
//!
//! | to | see |
//! |---|---|
//! | describe and read settings | [`SettingsForm`], [`Settings`], [`Secret`] |
//! | describe fields and lists | [`Field`], [`ListItem`] |
//! | answer with actors | [`Rows`], [`Actor`] |
//! | read and write field values | [`Value`], [`DateTime`] |
//! | search faster than by looking at all actors | [`Restriction`], [`Matcher`], [`TextMatcher`] |
//! | give actors stamps of their last change | [`Stamps`] |
//! | report errors, to users and technicians | [`Error`], [`Outcome`], [`ResultExt`] |
//! | read the host's version, folder and options | [`Host`] |
//! | cancel work, and keep a deadline | [`Call`] |
//! | test without a host | the crate `erp-host-conformance`, as a dev-dependency |
//! | make the file | [`export!`] |
//!
//! # Threads, time and panics
//!
//! The host calls from many threads at once, also the same connection: what changes stands behind a lock of the
//! author's. Calls may block. The host answers the caller with an error when a call takes too long, but cannot stop it:
//! give network calls a timeout ([`Call::time_left`]). A panic is caught and becomes an error; the connection lives on.
//!
//! # Versions
//!
//! A host runs every plugin that needs its own or an older minor version of the plugin API, which is this crate's version.
//! A plugin needs 1.0 unless [`export!`] names a later one: what came later falls back to a default in an older host. [`abi`] is
//! the boundary behind it; authors need nothing of it.

mod actor;
mod call;
mod columns;
mod connector;
mod encoding;
mod export;
mod field;
mod folded;
mod host;
mod matcher;
mod outcome;
mod restriction;
mod rows;
mod settings;
mod settings_form;
mod stamps;
mod text_matcher;

pub mod abi;

pub use actor::{Actor, Parent};
pub use call::Call;
pub use columns::{Columns, SearchColumn};
pub use connector::{Connection, Connector};
pub use field::{Field, ListItem};
pub use host::Host;
pub use matcher::{Candidate, Matcher};
pub use outcome::{Error, Outcome, Result, ResultExt};
pub use plugin_api_derive::SettingsForm;
pub use restriction::Restriction;
pub use rows::{Row, RowFilter, Rows};
pub use settings::{ConnectionRevision, Settings};
#[doc(hidden)]
pub use settings_form::read_setting;
pub use settings_form::{Secret, SettingValue, SettingsForm};
pub use stamps::Stamps;
pub use text_matcher::TextMatcher;
pub use values::{
    Access, DateTime, FieldType, LocalizedText, Operator, State, Value, ValueError, actor_type, error_code,
};

#[cfg(test)]
mod tests;

// What the book shows to authors must compile.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../../docs/authors/errors-and-logging.md")]
    struct ErrorsAndLogging;
    #[doc = include_str!("../../docs/authors/searching.md")]
    struct Searching;
    #[doc = include_str!("../../docs/authors/settings.md")]
    struct Settings;
    #[doc = include_str!("../../docs/authors/stamps.md")]
    struct Stamps;
}
