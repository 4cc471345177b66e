//! A worker process that does not run, and callers that leave meanwhile.

#![cfg(target_os = "linux")]

use contract::{Actor, Dialect, Request};
use rustix::process::{Pid, Signal, kill_process};
use test_support::soap::Client;
use test_support::{HELLO, ROGUE, Setup, TestHost, http, wait_until};

const IN_WORKER: &str = "eeeeeeee-0000-4000-8000-000000000011";
const OTHER: &str = "eeeeeeee-0000-4000-8000-000000000012";

fn rogue(host: &TestHost) -> Client {
    host.client(Dialect::Message).connector("Rogue").connection(IN_WORKER)
}

fn other(host: &TestHost) -> Client {
    host.client(Dialect::Message).connector("Hello").connection(OTHER)
}

fn save() -> Request<'static> {
    Request::SaveConnection { connection_info: Some([("Server", Some("erp"))].into_iter().collect()) }
}

/// A request of eight megabytes, or of so many fields of a megabyte.
fn large(fields: usize) -> Request<'static> {
    let field = |number| (format!("FIELD{number}"), Some("x".repeat(1_000_000)));
    let actor = Actor {
        actor_type: Some("Customer".into()),
        erp_key: Some("1".into()),
        field_values: Some((0..fields).map(field).collect()),
        ..Actor::default()
    };
    Request::SaveActors { actors: Some(vec![actor]) }
}

/// The threads of the host that wait until a socket takes more bytes.
fn threads_that_write(host: u32) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{host}/task")).expect("the host's threads");
    let waits = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("wchan")).ok();
    tasks
        .filter_map(Result::ok)
        .filter_map(waits)
        .filter(|channel| channel.contains("sock_alloc_send"))
        .count()
}

/// The only worker process of a host: the child of its subreaper.
fn worker_of(host: u32) -> Pid {
    Pid::from_raw(only_child(only_child(i32::try_from(host).unwrap()))).expect("a process ID")
}

fn only_child(of: i32) -> i32 {
    let tasks = std::fs::read_dir(format!("/proc/{of}/task")).expect("its threads");
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok());
    let children = lists.collect::<Vec<_>>().join(" ");
    let children: Vec<i32> = children.split_whitespace().map(|id| id.parse().unwrap()).collect();
    assert_eq!(children.len(), 1, "{children:?}");
    children[0]
}

#[test]
fn callers_that_leave_a_stopped_worker_block_no_thread_and_corrupt_no_call() {
    // More than there are I/O threads.
    let callers = std::thread::available_parallelism().map_or(1, usize::from) + 3;
    let mut host = Setup::new()
        .plugin(HELLO)
        .plugin(ROGUE)
        .configuration("[connectors.Rogue]\nisolation = \"process\"\n")
        .start();
    rogue(&host).ok(save());
    other(&host).ok(save());
    let id = host.process().id();
    let worker = worker_of(id);
    // Each with a socket that waits for calls.
    assert_eq!(rogue(&host).ok(large(1)).actors.len(), 1);

    for round in 0..3 {
        kill_process(worker, Signal::STOP).expect("the worker stops");
        let calls: Vec<_> = (0..callers).map(|_| rogue(&host).send(large(8))).collect();
        wait_until("requests that the worker does not read", || threads_that_write(id) == callers);
        drop(calls);
        // Those whose request is in the worker's socket already.
        let calls: Vec<_> = (0..callers).map(|_| rogue(&host).send(Request::TestConnection)).collect();
        drop(calls);
        for _ in 0..2 * callers {
            let health = http::Request::get("/health").send(host.address()).expect("health");
            assert_eq!(health.status, 200);
            other(&host).ok(Request::GetSupportedActorTypes);
        }
        wait_until("the end of these calls", || threads_that_write(id) == 0);
        kill_process(worker, Signal::CONT).expect("the worker goes on");
        for fields in [0, 1, 8, 0] {
            let saved = rogue(&host).ok(large(fields));
            assert_eq!(saved.actors.len(), 1, "round {round}");
            assert_eq!(saved.actors[0].fields.len(), fields);
            assert!(
                saved.actors[0]
                    .fields
                    .iter()
                    .all(|(_, value)| value.as_deref().is_some_and(|v| v.len() == 1_000_000))
            );
        }
    }
    assert_eq!(worker_of(id), worker, "it was not ended");
}
