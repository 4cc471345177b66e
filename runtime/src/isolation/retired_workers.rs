//! The retired workers of a connector: processes that were replaced because a call in them is over its deadline. They take no
//! calls, finish those that are within their time, and end.
//!
//! There are few of them, for a bounded time, and what they use counts against the limits of their connector: the process that
//! serves keeps its limits, and retired ones are ended when all together exceed them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::Limits;
use super::process::{ExitCause, GRACE, ProcessExit, WorkerProcess};
use super::process_tree::{self, Usage};
use super::worker_handle::WorkerHandle;

/// How many there may be.
const MOST: usize = 2;
/// How often they are looked at.
const INTERVAL: Duration = Duration::from_millis(200);
/// How long closing the connections may take at the end, beyond the time that calls may take.
const CLOSING: Duration = Duration::from_secs(10);
/// The stack size of the thread that looks.
const WATCH_STACK: usize = 256 * 1024;

pub(super) struct RetiredWorkers {
    connector: String,
    worker: Arc<WorkerHandle>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The oldest first.
    retired: Vec<Retired>,
    is_watched: bool,
}

struct Retired {
    process: Arc<WorkerProcess>,
    since: Instant,
}

impl RetiredWorkers {
    pub(super) fn new(connector: &str, worker: Arc<WorkerHandle>) -> Arc<Self> {
        Arc::new(RetiredWorkers { connector: connector.to_owned(), worker, state: Mutex::default() })
    }

    /// Ends the oldest one if there are as many as there may be. Blocks until it has ended.
    pub(super) fn make_room(&self) {
        loop {
            let mut state = self.state();
            self.remove_ended(&mut state);
            let Some(oldest) = state.retired.first().filter(|_| state.retired.len() >= MOST) else { return };
            let oldest = Arc::clone(&oldest.process);
            drop(state);
            oldest.end_retired(format!(
                "was ended by the host, because a call in a third one is over its deadline, and a connector has {MOST} \
                 retired workers at most"
            ));
            oldest.wait();
        }
    }

    /// Retires a process.
    pub(super) fn add(self: &Arc<Self>, process: &Arc<WorkerProcess>) {
        let mut state = self.state();
        state.retired.push(Retired { process: Arc::clone(process), since: Instant::now() });
        if !state.is_watched {
            let watched = Arc::clone(self);
            let thread = thread::Builder::new().name("retired workers".to_owned()).stack_size(WATCH_STACK);
            match thread.spawn(move || {
                while watched.look() {
                    thread::sleep(INTERVAL)
                }
            }) {
                Ok(_) => state.is_watched = true,
                // It still ends after its last call.
                Err(error) => tracing::error!(
                    connector = self.connector,
                    "the limits of a retired worker are not observed: no thread can be started: {error}"
                ),
            }
        }
        drop(state);
        process.retire();
    }

    /// Ends those that take too long or too much. False: there are none.
    fn look(&self) -> bool {
        let mut state = self.state();
        self.remove_ended(&mut state);
        let Some(oldest) = state.retired.first() else {
            state.is_watched = false;
            return false;
        };
        let Limits { memory, tasks, .. } = self.worker.confinement.limits;
        let time = self.worker.confinement.call_deadline + GRACE + CLOSING;
        if oldest.since.elapsed() > time {
            let seconds = time.as_secs_f64();
            oldest.process.end_retired(format!(
                "was ended by the host, because it did not end within {seconds} seconds after it was retired"
            ));
        }
        if memory.is_some() || tasks.is_some() {
            let serving = self.worker.running();
            let all = state.retired.iter().map(|one| &one.process).chain(&serving);
            if let Some(excess) = excess(all.map(|process| process.id()), memory, tasks) {
                oldest.process.end_retired(excess);
            }
        }
        true
    }

    /// Removes and logs those that have ended.
    fn remove_ended(&self, state: &mut State) {
        let connector = self.connector.as_str();
        state.retired.retain(|Retired { process, .. }| {
            let Some(ProcessExit { description, reference, cause }) = process.exit() else { return true };
            let pid = process.id();
            match cause {
                ExitCause::Shutdown => {
                    tracing::info!(
                        connector,
                        pid,
                        "a retired worker process has finished its calls and ended"
                    );
                }
                ExitCause::Retirement => {
                    tracing::warn!(connector, pid, reference, "a retired worker process {description}");
                }
                ExitCause::Crash => {
                    tracing::error!(
                        connector,
                        pid,
                        reference,
                        "a retired worker process of a connector {description}"
                    );
                }
            }
            false
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What of the limits the descendants of these subreapers exceed together, in words.
fn excess(subreapers: impl Iterator<Item = u32>, memory: Option<u64>, tasks: Option<u64>) -> Option<String> {
    let pids = subreapers.filter_map(|id| Pid::from_raw(id.try_into().ok()?));
    let used = pids.map(process_tree::usage_below).fold(Usage::default(), |sum, one| Usage {
        processes: sum.processes + one.processes,
        tasks: sum.tasks + one.tasks,
        memory: sum.memory + one.memory,
    });
    let together = "was ended by the host, because the workers of its connector, retired ones included,";
    if let Some(tasks) = tasks.filter(|&tasks| used.tasks > tasks) {
        let used = used.tasks;
        return Some(format!(
            "{together} had {used} processes and threads together, and may have {tasks} ([worker] tasks)"
        ));
    }
    let memory = memory.filter(|&memory| used.memory > memory)?;
    let [used, memory] = [used.memory, memory].map(|bytes| bytes >> 20);
    Some(format!("{together} used {used} MiB of memory together, and may use {memory} MiB ([worker] memory)"))
}
