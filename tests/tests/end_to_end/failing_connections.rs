//! Connections that cannot be opened are not tried at each call: an ERP system locks a user out whose password is wrong a few
//! times.

use contract::{Dialect, Request};
use test_support::soap::Client;
use test_support::{ROGUE, Setup, TestHost, wait_until};
use values::State;

use crate::rogue::save;

const GUID: &str = "eeeeeeee-0000-4000-8000-000000000021";
/// More than a few.
const CALLS: usize = 12;

fn client(host: &TestHost) -> Client {
    host.client(Dialect::Message).connector("Rogue").connection(GUID)
}

fn test<'a>(password: &'a str, fault: &'a str) -> Request<'a> {
    let settings = [("Server", Some("erp")), ("Password", Some(password)), ("test", Some(fault))];
    Request::TestConfigData { connection_info: Some(settings.into_iter().collect()) }
}

fn attempts(host: &TestHost) -> usize {
    host.log().matches("the connection could not be opened; it is tried again in 5 seconds").count()
}

fn calls(host: &TestHost) -> usize {
    host.log()
        .lines()
        .filter(|line| line.contains(": call ") && line.contains("WSGetSupportedActorTypes"))
        .count()
}

#[test]
fn failed_connection_is_tried_again_after_a_while_or_with_other_settings() {
    let mut host = Setup::new().plugin(ROGUE).start();
    let saved = client(&host).call(save(&[("connect", "error")]));
    assert_eq!(saved.state, State::Warning);
    wait_until("a line about the attempt", || attempts(&host) == 1);
    for _ in 0..CALLS {
        let answer = client(&host).call(Request::GetSupportedActorTypes);
        assert_eq!(answer.state, State::Error);
        assert_eq!(
            (answer.user.as_str(), answer.code.as_str()),
            ("US:\"rogue error\";NO:\"slem feil\"", "ROGUE")
        );
        assert!(
            answer.tech.contains("it is tried again in ") && answer.tech.contains("the disk is on fire"),
            "{answer:?}"
        );
    }
    assert_eq!(
        (attempts(&host), calls(&host)),
        (1, 0),
        "one line for the attempt, and none for calls: {}",
        host.log()
    );
    // Saved again, it is tried at once: with the same settings, and with those that work.
    assert_eq!(client(&host).call(save(&[("connect", "error")])).state, State::Warning);
    wait_until("another attempt", || attempts(&host) == 2);
    client(&host).ok(save(&[]));
    client(&host).ok(Request::GetSupportedActorTypes);
    wait_until("the line of this call", || calls(&host) == 1);
    // A host that starts anew tries at once.
    assert_eq!(client(&host).call(save(&[("connect", "error")])).state, State::Warning);
    host.kill();
    host.start();
    assert_eq!(client(&host).call(Request::GetSupportedActorTypes).state, State::Error);
    wait_until("the lines of the attempt and its call", || (attempts(&host), calls(&host)) == (1, 1));
}

#[test]
fn settings_that_fail_again_and_again_are_not_tested_at_once() {
    let host = Setup::new().plugin(ROGUE).start();
    let setup = host.client(Dialect::Message).connector("Rogue");
    let is_held_back = |request| {
        let answer = setup.call(request);
        assert_eq!(answer.state, State::Error, "{answer:?}");
        assert!(answer.user.contains("rogue error"), "{answer:?}");
        answer.tech.contains("it is tried again in ")
    };
    let held_back: Vec<_> = (0..CALLS).map(|_| is_held_back(test("wrong", "error"))).collect();
    assert_eq!(held_back.iter().position(|held_back| *held_back), Some(3), "{held_back:?}");
    assert!(!is_held_back(test("also wrong", "error")), "a person who corrects the password tests at once");
    assert_eq!(setup.call(test("right", "")).state, State::OkWithInfo);
}

#[test]
fn settings_whose_test_does_not_end_count_as_failed() {
    let configuration = "call_deadline = \"1s\"\nmax_timed_out_calls = 100\n";
    let host = Setup::new().plugin(ROGUE).configuration(configuration).start();
    let setup = host.client(Dialect::Message).connector("Rogue");
    let is_held_back = || {
        let answer = setup.call(test("wrong", "block"));
        assert!(answer.user.contains("did not answer within 1 seconds"), "{answer:?}");
        answer.tech.contains("it is tried again in ")
    };
    assert_eq!([(); 4].map(|()| is_held_back()), [false, false, false, true]);
}

/// A worker process that has ended is another way to a connection that is opened again.
#[cfg(unix)]
#[test]
fn connection_of_a_crashed_worker_is_not_opened_again_at_each_call() {
    let configuration = "isolation = \"process\"\n[worker]\nmax_crashes_per_minute = 1000\n";
    let host = Setup::new().plugin(ROGUE).configuration(configuration).start();
    client(&host).ok(save(&[("get", "abort"), ("connect", "only-once")]));
    let get = Request::GetActors {
        actor_type: Some("Customer".into()),
        erp_keys: Some(vec![Some("1".into())]),
        field_keys: None,
    };
    assert!(client(&host).call(get).user.contains("crashed during this call"));
    let failed = || host.log().matches("could not be opened again in a new worker process").count();
    for _ in 0..CALLS {
        let answer = client(&host).call(Request::GetSupportedActorTypes);
        assert!(answer.user.contains("rogue error"), "{answer:?}");
    }
    client(&host).ok(save(&[]));
    client(&host).ok(Request::GetSupportedActorTypes);
    assert_eq!(failed(), 1, "{}", host.log());
}
