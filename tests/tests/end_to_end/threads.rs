//! Threads have one bound for the process: calls that hang in connectors, in versions that were replaced too, take no more.

#![cfg(target_os = "linux")]

use std::net::TcpStream;

use contract::{Dialect, Request};
use test_support::build::not_for_others;
use test_support::soap::Client;
use test_support::{HELLO, ROGUE, Setup, TestHost, http, plugin_bytes, wait_until};

use crate::rogue::get;

const HANGS: &str = "eeeeeeee-0000-4000-8000-000000000031";
const OTHER: &str = "eeeeeeee-0000-4000-8000-000000000032";
const FILE: &str = "rogue.so";
/// The least that `limits.threads` takes, and what it leaves for calls.
const THREADS: usize = 192;
const CALL_THREADS: usize = 96;
/// What has threads besides: I/O, the store, the watchdog, the plugins folder.
const OTHERS: usize = 40;

fn rogue(host: &TestHost) -> Client {
    host.client(Dialect::Message).connector("Rogue").connection(HANGS)
}

fn other(host: &TestHost) -> Client {
    host.client(Dialect::Message).connector("Hello").connection(OTHER)
}

fn save<'a>(settings: &[(&'a str, &'a str)]) -> Request<'a> {
    let settings = settings.iter().map(|(key, value)| (*key, Some(*value)));
    Request::SaveConnection { connection_info: Some(settings.collect()) }
}

/// A host with so many places for calls of the rogue connector, all of which one connection may take.
fn host(concurrent_calls: usize) -> TestHost {
    let configuration = format!(
        "queued_calls = 0\n[limits]\nthreads = {THREADS}\n[connectors.Rogue]\nconcurrent_calls = {concurrent_calls}\n\
         calls_per_connection = {concurrent_calls}\n"
    );
    let host = Setup::new()
        .plugin(HELLO)
        .plugin_file(FILE, plugin_bytes(ROGUE))
        .configuration(&configuration)
        .start();
    rogue(&host).ok(save(&[("Server", "erp"), ("get", "block")]));
    other(&host).ok(save(&[]));
    host
}

fn hanging(host: &TestHost) -> usize {
    host.log().matches("waiting for a release").count()
}

fn threads(host: &mut TestHost) -> usize {
    let id = host.process().id();
    std::fs::read_dir(format!("/proc/{id}/task")).expect("the host's threads").count()
}

fn ready(host: &TestHost) -> (u16, String) {
    let ready = http::Request::get("/ready").send(host.address()).expect("an answer");
    (ready.status, ready.text())
}

/// Replaces the plugin file by one that differs only in its bytes.
fn replace(host: &TestHost, version: usize) {
    let mut bytes = plugin_bytes(ROGUE);
    bytes.extend(std::iter::repeat_n(0, version));
    let part = host.plugins().join("part");
    std::fs::write(&part, bytes).expect("a file is written");
    not_for_others(&part).expect("it is not for others");
    std::fs::rename(part, host.plugins().join(FILE)).expect("a file is replaced");
    wait_until("the new version", || host.log().matches(": replaced").count() == version);
}

/// Calls until so many hang in all.
fn hang(host: &TestHost, calls: &mut Vec<TcpStream>, count: usize, all: usize) {
    calls.extend((0..count).map(|_| rogue(host).send(get())));
    wait_until("the calls that hang", || hanging(host) == all);
}

#[test]
fn threads_are_bounded_for_all_versions_of_a_connector_whose_calls_hang() {
    const PLACES: usize = 40;
    let mut host = host(PLACES);
    let mut calls = Vec::new();
    hang(&host, &mut calls, PLACES, PLACES);
    assert_eq!(rogue(&host).exchange(get()).response.status, 503, "all places are taken");
    replace(&host, 1);
    // A new version has places of its own, but there are no threads for a third one.
    hang(&host, &mut calls, PLACES, 2 * PLACES);
    for version in 2..5 {
        replace(&host, version);
        let refused = rogue(&host).exchange(get()).response;
        assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
        let text = format!(
            "threads exhausted: calls of the connector 'Rogue', with those of versions before, run on all of its {}",
            2 * PLACES
        );
        assert!(refused.text().contains(&text), "{}", refused.text());
    }
    assert_eq!(
        ready(&host),
        (200, "{\"ready\":true,\"reasons\":[\"threads of a connector exhausted\"]}\n".to_owned())
    );
    assert!(host.log().contains("threads exhausted: the connector 'Rogue' has no thread left"));
    // What else needs threads has them: the other connector, the store and its audit log, a large message.
    let name = "x".repeat(300_000);
    for _ in 0..20 {
        other(&host).ok(Request::GetSupportedActorTypes);
        other(&host).ok(save(&[("Name", "test")]));
        let text = Some(name.as_str().into());
        other(&host).call(Request::SearchActors {
            actor_type: Some("Customer".into()),
            search_text: text,
            field_keys: None,
        });
    }
    let threads = threads(&mut host);
    println!("{threads} threads with {} calls that hang in {} versions", hanging(&host), 5);
    assert!(threads <= THREADS + OTHERS, "{threads} threads");
    drop(calls);
}

#[test]
fn threads_that_are_exhausted_are_a_reason_not_to_be_ready() {
    let mut host = host(CALL_THREADS + 4);
    assert!(
        host.log().contains("limits.threads is too few for the concurrent_calls of all connectors"),
        "{}",
        host.log()
    );
    let mut calls = Vec::new();
    hang(&host, &mut calls, CALL_THREADS, CALL_THREADS);
    let refused = rogue(&host).exchange(get()).response;
    let text =
        format!("threads exhausted: calls of connectors run on all {CALL_THREADS} threads of the host");
    assert_eq!(refused.status, 503);
    assert!(refused.text().contains(&text), "{}", refused.text());
    let reasons = "{\"ready\":false,\"reasons\":[\"threads exhausted\"]}\n";
    assert_eq!(ready(&host), (503, reasons.to_owned()));
    let health = http::Request::get("/health").send(host.address()).expect("an answer");
    assert_eq!(health.status, 200);
    assert!(threads(&mut host) <= THREADS + OTHERS);
    drop(calls);
}
