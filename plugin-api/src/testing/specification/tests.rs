//! Every rule is broken by a connector that breaks just that one.

mod broken;

use broken::Broken;

use super::{Specification, Verdict, rules};
use crate::Actor;

#[test]
fn a_sound_connector_keeps_all_rules() {
    let report = Specification::new(&Broken::with_many(), broken::SETTINGS).writes().run();
    report.assert();
    assert!(report.skipped().is_empty(), "{report}");
    assert_eq!(report.results().len(), 40);
}

#[test]
fn a_connector_that_breaks_a_rule_is_told_that_rule_and_no_other() {
    for (rule, _) in rules::<Broken>() {
        let number = rule.number;
        let report = Specification::new(&Broken::rule(number), broken::SETTINGS).writes().run();
        assert_eq!(report.failed(), [number], "rule {number}: {report}");
    }
}

#[test]
fn nothing_is_written_unless_it_is_allowed() {
    let connector = Broken::rule(0);
    let report = Specification::new(&connector, broken::SETTINGS).run();
    assert_eq!(report.skipped(), (32..=40).collect::<Vec<u16>>(), "{report}");
    assert_eq!(connector.written(), Vec::<String>::new());

    let report = Specification::new(&connector, broken::SETTINGS).writes_to(["Person"]).run();
    report.assert();
    let written = connector.written();
    assert!(!written.is_empty() && written.iter().all(|actor_type| actor_type == "Person"), "{written:?}");
}

#[test]
fn an_example_is_what_is_created() {
    let connector = Broken::rule(0);
    let example = Actor::new("Person", "").with("NAME", "Ada Lovelace");
    Specification::new(&connector, broken::SETTINGS).writes_to(["Person"]).example(example).run().assert();
    assert!(connector.created_names().iter().any(|name| name == "Ada Lovelace"));
}

#[test]
fn a_panic_breaks_the_rule_that_was_checked_and_is_told() {
    let report = Specification::new(&Broken::panicking(), broken::SETTINGS).run();
    assert_eq!(report.failed(), [30], "{report}");
    let text = report.to_string();
    assert!(text.contains("  - the connector panicked: no list items today\n"), "{text}");
}

#[test]
fn settings_that_do_not_work_are_told_and_leave_the_rest_unchecked() {
    let report = Specification::new(&Broken::rule(0), []).writes().run();
    let failed = report.results().iter().find(|(rule, _)| rule.number == 4).map(|(_, verdict)| verdict);
    let expected = "connect failed, expected an answer: the setting Server is missing, it must be filled in";
    assert_eq!(failed, Some(&Verdict::Failed(vec![expected.to_owned()])), "{report}");
    assert_eq!(report.failed(), [4]);
    assert_eq!(report.skipped(), (5..=40).collect::<Vec<u16>>());
}

#[test]
#[should_panic(expected = "rule 26 is broken: What changed since the stamp of an actor includes that actor.")]
fn a_test_fails_with_the_report() {
    Specification::new(&Broken::rule(26), broken::SETTINGS).run().assert();
}

#[test]
fn a_report_says_what_was_seen_what_is_expected_and_where_the_rule_comes_from() {
    let text = Specification::new(&Broken::rule(26), broken::SETTINGS).run().to_string();
    for line in [
        "the connector Broken breaks 1 of 40 rules, keeps 30; 9 could not be checked",
        "rule 26 is broken: What changed since the stamp of an actor includes that actor.",
        "  - Customer: what changed since \"2026-01-01T00:00:01\" lacks \"C1\", which has just that stamp: expected it",
        "  source: contract, section 2 (UpdatedOnOrAfter: the answer includes equal stamps)",
        "rule 25 is kept",
        "rule 34 was not checked: writing was not allowed: see Specification::writes",
    ] {
        assert!(text.lines().any(|one| one == line), "no line {line:?} in:\n{text}");
    }
}

/// The book has the rules as they are checked.
#[test]
fn the_book_has_every_rule() {
    let book = include_str!("../../../../docs/authors/specification.md");
    let told: Vec<&str> = book.lines().filter(|line| line.starts_with("| **")).collect();
    let expected: Vec<String> = rules::<Broken>()
        .iter()
        .map(|(rule, _)| format!("| **{}** | {} | {} |", rule.number, rule.text, rule.source))
        .collect();
    assert_eq!(told, expected, "docs/authors/specification.md");
}
