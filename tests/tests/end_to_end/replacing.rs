//! Connectors are replaced, retired and brought back while they are called.

use std::io::Write;
use std::net::TcpListener;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use contract::{Dialect, Request};
use test_support::build::not_for_others;
use test_support::exchange::PATH;
use test_support::http;
use test_support::soap::{Answer, Client};
use test_support::{Setup, TestHost, VERSIONS, plugin_bytes, scale, wait_until};

const FILE: &str = "versioned.so";
/// How many rows the connector gives.
const ROWS: usize = 200;
const NUMBERS: [&str; 2] = ["1.0.0", "2.0.0"];

fn guid(number: usize) -> String {
    format!("eeeeeeee-0000-4000-8000-{number:012}")
}

fn save(client: &Client) -> Answer {
    let settings = [("Name", Some("test"))];
    client.ok(Request::SaveConnection { connection_info: Some(settings.into_iter().collect()) })
}

fn search(text: &str) -> Request<'_> {
    Request::SearchActors {
        actor_type: Some("Customer".into()),
        search_text: Some(text.into()),
        field_keys: None,
    }
}

/// The version that answers. Every row must have come, from one version, for this question.
fn version(client: &Client, text: &str) -> String {
    let answer = client.ok(search(text));
    assert_eq!(answer.actors.len(), ROWS);
    let version = answer.actors[0].field("VERSION").to_owned();
    for (actor, key) in answer.actors.iter().zip(1..) {
        assert_eq!(actor.key, key.to_string());
        assert_eq!((actor.field("VERSION"), actor.field("TEXT")), (version.as_str(), text));
    }
    version
}

/// A host with the first version, and one connection.
fn host_with_first(configuration: &str) -> (TestHost, Client) {
    let host = Setup::new().plugin_file(FILE, plugin_bytes(VERSIONS[0])).configuration(configuration).start();
    let client = host.client(Dialect::Message).connection(&guid(1));
    save(&client);
    assert_eq!(version(&client, "before"), "1.0.0");
    (host, client)
}

/// Puts a file in place, in one step as `mv` does.
fn put(host: &TestHost, bytes: &[u8], name: &str) {
    let part = host.plugins().join("part");
    std::fs::write(&part, bytes).unwrap();
    not_for_others(&part).unwrap();
    std::fs::rename(part, host.plugins().join(name)).unwrap();
}

/// Writes a file where it is, in pieces, as a copy over a slow line does.
fn write_in_pieces(host: &TestHost, bytes: &[u8], name: &str) {
    let mut file = std::fs::File::create(host.plugins().join(name)).unwrap();
    for piece in bytes.chunks(bytes.len() / 8 + 1) {
        file.write_all(piece).unwrap();
        // Longer than a look in all, so that some of them meet a part.
        thread::sleep(Duration::from_millis(200));
    }
}

/// Runs `erp-host reload`: its exit code, and what it prints.
fn reload(host: &TestHost) -> (Option<i32>, String) {
    let output = host.command(&["reload"]);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[cfg(unix)]
fn hang_up(host: &mut TestHost) {
    host.process().signal(rustix::process::Signal::HUP).unwrap();
}

/// How often the log has a line with these texts.
fn logged(host: &TestHost, texts: &[&str]) -> usize {
    host.log().lines().filter(|line| texts.iter().all(|text| line.contains(text))).count()
}

/// Which versions may answer a call that begins now, and how often that has changed.
struct Allowed {
    versions: Vec<&'static str>,
    changes: u32,
}

/// Ends the test for all when one of its threads ends, which may be because it failed.
struct Ends<'t>(&'t AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn replacing_under_constant_load_loses_no_call() {
    const CLIENTS: usize = 8;
    const CONNECTIONS: usize = 4;
    let rounds = scale(120);
    let (host, _) = host_with_first("");
    (2..=CONNECTIONS).for_each(|number| {
        save(&host.client(Dialect::Message).connection(&guid(number)));
    });
    let files = VERSIONS.map(plugin_bytes);
    let allowed = RwLock::new(Allowed { versions: vec!["1.0.0"], changes: 0 });
    let (is_over, calls, by_version) =
        (AtomicBool::new(false), AtomicUsize::new(0), [AtomicUsize::new(0), AtomicUsize::new(0)]);

    let caller = |number: usize| {
        let client = host.client(Dialect::Message).connection(&guid(1 + number % CONNECTIONS));
        let setup = host.client(Dialect::Data).connector("Versioned");
        let mut count = 0;
        while !is_over.load(Ordering::Relaxed) {
            count += 1;
            // A call at any moment, and processors that are not busy with calls alone.
            thread::sleep(Duration::from_millis(100));
            let (at_most, before) = {
                let allowed = allowed.read().unwrap();
                (allowed.versions.clone(), allowed.changes)
            };
            let check = |version: &str| {
                // What began before a replacement may end after it.
                if allowed.read().unwrap().changes == before {
                    assert!(at_most.contains(&version), "{version} answers, expected {at_most:?}");
                }
            };
            let version = version(&client, &format!("caller {number} call {count}"));
            check(&version);
            by_version[NUMBERS.iter().position(|known| *known == version).unwrap()]
                .fetch_add(1, Ordering::Relaxed);
            calls.fetch_add(1, Ordering::Relaxed);
            if count % 8 == 0 {
                let form = setup.ok(Request::GetConfigData);
                check(form.fields[1].key.strip_prefix("Only in ").unwrap());
            }
            if count % 16 == number {
                save(&client);
            }
        }
    };

    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (caller, ends) = (&caller, Ends(&is_over));
            scope.spawn(move || {
                let _ends = ends;
                caller(number);
            });
        }
        let _ends = Ends(&is_over);
        for round in 0..rounds {
            let new = (round + 1) % 2;
            let replaced = ["replaced", &format!("version=\"{}\"", NUMBERS[new])];
            let count = logged(&host, &replaced);
            let change = |versions| {
                let mut allowed = allowed.write().unwrap();
                *allowed = Allowed { versions, changes: allowed.changes + 1 };
            };
            change(NUMBERS.to_vec());
            if round % 3 == 2 {
                write_in_pieces(&host, &files[new], FILE);
            } else {
                put(&host, &files[new], FILE);
            }
            if round % 3 == 1 {
                let (code, printed) = reload(&host);
                assert_eq!(code, Some(0), "{printed}");
                assert!(printed.contains(&format!("is replaced by {}", NUMBERS[new])), "{printed}");
                // Lines that are no warning are written some milliseconds later, all together.
                wait_until("the replacement is logged", || logged(&host, &replaced) > count);
                assert_eq!(logged(&host, &replaced), count + 1);
            } else {
                wait_until("the new version is noticed", || {
                    logged(&host, &replaced) > count || is_over.load(Ordering::Relaxed)
                });
            }
            change(vec![NUMBERS[new]]);
            // Dozens of calls of this version alone.
            let enough = calls.load(Ordering::Relaxed) + 50;
            wait_until("calls go on", || {
                calls.load(Ordering::Relaxed) > enough || is_over.load(Ordering::Relaxed)
            });
        }
        assert!(!is_over.load(Ordering::Relaxed), "a caller failed");
    });
    assert!(calls.into_inner() > 50 * rounds);
    for (version, count) in NUMBERS.iter().zip(by_version) {
        assert!(count.into_inner() > 15 * rounds, "{version} has answered its share");
    }
    // On a slow machine a part of a file may stand still for long enough to be looked at, and be refused.
    let wrong = |line: &&str| {
        line.contains("ERROR") || (line.contains("WARN") && !line.contains("the file is truncated"))
    };
    assert_eq!(host.log().lines().find(wrong), None);
}

/// A call that runs keeps its connection, on the version that it began on; it closes when the call is over.
#[test]
fn running_calls_end_on_the_old_version() {
    let (host, client) = host_with_first("");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let text = format!("until {}", listener.local_addr().unwrap());
    let running = {
        let (client, text) = (client.clone(), text.clone());
        thread::spawn(move || version(&client, &text))
    };
    // The call is in the connector now, until this is closed.
    let (until, _) = listener.accept().unwrap();
    put(&host, &plugin_bytes(VERSIONS[1]), FILE);
    assert_eq!(reload(&host).0, Some(0));
    assert_eq!(version(&client, "meanwhile"), "2.0.0");
    assert_eq!(logged(&host, &["closed by 1.0.0"]), 0);
    assert!(!running.is_finished());
    drop(until);
    assert_eq!(running.join().unwrap(), "1.0.0");
    wait_until("the old version ends", || {
        logged(&host, &["closed by 1.0.0"]) == 1 && logged(&host, &["ended 1.0.0"]) == 1
    });
    assert_eq!(logged(&host, &["closed by 2.0.0"]) + logged(&host, &["ended 2.0.0"]), 0);
}

#[test]
fn bad_versions_leave_the_old_one_serving() {
    let (host, client) = host_with_first("[connectors.Versioned.options]\npanics = \"2.0.0\"\n");
    let second = plugin_bytes(VERSIONS[1]);
    for (bytes, reason) in [
        (&second[..second.len() / 2], "the file is truncated"),
        (b"a note to myself", "it is not a shared library"),
        (b"", "the file is empty"),
        // Caught, and printed in one line.
        (&second, "its connector cannot be made: the connector failed unexpectedly, reference "),
    ] {
        put(&host, bytes, FILE);
        let (code, printed) = reload(&host);
        assert_eq!(code, Some(1), "{printed}");
        let lines: Vec<_> = printed.lines().collect();
        assert_eq!(lines.len(), 2, "{printed}");
        assert!(lines[0].starts_with(&format!("{FILE}: not loaded: {reason}")), "{printed}");
        assert!(lines[0].ends_with("; Versioned 1.0.0 serves on"), "{printed}");
        assert!(lines[1].starts_with("serving: Versioned 1.0.0 from versioned.so (sha256 "), "{printed}");
        assert_eq!(version(&client, reason), "1.0.0");
        assert!(logged(&host, &["WARN", reason, "Versioned 1.0.0 serves on"]) >= 1, "{}", host.log());
    }
    // The good one comes back: nothing has to be loaded.
    put(&host, &plugin_bytes(VERSIONS[0]), FILE);
    let (code, printed) = reload(&host);
    assert!(code == Some(0) && printed.starts_with("nothing has changed\n"), "{printed}");
    assert_eq!(version(&client, "after"), "1.0.0");
}

/// Only plugin files wait for it; the calls of all connectors go on, and so does the end of the host.
#[test]
fn versions_that_hang_in_new_hold_up_no_call() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let options = format!("[connectors.Versioned.options]\nwaits = [\"2.0.0\", \"{address}\"]\n");
    let (mut host, client) = host_with_first(&options);
    put(&host, &plugin_bytes(VERSIONS[1]), FILE);
    let (hangs, _) = listener.accept().unwrap();
    for _ in 0..20 {
        assert_eq!(version(&client, "it hangs"), "1.0.0");
    }
    drop(hangs);
    wait_until("it is replaced", || logged(&host, &["replaced", "2.0.0"]) == 1);
    assert_eq!(version(&client, "it is made"), "2.0.0");

    put(&host, &plugin_bytes(VERSIONS[0]), FILE);
    wait_until("it is replaced", || logged(&host, &["replaced", "version=\"1.0.0\""]) == 1);
    put(&host, &plugin_bytes(VERSIONS[1]), FILE);
    let (_hangs, _) = listener.accept().unwrap();
    let (status, log) = host.stop();
    assert_eq!(status.code(), Some(0), "{log}");
}

/// A file that stops half-way is refused as it is, and loaded when the rest has come.
#[test]
fn incomplete_files_are_never_loaded() {
    let (host, client) = host_with_first("");
    let bytes = plugin_bytes(VERSIONS[1]);
    let mut file = std::fs::File::create(host.plugins().join(FILE)).unwrap();
    for piece in bytes.chunks(bytes.len() / 3 + 1) {
        assert_eq!(version(&client, "half"), "1.0.0");
        file.write_all(piece).unwrap();
        let (code, printed) = reload(&host);
        let is_whole = file.metadata().unwrap().len() == bytes.len() as u64;
        assert_eq!(code, Some(if is_whole { 0 } else { 1 }), "{printed}");
        assert_eq!(printed.contains("truncated"), !is_whole, "{printed}");
    }
    assert_eq!(version(&client, "whole"), "2.0.0");
}

#[test]
fn removed_connectors_are_retired_and_their_connections_kept() {
    let (host, client) = host_with_first("");
    let page = || test_support::http::Request::get(PATH).send(host.address()).unwrap().text();
    assert!(page().contains("Versioned") && page().contains("1.0.0"));
    std::fs::remove_file(host.plugins().join(FILE)).unwrap();
    wait_until("it is retired", || logged(&host, &["retired", "Versioned"]) == 1);

    let answer = client.call(search("anybody"));
    assert!(answer.user.contains("'Versioned', which is not installed; here: none"), "{answer:?}");
    assert_eq!(answer.code, "", "SuperOffice must not send the settings again");
    let answer = host.client(Dialect::Data).connector("Versioned").call(Request::GetConfigData);
    assert!(answer.user.contains("connector 'Versioned' was not found"), "{answer:?}");
    assert!(page().contains("No connector is loaded"));
    let stored = String::from_utf8(host.command(&["connections", "list"]).stdout).unwrap();
    assert!(stored.contains(&guid(1)), "{stored}");
    let (code, printed) = reload(&host);
    assert_eq!((code, printed.as_str()), (Some(0), "nothing has changed\nserving: no connector\n"));

    put(&host, &plugin_bytes(VERSIONS[1]), "back.so");
    let (code, printed) = reload(&host);
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.starts_with("back.so: Versioned 2.0.0 is installed (sha256 "), "{printed}");
    assert_eq!(version(&client, "back"), "2.0.0");
    assert!(page().contains("2.0.0"));
    assert!(logged(&host, &["installed", "Versioned", "2.0.0", "back.so", "sha256"]) == 1, "{}", host.log());
}

#[cfg(unix)]
#[test]
fn sighup_retries_refused_files() {
    let (mut host, client) = host_with_first("");
    // A file whose reason to be refused lies elsewhere, so that its own looks do not show that it has gone.
    let target = host.folder().join("elsewhere");
    std::fs::remove_file(host.plugins().join(FILE)).unwrap();
    std::os::unix::fs::symlink(&target, host.plugins().join(FILE)).unwrap();
    wait_until("it is refused", || logged(&host, &["not loaded", "cannot be read", "1.0.0 serves on"]) == 1);
    assert_eq!(version(&client, "dangling"), "1.0.0");
    hang_up(&mut host);
    wait_until("it is tried again", || {
        logged(&host, &["not loaded", "cannot be read", "1.0.0 serves on"]) == 2
    });
    wait_until("that is all", || logged(&host, &["reloaded"]) == 1);
    std::fs::write(&target, plugin_bytes(VERSIONS[1])).unwrap();
    not_for_others(&target).unwrap();
    hang_up(&mut host);
    wait_until("it is replaced", || logged(&host, &["replaced", "before=\"1.0.0\" version=\"2.0.0\""]) == 1);
    assert_eq!(version(&client, "after"), "2.0.0");
}

#[test]
fn reload_finds_no_host_where_there_is_none() {
    let mut host = Setup::new().prepare();
    let nobody = |host: &TestHost| {
        let (code, printed) = reload(host);
        assert_eq!(code, Some(1));
        assert!(
            printed.starts_with("erp-host: no host runs on the data folder ") && printed.lines().count() == 1,
            "{printed}"
        );
    };
    nobody(&host);
    host.start();
    let (code, printed) = reload(&host);
    assert_eq!((code, printed.as_str()), (Some(0), "nothing has changed\nserving: no connector\n"));
    // The lock goes with the process, however it ends.
    host.kill();
    nobody(&host);
}

/// The figures of docs/performance.md: from the moment that a file is in place to the answer of the first call that the
/// new version serves, called without a pause.
#[test]
#[ignore = "measures; nothing can be wrong with what it finds"]
fn replacement_time_is_measured() {
    let (host, client) = host_with_first("");
    let files = VERSIONS.map(plugin_bytes);
    let mut seconds: Vec<f64> = (0..20)
        .map(|round| {
            // So that it comes at another time between two looks.
            thread::sleep(Duration::from_millis(73 * round));
            let new = if round % 2 == 0 { 1 } else { 0 };
            put(&host, &files[new], FILE);
            let started = Instant::now();
            while version(&client, "when") != NUMBERS[new] {}
            started.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    println!("least {:.2} s, median {:.2} s, most {:.2} s", seconds[0], seconds[10], seconds[19]);
}

#[test]
fn readiness_is_503_until_a_connector_is_loaded() {
    let host = Setup::new().start();
    let ready = || {
        let response = http::Request::get("/ready").send(host.address()).unwrap();
        (response.status, response.text())
    };
    assert_eq!(ready(), (503, "{\"ready\":false,\"reasons\":[\"no connector loaded\"]}\n".to_owned()));
    put(&host, &plugin_bytes(VERSIONS[0]), FILE);
    wait_until("the host is ready", || ready() == (200, "{\"ready\":true,\"reasons\":[]}\n".to_owned()));
}
