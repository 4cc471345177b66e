//! The handle of a connector's worker: the process that serves at the moment, or why there is none.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use plugin_api::Outcome;

use super::Confinement;
use super::process::{ProcessInUse, WorkerProcess};

/// The worker of a connector. It stays the same while the supervisor replaces the process behind it.
pub(super) struct WorkerHandle {
    pub(super) confinement: Confinement,
    state: Mutex<WorkerState>,
    changed: Condvar,
}

pub(super) enum WorkerState {
    /// A process is being started; calls wait for it.
    Starting,
    Running(Arc<WorkerProcess>),
    /// The circuit breaker is open: calls are rejected at once.
    OutOfService {
        until: Instant,
        reason: String,
    },
    /// The connector was closed. This state is final.
    Stopped,
}

impl WorkerHandle {
    pub(super) fn new(confinement: Confinement) -> Self {
        WorkerHandle { confinement, state: Mutex::new(WorkerState::Starting), changed: Condvar::new() }
    }

    /// The process that serves, for a call. Waits while one is being started.
    ///
    /// # Errors
    /// The outcome of the call: no process serves.
    pub(super) fn process(&self, connector: &str) -> Result<ProcessInUse, Outcome> {
        let deadline = Instant::now() + self.confinement.call_deadline;
        let mut state = self.state();
        loop {
            match &*state {
                WorkerState::Running(process) => {
                    if let Some(process) = process.enter() {
                        return Ok(process);
                    }
                }
                WorkerState::Starting => {}
                WorkerState::OutOfService { until, reason } => {
                    let seconds = until.saturating_duration_since(Instant::now()).as_secs() + 1;
                    return Err(error(
                        format!(
                            "the connector '{connector}' is out of service, because it crashed again and again; it is \
                             tried again in {seconds} seconds"
                        ),
                        reason.clone(),
                    ));
                }
                WorkerState::Stopped => {
                    let user = format!("the connector '{connector}' is not here any more");
                    return Err(error(user, "its worker process was ended".to_owned()));
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let user = format!("the connector '{connector}' is being started, and was not ready in time");
                return Err(error(user, "its worker process takes long to load the plugin".to_owned()));
            }
            let waited = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
        }
    }

    /// The process that serves at the moment.
    pub(super) fn running(&self) -> Option<Arc<WorkerProcess>> {
        match &*self.state() {
            WorkerState::Running(process) => Some(Arc::clone(process)),
            _ => None,
        }
    }

    /// Why calls are rejected at the moment; `None` when they are not.
    pub(super) fn out_of_service(&self) -> Option<String> {
        match &*self.state() {
            WorkerState::OutOfService { reason, .. } => {
                Some(format!("out of service, because it crashed again and again: {reason}"))
            }
            _ => None,
        }
    }

    /// Stops the worker: the connector was closed.
    pub(super) fn stop(&self) {
        let before = std::mem::replace(&mut *self.state(), WorkerState::Stopped);
        self.changed.notify_all();
        if let WorkerState::Running(process) = before {
            process.shut_down();
        }
    }

    /// Sets the state. False: the worker was stopped, and stays so.
    pub(super) fn set(&self, new: WorkerState) -> bool {
        let mut state = self.state();
        let is_wanted = !matches!(*state, WorkerState::Stopped);
        if is_wanted {
            *state = new;
        }
        drop(state);
        self.changed.notify_all();
        is_wanted
    }

    /// Waits for this time. False: the worker was stopped meanwhile.
    pub(super) fn wait(&self, time: Duration) -> bool {
        let is_wanted = |state: &mut WorkerState| !matches!(state, WorkerState::Stopped);
        let waited = self.changed.wait_timeout_while(self.state(), time, is_wanted);
        !matches!(*waited.unwrap_or_else(PoisonError::into_inner).0, WorkerState::Stopped)
    }

    fn state(&self) -> MutexGuard<'_, WorkerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The outcome of a call that the worker did not answer.
pub(super) fn error(user: String, tech: String) -> Outcome {
    plugin_api::Error::user(user).tech(tech).to_outcome()
}
