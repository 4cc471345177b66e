//! The rules that every connector must keep, and running a connector through them.

mod actors;
mod fields;
mod lists;
mod load;
mod report;
mod searching;
mod settings;
mod stamps;
mod subject;
mod writing;

#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use report::{Report, Rule, Verdict};

use crate::{Actor, Connector, Settings};
use report::{Findings, Stop};
use subject::{Subject, told};

/// Runs a connector through the rules that every connector must keep. The rules stand in the book, in "The
/// specification", each with its reason.
///
/// It only reads, unless [`writes`](Specification::writes) says that it may write. The connection should be one to a test
/// company with some actors of each type, and nobody else may change that company while the rules are checked.
///
/// ```
/// # use plugin_api::{Connection, Connector, Error, Field, Host, Outcome, Result, Rows, Settings};
/// # struct Hello;
/// # struct Company;
/// # impl Connector for Hello {
/// #     const NAME: &'static str = "Hello";
/// #     type Connection = Company;
/// #     fn new(_: &Host) -> Result<Self> { Ok(Hello) }
/// #     fn settings(&self) -> Result<Vec<Field>> { Ok(vec![]) }
/// #     fn connect(&self, _: &Settings) -> Result<Company> { Ok(Company) }
/// # }
/// # impl Connection for Company {
/// #     fn actor_types(&self) -> Result<Vec<String>> { Ok(vec!["Customer".to_owned()]) }
/// #     fn fields(&self, actor_type: &str) -> Result<Vec<Field>> {
/// #         if actor_type == "Customer" { Ok(vec![Field::text("NAME")]) } else { Err(Error::user("no such type")) }
/// #     }
/// #     fn actors(&self, actor_type: &str, rows: &mut Rows<'_>) -> Result<Outcome> {
/// #         self.fields(actor_type)?;
/// #         rows.row(1).field("NAME", "Fjord & Fjell").end()?;
/// #         Ok(Outcome::ok())
/// #     }
/// # }
/// use plugin_api::testing::Specification;
///
/// let hello = Hello::new(&Host::for_test(std::env::temp_dir()))?;
/// Specification::new(&hello, [("Server", "test.erp.local")]).run().assert();
/// # Ok::<(), plugin_api::Error>(())
/// ```
pub struct Specification<'c, C: Connector> {
    connector: &'c C,
    settings: Settings,
    writes: Writes,
    examples: Vec<Actor>,
}

/// Which actor types may be written to.
enum Writes {
    Nothing,
    Everything,
    Only(Vec<String>),
}

/// Looks whether one rule is kept.
type Check<C> = fn(&Subject<'_, C>, &mut Findings) -> Result<(), Stop>;

impl<'c, C: Connector> Specification<'c, C> {
    /// The specification, for a connection of this connector with these settings.
    pub fn new(connector: &'c C, settings: impl Into<Settings>) -> Self {
        Specification { connector, settings: settings.into(), writes: Writes::Nothing, examples: Vec::new() }
    }

    /// Allows to create and save actors of every type. What is created stays: the contract cannot delete.
    #[must_use]
    pub fn writes(mut self) -> Self {
        self.writes = Writes::Everything;
        self
    }

    /// Allows to create and save actors of these types only.
    #[must_use]
    pub fn writes_to<T: Into<String>>(mut self, actor_types: impl IntoIterator<Item = T>) -> Self {
        self.writes = Writes::Only(actor_types.into_iter().map(Into::into).collect());
        self
    }

    /// An actor that the connector can create, for actor types whose fields cannot be filled with just anything, such as
    /// a field that must be a valid VAT number. Without it every field that may be written gets a value of its type.
    #[must_use]
    pub fn example(mut self, actor: Actor) -> Self {
        self.examples.push(actor);
        self
    }

    /// Checks every rule. A panic of the connector breaks the rule that was being checked, and no other.
    pub fn run(&self) -> Report {
        let mut subject =
            Subject::new(self.connector, &self.settings, &self.examples, |name| match &self.writes {
                Writes::Nothing => false,
                Writes::Everything => true,
                Writes::Only(names) => names.iter().any(|known| known == name),
            });
        let mut results = Vec::new();
        for (rule, check) in rules::<C>() {
            let mut findings = Findings::default();
            let checked = catch_unwind(AssertUnwindSafe(|| check(&subject, &mut findings)));
            let verdict = match checked {
                Ok(checked) => findings.verdict(checked),
                Err(panic) => Verdict::Failed(vec![format!("the connector panicked: {}", told(&*panic))]),
            };
            if matches!(verdict, Verdict::Failed(_)) {
                subject.failed.push(rule.number);
            }
            results.push((rule, verdict));
        }
        Report::new(C::NAME, results)
    }
}

/// The rules by number. A number is never used again for another rule.
fn rules<C: Connector>() -> Vec<(Rule, Check<C>)> {
    let rules: [(&str, &str, Check<C>); 40] = [
        (
            "Every setting of the form has a key of its own, and the form is the same at each call.",
            "`Field::key`; contract, section 2 (WSGetConfigData)",
            settings::keys,
        ),
        (
            "The default of a setting fits its type and length, and no password has one.",
            "`Field::default`, `Field::max_length`; contract, section 4",
            settings::defaults,
        ),
        (
            "A setting of type List names a list that `Connector::list` has, and whose items have keys of their own.",
            "`Connector::list`; contract, section 2 (WSGetList while a connection is being set up)",
            settings::lists,
        ),
        (
            "The settings pass the test, and open as many connections as are wanted.",
            "`Connector::test`, `Connector::connect`",
            settings::open,
        ),
        (
            "A mandatory setting that is left empty is refused by the test.",
            "`Access::Mandatory`; contract, section 2",
            settings::mandatory,
        ),
        (
            "There are actor types, each once, all of them known to ERP Sync, and the same at each call.",
            "`Connection::actor_types`; contract, section 2 (actor types by name)",
            fields::actor_types,
        ),
        (
            "Every field of an actor type has a key of its own, the same at each call and in each connection.",
            "`Field::key`",
            fields::keys,
        ),
        (
            "The default of a field fits its type and length.",
            "`Field::default`, `Field::max_length`; contract, section 4",
            fields::defaults,
        ),
        (
            "A searchable field is a field of the actor type, named once, and neither Password nor Label.",
            "`Connection::searchable_fields`",
            fields::searchable,
        ),
        (
            "An actor type that does not exist is an error of every method that is asked about it.",
            "`Connection::fields`, `Connection::actors`: errors",
            fields::unknown_actor_type,
        ),
        (
            "Every actor has a key of its own, and is of the type that was asked for.",
            "`Actor::key`; contract, section 2 (ErpActorWS)",
            actors::keys,
        ),
        (
            "Who lists the actors twice gets the same ones, and another connection knows them by the same keys.",
            "`Connection::actors`; contract, section 2 (ErpKey)",
            actors::stable,
        ),
        (
            "An actor has only fields of its type, and their values have the form of the field's type.",
            "contract, section 4 (field values)",
            actors::values,
        ),
        (
            "A search without restrictions, for an empty text, or for changes since no stamp finds all actors.",
            "`Connection::search`, `search_text`, `changed_since`",
            actors::all_ways,
        ),
        (
            "Asked for by their keys, exactly these actors come: each once, unknown keys skipped, none for no keys.",
            "`Connection::get`; contract, section 4 (ErpKeys that do not exist)",
            actors::get,
        ),
        (
            "Only the fields asked for come: all for none named, none for an empty selection, unknown ones skipped.",
            "contract, section 4 (FieldKeys)",
            actors::selection,
        ),
        (
            "Restrictions of Text fields find what the `Matcher` finds.",
            "contract, section 4 (operators); `Matcher`",
            searching::texts,
        ),
        (
            "Restrictions of Integer and Double fields find what the `Matcher` finds.",
            "contract, section 4 (operators); `Matcher`",
            searching::numbers,
        ),
        (
            "Restrictions of Checkbox fields find what the `Matcher` finds.",
            "contract, section 4 (operators); `Matcher`",
            searching::checkboxes,
        ),
        (
            "Restrictions of List fields find what the `Matcher` finds.",
            "contract, section 4 (operators); `Matcher`",
            searching::lists,
        ),
        (
            "Restrictions of Datetime fields find what the `Matcher` finds: seconds do not count.",
            "contract, section 4 (operators, date comparison); `Matcher`",
            searching::dates,
        ),
        ("All restrictions of a search hold together.", "`Restriction`", searching::together),
        (
            "A restriction that makes no sense is an error; an unknown field has the code UNKOWN_FIELDKEY.",
            "`Connection::search`: errors; contract, section 2 (ErrorCode)",
            searching::nonsense,
        ),
        (
            "A text is found in the searchable Text fields and as a whole key, in any case, and nowhere else.",
            "`Connection::search_text`",
            searching::text_search,
        ),
        (
            "A search below a parent finds its children only, by restrictions and by text.",
            "`Connection::search_text`, `Restriction::PARENT_KEY`; contract, section 4",
            searching::parents,
        ),
        (
            "What changed since the stamp of an actor includes that actor.",
            "contract, section 2 (UpdatedOnOrAfter: the answer includes equal stamps)",
            stamps::inclusive,
        ),
        (
            "What changed since a stamp includes every actor with a later stamp, compared as texts, or without one.",
            "`Connection::changed_since`; contract, section 2 (LastModified)",
            stamps::later,
        ),
        (
            "Every List field names a list that is there, the same at each call, its items with keys of their own.",
            "`Connection::list`, `Field::list`",
            lists::there,
        ),
        (
            "The value of a List field is the key of an item of its list.",
            "`FieldType::List`; contract, section 4",
            lists::values,
        ),
        (
            "Asked for by their keys, exactly these list items come, unknown keys skipped; no such list is `None`.",
            "`Connection::list_items`",
            lists::items,
        ),
        (
            "Calls from many threads at once get the answers that one call gets.",
            "`Connection`: the host calls it from many threads at once",
            load::concurrency,
        ),
        (
            "Ten thousand actors come whole, listed and by their keys.",
            "`Connection`: a result set of any size",
            load::ten_thousand,
        ),
        (
            "A method stops and fails when no more rows are wanted.",
            "`Row::end`, `Rows::push`: errors",
            load::no_more_rows,
        ),
        (
            "A created actor has a new key and is found again, with what was written.",
            "`Connection::create`; contract, section 2 (WSCreateActor)",
            writing::created,
        ),
        (
            "The stamp of a created actor is not older than any before, and it is among what changed.",
            "`Connection::create`; contract, section 2 (LastModified)",
            writing::created_stamp,
        ),
        (
            "Saving changes the fields that came and no others, of every actor in the call.",
            "`Connection::save`; contract, section 2 (WSSaveActors)",
            writing::saved,
        ),
        (
            "The stamp of a saved actor is not older than any before, and it is among what changed.",
            "`Connection::save`; contract, section 2 (LastModified)",
            writing::saved_stamp,
        ),
        (
            "A text saved as null or as empty is gone; null and empty are read back apart, or both the same.",
            "`Actor::fields`",
            writing::null_and_empty,
        ),
        (
            "Creating an actor of an unknown type and saving one with an unknown key are errors and change nothing.",
            "`Connection::create`, `Connection::save`: errors",
            writing::refused,
        ),
        (
            "Actors that are created at the same time get keys of their own, and all are found again.",
            "`Connection`: the host calls it from many threads at once",
            writing::at_once,
        ),
    ];
    (1..).zip(rules).map(|(number, (text, source, check))| (Rule { number, text, source }, check)).collect()
}
