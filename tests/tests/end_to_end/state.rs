//! The state of connections: durable, encrypted, shared by hosts, and part of exports; in the host's process and in a worker.

use std::path::{Path, PathBuf};
use std::thread;

use contract::{Dialect, Request};
use test_support::host_process::HostProcess;
use test_support::soap::{Answer, Client};
use test_support::{ROGUE, Setup, TestHost, scale, wait_until};
use values::State;

use crate::rogue::save;

const GUID: &str = "eeeeeeee-0000-4000-8000-000000000061";
const OTHER: &str = "eeeeeeee-0000-4000-8000-000000000062";
const TOKEN: &str = "hunter2-refresh-token";
const PASSPHRASE: [(&str, &str); 1] = [("ERP_HOST_PASSPHRASE", "a long enough passphrase")];

const IN_PROCESS: &str = "";
#[cfg(target_os = "linux")]
const IN_WORKER: &str = "[connectors.Rogue]\nisolation = \"process\"\n";

fn host(configuration: &str) -> TestHost {
    let host = Setup::new().plugin(ROGUE).configuration(configuration).start();
    for guid in [GUID, OTHER] {
        client(&host, guid).ok(save(&[]));
    }
    host
}

fn client(host: &TestHost, guid: &str) -> Client {
    host.client(Dialect::Message).connector("Rogue").connection(guid)
}

fn command(client: &Client, command: &str) -> Answer {
    client.call(Request::GetList { list_name: Some(format!("state {command}").into()) })
}

/// The keys and texts of a command that works.
fn run(client: &Client, text: &str) -> Vec<(String, String)> {
    let answer = command(client, text);
    assert_eq!(answer.state, State::Ok, "{text}: {answer:#?}");
    answer.list
}

fn get(client: &Client, key: &str) -> Option<String> {
    run(client, &format!("get {key}")).pop().map(|(_, value)| value)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn is_durable_and_secret(configuration: &str) {
    let mut host = host(configuration);
    run(&client(&host, GUID), &format!("put token {TOKEN}"));
    host.kill();
    host.start();
    assert_eq!(get(&client(&host, GUID), "token").as_deref(), Some(TOKEN), "after a kill");
    assert_eq!(get(&client(&host, OTHER), "token"), None, "of one connection only");
    client(&host, GUID).ok(save(&[]));
    assert_eq!(get(&client(&host, GUID), "token").as_deref(), Some(TOKEN), "after a save");
    run(&client(&host, GUID), "threads 8");
    assert_eq!(run(&client(&host, GUID), "keys thread/").len(), 8);
    let (status, log) = host.stop();
    assert!(status.success() && !log.contains("hunter2"), "{log}");
    for path in files(&host.data()) {
        assert!(!holds(&std::fs::read(&path).unwrap(), "hunter2"), "{}", path.display());
    }
    host.start();
    assert_eq!(get(&client(&host, GUID), "token").as_deref(), Some(TOKEN), "after a restart");
    client(&host, GUID).ok(Request::DeleteConnection);
    client(&host, GUID).ok(save(&[]));
    assert!(run(&client(&host, GUID), "keys ").is_empty(), "gone with its connection");
}

#[test]
fn state_is_durable_and_secret() {
    is_durable_and_secret(IN_PROCESS);
}

#[cfg(target_os = "linux")]
#[test]
fn state_from_a_worker_is_durable_and_secret() {
    is_durable_and_secret(IN_WORKER);
}

fn has_limits(configuration: &str) {
    let limits = "[limits]\nstate_value = \"1KiB\"\nstate_per_connection = \"3KiB\"\n";
    let host = host(&format!("{limits}{configuration}"));
    let client = client(&host, GUID);
    for number in 0..2 {
        run(&client, &format!("large {number} 1024"));
    }
    for (text, expected) in [
        ("large a 1025", "the value \"a\" of the state of the connection"),
        ("large a 1025", "has 1025 bytes, expected 1024 at most (limits.state_value"),
        ("large a 1000", "expected 3072 at most (limits.state_per_connection"),
        ("large a 20000000", "more than 16777216 bytes"),
        ("put  x", "is empty"),
    ] {
        let answer = command(&client, text);
        assert_eq!(
            (answer.state, answer.user.as_str()),
            (State::Error, "the connector cannot keep its state")
        );
        assert!(answer.tech.contains(expected), "{text}: {answer:#?}");
    }
    assert_eq!(run(&client, "keys ").len(), 2);
    run(&client, "delete 0");
    run(&client, "large a 1000");
}

#[test]
fn state_has_limits() {
    has_limits(IN_PROCESS);
}

#[cfg(target_os = "linux")]
#[test]
fn state_from_a_worker_has_limits() {
    has_limits(IN_WORKER);
}

/// What a connector gets at the end of its time, such as a new token, must not be lost.
fn is_written_by_a_call_that_was_given_up(configuration: &str) {
    let host = host(&format!("call_deadline = \"1s\"\n{configuration}"));
    let client = client(&host, GUID);
    wait_until("the state of a call over its deadline", || {
        let answer = command(&client, &format!("late token {TOKEN}"));
        assert_eq!(answer.state, State::Error, "{answer:#?}");
        let found = command(&client, "get token");
        found.state == State::Ok && found.list.iter().any(|(_, value)| value == TOKEN)
    });
}

#[test]
fn state_is_written_by_a_call_that_was_given_up() {
    is_written_by_a_call_that_was_given_up(IN_PROCESS);
}

#[cfg(target_os = "linux")]
#[test]
fn state_is_written_by_a_call_of_a_worker_that_was_given_up() {
    is_written_by_a_call_that_was_given_up(IN_WORKER);
}

#[test]
fn state_of_two_hosts_is_one() {
    let host = host(IN_PROCESS);
    let mut second = host.program();
    second.args(["serve", "--listen", "127.0.0.1:0"]);
    let second = HostProcess::start(second).unwrap();
    let clients = [client(&host, GUID), Client::new(second.address(), Dialect::Message).connection(GUID)];
    let times = scale(200);
    let written = thread::scope(|scope| {
        let add = |client| scope.spawn(move || run(client, &format!("add counter {times}")));
        // Two calls of each host.
        let calls: Vec<_> = clients.iter().chain(&clients).map(add).collect();
        calls.into_iter().flat_map(|call| call.join().unwrap()).collect::<Vec<_>>()
    });
    let mut numbers: Vec<usize> = written.iter().map(|(number, _)| number.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=4 * times).collect::<Vec<_>>(), "each version has exactly one successor");
    for client in &clients {
        assert_eq!(get(client, "counter"), Some((4 * times).to_string()));
    }
    second.stop().unwrap();
}

#[test]
fn state_is_in_exports_and_survives_a_rotation_of_the_key() {
    let host = host(IN_PROCESS);
    let client = client(&host, GUID);
    run(&client, &format!("put token {TOKEN}"));
    let operator = |arguments: &[&str]| {
        let output = host.command_with(arguments, &PASSPHRASE);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(!text.contains("hunter2"));
        text
    };
    operator(&["connections", "rekey"]);
    assert_eq!(get(&client, "token").as_deref(), Some(TOKEN));
    let shown = operator(&["connections", "show", GUID]);
    // The key, the value, and 100 bytes.
    assert!(shown.contains(&format!("1 entries, {} bytes", 5 + TOKEN.len() + 100)), "{shown}");
    let (masked, all) = (host.folder().join("masked.json"), host.folder().join("all.erpx"));
    operator(&["connections", "export", masked.to_str().unwrap(), "--masked"]);
    operator(&["connections", "export", all.to_str().unwrap()]);
    let text = std::fs::read_to_string(&masked).unwrap();
    assert!(text.contains(GUID) && !text.contains("hunter2") && !text.contains("token"), "{text}");

    run(&client, "put token changed");
    operator(&["connections", "import", masked.to_str().unwrap(), "--replace"]);
    assert_eq!(get(&client, "token").as_deref(), Some("changed"), "a masked export leaves the state alone");
    operator(&["connections", "delete", GUID, "--yes"]);
    operator(&["connections", "import", all.to_str().unwrap(), "--replace"]);
    wait_until("the imported connection", || {
        command(&client, "get token").list.iter().any(|(_, value)| value == TOKEN)
    });
}
