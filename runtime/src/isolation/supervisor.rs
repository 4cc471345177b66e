//! The supervisor of a worker: starts the worker process of a connector, restarts it after a crash, and replaces it after a
//! call over its deadline.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Instant;

use plugin_api::abi::client::ConnectorClient;
use plugin_api::abi::{About, Description, Message, MessageRef};

use super::crash_breaker::{CrashBreaker, Decision};
use super::frame::FrameHeader;
use super::process::{CallFailure, Event, ProcessExit, WorkerProcess};
use super::retired_workers::RetiredWorkers;
use super::transport::WorkerTransport;
use super::worker_handle::{WorkerHandle, WorkerState};
use super::{Confinement, protocol};
use crate::log_bridge;

/// A plugin that was opened in a worker: its handshake is known, and its connector is not made yet. Dropping it ends the
/// worker.
pub(crate) struct IsolatedPlugin {
    pub(crate) about: About,
    worker: Arc<WorkerHandle>,
    requests: SyncSender<MakeConnector>,
}

/// The request to make the connector.
struct MakeConnector {
    name: String,
    /// Version, data folder and options, for every process that is started.
    host: Message,
    result: SyncSender<Result<Description, String>>,
}

impl IsolatedPlugin {
    /// Opens a plugin file in a worker. Blocks.
    ///
    /// # Errors
    /// In one line, with what to do.
    pub(crate) fn open(
        copy: PathBuf,
        folder: PathBuf,
        confinement: &Confinement,
        label: &str,
    ) -> Result<Self, String> {
        let worker = Arc::new(WorkerHandle::new(confinement.clone()));
        let (requests, receiver) = sync_channel(1);
        let (opened, result) = sync_channel(1);
        let mut supervisor = Supervisor {
            copy,
            folder,
            label: label.to_owned(),
            worker: Arc::clone(&worker),
            breaker: CrashBreaker::new(confinement.max_crashes_per_minute, confinement.crash_backoff),
        };
        thread::Builder::new()
            .name("supervisor".to_owned())
            .spawn(move || supervisor.run(&opened, &receiver))
            .map_err(|error| format!("its worker process cannot be started: {error}"))?;
        let about = result.recv().map_err(|_| ended_early())??;
        Ok(IsolatedPlugin { about, worker, requests })
    }

    /// Makes the connector. Blocks.
    ///
    /// # Errors
    /// In one line, with what to do.
    pub(crate) fn make_connector(
        self,
        version: &str,
        data_folder: &str,
        options: &[(String, String)],
    ) -> Result<(ConnectorClient, Description), String> {
        let name: Arc<str> = self.about.connector.as_str().into();
        let (sender, result) = sync_channel(1);
        let host = protocol::put_host(version, data_folder, options, log_bridge::is_recording());
        let request = MakeConnector { name: name.to_string(), host, result: sender };
        self.requests.send(request).map_err(|_| ended_early())?;
        let description = result.recv().map_err(|_| ended_early())??;
        let transport = WorkerTransport::new(Arc::clone(&name), Arc::clone(&self.worker));
        Ok((ConnectorClient::new(name, Arc::new(transport)), description))
    }
}

fn ended_early() -> String {
    "its worker process ended before it was of use; see the log".to_owned()
}

fn ended_while(exit: &ProcessExit, step: &str) -> String {
    format!(
        "its worker process {} while it was {step}; fix the plugin, or allow the worker more (see the log)",
        exit.description
    )
}

/// Supervises the worker of one connector, on one thread.
struct Supervisor {
    copy: PathBuf,
    /// The connector's data folder.
    folder: PathBuf,
    label: String,
    worker: Arc<WorkerHandle>,
    breaker: CrashBreaker,
}

impl Supervisor {
    /// Opens the plugin, makes its connector on request, and then restarts the process after each crash until the worker
    /// is stopped.
    fn run(&mut self, opened: &SyncSender<Result<About, String>>, requests: &Receiver<MakeConnector>) {
        let started = Instant::now();
        let process = match self.open() {
            Ok((process, about)) => {
                let _ = opened.send(Ok(about));
                process
            }
            Err(error) => {
                let _ = opened.send(Err(error));
                return;
            }
        };
        let Ok(request) = requests.recv() else { return end(&process) };
        match self.make_connector(&process, &request) {
            Ok(description) => {
                // Before the result is sent, so that the first call finds the process.
                self.worker.set(WorkerState::Running(Arc::clone(&process)));
                let _ = request.result.send(Ok(description));
                self.supervise(process, started, &request);
            }
            Err(error) => {
                end(&process);
                let _ = request.result.send(Err(error));
            }
        }
    }

    /// Waits for the end of the process, and restarts it as the circuit breaker decides; replaces it after a call over its
    /// deadline, which is no crash. Returns when the worker is stopped.
    fn supervise(&mut self, process: Arc<WorkerProcess>, mut started: Instant, request: &MakeConnector) {
        let connector = request.name.as_str();
        let retired = RetiredWorkers::new(connector, Arc::clone(&self.worker));
        let mut running = Some(process);
        loop {
            let reason = match running.take() {
                Some(process) => {
                    let ProcessExit { description, reference, .. } = match process.next_event() {
                        Event::Ended(exit) => exit,
                        Event::ToBeReplaced => {
                            let now = Instant::now();
                            let Some(serving) = self.replace(&process, &retired, request) else { return };
                            if !Arc::ptr_eq(&serving, &process) {
                                started = now;
                            }
                            running = Some(serving);
                            continue;
                        }
                    };
                    if !self.worker.set(WorkerState::Starting) {
                        return;
                    }
                    let pid = process.id();
                    tracing::error!(
                        connector,
                        pid,
                        reference,
                        "the worker process of a connector {description}"
                    );
                    format!("its worker process {description} (reference {reference})")
                }
                None => match self.restart(request) {
                    Ok(process) => {
                        if !self.worker.set(WorkerState::Running(Arc::clone(&process))) {
                            return end(&process);
                        }
                        tracing::info!(
                            connector,
                            pid = process.id(),
                            "the connector is back, in a new worker process"
                        );
                        running = Some(process);
                        continue;
                    }
                    Err(error) => {
                        tracing::error!(
                            connector,
                            "the worker process of a connector cannot be started again: {error}"
                        );
                        error
                    }
                },
            };
            let now = Instant::now();
            let is_wanted = match self.breaker.record_crash(started, now) {
                Decision::Restart { delay } => self.worker.wait(delay),
                Decision::Open { pause } => {
                    tracing::error!(
                        connector,
                        crashes = self.breaker.recent_crashes(),
                        seconds = pause.as_secs_f64(),
                        "out of service: the connector crashed too often"
                    );
                    self.worker.set(WorkerState::OutOfService { until: now + pause, reason })
                        && self.worker.wait(pause)
                        && {
                            tracing::warn!(connector, "in service again, on trial: the connector is started");
                            self.worker.set(WorkerState::Starting)
                        }
                }
            };
            if !is_wanted {
                return;
            }
            started = Instant::now();
        }
    }

    /// Replaces a process, which finishes its calls. It serves until the new one does, and goes on serving if that cannot be
    /// started. Returns the one that serves; `None` when the worker is stopped.
    fn replace(
        &self,
        process: &Arc<WorkerProcess>,
        retired: &Arc<RetiredWorkers>,
        request: &MakeConnector,
    ) -> Option<Arc<WorkerProcess>> {
        let connector = request.name.as_str();
        retired.make_room();
        match self.restart(request) {
            Ok(new) => {
                if !self.worker.set(WorkerState::Running(Arc::clone(&new))) {
                    end(&new);
                    return None;
                }
                tracing::info!(
                    connector,
                    pid = new.id(),
                    retired = process.id(),
                    "the connector serves in a new worker process; calls that run in the retired one go on there"
                );
                retired.add(process);
                Some(new)
            }
            Err(error) => {
                tracing::error!(
                    connector,
                    pid = process.id(),
                    "the worker process with a call over its deadline serves on, because no other one can be started: {error}"
                );
                process.keep();
                Some(Arc::clone(process))
            }
        }
    }

    /// Starts a process and opens the plugin in it.
    fn open(&self) -> Result<(Arc<WorkerProcess>, About), String> {
        let path = self.copy.to_str().ok_or_else(|| {
            format!("the path {} is not UTF-8 text; name another data folder", self.copy.display())
        })?;
        let process = WorkerProcess::start(&self.worker.confinement, &self.copy, &self.folder, &self.label)?;
        let request = protocol::text(path);
        let mut about = None;
        let result = self.call(&process, protocol::OPEN, request.as_ref(), "opened", |message| {
            about = protocol::about(message).ok();
        });
        match (result, about) {
            (Ok(()), Some((about, notes))) => {
                for note in notes {
                    tracing::warn!(connector = about.connector, "{note}");
                }
                Ok((process, about))
            }
            (result, _) => {
                end(&process);
                Err(result.err().unwrap_or_else(ended_early))
            }
        }
    }

    fn make_connector(
        &self,
        process: &WorkerProcess,
        request: &MakeConnector,
    ) -> Result<Description, String> {
        process.log_as(&request.name);
        let mut description = None;
        self.call(process, protocol::LOAD, request.host.as_ref(), "made", |message| {
            description = Description::decode(message).ok();
        })?;
        description.ok_or_else(ended_early)
    }

    fn restart(&self, request: &MakeConnector) -> Result<Arc<WorkerProcess>, String> {
        let (process, _) = self.open()?;
        match self.make_connector(&process, request) {
            Ok(_) => Ok(process),
            Err(error) => {
                end(&process);
                Err(error)
            }
        }
    }

    /// Makes a call that the worker answers with a reply or a refusal. `step` is the participle for the error text.
    fn call(
        &self,
        process: &WorkerProcess,
        frame_type: u32,
        request: MessageRef<'_>,
        step: &str,
        mut receive: impl FnMut(MessageRef<'_>),
    ) -> Result<(), String> {
        let mut refusal = None;
        let limit = self.worker.confinement.call_deadline;
        let result = process.call(FrameHeader::new(frame_type), request, limit, &mut |frame| {
            match frame.header.frame_type {
                protocol::REFUSED => refusal = frame.message.reader().text().ok().map(str::to_owned),
                _ => receive(frame.message),
            }
            true
        });
        match (result, refusal) {
            (_, Some(reason)) => Err(reason),
            (Ok(_), None) => Ok(()),
            (Err(CallFailure::NotSent), None) => Err(ended_early()),
            (Err(CallFailure::GivenUp), None) => {
                let seconds = limit.as_secs_f64();
                process.kill(format!("was ended by the host, because it took longer than {seconds} seconds"));
                Err(ended_while(&process.wait(), step))
            }
            (Err(CallFailure::Exit(exit)), None) => Err(ended_while(&exit, step)),
        }
    }
}

/// Shuts a process down and waits for its end.
fn end(process: &WorkerProcess) {
    process.shut_down();
    process.wait();
}
