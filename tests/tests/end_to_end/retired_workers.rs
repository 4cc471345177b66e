//! A call over its deadline in a worker process costs its own connection only: the worker is retired, its other calls finish in it,
//! and new ones go to a fresh worker.

#![cfg(target_os = "linux")]

use std::net::TcpStream;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use contract::{Dialect, Request};
use test_support::soap::{Answer, Client};
use test_support::{HELLO, ROGUE, Setup, TestHost, plugin_bytes, wait_until};
use values::State;

use crate::rogue::{get, save};

const HANGS: &str = "eeeeeeee-0000-4000-8000-000000000051";
/// Its call waits for a file.
const WAITS: &str = "eeeeeeee-0000-4000-8000-000000000052";
const NEIGHBOURS: [&str; 3] = [
    "eeeeeeee-0000-4000-8000-000000000053",
    "eeeeeeee-0000-4000-8000-000000000054",
    "eeeeeeee-0000-4000-8000-000000000055",
];
const DEADLINE: Duration = Duration::from_secs(10);
const RETIRED: &str = "the connector serves in a new worker process";
const ENDED: &str = "a retired worker process has finished its calls and ended";

/// A connector in workers, with a connection whose calls hang, one whose call waits, and neighbours.
struct Workers {
    host: TestHost,
    host_id: u32,
}

impl Workers {
    fn start(deadline: Duration) -> Self {
        let configuration = format!(
            "call_deadline = \"{}s\"\n[connectors.Rogue]\nisolation = \"process\"\n[worker]\nmax_crashes_per_minute = 1\n",
            deadline.as_secs()
        );
        let rogue = ("rogue.so", plugin_bytes(ROGUE));
        let mut host =
            Setup::new().plugin(HELLO).plugin_file(rogue.0, rogue.1).configuration(&configuration).start();
        let host_id = host.process().id();
        let workers = Workers { host, host_id };
        workers.rogue(HANGS).ok(save(&[("get", "block")]));
        let command = format!(
            "sh:: > {}; until test -e {}; do sleep 0.05; done; echo released",
            workers.file("started").display(),
            workers.file("release").display()
        );
        workers.rogue(WAITS).ok(save(&[("get", &command)]));
        for guid in NEIGHBOURS {
            workers.rogue(guid).ok(save(&[]));
        }
        workers
    }

    fn rogue(&self, guid: &str) -> Client {
        self.host.client(Dialect::Message).connector("Rogue").connection(guid)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.host.data().join("rogue").join(name)
    }

    fn log_has(&self, text: &str) -> bool {
        self.host.log().contains(text)
    }

    /// The subreapers of its workers.
    fn subreapers(&self) -> Vec<u32> {
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{}/task", self.host_id)) else { return Vec::new() };
        let lists = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok());
        let ids = lists.collect::<Vec<_>>().join(" ");
        ids.split_whitespace().map(|id| id.parse().unwrap()).collect()
    }

    fn check_neighbours(&self, when: &str) {
        for guid in NEIGHBOURS {
            let answer = self.rogue(guid).call(get());
            assert_eq!((answer.state, answer.actors.len()), (State::Ok, 1), "{when}: {answer:?}");
        }
        let subreapers = self.subreapers();
        assert!(subreapers.len() <= 3, "{when}: {subreapers:?}");
    }

    /// Has a call hang until its deadline, and another one, which begins later, wait; and waits for the worker after.
    fn retire(&self) -> thread::JoinHandle<Answer> {
        let begun = Instant::now();
        let hanging = self.call(HANGS);
        wait_until("the call that hangs", || {
            self.check_neighbours("while a call hangs");
            self.log_has("waiting for a release")
        });
        // Late, so that it has much time left when the other one is given up; and early enough to begin in the same worker.
        wait_until("most of its time", || {
            self.check_neighbours("until its deadline");
            begun.elapsed() > DEADLINE * 4 / 5
        });
        let waiting = self.call(WAITS);
        wait_until("the call that waits", || self.file("started").exists());
        wait_until("a new worker", || {
            self.check_neighbours("until there is a new worker");
            self.log_has(RETIRED)
        });
        let answer = hanging.join().unwrap();
        assert!(answer.user.contains("did not answer within 10 seconds"), "{answer:?}");
        assert!(answer.tech.contains("what it changes may still happen"), "{answer:?}");
        waiting
    }

    fn call(&self, guid: &str) -> thread::JoinHandle<Answer> {
        let client = self.rogue(guid);
        thread::spawn(move || client.call(get()))
    }

    fn release(&self) {
        std::fs::write(self.file("release"), "").unwrap();
    }
}

fn is_released(answer: &Answer) -> bool {
    answer.user.contains("exit status: 0: released")
}

#[test]
fn call_over_its_deadline_in_a_worker_leaves_all_other_connections_their_answers() {
    let workers = Workers::start(DEADLINE);
    let first = workers.subreapers();
    assert_eq!(first.len(), 1);
    workers.check_neighbours("before");
    let waiting = workers.retire();
    let during = workers.subreapers();
    assert!(during.len() == 2 && during.contains(&first[0]), "{during:?}");
    for _ in 0..10 {
        workers.check_neighbours("while the old worker has a call");
        workers.rogue(HANGS).ok(Request::GetSupportedActorTypes);
    }
    assert!(!waiting.is_finished());
    workers.release();
    let answer = waiting.join().unwrap();
    assert!(is_released(&answer), "{answer:?}");
    wait_until("the end of the retired worker", || workers.log_has(ENDED));
    assert!(workers.subreapers().len() == 1 && workers.subreapers() != first);
    workers.check_neighbours("after");
    let log = workers.host.log();
    let given_up = "a call is over its deadline in a worker process: its connection is closed";
    let line = log.lines().find(|line| line.contains(given_up)).expect("a line about the call");
    assert!(line.contains(HANGS) && line.contains("WSGetActors") && line.contains("Rogue"), "{line}");
    assert!(!log.contains("crash") && !log.contains("out of service"), "{log}");
}

#[test]
fn host_that_stops_finishes_the_calls_of_a_retired_worker() {
    let mut workers = Workers::start(DEADLINE);
    let waiting = workers.retire();
    let subreapers = workers.subreapers();
    let address = workers.host.address();
    workers.host.process().ask_to_stop().unwrap();
    wait_until("no more calls are accepted", || TcpStream::connect(address).is_err());
    assert!(!waiting.is_finished());
    workers.release();
    let answer = waiting.join().unwrap();
    assert!(is_released(&answer), "{answer:?}");
    assert!(workers.host.process().wait().unwrap().success(), "exit code 0");
    let runs = |id: &u32| std::fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|line| !line.is_empty());
    wait_until("the end of the workers", || !subreapers.iter().any(runs));
}

#[test]
fn replaced_connector_ends_with_its_retired_workers() {
    let workers = Workers::start(DEADLINE);
    let waiting = workers.retire();
    let before = workers.subreapers();
    // It differs only in its bytes.
    let mut bytes = plugin_bytes(ROGUE);
    bytes.push(0);
    let part = workers.host.plugins().join("part");
    std::fs::write(&part, bytes).unwrap();
    test_support::build::not_for_others(&part).unwrap();
    std::fs::rename(part, workers.host.plugins().join("rogue.so")).unwrap();
    wait_until("the new version", || workers.log_has(": replaced"));
    for guid in NEIGHBOURS {
        workers.rogue(guid).ok(get());
    }
    workers.release();
    let answer = waiting.join().unwrap();
    assert!(is_released(&answer), "{answer:?}");
    wait_until("the end of the old workers", || {
        let now = workers.subreapers();
        now.len() == 1 && !before.contains(&now[0])
    });
    assert!(!workers.log_has("crash"), "{}", workers.host.log());
}

/// The worker of a call over its deadline serves on where no other one can be started.
#[test]
fn worker_serves_on_when_no_new_one_can_be_started() {
    let workers = Workers::start(Duration::from_secs(2));
    for entry in std::fs::read_dir(workers.host.data().join("plugins-cache")).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().contains("rogue") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let before = workers.subreapers();
    let hanging = workers.rogue(HANGS).send(get());
    wait_until("a line about it", || {
        workers.check_neighbours("while a call hangs");
        workers.log_has("serves on, because no other one can be started")
    });
    workers.check_neighbours("after");
    // Open again in the same worker.
    workers.rogue(HANGS).ok(Request::GetSupportedActorTypes);
    assert_eq!(workers.subreapers(), before);
    assert!(!workers.log_has("crash"), "{}", workers.host.log());
    drop(hanging);
}

/// All calls of all connections hang, one after the other, until each connection is refused.
#[test]
fn connector_whose_every_call_hangs_has_three_workers_at_most() {
    let workers = Workers::start(Duration::from_secs(1));
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", workers.host_id)).unwrap().count();
    let before = descriptors();
    let hanging: Vec<_> =
        (1..=6).map(|number| format!("eeeeeeee-0000-4000-8000-0000000000f{number}")).collect();
    for guid in &hanging {
        workers.rogue(guid).ok(save(&[("get", "block")]));
    }
    let refused = "is out of service, because its calls do not come back";
    thread::scope(|scope| {
        let workers = &workers;
        let until_refused = move |guid: &str| {
            let mut calls = 0;
            loop {
                let answer = workers.rogue(guid).call(get());
                assert_eq!(answer.state, State::Error);
                assert!(workers.subreapers().len() <= 3);
                if answer.user.contains(refused) {
                    assert!(answer.user.contains(guid), "{answer:?}");
                    assert!(format!("{answer:?}").contains("ERP system answers"), "{answer:?}");
                    return calls;
                }
                calls += 1;
            }
        };
        let callers: Vec<_> = hanging.iter().map(|guid| scope.spawn(move || until_refused(guid))).collect();
        for caller in callers {
            let calls = caller.join().unwrap();
            assert!(calls <= 20, "{calls}");
        }
    });
    wait_until("the end of the retired workers", || workers.subreapers().len() == 1);
    workers.check_neighbours("after");
    wait_until("descriptors that are closed", || descriptors() <= before + 12);
    assert!(!workers.log_has("crash"), "{}", workers.host.log());
}
