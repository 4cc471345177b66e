//! What the host makes of the kind of a failure: the code and the text of the reply, the log line, and whether it tries again.

use contract::{Actor, Dialect, Dictionary, Request};
use test_support::soap::Client;
use test_support::{ROGUE, Setup, TestHost, http, wait_until};
use values::State;

use crate::rogue::{get, save};

const GUID: &str = "eeeeeeee-0000-4000-8000-000000000041";
/// More than a few.
const CALLS: usize = 8;

fn client(host: &TestHost) -> Client {
    host.client(Dialect::Message).connector("Rogue").connection(GUID)
}

fn create() -> Request<'static> {
    let fields: Dictionary<'_> = [("NAME", Some("x"))].into_iter().collect();
    let actor = Actor { actor_type: Some("Customer".into()), field_values: Some(fields), ..Actor::default() };
    Request::CreateActor { actor: Some(actor) }
}

fn readiness(host: &TestHost) -> (u16, String) {
    let response = http::Request::get("/ready").send(host.address()).unwrap();
    (response.status, response.text().trim().to_owned())
}

fn every_kind(configuration: &str) {
    let host = Setup::new().plugin(ROGUE).configuration(configuration).start();
    for (fault, code, tech) in [
        ("failed", "", "as it was asked for"),
        ("unavailable", "ERP_UNAVAILABLE", "unavailable: as it was asked for"),
        ("conflict", "CONFLICT", "conflict: as it was asked for"),
        ("not-found", "NOT_FOUND", "not found: as it was asked for"),
        ("unknown-outcome", "UNKNOWN_OUTCOME", "unknown outcome: as it was asked for"),
        ("settings", "SETTINGS_INVALID", "settings: as it was asked for"),
    ] {
        client(&host).ok(save(&[("create", fault)]));
        let answer = client(&host).call(create());
        assert_eq!(
            (answer.state, answer.user.as_str(), answer.code.as_str(), answer.tech.as_str()),
            (State::Error, "rogue failure", code, tech),
            "{fault}"
        );
        let kind = format!("kind=\"{}\"", fault.replace('-', " "));
        wait_until(&kind, || {
            host.log().lines().any(|line| line.contains("WSCreateActor") && line.contains(&kind))
        });
    }
    // A code of the connector's own stays.
    client(&host).ok(save(&[("create", "error")]));
    assert_eq!(client(&host).call(create()).code, "ROGUE");
}

#[test]
fn failure_kinds_are_in_the_reply_and_in_the_log() {
    every_kind("");
}

#[test]
fn failure_kinds_of_a_worker_process_are_in_the_reply_and_in_the_log() {
    every_kind("isolation = \"process\"\n");
}

#[test]
fn failure_of_settings_is_not_tried_again_before_they_are_saved() {
    let host = Setup::new().plugin(ROGUE).start();
    let attempts = || host.log().matches("it is not tried again before they are saved").count();
    let is_held_back = || {
        let answer = client(&host).call(get());
        assert_eq!((answer.state, answer.code.as_str()), (State::Error, "SETTINGS_INVALID"), "{answer:?}");
        answer.tech.ends_with("it is not tried again before its settings are saved")
    };
    // While it is opened.
    assert_eq!(client(&host).call(save(&[("connect", "settings")])).state, State::Warning);
    for _ in 0..CALLS {
        assert!(is_held_back());
    }
    wait_until("the line of the one attempt", || attempts() == 1);
    client(&host).ok(save(&[]));
    client(&host).ok(get());
    // In a call of the open connection: the first answer is the connector's.
    client(&host).ok(save(&[("get", "settings")]));
    assert!(!is_held_back());
    for _ in 0..CALLS {
        assert!(is_held_back());
    }
    assert_eq!(client(&host).call(Request::GetSupportedActorTypes).code, "SETTINGS_INVALID");
    client(&host).ok(save(&[]));
    client(&host).ok(get());
}

#[test]
fn failure_of_an_erp_system_that_is_away_is_a_reason_of_readiness_and_tried_again_soon() {
    let host = Setup::new().plugin(ROGUE).start();
    assert_eq!(readiness(&host), (200, "{\"ready\":true,\"reasons\":[]}".to_owned()));
    let saved = client(&host).call(save(&[("connect", "unavailable")]));
    assert_eq!((saved.state, saved.code.as_str()), (State::Warning, "ERP_UNAVAILABLE"));
    let away = "{\"ready\":true,\"reasons\":[\"ERP system unavailable\"]}";
    assert_eq!(readiness(&host), (200, away.to_owned()));
    wait_until("another attempt, which calls make possible", || {
        client(&host).call(get());
        host.log().contains("it is tried again in 2 seconds")
    });
    client(&host).ok(save(&[]));
    client(&host).ok(get());
    assert_eq!(readiness(&host).1, "{\"ready\":true,\"reasons\":[]}");
    // Calls of an open connection are always made.
    client(&host).ok(save(&[("get", "unavailable")]));
    for _ in 0..CALLS {
        assert_eq!(client(&host).call(get()).tech, "unavailable: as it was asked for");
    }
    client(&host).ok(Request::GetSupportedActorTypes);
}

#[test]
fn failure_that_asks_to_reopen_the_connection_repeats_a_reading_call_once() {
    let reopened = |host: &TestHost| host.log().matches("closed: it has to be opened again").count();
    let host = Setup::new().plugin(ROGUE).start();
    client(&host).ok(save(&[("get", "reopen-once")]));
    assert_eq!(client(&host).ok(get()).keys(), ["1"]);
    wait_until("a line about it", || reopened(&host) == 1);
    // Once: the second failure is the answer.
    client(&host).ok(save(&[("get", "reopen")]));
    let answer = client(&host).call(get());
    assert_eq!(
        (answer.code.as_str(), answer.tech.as_str()),
        ("CONNECTION_REOPENED", "reopen: as it was asked for")
    );
    wait_until("a line about it", || reopened(&host) == 2);

    // A call that changes something is not repeated.
    let host = Setup::new().plugin(ROGUE).start();
    client(&host).ok(save(&[("create", "reopen-once")]));
    let answer = client(&host).call(create());
    assert_eq!((answer.state, answer.code.as_str()), (State::Error, "CONNECTION_REOPENED"), "{answer:?}");
    assert_eq!(client(&host).ok(create()).keys(), ["new"]);
}
