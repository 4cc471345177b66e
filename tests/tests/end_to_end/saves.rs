//! A save of several actors has a result for each: in the reply, in the log, and in the connector's data.

use contract::{Actor, Dialect, Dictionary, Request};
use test_support::soap::{Answer, Client};
use test_support::{HELLO, ROGUE, Setup, TestHost, wait_until};
use values::State;

use crate::rogue::{get, save};

const GUID: &str = "eeeeeeee-0000-4000-8000-000000000071";
const IN_PROCESS: &str = "";
const WORKER: &str = "isolation = \"process\"\n";

fn customer<'a>(key: &'a str, field: &'a str, value: &'a str) -> Actor<'a> {
    Actor {
        actor_type: Some("Customer".into()),
        erp_key: Some(key.into()),
        field_values: Some([(field, Some(value))].into_iter().collect::<Dictionary<'_>>()),
        ..Actor::default()
    }
}

fn keys(answer: &Answer) -> Vec<&str> {
    answer.actors.iter().map(|actor| actor.key.as_str()).collect()
}

/// Saves the customers 1, 7 and 9, of which 7 has a fault.
fn save_three(client: &Client) -> Answer {
    let actors = ["1", "7", "9"].map(|key| customer(key, "NAME", "s3same"));
    client.call(Request::SaveActors { actors: Some(actors.into()) })
}

fn rogue(configuration: &str) -> (TestHost, Client) {
    let host = Setup::new().plugin(ROGUE).configuration(configuration).start();
    let client = host.client(Dialect::Message).connector("Rogue").connection(GUID);
    (host, client)
}

/// A save of which a part is done: the rows of these actors, and a line for each of the others.
#[track_caller]
fn expect_partly(host: &TestHost, answer: &Answer, saved: &[&str], others: &[(&str, &str, &str)]) {
    assert_eq!((answer.state, answer.code.as_str()), (State::Warning, "PARTLY_SAVED"), "{answer:?}");
    assert_eq!(keys(answer), saved, "{answer:?}");
    assert!(answer.user.starts_with(&format!("{} of 3 actors were saved\n", saved.len())), "{answer:?}");
    for (key, what, kind) in others {
        let sentence = format!("Customer \"{key}\" {what}: ");
        assert!(answer.user.contains(&sentence), "{sentence}: {answer:?}");
        assert!(answer.tech.contains(&format!("Customer \"{key}\": {kind}")), "{answer:?}");
        let (key, kind) = (format!("key=\"{key}\""), format!("kind=\"{kind}\""));
        let is_it = |line: &str| line.contains(&key) && line.contains(&kind) && line.contains(GUID);
        wait_until("a line for each", || host.log().lines().any(is_it));
    }
    assert!(!host.log().contains("s3same"), "no value in the log");
}

fn others_are_saved_when_one_is_refused(configuration: &str) {
    let (host, client) = rogue(configuration);
    for (fault, kind) in [("conflict", "conflict"), ("failed", "failed")] {
        client.ok(save(&[("save_7", fault)]));
        expect_partly(&host, &save_three(&client), &["1", "9"], &[("7", "is not saved", kind)]);
    }
    client.ok(save(&[("save_7", "unknown-outcome")]));
    let unknown = [("7", "may or may not be saved", "unknown outcome")];
    expect_partly(&host, &save_three(&client), &["1", "9"], &unknown);
    // The connector has no result of it, which is a mistake of its author's.
    client.ok(save(&[("save_7", "forgotten")]));
    let answer = save_three(&client);
    expect_partly(&host, &answer, &["1", "9"], &unknown);
    assert!(answer.tech.contains("gave no result of this actor"), "{answer:?}");
    // What concerns all is not tried again for each.
    client.ok(save(&[("save_7", "unavailable")]));
    let away = [("7", "is not saved", "unavailable"), ("9", "is not saved", "unavailable")];
    expect_partly(&host, &save_three(&client), &["1"], &away);
    // None is saved.
    client.ok(save(&[("save_1", "conflict"), ("save_7", "conflict"), ("save_9", "conflict")]));
    let answer = save_three(&client);
    assert_eq!((answer.state, answer.code.as_str()), (State::Error, "CONFLICT"), "{answer:?}");
    assert!(
        answer.user.starts_with("none of 3 actors was saved\n") && answer.actors.is_empty(),
        "{answer:?}"
    );
    // Texts of several languages stay so.
    client.ok(save(&[("save_7", "error")]));
    let answer = save_three(&client);
    let text = contract::LocalizedText::parse(&answer.user);
    assert!(text.get("NO").ends_with("Customer '7' is not saved: slem feil"), "{answer:?}");
}

#[test]
fn saves_of_others_are_kept_when_one_is_refused_in_the_hosts_process() {
    others_are_saved_when_one_is_refused(IN_PROCESS);
}

#[test]
fn saves_of_others_are_kept_when_one_is_refused_in_a_worker_process() {
    others_are_saved_when_one_is_refused(WORKER);
}

/// The rest of a save that ends in the middle.
const REST: [(&str, &str, &str); 2] = [
    ("7", "may or may not be saved", "unknown outcome"),
    ("9", "may or may not be saved", "unknown outcome"),
];

#[test]
fn saves_before_a_panic_or_a_crash_are_kept() {
    for (configuration, fault) in [(IN_PROCESS, "panic"), (WORKER, "panic"), (WORKER, "abort")] {
        let (host, client) = rogue(configuration);
        client.ok(save(&[("save_7", fault)]));
        expect_partly(&host, &save_three(&client), &["1"], &REST);
    }
}

#[test]
fn saves_before_the_deadline_are_kept() {
    for configuration in [IN_PROCESS, WORKER] {
        let (host, client) = rogue(&format!("call_deadline = \"1s\"\n{configuration}"));
        client.ok(save(&[("save_7", "block"), ("get", "release")]));
        let answer = save_three(&client);
        expect_partly(&host, &answer, &["1"], &REST);
        assert!(answer.user.contains("did not answer"), "{answer:?}");
        // Without any result it is an error.
        client.ok(save(&[("save_1", "block"), ("get", "release")]));
        let answer = save_three(&client);
        assert_eq!((answer.state, answer.code.as_str()), (State::Error, "UNKNOWN_OUTCOME"), "{answer:?}");
        client.call(get());
    }
}

fn input_is_refused_for_each_actor(configuration: &str) {
    let host = Setup::new().plugin(HELLO).configuration(configuration).start();
    let client = host.client(Dialect::Message).connector("Hello").connection(GUID);
    client.ok(Request::SaveConnection { connection_info: Some(Dictionary::default()) });
    let actors = vec![
        customer("C1", "NAME", "Ny"),
        customer("C2", "CREDIT", "s3same"),
        customer("nobody", "NAME", "x"),
        customer("C1", "CREDIT", "12"),
    ];
    let answer = client.call(Request::SaveActors { actors: Some(actors) });
    assert_eq!((answer.state, answer.code.as_str()), (State::Warning, "PARTLY_SAVED"), "{answer:?}");
    assert_eq!(keys(&answer), ["C1", "C1"]);
    assert_eq!((answer.actors[0].field("NAME"), answer.actors[1].field("CREDIT")), ("Ny", "[F:12]"));
    for expected in [
        "2 of 4 actors were saved\n",
        "Customer \"C2\" is not saved: the field CREDIT",
        "Customer \"nobody\" is not saved: there is no such actor",
    ] {
        assert!(answer.user.contains(expected), "{answer:?}");
    }
    let refused = |line: &str| line.contains("refused=") && line.contains("a number like 1.5");
    wait_until("the reason", || host.log().lines().any(refused));
    assert!(!host.log().contains("s3same"), "no value in the log");
    // Read back, both are as the reply says.
    let stored = Request::GetActors {
        actor_type: Some("Customer".into()),
        erp_keys: Some(["C1", "C2"].map(|key| Some(key.into())).to_vec()),
        field_keys: None,
    };
    let stored = client.ok(stored).actors;
    assert_eq!(stored[0].field("NAME"), "Ny");
    assert!(stored[1].field("CREDIT").starts_with("[F:"), "{:?}", stored[1]);
}

#[test]
fn saves_of_input_that_fits_are_kept_in_the_hosts_process() {
    input_is_refused_for_each_actor(IN_PROCESS);
}

#[test]
fn saves_of_input_that_fits_are_kept_in_a_worker_process() {
    input_is_refused_for_each_actor(WORKER);
}

#[test]
fn saves_that_are_not_in_the_reply_are_named_by_the_command_call() {
    let host = Setup::new().plugin(HELLO).start();
    let client = host.client(Dialect::Message).connector("Hello").connection(GUID);
    client.ok(Request::SaveConnection { connection_info: Some(Dictionary::default()) });
    let file = host.folder().join("actors.json");
    let actor = |key: &str| {
        format!(r#"{{"ActorType": "Customer", "ErpKey": "{key}", "FieldValues": {{"NAME": "Ny"}}}}"#)
    };
    std::fs::write(&file, format!("[{}, {}]", actor("C1"), actor("nobody"))).unwrap();
    let url = format!("http://{}", host.address());
    let arguments = ["call", &url, "saveactors", "--connection", GUID, "--actors", file.to_str().unwrap()];
    let output = host.command(&arguments);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success(), "{out}{err}");
    assert!(out.contains("Customer \"nobody\" is not saved: there is no such actor"), "{out}");
    assert!(out.contains("C1") && err.contains("not saved: Customer \"nobody\""), "{out}{err}");
}
