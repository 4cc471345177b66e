//! Connectors in process: every rule is broken by a connector that breaks just that one.

#![allow(clippy::unwrap_used)]

use std::thread;
use std::time::Duration;

use broken_connector::{Broken, Checked, ErpState, SETTINGS};
use erp_host_conformance::{ErpControl, Offered, Progress, Report, Specification, Verdict, Weight};
use plugin_api::{Actor, Result};

/// The rules of an ERP system that fails.
const OUTAGES: std::ops::RangeInclusive<u16> = 1501..=1505;

/// Control of the ERP system behind a connector.
struct Control<'c>(&'c Broken);

impl ErpControl for Control<'_> {
    fn slow(&self) -> Result<Offered> {
        self.0.erp().set(ErpState::Slow);
        Ok(Offered::Yes)
    }

    fn away(&self) -> Result<Offered> {
        self.0.erp().set(ErpState::Away);
        Ok(Offered::Yes)
    }

    fn back(&self) -> Result<()> {
        self.0.erp().set(ErpState::Working);
        Ok(())
    }
}

fn writing(connector: &Broken) -> Report {
    Specification::new(connector, SETTINGS).writes().run()
}

#[test]
fn sound_connector_keeps_all_rules() {
    let connector = Broken::with_many();
    let report = Specification::new(&connector, SETTINGS).writes().erp(&Control(&connector)).run();
    assert_eq!((report.broken(), report.skipped()), (vec![], vec![]), "{report}");
    assert_eq!(report.counts().passed, 61, "{report}");
}

#[test]
fn connector_that_breaks_a_rule_fails_that_rule_and_no_other() {
    let rules = Specification::new(&Broken::rule(0), SETTINGS).run().results;
    let applicable = rules.iter().filter(|(_, verdict)| !matches!(verdict, Verdict::NotApplicable));
    for (rule, _) in applicable.filter(|(rule, _)| !OUTAGES.contains(&rule.number)) {
        let report = writing(&Broken::rule(rule.number));
        let found = if rule.weight == Weight::Must { report.failed() } else { report.broken() };
        assert_eq!(found, [rule.number], "rule {}: {report}", rule.number);
    }
}

#[test]
fn connector_that_breaks_a_rule_of_a_failing_erp_system_fails_that_rule_and_no_other() {
    thread::scope(|scope| {
        for rule in OUTAGES {
            scope.spawn(move || {
                let connector = Broken::rule(rule);
                let control = Control(&connector);
                let report =
                    Specification::new(&connector, SETTINGS).writes().erp(&control).only(OUTAGES).run();
                assert_eq!(report.failed(), [rule], "rule {rule}: {report}");
                assert_eq!(connector.erp().state(), ErpState::Working, "it is brought back");
            });
        }
    });
}

#[test]
fn rules_of_a_failing_erp_system_are_skipped_without_control_of_it() {
    struct Refusing;
    impl ErpControl for Refusing {
        fn away(&self) -> Result<Offered> {
            Err(plugin_api::Error::user("no such server"))
        }

        fn back(&self) -> Result<()> {
            Ok(())
        }
    }
    let connector = Broken::rule(0);
    let specification = || Specification::new(&connector, SETTINGS).writes().only(OUTAGES);
    let report = specification().run();
    let not_given = "no control of the ERP system was given: see Specification::erp";
    assert_eq!(report.skipped(), [1502, 1503, 1504, 1505].map(|rule| (rule, not_given)), "{report}");
    assert_eq!(report.failed(), Vec::<u16>::new());

    let report = specification().erp(&Refusing).run();
    let slow = "the ERP system cannot be made slow: see ErpControl::slow, --erp-slow";
    assert_eq!(report.skipped(), [(1502, slow)], "{report}");
    assert_eq!(report.failed(), [1503, 1504, 1505], "{report}");
    assert!(
        report.to_string().contains("the ERP system could not be taken away: no such server"),
        "{report}"
    );
}

#[test]
fn nothing_is_written_unless_it_is_allowed() {
    let connector = Broken::rule(0);
    let report = Specification::new(&connector, SETTINGS).run();
    let skipped = report.skipped();
    assert!(
        (1101..=1107).chain([1109, 1110]).all(|rule| skipped.iter().any(|(skipped, _)| *skipped == rule)),
        "{report}"
    );
    assert_eq!(connector.created(), Vec::new());

    let report = Specification::new(&connector, SETTINGS).writes_to(["Person"]).run();
    report.assert();
    let written = connector.created();
    assert!(!written.is_empty() && written.iter().all(|actor| actor.actor_type == "Person"), "{written:?}");
    let line = format!("left behind, because the contract cannot delete actors ({} Person):", written.len());
    assert!(report.to_string().contains(&line), "{report}");
    assert!(report.left_behind.iter().all(|one| one.starts_with("Person")), "{:?}", report.left_behind);
}

#[test]
fn rules_can_be_checked_alone() {
    let connector = Broken::with_many();
    let whole = writing(&connector);
    for (rule, verdict) in &whole.results {
        if matches!(verdict, Verdict::NotApplicable) || OUTAGES.contains(&rule.number) {
            continue;
        }
        let report = Specification::new(&connector, SETTINGS).writes().only([rule.number]).run();
        let (_, alone) = report.results.iter().find(|(one, _)| one.number == rule.number).unwrap();
        assert!(matches!(alone, Verdict::Passed), "rule {}: {alone:?}", rule.number);
    }
    let mut checked = Vec::new();
    let report = Specification::new(&connector, SETTINGS).only([904]).run_with(|progress| {
        if let Progress::Checked(rule, verdict) = progress {
            checked.push((rule.number, matches!(verdict, Verdict::Passed)));
        }
    });
    assert_eq!(checked, [(401, true), (405, true), (502, true), (904, true)]);
    assert!(report.requests < whole.requests / 10, "{} of {}", report.requests, whole.requests);
}

#[test]
#[should_panic(expected = "there is no rule 8011")]
fn only_a_rule_that_exists_can_be_checked() {
    let _ = Specification::new(&Broken::rule(0), SETTINGS).only([8011]);
}

#[test]
fn rule_over_its_time_limit_fails_once_and_names_the_longest_call() {
    let connector = Broken::rule(0);
    let report = Specification::new(&connector, SETTINGS).only([401]).rule_timeout(Duration::ZERO).run();
    let text = report.to_string();
    assert_eq!(report.failed(), [401], "{text}");
    assert_eq!(text.matches("is not checked within its time limit of 0ns: ").count(), 1, "{text}");
}

#[test]
fn example_is_what_is_created() {
    let connector = Broken::rule(0);
    let example = Actor::new("Person", "").with("NAME", "Ada Lovelace");
    Specification::new(&connector, SETTINGS).writes_to(["Person"]).example(example).run().assert();
    assert!(connector.created().iter().any(|actor| actor.text("NAME") == "Ada Lovelace"));
}

#[test]
fn input_is_checked_as_in_a_host_unless_the_connector_wants_it_raw() {
    for rule in [606, 808, 812] {
        let raw = writing(&Broken::rule(rule));
        assert_eq!(raw.failed(), [rule], "{raw}");
        let checked = Checked(Broken::rule(rule));
        let report = Specification::new(&checked, SETTINGS).writes().run();
        assert_eq!(report.broken(), Vec::<u16>::new(), "rule {rule}: {report}");
    }
}

#[test]
fn actors_are_created_below_parents_that_were_created_before() {
    let connector = Checked(Broken::rule(0));
    let example = Actor::new("Person", "").with("NAME", "Ada Lovelace");
    let specification = || Specification::new(&connector, SETTINGS).only([1101]);
    specification().writes().run().assert();
    let created = connector.0.created();
    let person = created.iter().find(|actor| actor.actor_type == "Person").unwrap();
    let customer = created.iter().find(|actor| actor.actor_type == "Customer").unwrap();
    assert_eq!(person.parent, Some(plugin_api::Parent::new("Customer", customer.key.as_str())));
    // None may be created: one that is there.
    specification().writes_to(["Person"]).example(example).run().assert();
    let last = connector.0.created().pop().unwrap();
    assert_eq!(
        (last.text("NAME"), last.parent.as_ref().map(|parent| parent.key.clone())),
        ("Ada Lovelace", Some("C1".to_owned()))
    );
}

#[test]
fn panic_breaks_the_rules_that_meet_it() {
    let report = Specification::new(&Broken::panicking(), SETTINGS).run();
    assert_eq!(report.failed(), [903, 904], "{report}");
    let text = report.to_string();
    assert!(text.contains("  - the connector panicked: no list items today\n"), "{text}");
}

#[test]
fn settings_that_do_not_work_leave_the_rest_unchecked() {
    let report = Specification::new(&Broken::rule(0), []).writes().run();
    let failed = report.results.iter().find(|(rule, _)| rule.number == 405).map(|(_, verdict)| verdict);
    let Some(Verdict::Failed(findings)) = failed else { panic!("{report}") };
    let expected = "the settings do not pass the test: the setting Server is missing, it must be filled in";
    assert!(findings[0].text.starts_with(expected), "{}", findings[0].text);
    assert_eq!(report.failed(), [405]);
    assert!(report.counts().passed < 10, "{report}");
}

#[test]
#[should_panic(expected = "rule 1001 FAILED: What changed since the stamp of an actor includes that actor.")]
fn assert_fails_a_test_with_the_report() {
    Specification::new(&Broken::rule(1001), SETTINGS).run().assert();
}

#[test]
fn report_shows_what_was_seen_and_expected_and_the_source_of_the_rule() {
    let text = Specification::new(&Broken::rule(1001), SETTINGS).run().to_string();
    for line in [
        "rule 1001 FAILED: What changed since the stamp of an actor includes that actor.",
        "  - Customer: what changed since \"2026-01-01T00:00:01\" lacks \"C1\", which has just that stamp",
        "  source: section 2 (the answer includes equal stamps); `Connection::changed_since`",
        "  1002  passed   What changed since a stamp includes every actor with a later one.",
        "                 (writing was not allowed: see Specification::writes)",
        "46 passed, 1 failed, 0 warnings, 14 skipped, 59 not applicable: the connector Broken in process",
    ] {
        assert!(text.lines().any(|one| one == line), "no line {line:?} in:\n{text}");
    }
}
