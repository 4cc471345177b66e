//! What the connector asks the ERP system for, and what it makes of its faults.
#![allow(clippy::unwrap_used, reason = "what panics fails a test")]

use std::time::Duration;

use demo_erp::{DemoErp, PASSWORD, USER};
use erp_host_conformance::testing::{self, collect, collect_in, context_with_deadline, save};
use http_connector::{Company, HttpConnector};
use plugin_api::{Actor, Connection, ErrorKind, Operator, Restriction, Result, State};

fn connect(erp: &DemoErp, password: &str) -> Result<Company> {
    let address = erp.address();
    testing::connect::<HttpConnector>([("Address", address.as_str()), ("User", USER), ("Password", password)])
}

fn keys(found: &[Actor]) -> Vec<&str> {
    found.iter().map(|actor| actor.key.as_str()).collect()
}

#[test]
fn searches_are_pushed_down_and_checked() -> Result<()> {
    let erp = DemoErp::start()?;
    let company = connect(&erp, PASSWORD)?;
    for (field, operator, values, asked, found) in [
        ("NAME", Operator::Begins, vec!["strasse"], "&name=*tra*e*", vec!["3", "4"]),
        ("NAME", Operator::IsNot, vec!["Kunde 07"], "size=100", vec![]),
        (
            "CREDIT",
            Operator::Between,
            vec!["[F:500]", "[F:1000]"],
            "&credit_from=500&credit_to=1000",
            vec!["2", "3"],
        ),
        ("CREDIT", Operator::Greater, vec!["[F:11000]"], "&credit_from=11000", vec!["24"]),
        ("CATEGORY", Operator::OneOf, vec!["C"], "&category=C", vec!["3", "7", "11", "15", "19", "23"]),
    ] {
        erp.take_requests();
        let restrictions = [Restriction::new(field, operator, values)];
        let actors =
            collect("Customer", None, |cx, rows| company.search(cx, "Customer", &restrictions, rows))?;
        let requests = erp.take_requests();
        assert!(requests[0].ends_with(asked), "{requests:?}");
        if found.is_empty() {
            assert_eq!(actors.len(), 24);
        } else {
            assert_eq!(keys(&actors), found, "{field} {operator}");
        }
    }
    Ok(())
}

#[test]
fn pages_are_read_to_the_last() -> Result<()> {
    let erp = DemoErp::start()?;
    let company = connect(&erp, PASSWORD)?;
    erp.take_requests();
    let all = collect("Customer", None, |cx, rows| company.changed_since(cx, "Customer", None, rows))?;
    assert_eq!((all.len(), erp.take_requests().len()), (25, 3));
    let newest = all.iter().filter_map(|actor| actor.last_modified.as_deref()).max();
    collect("Customer", None, |cx, rows| company.changed_since(cx, "Customer", newest, rows))?;
    let asked = erp.take_requests().remove(0);
    let since = asked.split("changed_since=").nth(1).unwrap().replace("%3A", ":");
    assert!(since.as_str() < newest.unwrap(), "with a margin: {since}");
    Ok(())
}

#[test]
fn session_that_has_ended_and_busy_erp_system_are_not_noticed() -> Result<()> {
    let erp = DemoErp::start()?;
    let company = connect(&erp, PASSWORD)?;
    erp.control("end-sessions");
    erp.control("busy?requests=2");
    let found = collect("Customer", None, |cx, rows| company.get(cx, "Customer", &["1", "no", "99"], rows))?;
    assert_eq!((keys(&found), erp.logins()), (vec!["1"], 2));
    Ok(())
}

#[test]
fn wrong_password_does_not_lock_the_user() -> Result<()> {
    let erp = DemoErp::start()?;
    let company = connect(&erp, PASSWORD)?;
    erp.control("password?value=other");
    for _ in 0..10 {
        let error =
            collect("Customer", None, |cx, rows| company.get(cx, "Customer", &["1"], rows)).unwrap_err();
        assert_eq!(
            (error.kind(), error.user_text()),
            (ErrorKind::Settings, "user or password is wrong".into())
        );
        assert!(!error.to_string().contains(PASSWORD), "{error}");
    }
    assert_eq!(erp.logins(), 2);
    connect(&erp, "other").map(drop)
}

#[test]
fn lost_answer_of_a_create_creates_once_and_of_a_save_is_unknown() -> Result<()> {
    let erp = DemoErp::start()?;
    let company = connect(&erp, PASSWORD)?;
    erp.control("lost?answers=1&method=POST");
    let new = Actor::new("Person", "").with("NAME", "Nye Venner").below("Customer", "1");
    let created = collect("Person", None, |cx, rows| company.create(cx, &new, rows))?;
    let all = collect("Person", None, |cx, rows| company.search(cx, "Person", &[], rows))?;
    assert_eq!(all.iter().filter(|actor| actor.text("NAME") == "Nye Venner").count(), 1);

    let changed = [Actor::new("Person", &created[0].key).with("NAME", "Gamle Venner")];
    let save = || save(&company, &changed).outcome;
    // That of the read before it: the read is repeated.
    erp.control("lost?answers=1&method=GET");
    assert_eq!(save().state, State::Ok);
    erp.control("lost?answers=1&method=PUT");
    let lost = save();
    assert_eq!(lost.kind, ErrorKind::UnknownOutcome, "{lost:?}");
    Ok(())
}

#[test]
fn erp_system_that_is_away_or_silent_is_unavailable() -> Result<()> {
    let erp = DemoErp::start()?;
    let company = connect(&erp, PASSWORD)?;
    let get = |cx: &plugin_api::Context| {
        collect_in(cx, "Customer", None, |rows| company.get(cx, "Customer", &["1"], rows)).unwrap_err()
    };
    erp.control("slow?seconds=5");
    let error = get(&context_with_deadline(Duration::from_millis(500)));
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.user_text().starts_with("Demo ERP did not answer within 0.4"), "{error}");
    drop(erp);
    let error = get(&context_with_deadline(Duration::from_secs(2)));
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.user_text().starts_with("Demo ERP cannot be reached at http://127.0.0.1:"), "{error}");
    Ok(())
}
