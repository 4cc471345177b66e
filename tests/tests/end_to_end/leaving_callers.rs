//! A call whose caller has left goes on, and the log has its outcome.

use contract::{Actor, Dialect, Request};
use test_support::soap::Client;
use test_support::{ROGUE, Setup, TestHost, wait_until};

use crate::rogue::save;

const BLOCKS: &str = "eeeeeeee-0000-4000-8000-000000000041";
const RELEASES: &str = "eeeeeeee-0000-4000-8000-000000000042";

fn rogue(host: &TestHost, guid: &str) -> Client {
    host.client(Dialect::Message).connector("Rogue").connection(guid)
}

fn create() -> Request<'static> {
    let actor = Actor { actor_type: Some("Customer".into()), erp_key: Some("".into()), ..Actor::default() };
    Request::CreateActor { actor: Some(actor) }
}

/// The lines of calls of this operation and connection.
fn lines(host: &TestHost, operation: &str, guid: &str) -> Vec<String> {
    let is_one = |line: &&str| line.contains(": call ") && line.contains(operation) && line.contains(guid);
    host.log().lines().filter(is_one).map(str::to_owned).collect()
}

/// In each kind of isolation: a customer is created although its caller has left before the answer.
fn call_in_progress(configuration: &str) {
    let host = Setup::new().plugin(ROGUE).configuration(configuration).start();
    rogue(&host, BLOCKS).ok(save(&[("create", "block")]));
    rogue(&host, RELEASES).ok(save(&[("actor_types", "release")]));
    let caller = rogue(&host, BLOCKS).send(create());
    wait_until("the call in the connector", || host.log().contains("waiting for a release"));
    drop(caller);
    // A call that has ended is in the log; this one has not.
    rogue(&host, RELEASES).call(Request::TestConnection);
    assert!(lines(&host, "WSCreateActor", BLOCKS).is_empty(), "{}", host.log());
    rogue(&host, RELEASES).ok(Request::GetSupportedActorTypes);
    wait_until("its line", || !lines(&host, "WSCreateActor", BLOCKS).is_empty());
    let lines = lines(&host, "WSCreateActor", BLOCKS);
    assert_eq!(lines.len(), 1, "{lines:?}");
    for part in [" INFO ", "connector=\"Rogue\"", "state=\"Ok\"", "rows=1", "caller_left=true"] {
        assert!(lines[0].contains(part), "{part}: {}", lines[0]);
    }
    assert!(!lines_with_a_caller(&host).iter().any(|line| line.contains("caller_left")));
}

fn lines_with_a_caller(host: &TestHost) -> Vec<String> {
    [lines(host, "WSGetSupportedActorTypes", RELEASES), lines(host, "WSSaveConnection", "")].concat()
}

#[test]
fn log_has_the_outcome_of_a_call_whose_caller_left() {
    call_in_progress("");
}

#[cfg(unix)]
#[test]
fn log_has_the_outcome_of_a_call_in_a_worker_whose_caller_left() {
    call_in_progress("isolation = \"process\"\n");
}

#[test]
fn log_has_calls_that_end_at_their_deadline_or_wait_when_their_caller_leaves() {
    let host = Setup::new()
        .plugin(ROGUE)
        .configuration("call_deadline = \"2s\"\n[connectors.Rogue]\nconcurrent_calls = 1\n")
        .start();
    rogue(&host, BLOCKS).ok(save(&[("create", "block")]));
    rogue(&host, RELEASES).ok(save(&[("create", "release")]));
    let hanging = rogue(&host, BLOCKS).send(create());
    wait_until("the call in the connector", || host.log().contains("waiting for a release"));
    let waiting = rogue(&host, RELEASES).send(create());
    drop(hanging);
    drop(waiting);
    // The one that hangs is answered at its deadline, and the one that waits is not started any more, which would release it.
    wait_until("both lines", || {
        !lines(&host, "WSCreateActor", BLOCKS).is_empty()
            && !lines(&host, "WSCreateActor", RELEASES).is_empty()
    });
    let hanging = &lines(&host, "WSCreateActor", BLOCKS)[0];
    assert!(hanging.contains("state=\"Error\"") && hanging.contains("caller_left=true"), "{hanging}");
    let waiting = &lines(&host, "WSCreateActor", RELEASES)[0];
    assert!(waiting.contains("code=\"CallerLeft\"") && waiting.contains("caller_left=true"), "{waiting}");
}
