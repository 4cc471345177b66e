//! The life of a connection, with the real program: closed once for each cause, refreshed in the background, and its folder
//! removed after its deletion, by whomever. In the host's process and in workers.

use std::path::PathBuf;

use contract::{Dialect, Request};
use test_support::soap::Client;
use test_support::{ROGUE, Setup, TestHost, wait_until};
use values::State;

use crate::rogue::{get, save};

const IN_PROCESS: &str = "call_deadline = \"10s\"\n";
const IN_WORKERS: &str = "call_deadline = \"10s\"\nisolation = \"process\"\n";

fn start(configuration: &str) -> TestHost {
    Setup::new().plugin(ROGUE).configuration(configuration).start()
}

fn guid(number: u32) -> String {
    format!("eeeeeeee-0000-4000-8000-0000000007{number:02}")
}

fn client(host: &TestHost, number: u32) -> Client {
    host.client(Dialect::Message).connector("Rogue").connection(&guid(number))
}

/// The lines of the log with this text, of a connection.
fn lines(log: &str, text: &str, number: u32) -> usize {
    let guid = guid(number);
    log.lines().filter(|line| line.contains(text) && line.contains(&guid)).count()
}

fn wait_for_line(host: &TestHost, text: &str, number: u32) {
    wait_until(&format!("{text} of {number}"), || lines(&host.log(), text, number) > 0);
}

const CLOSE: &str = "rogue close";

fn each_cause(configuration: &str) {
    let mut host = start(configuration);
    let (changed, idle, old, deleted, fails, panics, stays) = (1, 2, 3, 4, 5, 6, 7);
    client(&host, idle).ok(save(&[("idle", "0")]));
    client(&host, old).ok(save(&[("age", "0")]));
    for number in [changed, deleted, stays] {
        client(&host, number).ok(save(&[]));
        client(&host, number).ok(get());
    }
    client(&host, fails).ok(save(&[("close", "unavailable")]));
    client(&host, panics).ok(save(&[("close", "panic")]));
    assert_eq!(lines(&host.log(), CLOSE, changed), 0);
    client(&host, changed).ok(save(&[("get", "error")]));
    for number in [deleted, fails, panics] {
        client(&host, number).ok(Request::DeleteConnection);
    }
    for number in [changed, idle, old, deleted, fails, panics] {
        wait_for_line(&host, CLOSE, number);
    }
    wait_for_line(&host, "was not closed in order (unavailable): rogue failure", fails);
    wait_for_line(&host, "rogue panic", panics);
    assert_eq!(lines(&host.log(), CLOSE, stays), 0);
    // The connector is retired, and the host stops.
    let plugin = host.plugins().read_dir().unwrap().next().unwrap().unwrap().path();
    let parked = host.folder().join("parked");
    std::fs::rename(&plugin, &parked).unwrap();
    wait_for_line(&host, CLOSE, stays);
    std::fs::rename(&parked, &plugin).unwrap();
    wait_until("the connector serves again", || client(&host, stays).call(get()).state == State::Ok);
    let (status, log) = host.stop();
    assert!(status.success(), "{log}");
    for (number, times) in
        [(changed, 2), (idle, 1), (old, 1), (deleted, 1), (fails, 1), (panics, 1), (stays, 2)]
    {
        assert_eq!(lines(&log, CLOSE, number), times, "{number}: {log}");
    }
}

#[test]
fn life_ends_with_close_once_for_each_cause() {
    each_cause(IN_PROCESS);
}

#[test]
fn life_in_a_worker_ends_with_close_once_for_each_cause() {
    each_cause(IN_WORKERS);
}

fn refreshes(configuration: &str) {
    let host = start(configuration);
    let (works, fails, reopens, holds, panics) = (11, 12, 13, 14, 15);
    let every_second = ("refresh_every", "1000");
    for (number, fault) in
        [(works, "none"), (fails, "unavailable"), (reopens, "reopen"), (holds, "settings"), (panics, "panic")]
    {
        client(&host, number).ok(save(&[every_second, ("refresh", fault)]));
    }
    for number in [works, fails, panics] {
        wait_until("three refreshes", || lines(&host.log(), "rogue refresh", number) >= 3);
        // It is open all the time.
        client(&host, number).ok(get());
        assert_eq!(lines(&host.log(), CLOSE, number), 0);
    }
    let log = host.log();
    let failed: Vec<_> = log.lines().filter(|line| line.contains("a refresh has failed")).collect();
    let of = |number| failed.iter().filter(|line| line.contains(&guid(number))).count();
    assert_eq!([works, fails, panics].map(of), [0, 1, 1], "the first one in a row: {failed:?}");
    for part in ["kind=\"unavailable\"", "operation=\"refresh\"", "connector=\"Rogue\"", "rogue failure"] {
        assert!(
            failed.iter().any(|line| line.contains(&guid(fails)) && line.contains(part)),
            "{part}: {failed:?}"
        );
    }
    wait_for_line(&host, "closed: it has to be opened again", reopens);
    wait_for_line(&host, CLOSE, reopens);
    client(&host, reopens).ok(get());
    wait_until("the settings are held back", || client(&host, holds).call(get()).code == "SETTINGS_INVALID");
    wait_for_line(&host, CLOSE, holds);
    client(&host, holds).ok(save(&[]));
    client(&host, holds).ok(get());
}

#[test]
fn life_has_refreshes_in_the_background() {
    refreshes(IN_PROCESS);
}

#[test]
fn life_in_a_worker_has_refreshes_in_the_background() {
    refreshes(IN_WORKERS);
}

fn folder(host: &TestHost, number: u32) -> PathBuf {
    host.data().join("rogue").join("connections").join(guid(number))
}

fn deletions(configuration: &str) {
    let mut host = start(configuration);
    let (by_call, by_command, meanwhile, without, stays) = (21, 22, 23, 24, 25);
    for number in [by_call, by_command, meanwhile, stays] {
        client(&host, number).ok(save(&[("folder", "a token")]));
        assert_eq!(std::fs::read_to_string(folder(&host, number).join("kept")).unwrap(), "a token");
    }
    client(&host, without).ok(save(&[]));
    // Settings that are only tried out have none.
    assert!(!folder(&host, without).exists());
    let deleted = |number, kept: &str| format!("rogue deleted {} with <{kept}>", guid(number));
    for (number, kept) in [(by_call, "a token"), (without, "")] {
        client(&host, number).ok(Request::DeleteConnection);
        wait_for_line(&host, &deleted(number, kept), number);
        wait_until("the folder is gone", || !folder(&host, number).exists());
    }
    let log = host.log();
    assert!(log.find(CLOSE).unwrap() < log.find("rogue deleted").unwrap(), "closed before: {log}");
    let delete = |host: &TestHost, number: u32| {
        let output = host.command(&["connections", "delete", &guid(number), "--yes"]);
        assert!(output.status.success(), "{output:?}");
    };
    delete(&host, by_command);
    wait_for_line(&host, &deleted(by_command, "a token"), by_command);
    wait_until("the folder is gone", || !folder(&host, by_command).exists());

    host.stop();
    delete(&host, meanwhile);
    assert!(folder(&host, meanwhile).exists());
    // A folder of something else.
    let other = folder(&host, meanwhile).with_file_name("lost+found");
    std::fs::create_dir(&other).unwrap();
    host.start();
    wait_for_line(&host, &deleted(meanwhile, "a token"), meanwhile);
    wait_until("the folder is gone", || !folder(&host, meanwhile).exists());
    assert!(folder(&host, stays).join("kept").exists() && other.exists());
    assert_eq!(lines(&host.log(), "rogue deleted", stays), 0);
    // Stored again under the same GUID: a new folder, which stays.
    client(&host, meanwhile).ok(save(&[("folder", "another")]));
    client(&host, meanwhile).ok(get());
    assert_eq!(std::fs::read_to_string(folder(&host, meanwhile).join("kept")).unwrap(), "another");
}

#[test]
fn life_leaves_no_folder_after_a_deletion() {
    deletions(IN_PROCESS);
}

#[test]
fn life_in_a_worker_leaves_no_folder_after_a_deletion() {
    deletions(IN_WORKERS);
}

#[test]
fn life_whose_close_hangs_is_logged_and_costs_nothing_else() {
    let mut host = start("call_deadline = \"1s\"\n");
    client(&host, 31).ok(save(&[("close", "block")]));
    client(&host, 31).ok(Request::DeleteConnection);
    wait_for_line(&host, "the connection is not closed after 1 seconds", 31);
    client(&host, 32).ok(save(&[]));
    client(&host, 32).ok(get());
    host.kill();
}
