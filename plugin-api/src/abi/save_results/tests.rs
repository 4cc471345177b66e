//! The outcome of a save, from the results of its actors.

use super::*;
use crate::Error;

fn results(count: usize, is_together: bool) -> SaveResults {
    let actors: Vec<Actor> = (1..=count).map(|key| Actor::new("Customer", key.to_string())).collect();
    SaveResults::new(&actors, is_together)
}

/// Results of actors: `Some(None)` is saved, `Some(Some(error))` is not.
fn report(given: Vec<Option<Option<Error>>>, is_together: bool, end: Outcome) -> SaveReport {
    let mut results = results(given.len(), is_together);
    for (position, result) in given.into_iter().enumerate() {
        if let Some(result) = result {
            assert!(results.set(position, result.map_or(Ok(()), |error| Err(error.to_outcome()))));
        }
    }
    results.report(end)
}

fn refused(report: &SaveReport) -> Vec<(&str, ErrorKind)> {
    report.not_saved.iter().map(|one| (one.name.key.as_str(), one.why.kind)).collect()
}

const SAVED: Option<Option<Error>> = Some(None);

fn not(error: Error) -> Option<Option<Error>> {
    Some(Some(error))
}

#[test]
fn save_of_all_actors_has_the_outcome_of_the_method() {
    for is_together in [false, true] {
        for end in [Outcome::ok(), Outcome::info("read this"), Outcome::warning("mind that").code("CODE")] {
            let report = report(vec![SAVED, SAVED], is_together, end.clone());
            assert_eq!(report, SaveReport { outcome: end, not_saved: Vec::new() });
        }
    }
}

#[test]
fn save_of_some_actors_is_a_warning_that_names_the_others() {
    let given = vec![
        SAVED,
        not(Error::conflict("somebody was faster").tech("version 7")),
        SAVED,
        not(Error::unknown_outcome("the line broke")),
    ];
    let report = report(given, false, Outcome::info("by the way"));
    assert_eq!(refused(&report), [("2", ErrorKind::Conflict), ("4", ErrorKind::UnknownOutcome)]);
    let Outcome { state, user, tech, code, .. } = report.outcome;
    assert_eq!((state, code.as_deref()), (State::Warning, Some("PARTLY_SAVED")));
    assert_eq!(
        user.unwrap(),
        "2 of 4 actors were saved\nCustomer \"2\" is not saved: somebody was faster\nCustomer \"4\" may or may not be \
         saved: the line broke\nby the way"
    );
    assert_eq!(
        tech.unwrap(),
        "not saved: 1 conflict, 1 unknown outcome; Customer \"2\": conflict: version 7; Customer \"4\": unknown outcome"
    );
}

#[test]
fn save_of_no_actor_is_an_error_with_the_kind_that_all_have() {
    for (errors, kind, code) in [
        (vec![Error::conflict("a"), Error::conflict("b")], ErrorKind::Conflict, Some("CONFLICT")),
        (vec![Error::conflict("a"), Error::user("b")], ErrorKind::Failed, None),
        (vec![Error::user("a").code("OWN"), Error::user("b").code("OWN")], ErrorKind::Failed, Some("OWN")),
        (vec![Error::user("a"), Error::unknown_outcome("b")], ErrorKind::UnknownOutcome, None),
    ] {
        let report = report(errors.into_iter().map(not).collect(), false, Outcome::ok());
        assert_eq!((report.outcome.state, report.outcome.kind), (State::Error, kind));
        assert_eq!(report.outcome.code.as_deref(), code);
        assert!(report.outcome.user.unwrap().starts_with("none of 2 actors was saved\nCustomer \"1\" "));
    }
    let one = report(vec![not(Error::not_found("gone"))], false, Outcome::ok());
    assert_eq!(one.outcome.user.as_deref(), Some("Customer \"1\" is not saved: gone"));
    assert_eq!(one.outcome.tech, None, "its own");
}

/// The error of the method is that of the actors that have no result.
#[test]
fn error_of_the_method_is_the_result_of_the_other_actors() {
    let error = Error::unavailable("the ERP system is away").tech("refused").code("AWAY").to_outcome();
    for is_together in [false, true] {
        let report = report(vec![None, None], is_together, error.clone());
        assert_eq!(report.outcome, error, "as it is");
        assert_eq!(refused(&report), [("1", ErrorKind::Unavailable), ("2", ErrorKind::Unavailable)]);
    }
    let some = report(vec![SAVED, None, not(Error::user("no"))], false, error.clone());
    assert_eq!(refused(&some), [("2", ErrorKind::Unavailable), ("3", ErrorKind::Failed)]);
    assert_eq!(some.outcome.state, State::Warning);
    // It came after all were saved.
    let all = report(vec![SAVED], false, error.clone());
    assert_eq!((all.outcome.state, all.not_saved), (State::Warning, Vec::new()));
    // In one transaction it takes back what was saved.
    let together = report(vec![SAVED, SAVED], true, error.clone());
    assert_eq!((together.outcome, together.not_saved.len()), (error, 2));
}

#[test]
fn actor_without_a_result_is_unknown_when_the_method_returns_ok() {
    let some = report(vec![SAVED, None], false, Outcome::ok());
    assert_eq!(refused(&some), [("2", ErrorKind::UnknownOutcome)]);
    assert_eq!(some.outcome.state, State::Warning);
    assert!(some.outcome.tech.unwrap().contains("returned Ok, and gave no result of this actor"));
    for is_together in [false, true] {
        let none = report(vec![None, None], is_together, Outcome::ok());
        assert_eq!((none.outcome.state, none.outcome.kind), (State::Error, ErrorKind::UnknownOutcome));
        assert_eq!(none.not_saved.len(), 2);
    }
}

#[test]
fn save_in_one_transaction_names_the_actor_that_it_failed_because_of() {
    let error = || Error::conflict("US:\"changed\";NO:\"endret\"");
    let report = report(vec![SAVED, not(error()), None], true, error().to_outcome());
    assert_eq!((report.outcome.state, report.outcome.kind), (State::Error, ErrorKind::Conflict));
    let user = LocalizedText::parse(report.outcome.user.as_deref().unwrap());
    assert_eq!(user.get("US"), "nothing was saved, because of Customer '2': changed");
    assert_eq!(user.get("NO"), "nothing was saved, because of Customer '2': endret");
    let why: Vec<_> = report.not_saved.iter().map(|one| one.why.user.as_deref().unwrap()).collect();
    assert_eq!(why[1], "US:\"changed\";NO:\"endret\"");
    assert_eq!([why[0], why[2]], ["nothing was saved, because of Customer \"2\""; 2]);
}

#[test]
fn many_actors_and_long_reasons_are_cut() {
    let long = Error::user("n".repeat(100_000)).tech("t".repeat(100_000));
    let mut given: Vec<_> = (0..50).map(|_| not(Error::user("no"))).collect();
    given[0] = not(long);
    given.push(SAVED);
    let outcome = report(given, false, Outcome::ok()).outcome;
    let (user, tech) = (outcome.user.unwrap(), outcome.tech.unwrap());
    assert!(user.ends_with("\nCustomer \"10\" is not saved: no\nand 40 more"), "{user}");
    assert!(user.len() < 1500 && tech.len() < 1500, "{} {}", user.len(), tech.len());
    assert!(tech.starts_with("not saved: 50 failed; "), "{tech}");
}

#[test]
fn texts_of_several_languages_stay_readable_in_each() {
    let given = vec![
        SAVED,
        not(Error::user("US:\"the \"name\" is missing\";NO:\"navnet mangler\"")),
        not(Error::user("plain with a \"quote\";NO:\"and more\"")),
    ];
    let user = report(given, false, Outcome::ok()).outcome.user.unwrap();
    let user = LocalizedText::parse(&user);
    let languages: Vec<_> = user.iter().map(|(language, _)| language).collect();
    assert_eq!(languages, ["US", "NO"]);
    assert_eq!(
        user.get("NO"),
        "1 of 3 actors were saved\nCustomer '2' is not saved: navnet mangler\nCustomer '3' is not saved: plain with a \
         'quote';NO:'and more'"
    );
}

#[test]
fn second_result_of_an_actor_does_not_count() {
    let mut results = results(1, false);
    assert!(!results.has_any());
    assert!(results.set(0, Ok(())));
    assert!(!results.set(0, Err(Outcome::ok())) && !results.set(7, Ok(())));
    assert_eq!(results.report(Outcome::ok()).outcome, Outcome::ok());
}
