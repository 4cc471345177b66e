//! A save, from the connector's method to the results on the host's side.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::abi::adapter::connector_object;
use crate::abi::client::ConnectorClient;
use crate::abi::{SaveReport, SaveResult, SaveResults};
use crate::{
    Actor, ActorType, Connection, Connector, Context, Error, ErrorKind, Field, Host, ListBased, Outcome,
    Result, Rows, Saves, Settings, State,
};

/// Saves in one transaction or not.
struct Ledger<const TOGETHER: bool>;

impl<const TOGETHER: bool> Connector for Ledger<TOGETHER> {
    const NAME: &'static str = "Ledger";
    type Connection = Ledger<TOGETHER>;

    fn new(_: &Host) -> Result<Self> {
        Ok(Ledger)
    }

    fn settings(&self, _cx: &Context) -> Result<Vec<Field>> {
        Ok(Vec::new())
    }

    fn connect(&self, _cx: &Context, _: &Settings) -> Result<Self::Connection> {
        Ok(Ledger)
    }
}

impl<const TOGETHER: bool> Connection for Ledger<TOGETHER> {
    const SAVES_TOGETHER: bool = TOGETHER;

    fn actor_types(&self, _cx: &Context) -> Result<Vec<ActorType>> {
        Ok(vec!["Customer".into()])
    }

    fn fields(&self, _cx: &Context, _: &str) -> Result<Vec<Field>> {
        Ok(vec![Field::text("NAME")])
    }

    crate::list_based!(get, search, search_text, changed_since);

    /// What happens to an actor stands in its NAME.
    fn save(&self, cx: &Context, saves: &mut Saves<'_>) -> Result<()> {
        let actors = saves.actors();
        match actors.first().map(|actor| actor.text("NAME")) {
            // Results in another order, as an ERP system that is asked once gives them.
            Some("at once") => {
                for actor in actors.iter().rev() {
                    match actor.text("NAME") {
                        "no" => saves.refused(actor, Error::conflict("no"))?,
                        "lost" => saves.unknown(actor, Error::user("lost"))?,
                        _ => saves.saved(actor, |rows| rows.row(&actor.key).field("NAME", "saved").end())?,
                    }
                }
                return Ok(());
            }
            Some("stranger") => return saves.saved(&Actor::new("Customer", "nobody"), |_| Ok(())),
            Some("twice") => {
                saves.saved(&actors[0], |rows| rows.push(&actors[0]))?;
                return saves.refused(&actors[0], Error::user("no"));
            }
            _ => {}
        }
        saves.each(|actor, rows| match actor.text("NAME") {
            "no" => {
                rows.push(actor)?;
                Err(Error::conflict("no"))
            }
            "away" => Err(Error::unavailable("away")),
            "panic" => panic!("in the middle"),
            "no row" => Ok(()),
            "two rows" => rows.push(actor).and_then(|()| rows.push(actor)),
            "other key" => rows.row(7).field("NAME", "b").end(),
            name => {
                cx.info(format!("saved {name}"));
                rows.push(&Actor::new("Customer", actor.key.as_str()).stamped("now"))
            }
        })
    }
}

impl<const TOGETHER: bool> ListBased for Ledger<TOGETHER> {
    fn actors(&self, _cx: &Context, _: &str, _: &mut Rows<'_>) -> Result<()> {
        Ok(())
    }
}

/// Saves actors with these names; returns the keys of the rows too.
fn save<const TOGETHER: bool>(names: &[&str]) -> (Vec<String>, SaveReport) {
    let object = connector_object(Ledger::<TOGETHER>, std::path::PathBuf::new());
    let client = ConnectorClient::new("Ledger".into(), Arc::new(object));
    let connection = client.connect(&Settings::default()).unwrap();
    let actors: Vec<Actor> = (1..)
        .zip(names)
        .map(|(key, name): (u32, &&str)| Actor::new("Customer", key.to_string()).with("NAME", *name))
        .collect();
    let mut results = SaveResults::new(&actors, connection.opened().saves_together);
    let mut rows = Vec::new();
    let end = connection.save(&actors, &mut |position, result| {
        let result = match result {
            SaveResult::Saved(row) => {
                rows.push(row.key.to_owned());
                Ok(())
            }
            SaveResult::NotSaved(why) => Err(why),
        };
        assert!(results.set(position, result));
        ControlFlow::Continue(())
    });
    (rows, results.report(end))
}

fn kinds(report: &SaveReport) -> Vec<(&str, ErrorKind)> {
    report.not_saved.iter().map(|one| (one.name.key.as_str(), one.why.kind)).collect()
}

#[test]
fn each_saves_the_others_when_one_is_refused() {
    let (rows, report) = save::<false>(&["a", "no", "other key"]);
    assert_eq!(rows, ["1", "7"]);
    assert_eq!(kinds(&report), [("2", ErrorKind::Conflict)]);
    assert_eq!(report.outcome.state, State::Warning);
    assert!(report.outcome.user.unwrap().ends_with("\nsaved a"), "what was reported is kept");
    assert_eq!(save::<false>(&["a", "b"]).1.outcome, Outcome::info("saved a\nsaved b"));
}

#[test]
fn each_ends_with_an_error_that_concerns_all() {
    let (rows, report) = save::<false>(&["a", "away", "b"]);
    assert_eq!(rows, ["1"]);
    assert_eq!(kinds(&report), [("2", ErrorKind::Unavailable), ("3", ErrorKind::Unavailable)]);
    let (_, report) = save::<false>(&["away", "b"]);
    assert_eq!(report.outcome, Error::unavailable("away").to_outcome());
}

#[test]
fn panic_leaves_what_was_saved_and_the_rest_unknown() {
    let (rows, report) = save::<false>(&["a", "panic", "b"]);
    assert_eq!(rows, ["1"]);
    assert_eq!(kinds(&report), [("2", ErrorKind::UnknownOutcome), ("3", ErrorKind::UnknownOutcome)]);
}

#[test]
fn each_needs_one_row_of_each_actor() {
    for name in ["no row", "two rows"] {
        let (rows, report) = save::<false>(&[name, "a"]);
        assert_eq!((rows, kinds(&report)), (vec!["2".to_owned()], vec![("1", ErrorKind::UnknownOutcome)]));
        assert!(report.outcome.tech.unwrap().contains("has to push one row for each actor"), "{name}");
    }
}

#[test]
fn results_may_come_in_any_order() {
    let (rows, report) = save::<false>(&["at once", "no", "lost", "b"]);
    assert_eq!(rows, ["4", "1"]);
    assert_eq!(kinds(&report), [("2", ErrorKind::Conflict), ("3", ErrorKind::UnknownOutcome)]);
}

#[test]
fn result_of_a_stranger_and_a_second_one_are_mistakes() {
    let (rows, report) = save::<false>(&["stranger", "b"]);
    assert_eq!((rows.len(), report.outcome.kind), (0, ErrorKind::UnknownOutcome));
    assert!(report.outcome.tech.unwrap().contains("Customer \"nobody\""));
    let (rows, report) = save::<false>(&["twice", "b"]);
    assert_eq!((rows.len(), kinds(&report)), (1, vec![("2", ErrorKind::UnknownOutcome)]));
}

#[test]
fn save_in_one_transaction_ends_with_the_first_refusal() {
    for names in [["a", "no", "b"], ["at once", "no", "b"]] {
        let (_, report) = save::<true>(&names);
        assert_eq!(report.outcome.state, State::Error);
        assert_eq!(
            report.outcome.user.as_deref(),
            Some("nothing was saved, because of Customer \"2\": no"),
            "{names:?}"
        );
        assert_eq!(kinds(&report).len(), 3);
    }
    let (rows, report) = save::<true>(&["a", "b"]);
    assert_eq!((rows.len(), report.not_saved.len()), (2, 0));
}
