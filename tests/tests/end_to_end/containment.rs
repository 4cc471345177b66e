//! Faults of a connector affect its own calls only: in the host's process, and in a worker process.

use contract::{Dialect, Request};
use test_support::http;
use test_support::soap::Answer;
use test_support::{HELLO, ROGUE, Setup, TestHost, wait_until};
use values::State;

use crate::rogue::{get, save};

const ROGUES: &str = "dddddddd-0000-4000-8000-000000000001";
const OTHERS: &str = "dddddddd-0000-4000-8000-000000000002";

/// Where connectors run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    InProcess,
    Worker,
}

/// A fault, and what its caller reads.
struct Case {
    fault: &'static str,
    /// The method that does it.
    method: &'static str,
    /// Whether it would end the host's own process.
    is_fatal: bool,
    /// What the answer says: its state, and a part of its explanations. `None`: it works.
    reply: Option<&'static str>,
    /// What the log says.
    logged: Option<&'static str>,
}

/// A fault that the host's process survives.
const fn harmless(fault: &'static str, reply: Option<&'static str>, logged: Option<&'static str>) -> Case {
    Case { fault, method: "get", is_fatal: false, reply, logged }
}

/// A fault that ends the process.
const fn fatal(fault: &'static str, logged: &'static str) -> Case {
    let reply = Some("crashed during this call (reference ");
    Case { fault, method: "get", is_fatal: true, reply, logged: Some(logged) }
}

const CASES: &[Case] = &[
    harmless("panic", Some("failed unexpectedly, reference "), Some("rogue panic")),
    harmless("panic-after:5000", Some("failed unexpectedly, reference "), Some("rogue panic")),
    harmless("panic-thread", None, Some("rogue panic in a thread")),
    harmless("error", Some("rogue error"), None),
    // Rows without end, which the limit of a reply ends.
    harmless("flood", Some("there are too many actors to answer with"), Some("is refused")),
    harmless(
        "nul",
        None,
        Some("replaced by U+FFFD in replies of the connector: first in the field \"NAME\""),
    ),
    harmless("long-key", Some("the key of a row has 1048576 bytes"), Some("is refused")),
    harmless("long-name", Some("the key of a field has 1048576 bytes"), Some("is refused")),
    harmless("slow:40", None, None),
    harmless("leak:20", None, None),
    harmless("print", None, Some("printed by the rogue")),
    Case { method: "drop", ..harmless("panic", None, None) },
    fatal("abort", "SIGABRT"),
    fatal("exit:3", "exited with code 3"),
    fatal("segfault", "SIGSEGV"),
    fatal("overflow", "has overflowed its stack"),
    fatal("panic-twice", "SIGABRT"),
    // Beyond its limit of memory, and of files.
    fatal("leak:4096", "memory allocation of"),
    harmless("open:64", None, None),
    Case { reply: Some("Too many open files"), logged: None, ..fatal("open:4096", "") },
];

const LIMITS: &str = "
concurrent_calls = 4
[limits]
reply = \"32MiB\"
[worker]
memory = \"512MiB\"
open_files = 512
max_crashes_per_minute = 1000
";

fn host(mode: Mode, more: &str) -> TestHost {
    let isolation = if mode == Mode::Worker { "isolation = \"process\"\n" } else { "" };
    Setup::new().plugin(HELLO).plugin(ROGUE).configuration(&format!("{isolation}{more}")).start()
}

fn is_healthy(host: &TestHost) -> bool {
    http::Request::get("/health").send(host.address()).is_ok_and(|response| response.status == 200)
}

/// Health, the other connector, and the other methods of the same one.
fn check_the_others(host: &TestHost, after: &str) {
    assert!(is_healthy(host), "health after {after}");
    let other = host.client(Dialect::Message).connector("Hello").connection(OTHERS);
    other.ok(Request::GetSupportedActorTypes);
    let types = host.client(Dialect::Data).connection(ROGUES).call(Request::GetSupportedActorTypes);
    assert_eq!(types.items, ["Customer", "Person"], "after {after}: {types:?}");
}

fn explanations(answer: &Answer) -> String {
    format!("{} | {} | {}", answer.user, answer.tech, answer.code)
}

fn every_case(mode: Mode) {
    let mut host = host(mode, LIMITS);
    host.client(Dialect::Message).connector("Hello").connection(OTHERS).ok(save(&[]));
    for case in CASES.iter().filter(|case| mode == Mode::Worker || !case.is_fatal) {
        let Case { fault, method, reply: expected, logged, .. } = *case;
        let client = host.client(Dialect::Message).connector("Rogue").connection(ROGUES);
        client.ok(save(&[(method, fault)]));
        let answer = client.call(get());
        match expected {
            None => assert_ne!(answer.state, State::Error, "{mode:?} {fault}: {answer:?}"),
            Some(text) => {
                assert_eq!(answer.state, State::Error, "{mode:?} {fault}: {answer:?}");
                assert!(explanations(&answer).contains(text), "{mode:?} {fault}: {}", explanations(&answer));
                assert!(answer.actors.is_empty(), "{mode:?} {fault}: no half answers");
            }
        }
        if let Some((_, reference)) = answer.user.split_once("reference ") {
            let reference = reference.trim_end_matches(')');
            wait_until("the reference in the log", || host.log().contains(reference));
        }
        if let Some(text) = logged {
            wait_until(text, || host.log().contains(text));
        }
        check_the_others(&host, fault);
    }
    assert!(!host.log().contains("panicked inside the host"), "{}", host.log());
    // Nothing that was saved is lost.
    host.kill();
    host.start();
    check_the_others(&host, "a restart");
}

#[test]
fn faults_in_the_hosts_process_are_contained() {
    every_case(Mode::InProcess);
}

#[test]
fn faults_in_a_worker_process_are_contained() {
    every_case(Mode::Worker);
}

/// The workers of a host, by its process ID: children whose command line says so.
#[cfg(target_os = "linux")]
fn workers_of(host: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{host}/task")).expect("the host's threads");
    let children = tasks
        .filter_map(Result::ok)
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let ids = children.collect::<Vec<_>>().join(" ");
    ids.split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

#[cfg(target_os = "linux")]
fn runs(id: u32) -> bool {
    // A zombie process has ended, although nobody has waited for it.
    std::fs::read_to_string(format!("/proc/{id}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('Z')))
}

#[cfg(target_os = "linux")]
#[test]
fn workers_end_with_their_host_however_it_ends() {
    let mut host = host(Mode::Worker, LIMITS);
    for kill in [true, false] {
        let workers = workers_of(host.process().id());
        assert_eq!(workers.len(), 2, "{workers:?}");
        if kill {
            host.kill();
        } else {
            host.stop();
        }
        wait_until("the end of the workers", || !workers.iter().any(|&worker| runs(worker)));
        if kill {
            host.start();
        }
    }
}

#[test]
fn hanging_call_is_given_up_with_its_worker_and_the_next_one_works() {
    let host = host(Mode::Worker, "call_deadline = \"1s\"\n[worker]\nmax_crashes_per_minute = 1\n");
    host.client(Dialect::Message).connector("Hello").connection(OTHERS).ok(save(&[]));
    for (ended, fault) in (1..).zip(["block", "busy"]) {
        let client = host.client(Dialect::Message).connector("Rogue").connection(ROGUES);
        client.ok(save(&[("get", fault)]));
        let answer = client.call(get());
        assert!(
            answer.user.contains("did not answer within 1 seconds"),
            "{fault}: {}",
            explanations(&answer)
        );
        wait_until("the end of its worker", || {
            host.log().matches("a retired worker process has finished its calls and ended").count() == ended
        });
        check_the_others(&host, fault);
    }
}

#[test]
fn worker_processor_time_is_limited() {
    let host = host(Mode::Worker, "[connectors.Rogue.worker]\ncpu_time = \"1s\"\n");
    host.client(Dialect::Message).connector("Hello").connection(OTHERS).ok(save(&[]));
    let client = host.client(Dialect::Message).connector("Rogue").connection(ROGUES);
    client.ok(save(&[("get", "busy")]));
    let answer = client.call(get());
    assert!(answer.tech.contains("SIGXCPU"), "{}", explanations(&answer));
    check_the_others(&host, "busy");
}

#[test]
fn crash_breaker_opens_after_a_crash_loop_and_closes_again() {
    let host = host(Mode::Worker, "[worker]\nmax_crashes_per_minute = 3\ncrash_backoff = \"2s\"\n");
    host.client(Dialect::Message).connector("Hello").connection(OTHERS).ok(save(&[]));
    let client = host.client(Dialect::Message).connector("Rogue").connection(ROGUES);
    client.ok(save(&[("get", "abort")]));
    for crash in 1..=3 {
        let answer = client.call(get());
        assert!(answer.user.contains("crashed during this call"), "{crash}: {}", explanations(&answer));
    }
    wait_until("the breaker", || host.log().contains("out of service: the connector crashed too often"));
    let answer = client.call(get());
    assert!(
        answer.user.contains("is out of service, because it crashed again and again"),
        "{}",
        explanations(&answer)
    );
    let other = host.client(Dialect::Message).connector("Hello").connection(OTHERS);
    other.ok(Request::GetSupportedActorTypes);
    wait_until("its return", || client.call(Request::GetSupportedActorTypes).state == State::Ok);
    assert!(host.log().contains("in service again"), "{}", host.log());
}

/// Calls that never come back fill the connector's own places; beyond that callers are not made to wait.
#[test]
fn circuit_breaker_opens_with_too_many_timed_out_calls_until_they_return() {
    let host =
        host(Mode::InProcess, "concurrent_calls = 4\nmax_timed_out_calls = 2\ncall_deadline = \"300ms\"\n");
    host.client(Dialect::Message).connector("Hello").connection(OTHERS).ok(save(&[]));
    let rogue = |guid| host.client(Dialect::Message).connector("Rogue").connection(guid);
    let hanging = [ROGUES, "dddddddd-0000-4000-8000-000000000003"];
    for guid in hanging {
        rogue(guid).ok(save(&[("get", "sleep:3000")]));
    }
    let client = rogue("dddddddd-0000-4000-8000-000000000004");
    client.ok(save(&[]));
    for guid in hanging {
        assert!(rogue(guid).call(get()).user.contains("did not answer within"));
    }
    let answer = client.call(Request::GetSupportedActorTypes);
    assert!(
        answer.user.contains("the connector 'Rogue' is out of service, because its calls do not come back"),
        "{}",
        explanations(&answer)
    );
    assert!(host.log().contains("out of service: too many calls have not come back in time"));
    assert!(is_healthy(&host));
    host.client(Dialect::Message).connector("Hello").connection(OTHERS).ok(Request::GetSupportedActorTypes);
    wait_until("its return", || client.call(Request::GetSupportedActorTypes).state == State::Ok);
    assert!(host.log().contains("in service again: enough calls have come back"));
}

/// More calls hang than the host has I/O threads, in an operation that was quick so far. All other calls are answered before
/// the hanging ones are released.
#[test]
fn hanging_calls_delay_no_other_call() {
    const HANGS: &str = "dddddddd-0000-4000-8000-000000000003";
    const RELEASES: &str = "dddddddd-0000-4000-8000-000000000004";
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let hanging = threads + 2;
    let host = host(Mode::InProcess, &format!("concurrent_calls = {}\n", 2 * hanging));
    host.client(Dialect::Message).connector("Hello").connection(OTHERS).ok(save(&[]));
    let rogue = |guid| host.client(Dialect::Message).connector("Rogue").connection(guid);
    rogue(ROGUES).ok(save(&[]));
    rogue(HANGS).ok(save(&[("get", "block")]));
    rogue(RELEASES).ok(save(&[("actor_types", "release")]));
    for _ in 0..200 {
        rogue(ROGUES).ok(get());
    }

    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..hanging).map(|_| scope.spawn(|| rogue(HANGS).call(get()))).collect();
        let log = "waiting for a release";
        wait_until("the calls that hang", || host.log().matches(log).count() == hanging);
        for round in 0..2 * hanging {
            check_the_others(&host, &format!("{hanging} calls that hang, round {round}"));
            assert_eq!(rogue(ROGUES).ok(get()).actors.len(), 1, "the same operation of another connection");
        }
        assert!(!calls.iter().any(std::thread::ScopedJoinHandle::is_finished), "they still hang");
        rogue(RELEASES).ok(Request::GetSupportedActorTypes);
        for call in calls {
            assert_eq!(call.join().expect("a call").state, State::Ok);
        }
    });
}

/// A connector that crashes as its file is opened or as it is made.
#[test]
fn plugin_that_crashes_while_it_is_created_is_refused_in_one_line() {
    let options = "isolation = \"process\"\n[connectors.Rogue.options]\nnew = \"segfault\"\n";
    let host = Setup::new().plugin(HELLO).plugin(ROGUE).configuration(options).start();
    let listed = String::from_utf8(host.command(&["plugins"]).stdout).unwrap();
    let line = listed.lines().find(|line| line.contains("rogue")).expect("a line about it");
    assert!(line.contains("not loaded: its worker process was ended by signal 11"), "{line}");
    assert!(listed.contains("Hello"), "{listed}");
    assert_eq!(
        host.log().lines().filter(|line| line.contains(".so is not loaded")).count(),
        1,
        "{}",
        host.log()
    );
    host.client(Dialect::Message).connector("Hello").ok(Request::GetConfigData);
}

/// One connector may run in a worker while the others do not.
#[test]
fn isolation_is_configured_for_each_connector() {
    let host = host(Mode::InProcess, "[connectors.rogue]\nisolation = \"process\"\n");
    host.client(Dialect::Message).connector("Hello").connection(OTHERS).ok(save(&[]));
    let client = host.client(Dialect::Message).connector("Rogue").connection(ROGUES);
    client.ok(save(&[("get", "abort")]));
    assert!(client.call(get()).user.contains("crashed during this call"));
    check_the_others(&host, "abort");
}
