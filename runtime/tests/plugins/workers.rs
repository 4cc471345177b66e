//! Worker processes: a call over its deadline in one of them is given up, and costs the other connections nothing.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use erp_host_runtime::{Isolation, Plugin, Plugins, RuntimeConfig, WorkerConfig};
use plugin_api::abi::CallWatch;
use plugin_api::abi::client::ConnectionClient;
use plugin_api::{Outcome, Settings};
use test_support::plugins_folder::host_program;
use test_support::wait_until;

use super::fixture::{PluginsFolder, ROGUE};

/// The rogue connector in a worker process.
struct Isolated {
    // Before the folder, so that its worker ends first.
    plugin: Arc<Plugin>,
    folder: PluginsFolder,
}

impl Isolated {
    fn new(worker: WorkerConfig) -> Self {
        let folder = PluginsFolder::new().with(ROGUE, "rogue.so");
        let config = RuntimeConfig {
            isolation: Isolation::Process,
            worker: WorkerConfig { program: Some(host_program()), ..worker },
            call_deadline: Duration::from_secs(600),
            ..RuntimeConfig::default()
        };
        let plugins = Plugins::load(&folder.plugins(), &folder.data(), &config).unwrap();
        let plugin = Arc::clone(plugins.connector(Some("Rogue")).unwrap());
        Isolated { plugin, folder }
    }

    fn connect(&self, settings: &[(&str, &str)]) -> ConnectionClient {
        let settings: Settings = settings.iter().map(|&(key, value)| (key, Some(value))).collect();
        self.plugin.connector.connect(&settings).unwrap()
    }

    /// A file of the connector's data folder.
    fn file(&self, name: &str) -> PathBuf {
        self.folder.data().join("rogue").join(name)
    }

    /// The process IDs of its workers' subreapers.
    fn workers(&self) -> Vec<u32> {
        let folder = self.folder.data().display().to_string();
        let tasks = fs::read_dir("/proc/self/task").unwrap().filter_map(Result::ok);
        let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        let ids = lists.collect::<Vec<_>>().join(" ");
        let ids = ids.split_ascii_whitespace().map(|id| id.parse().unwrap());
        // A zombie has no command line.
        let is_own = |id: &u32| {
            let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&folder)
        };
        let ids: Vec<u32> = ids.filter(is_own).collect();
        assert!(ids.len() <= 3, "one that serves, and two retired ones at most: {ids:?}");
        ids
    }

    /// A call that has been waiting, within its time, for the file `release`, since this returned.
    fn wait_for_release<'s>(&self, scope: &'s Scope<'s, '_>, name: &str) -> ScopedJoinHandle<'s, Outcome> {
        let (started, release) = (self.file(&format!("{name}-started")), self.file("release"));
        let (started_path, release) = (started.display(), release.display());
        let command =
            format!("sh:: > {started_path}; until test -e {release}; do sleep 0.05; done; echo released");
        let connection = self.connect(&[("fields", &command)]);
        let call = scope.spawn(move || connection.fields("Customer").unwrap_err());
        wait_until("a call in the worker", || started.exists());
        call
    }

    /// The worker that new calls go to, as the processes that it starts see it.
    fn serving(&self) -> String {
        let shows = self.connect(&[("fields", "sh:echo worker $PPID")]);
        user(&shows.fields("Customer").unwrap_err()).to_owned()
    }

    /// Makes a call of this connection that is over its deadline at once, and waits for the new worker.
    fn replace_worker(&self, connection: &ConnectionClient) -> Outcome {
        let before = self.serving();
        let outcome = late(connection);
        wait_until("a new worker", || self.serving() != before);
        outcome
    }

    /// Ends the waiting.
    fn release(&self) {
        fs::write(self.file("release"), "").unwrap();
    }
}

/// Ends the waiting when a test fails, too.
struct ReleasedOnDrop<'i>(&'i Isolated);

impl Drop for ReleasedOnDrop<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// Makes a call whose deadline passes at once.
fn late(connection: &ConnectionClient) -> Outcome {
    CallWatch::new(Some(Instant::now())).during(|| connection.actor_types().unwrap_err())
}

fn user(outcome: &Outcome) -> &str {
    outcome.user.as_deref().unwrap_or_default()
}

fn tech(outcome: &Outcome) -> &str {
    outcome.tech.as_deref().unwrap_or_default()
}

#[test]
fn retired_worker_finishes_its_calls_and_ends() {
    let isolated = Isolated::new(WorkerConfig::default());
    let (hangs, works) = (isolated.connect(&[("actor_types", "block")]), isolated.connect(&[]));
    let first = isolated.workers();
    assert_eq!(first.len(), 1);
    std::thread::scope(|scope| {
        let _released = ReleasedOnDrop(&isolated);
        let running = isolated.wait_for_release(scope, "running");
        let given_up = isolated.replace_worker(&hangs);
        assert_eq!(user(&given_up), "the connector 'Rogue' did not answer in time");
        assert!(tech(&given_up).contains("what this call changes may still happen"), "{given_up:?}");
        assert_eq!(isolated.workers().len(), 2);
        // In the new one, in which it is open again.
        assert_eq!(works.fields("Customer").unwrap().len(), 2);
        assert_eq!(hangs.fields("Customer").unwrap().len(), 2, "its other calls work");
        assert!(!running.is_finished() && isolated.workers().contains(&first[0]), "the old one goes on");
        isolated.release();
        assert!(user(&running.join().unwrap()).contains("exit status: 0: released"));
    });
    wait_until("the end of the first worker", || {
        let workers = isolated.workers();
        workers.len() == 1 && workers != first
    });
    assert_eq!(works.fields("Customer").unwrap().len(), 2);
    assert_eq!(isolated.plugin.connector.transport().out_of_service(), None);
}

#[test]
fn call_that_ends_within_the_grace_period_retires_no_worker() {
    let isolated = Isolated::new(WorkerConfig::default());
    let slow = isolated.connect(&[("actor_types", "sleep:100")]);
    let workers = isolated.workers();
    let types = CallWatch::new(Some(Instant::now())).during(|| slow.actor_types());
    let names: Vec<_> = types.unwrap().into_iter().map(|actor_type| actor_type.name).collect();
    assert_eq!(names, ["Customer", "Person"]);
    assert_eq!(slow.actor_types().unwrap().len(), 2);
    assert_eq!(isolated.workers(), workers);
}

/// The calls of a connection hang in worker after worker: there are never more than three, and the connection is refused.
#[test]
fn retired_workers_are_two_at_most_and_the_connection_is_out_of_service_then() {
    let isolated = Isolated::new(WorkerConfig::default());
    let (hangs, works) = (isolated.connect(&[("actor_types", "block")]), isolated.connect(&[]));
    std::thread::scope(|scope| {
        let _released = ReleasedOnDrop(&isolated);
        let mut running = Vec::new();
        for round in 0..3 {
            running.push(isolated.wait_for_release(scope, &round.to_string()));
            let given_up = isolated.replace_worker(&hangs);
            assert_eq!(user(&given_up), "the connector 'Rogue' did not answer in time", "{round}");
            assert_eq!(works.fields("Customer").unwrap().len(), 2, "{round}");
        }
        // The oldest was ended for the third.
        let ended = running.remove(0).join().unwrap();
        assert!(user(&ended).contains("was ended before its deadline (reference "), "{ended:?}");
        assert!(tech(&ended).contains("a connector has 2 retired workers at most"), "{ended:?}");
        assert_eq!(isolated.workers().len(), 3);

        let refused = hangs.fields("Customer").unwrap_err();
        assert!(
            user(&refused).contains("is out of service, because its calls do not come back"),
            "{refused:?}"
        );
        assert!(user(&refused).contains("check whether its ERP system answers"), "{refused:?}");
        assert!(tech(&refused).contains("or at once when its settings are saved"), "{refused:?}");
        // Saved again it is a new connection.
        isolated.connect(&[]).fields("Customer").unwrap();
        works.fields("Customer").unwrap();
        isolated.release();
        for call in running {
            assert!(user(&call.join().unwrap()).contains("exit status: 0: released"));
        }
    });
    wait_until("the end of the retired workers", || isolated.workers().len() == 1);
    assert_eq!(isolated.plugin.connector.transport().out_of_service(), None);
}

#[test]
fn retired_worker_is_ended_when_all_workers_together_exceed_the_memory_of_one() {
    let isolated = Isolated::new(WorkerConfig { memory: Some(256 << 20), ..WorkerConfig::default() });
    let leaks = isolated.connect(&[("searchable_fields", "leak:150"), ("actor_types", "block")]);
    std::thread::scope(|scope| {
        let _released = ReleasedOnDrop(&isolated);
        let running = isolated.wait_for_release(scope, "running");
        leaks.searchable_fields("Customer").unwrap();
        isolated.replace_worker(&leaks);
        leaks.searchable_fields("Customer").unwrap();
        let ended = running.join().unwrap();
        assert!(tech(&ended).contains("of memory together, and may use 256 MiB"), "{ended:?}");
    });
    wait_until("the end of the first worker", || isolated.workers().len() == 1);
    // The one that serves has what it may have.
    assert_eq!(leaks.fields("Customer").unwrap().len(), 2);
}
