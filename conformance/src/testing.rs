//! Calls to a connector in a test, without a host.
//!
//! ```
//! # use plugin_api::{Actor, ActorType, Connection, Connector, Context, Field, Host, ListBased, Result, Rows, Settings};
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
//! #     fn fields(&self, _cx: &Context, _: &str) -> Result<Vec<Field>> { Ok(vec![Field::text("NAME")]) }
//! #     plugin_api::list_based!(get, search, search_text, changed_since);
//! # }
//! # impl ListBased for Company {
//! #     fn actors(&self, _cx: &Context, _: &str, rows: &mut Rows<'_>) -> Result<()> {
//! #         rows.row(1).field("NAME", "Fjord & Fjell").end()?;
//! #         rows.row(2).field("NAME", "Nordlys").end()?;
//! #         Ok(())
//! #     }
//! # }
//! use erp_host_conformance::testing::{collect, connect};
//!
//! let company = connect::<Hello>([("Server", "erp.local")])?;
//! let found = collect("Customer", None, |cx, rows| company.search_text(cx, "Customer", "lys", None, rows))?;
//! assert_eq!(found, [Actor::new("Customer", "2").with("NAME", "Nordlys")]);
//! # Ok::<(), plugin_api::Error>(())
//! ```

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use erp_host_input_check::Refusal;
use plugin_api::abi::{CallWatch, MessageRef, NotSaved, RowRef, RowSink, SaveReport, SaveResults, SaveSink};
use plugin_api::{Actor, Connection, Connector, Context, Host, Outcome, Result, Rows, Saves, Settings};

/// Opens a connection of a connector with these settings.
///
/// The connector's data folder is the system's folder for temporary files: test a connector that keeps files there with
/// [`Host::for_test`] and a folder of the test's own.
///
/// # Errors
/// The connector cannot be made, or the connection not be opened.
pub fn connect<C: Connector>(settings: impl Into<Settings>) -> Result<C::Connection> {
    C::new(&Host::for_test(std::env::temp_dir()))?.connect(&Context::default(), &settings.into())
}

/// Runs a method that answers with actors, and collects them. [`collect_in`] has a context, whose outcome shows what the method
/// has reported.
///
/// `fields` are the keys of the fields that the caller asks for: `None` for all.
///
/// # Errors
/// What the method returned.
pub fn collect(
    actor_type: &str,
    fields: Option<&[&str]>,
    method: impl FnOnce(&Context, &mut Rows<'_>) -> Result<()>,
) -> Result<Vec<Actor>> {
    let cx = Context::default();
    collect_in(&cx, actor_type, fields, |rows| method(&cx, rows))
}

/// As [`collect`], in a context.
///
/// # Errors
/// What the method returned.
pub fn collect_in(
    cx: &Context,
    actor_type: &str,
    fields: Option<&[&str]>,
    method: impl FnOnce(&mut Rows<'_>) -> Result<()>,
) -> Result<Vec<Actor>> {
    let mut collected = Collected(Vec::new());
    // The last batch comes when the rows are dropped.
    method(&mut Rows::new(actor_type, fields, &mut collected).of_call(cx))?;
    Ok(collected.0)
}

/// What a save did, as a host sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The actors that were saved, as they are now.
    pub actors: Vec<Actor>,
    /// The others: refused, or it is unknown whether they were saved.
    pub not_saved: Vec<NotSaved>,
    /// The outcome of the whole: Error when nothing was saved, Warning when some were not.
    pub outcome: Outcome,
}

/// Saves actors.
pub fn save<C: Connection>(connection: &C, actors: &[Actor]) -> Saved {
    save_in(&Context::default(), connection, actors)
}

/// As [`save`], in a context.
pub fn save_in<C: Connection>(cx: &Context, connection: &C, actors: &[Actor]) -> Saved {
    save_checked(cx, connection, actors, &BTreeMap::new())
}

/// As [`save_in`], without the actors that the host refuses, by their positions.
pub(crate) fn save_checked<C: Connection>(
    cx: &Context,
    connection: &C,
    actors: &[Actor],
    refused: &BTreeMap<usize, Refusal>,
) -> Saved {
    let mut results = SaveResults::new(actors, C::SAVES_TOGETHER);
    for (position, refusal) in refused {
        results.set(*position, Err(refusal.to_error().to_outcome()));
    }
    let numbered = actors.iter().cloned().enumerate();
    let (places, passed): (Vec<usize>, Vec<Actor>) =
        numbered.filter(|(number, _)| !refused.contains_key(number)).unzip();
    let mut collected = CollectedResults { results, places, actors: Vec::new() };
    let is_refused = passed.is_empty() || (C::SAVES_TOGETHER && !refused.is_empty());
    let end = if is_refused {
        Outcome::ok()
    } else {
        match connection.save(cx, &mut Saves::new(&passed, C::SAVES_TOGETHER, cx, &mut collected)) {
            Ok(()) => cx.outcome(),
            Err(error) => error.to_outcome(),
        }
    };
    let SaveReport { outcome, not_saved } = collected.results.report(end);
    let actors = if outcome.state.is_ok() { collected.actors } else { Vec::new() };
    Saved { actors, not_saved, outcome }
}

/// The context of a call whose caller waits this long.
pub fn context_with_deadline(time: Duration) -> Context {
    CallWatch::new(Instant::now().checked_add(time)).context()
}

/// The context of a call whose caller has gone.
pub fn cancelled_context() -> Context {
    let call = CallWatch::default();
    call.cancel();
    call.context()
}

struct CollectedResults {
    results: SaveResults,
    /// The places of the actors that were passed on, among all.
    places: Vec<usize>,
    actors: Vec<Actor>,
}

impl SaveSink for CollectedResults {
    fn saved(&mut self, position: usize, row: MessageRef<'_>) -> Result<()> {
        self.results.set(self.places[position], Ok(()));
        self.actors.push(RowRef::read(&mut row.reader())?.to_actor());
        Ok(())
    }

    fn not_saved(&mut self, position: usize, why: &Outcome) -> Result<()> {
        self.results.set(self.places[position], Err(why.clone()));
        Ok(())
    }
}

struct Collected(Vec<Actor>);

impl RowSink for Collected {
    fn push(&mut self, batch: MessageRef<'_>) -> Result<()> {
        let mut reader = batch.reader();
        while !reader.is_empty() {
            self.0.push(RowRef::read(&mut reader)?.to_actor());
        }
        Ok(())
    }
}
