//! The calls of one connection that hang delay no other connection of the same connector.

use contract::{Dialect, Request};
use test_support::soap::Client;
use test_support::{ROGUE, Setup, TestHost, http, wait_until};
use values::State;

use crate::rogue::{get, save};

const HANGS: &str = "eeeeeeee-0000-4000-8000-000000000001";
const WORKS: &str = "eeeeeeee-0000-4000-8000-000000000002";
const RELEASES: &str = "eeeeeeee-0000-4000-8000-000000000003";
/// Half of the connector's 32.
const SHARE: usize = 16;

fn rogue(host: &TestHost, guid: &str) -> Client {
    host.client(Dialect::Message).connector("Rogue").connection(guid)
}

fn started(host: &TestHost) -> usize {
    host.log().matches("waiting for a release").count()
}

/// A host with a connection whose calls hang, one that works, and one that ends the hanging.
fn host(configuration: &str) -> TestHost {
    let host = Setup::new().plugin(ROGUE).configuration(configuration).start();
    rogue(&host, HANGS).ok(save(&[("get", "block")]));
    rogue(&host, WORKS).ok(save(&[]));
    rogue(&host, RELEASES).ok(save(&[("actor_types", "release")]));
    host
}

#[test]
fn hanging_calls_of_one_connection_leave_places_for_the_others() {
    let host = host("[limits]\nqueue_timeout = \"2s\"\n");
    let calls: Vec<_> = (0..40).map(|_| rogue(&host, HANGS).send(get())).collect();
    wait_until("the calls that hang", || started(&host) == SHARE);
    for _ in 0..SHARE {
        rogue(&host, WORKS).ok(get());
    }
    // What waits for its turn is refused after a while, in words about this connection.
    let refused = rogue(&host, HANGS).exchange(get()).response;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    assert!(
        refused.text().contains(&format!("the connection {HANGS} has as many calls")),
        "{}",
        refused.text()
    );
    wait_until("a line in the log", || host.log().contains(&format!("the connection {HANGS} has as many")));
    assert_eq!(started(&host), SHARE);
    rogue(&host, RELEASES).ok(Request::GetSupportedActorTypes);
    drop(calls);
    wait_until("its return", || {
        rogue(&host, RELEASES).ok(Request::GetSupportedActorTypes);
        http::Request::get("/ready").send(host.address()).is_ok_and(|ready| ready.status == 200)
    });
}

#[test]
fn timed_out_calls_of_one_connection_leave_the_others_in_service() {
    let host = host("call_deadline = \"1s\"\n");
    let calls: Vec<_> = (0..40).map(|_| rogue(&host, HANGS).send(get())).collect();
    wait_until("the breaker", || {
        let expected = "is out of service: too many of its calls have not come back in time";
        host.log().contains(&format!("the connection {HANGS} {expected}"))
    });
    let refused = rogue(&host, HANGS).call(Request::GetSupportedActorTypes);
    assert_eq!(refused.state, State::Error);
    let expected = format!("the connection {HANGS} is out of service, because its calls do not come back");
    assert!(refused.user.contains(&expected), "{refused:?}");
    for _ in 0..SHARE {
        rogue(&host, WORKS).ok(get());
    }
    assert_eq!(started(&host), SHARE, "none of those that waited was started after the breaker opened");
    rogue(&host, RELEASES).ok(Request::GetSupportedActorTypes);
    wait_until("its return", || {
        rogue(&host, RELEASES).ok(Request::GetSupportedActorTypes);
        rogue(&host, HANGS).call(Request::GetSupportedActorTypes).state == State::Ok
    });
    drop(calls);
    assert!(!host.log().contains(" out of service: too many calls"), "{}", host.log());
}

/// Settings that are tested, and lists of the settings form, belong to no connection.
#[test]
fn hanging_tests_of_settings_delay_no_connection() {
    let host = host("[limits]\nqueue_timeout = \"1s\"\n");
    let test = || {
        let settings = [("Server", Some("erp")), ("test", Some("block"))];
        Request::TestConfigData { connection_info: Some(settings.into_iter().collect()) }
    };
    let calls: Vec<_> =
        (0..40).map(|_| host.client(Dialect::Message).connector("Rogue").send(test())).collect();
    wait_until("the calls that hang", || started(&host) == SHARE);
    rogue(&host, WORKS).ok(get());
    let setup = host.client(Dialect::Message).connector("Rogue");
    setup.ok(Request::GetConfigData);
    // Its first save asks for the settings form, too.
    rogue(&host, "eeeeeeee-0000-4000-8000-000000000009").ok(save(&[]));
    let list = setup
        .connection("00000000-0000-0000-0000-000000000000")
        .ok(Request::GetList { list_name: Some("Companies".into()) });
    assert_eq!(list.list.len(), 2);
    rogue(&host, RELEASES).ok(Request::GetSupportedActorTypes);
    drop(calls);
}
