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
//! A connection that can list its actors can be read and searched in every way of the contract:
//!
//! ```
//! use plugin_api::{ActorType, Connection, Connector, Context, Error, Field, Host, ListBased, Result, Rows};
//! use plugin_api::{Settings, SettingsForm};
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
//!     fn settings(&self, _cx: &Context) -> Result<Vec<Field>> {
//!         Ok(Setup::fields())
//!     }
//!
//!     fn connect(&self, _cx: &Context, settings: &Settings) -> Result<Company> {
//!         Ok(Company { country: Setup::read(settings)?.country })
//!     }
//! }
//!
//! struct Company {
//!     country: String,
//! }
//!
//! impl Connection for Company {
//!     fn actor_types(&self, _cx: &Context) -> Result<Vec<ActorType>> {
//!         Ok(vec!["Customer".into()])
//!     }
//!
//!     fn fields(&self, _cx: &Context, actor_type: &str) -> Result<Vec<Field>> {
//!         match actor_type {
//!             "Customer" => Ok(vec![Field::text("NAME").mandatory(), Field::double("CREDIT")]),
//!             _ => Err(Error::user(format!("there is no actor type {actor_type:?}, only Customer"))),
//!         }
//!     }
//!
//!     plugin_api::list_based!(get, search, search_text, changed_since);
//! }
//!
//! impl ListBased for Company {
//!     fn actors(&self, _cx: &Context, _actor_type: &str, rows: &mut Rows<'_>) -> Result<()> {
//!         rows.row(1).field("NAME", "Fjord & Fjell").field("CREDIT", 5000.0).end()?;
//!         rows.row(2).field("NAME", format!("Post of {}", self.country)).end()
//!     }
//! }
//!
//! // In the crate's lib.rs, the line that makes it a plugin: plugin_api::export!(MyConnector);
//!
//! let company = testing::connect::<MyConnector>([("Country", "Norway")])?;
//! let found = testing::collect("Customer", None, |cx, rows| company.search_text(cx, "Customer", "norw", None, rows))?;
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
//! | answer with actors | [`Rows`], [`Actor`]; [`ActorRow`] for a struct that is an actor |
//! | save actors, each with a result | [`Saves`] |
//! | choose what the host checks before a call | [`Input`] |
//! | read and write field values | [`Value`], [`DateTime`] |
//! | search by looking at all actors | [`ListBased`] |
//! | search by a query of the ERP system | [`QueryBased`], [`Query`] |
//! | search faster than that | [`Restriction`], [`Matcher`], [`TextMatcher`] |
//! | give actors stamps of their last change | [`Stamps`] |
//! | report errors, to users and technicians | [`Error`], [`ErrorKind`], [`ResultExt`] |
//! | read the host's version, folder and options | [`Host`] |
//! | cancel work, and keep a deadline | [`Context`] |
//! | choose how long a connection stays open, renew its session, keep files for it | [`Lifetime`], [`Connection::refresh`], [`Context::folder`] |
//! | keep something between calls, such as a token | [`Context::state`], [`ConnectionState`] |
//! | test without a host | the crate `erp-host-conformance`, as a dev-dependency |
//! | make the file | [`export!`] |
//!
//! # Threads, time and panics
//!
//! The host calls from many threads at once, also the same connection: what changes stands behind a lock of the
//! author's. Calls may block. The host answers the caller with an error when a call takes too long, but cannot stop it:
//! give network calls a timeout ([`Context::timeout`]). A panic is caught and becomes an error; the connection lives on.
//!
//! # Versions
//!
//! A host runs every plugin that needs its own or an older minor version of the plugin API, which is this crate's version.
//! A plugin needs 2.0 unless [`export!`] names a later one: what came later falls back to a default in an older host. [`abi`] is
//! the boundary behind it; authors need nothing of it.

mod actor;
mod actor_row;
mod caller;
mod cancellation;
mod columns;
mod connection_folder;
mod connector;
mod context;
mod encoding;
mod export;
mod field;
pub mod field_key;
mod field_value;
mod folded;
mod host;
mod input;
mod lifetime;
pub mod list_based;
mod matcher;
mod metrics;
mod outcome;
pub mod query_based;
mod restriction;
mod rows;
mod saves;
mod search_macro;
mod secret;
mod service;
mod settings;
mod settings_form;
mod stamps;
mod state;
mod text_matcher;

pub mod abi;

pub use actor::{Actor, ActorType, Parent};
pub use actor_row::ActorRow;
#[doc(hidden)]
pub use actor_row::key_text;
pub use columns::{Columns, SearchColumn};
pub use connector::{Connection, Connector};
pub use context::Context;
pub use field::{Field, Label, ListItem, us};
pub use field_value::FieldValue;
pub use host::Host;
pub use input::Input;
pub use lifetime::Lifetime;
pub use list_based::ListBased;
pub use matcher::{Candidate, Matcher};
pub use metrics::{Counter, Gauge, Histogram, Metrics};
pub use outcome::{Error, ErrorKind, Outcome, Result, ResultExt};
pub use plugin_api_derive::{ActorRow, SettingsForm};
pub use query_based::{Query, QueryBased};
pub use restriction::{LikeDialect, Restriction};
pub use rows::{Row, RowFilter, Rows};
pub use saves::Saves;
pub use secret::Secret;
pub use settings::{ConnectionRevision, Settings};
pub use settings_form::SettingsForm;
#[doc(hidden)]
pub use settings_form::read_setting;
pub use stamps::Stamps;
pub use state::{CompareAndSet, ConnectionState, MemoryState, StateEntry, StateVersion};
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
    #[doc = include_str!("../../docs/authors/life.md")]
    struct Life;
    #[doc = include_str!("../../docs/authors/saving.md")]
    struct Saving;
    #[doc = include_str!("../../docs/authors/searching.md")]
    struct Searching;
    #[doc = include_str!("../../docs/authors/settings.md")]
    struct Settings;
    #[doc = include_str!("../../docs/authors/stamps.md")]
    struct Stamps;
    #[doc = include_str!("../../docs/authors/state.md")]
    struct State;
}
