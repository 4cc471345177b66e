//! The rules that SuperOffice depends on, checked with a connector in process or with any connector service over SOAP.
//!
//! The author of a connector depends on this crate in tests (`[dev-dependencies]`), and checks the connector with it:
//!
//! ```
//! # use plugin_api::{ActorType, Connection, Connector, Context, Error, Field, Host, ListBased, Result, Rows, Settings};
//! # struct Hello;
//! # struct Company;
//! # impl Connector for Hello {
//! #     const NAME: &'static str = "Hello";
//! #     type Connection = Company;
//! #     fn new(_: &Host) -> Result<Self> { Ok(Hello) }
//! #     fn settings(&self, _cx: &Context) -> Result<Vec<Field>> { Ok(vec![]) }
//! #     fn connect(&self, _cx: &Context, _: &Settings) -> Result<Company> { Ok(Company) }
//! # }
//! # impl Connection for Company {
//! #     fn actor_types(&self, _cx: &Context) -> Result<Vec<ActorType>> { Ok(vec!["Customer".into()]) }
//! #     fn fields(&self, _cx: &Context, actor_type: &str) -> Result<Vec<Field>> {
//! #         if actor_type == "Customer" { Ok(vec![Field::text("NAME")]) } else { Err(Error::user("no such type")) }
//! #     }
//! #     plugin_api::list_based!(get, search, search_text, changed_since);
//! # }
//! # impl ListBased for Company {
//! #     fn actors(&self, cx: &Context, actor_type: &str, rows: &mut Rows<'_>) -> Result<()> {
//! #         self.fields(cx, actor_type)?;
//! #         rows.row(1).field("NAME", "Fjord & Fjell").end()?;
//! #         Ok(())
//! #     }
//! # }
//! use erp_host_conformance::Specification;
//!
//! let hello = Hello::new(&Host::for_test(std::env::temp_dir()))?;
//! Specification::new(&hello, [("Server", "test.erp.local")]).run().assert();
//! # Ok::<(), plugin_api::Error>(())
//! ```
//!
//! [`testing`] has what an author's own tests need besides. With the feature `soap` there is `Verification`, which is
//! `erp-host verify`: the same rules over SOAP, and those of the SOAP itself.
//!
//! # Modules
//!
//! - `rules`: one function for each rule, one file for each group. They make calls of the contract (`contract::Request`)
//!   to a `subject`, and read replies in the types of the plugin API (`reply`).
//! - `in_process` and `soap` are the subject's adapters: requests become calls of the plugin API's traits, or travel.
//! - `clock` counts calls and measures them: a rule has a time limit. `call_limits` are those of calls that may hang.
//! - `erp_control` is how the author's test, or commands (`erp_commands`), stop and start the ERP system.
//! - `engine` checks the rules one after the other; `rule` has verdicts and findings, `report` shows them.
//! - `specification` and `verification` are the entries: a connector in process, and a service.

mod call_limits;
mod clock;
mod engine;
#[cfg(feature = "soap")]
mod erp_commands;
mod erp_control;
mod in_process;
mod reply;
mod report;
mod rule;
mod rules;
#[cfg(feature = "soap")]
mod soap;
mod specification;
mod subject;
pub mod testing;
#[cfg(feature = "soap")]
mod verification;

#[cfg(test)]
mod tests;

pub use engine::Progress;
pub use erp_control::{ErpControl, Offered};
pub use reply::HttpExchange;
pub use report::{Counts, Detail, Report};
pub use rule::{Finding, Rule, Verdict, Weight};
pub use specification::Specification;

#[cfg(feature = "soap")]
pub use erp_commands::ErpCommands;
#[cfg(feature = "soap")]
pub use verification::{CannotBegin, Verification};
