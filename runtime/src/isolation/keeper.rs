//! Keeps a worker process for a connector: starts it, and starts it again when it has crashed.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use plugin_api::Outcome;
use plugin_api::abi::client::ConnectorClient;
use plugin_api::abi::{About, Description, Message, MessageRef};

use super::breaker::{Breaker, Next};
use super::frame::Head;
use super::link::IsolatedConnector;
use super::process::{Ended, Process};
use super::{Confinement, protocol};

/// A plugin that was opened in a worker: what it says about itself is known, and its connector not made yet. Dropping
/// it ends the worker.
pub(crate) struct Opened {
    pub(crate) about: About,
    pub(crate) confinement: Confinement,
    place: Arc<Place>,
    orders: SyncSender<Order>,
}

/// The order to make the connector.
struct Order {
    connector: String,
    /// What it is told.
    host: Message,
    loaded: SyncSender<Result<Description, String>>,
}

/// Where the worker of a connector is found, whatever process it is at the moment.
pub(super) struct Place {
    pub(super) confinement: Confinement,
    state: Mutex<Now>,
    changed: Condvar,
}

enum Now {
    /// It is being started; calls wait.
    Starting,
    Serving(Arc<Process>),
    /// It crashed too often; calls are answered at once.
    Paused {
        until: Instant,
        why: String,
    },
    /// Nobody wants it any more.
    Over,
}

impl Opened {
    /// Opens a plugin file in a worker. Blocks.
    ///
    /// # Errors
    /// In one line, with what to do.
    pub(crate) fn open(copy: PathBuf, confinement: &Confinement, label: &str) -> Result<Self, String> {
        let place = Arc::new(Place {
            confinement: confinement.clone(),
            state: Mutex::new(Now::Starting),
            changed: Condvar::new(),
        });
        let (orders, ordered) = sync_channel(1);
        let (tell, told) = sync_channel(1);
        let mut keeper = Keeper {
            copy,
            label: label.to_owned(),
            place: Arc::clone(&place),
            breaker: Breaker::new(confinement.crashes, confinement.crash_pause),
        };
        thread::Builder::new()
            .name("worker".to_owned())
            .spawn(move || keeper.keep(&tell, &ordered))
            .map_err(|error| format!("its worker process cannot be started: {error}"))?;
        let about = told.recv().map_err(|_| ended_early())??;
        Ok(Opened { about, confinement: confinement.clone(), place, orders })
    }

    /// Makes the connector. Blocks.
    ///
    /// # Errors
    /// In one line, with what to do.
    pub(crate) fn load(
        self,
        version: &str,
        data_folder: &str,
        options: &[(String, String)],
    ) -> Result<(ConnectorClient, Description), String> {
        let name: Arc<str> = self.about.connector.as_str().into();
        let (loaded, told) = sync_channel(1);
        let host = protocol::put_host(version, data_folder, options);
        let order = Order { connector: name.to_string(), host, loaded };
        self.orders.send(order).map_err(|_| ended_early())?;
        let description = told.recv().map_err(|_| ended_early())??;
        let link = IsolatedConnector::new(Arc::clone(&name), Arc::clone(&self.place));
        Ok((ConnectorClient::new(name, Arc::new(link)), description))
    }
}

fn ended_early() -> String {
    "its worker process ended before it was of use; see the log".to_owned()
}

impl Place {
    /// The process that serves, waited for if it is being started.
    ///
    /// # Errors
    /// What to tell the caller.
    pub(super) fn process(&self, connector: &str) -> Result<Arc<Process>, Outcome> {
        let deadline = Instant::now() + self.confinement.call_deadline;
        let mut state = self.state();
        loop {
            match &*state {
                Now::Serving(process) if process.is_alive() => return Ok(Arc::clone(process)),
                Now::Serving(_) | Now::Starting => {}
                Now::Paused { until, why } => {
                    let seconds = until.saturating_duration_since(Instant::now()).as_secs() + 1;
                    return Err(error(
                        format!(
                            "the connector '{connector}' is out of service, because it crashed again and again; it is \
                             tried again in {seconds} seconds"
                        ),
                        why.clone(),
                    ));
                }
                Now::Over => {
                    let why = format!("the connector '{connector}' is not here any more");
                    return Err(error(why, "its worker process was ended".to_owned()));
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let why = format!("the connector '{connector}' is being started, and was not ready in time");
                return Err(error(why, "its worker process takes long to load the plugin".to_owned()));
            }
            let waited = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
        }
    }

    /// Why calls are answered with an error at the moment.
    pub(super) fn trouble(&self) -> Option<String> {
        match &*self.state() {
            Now::Paused { why, .. } => {
                Some(format!("out of service, because it crashed again and again: {why}"))
            }
            _ => None,
        }
    }

    /// Nobody wants the worker any more.
    pub(super) fn give_up(&self) {
        let before = std::mem::replace(&mut *self.state(), Now::Over);
        self.changed.notify_all();
        if let Now::Serving(process) = before {
            process.let_go();
        }
    }

    /// Unless nobody wants it any more.
    fn set(&self, now: Now) -> bool {
        let mut state = self.state();
        let is_wanted = !matches!(*state, Now::Over);
        if is_wanted {
            *state = now;
        }
        drop(state);
        self.changed.notify_all();
        is_wanted
    }

    /// Waits, or until nobody wants it any more; whether it is still wanted.
    fn wait(&self, time: Duration) -> bool {
        let is_wanted = |state: &mut Now| !matches!(state, Now::Over);
        let waited = self.changed.wait_timeout_while(self.state(), time, is_wanted);
        !matches!(*waited.unwrap_or_else(PoisonError::into_inner).0, Now::Over)
    }

    fn state(&self) -> MutexGuard<'_, Now> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn error(user: String, tech: String) -> Outcome {
    plugin_api::Error::user(user).tech(tech).to_outcome()
}

/// The thread that starts all processes of one connector: a worker ends with the thread that has started it.
struct Keeper {
    copy: PathBuf,
    label: String,
    place: Arc<Place>,
    breaker: Breaker,
}

impl Keeper {
    fn keep(&mut self, tell: &SyncSender<Result<About, String>>, orders: &Receiver<Order>) {
        let mut started = Instant::now();
        let process = match self.open() {
            Ok((process, about)) => {
                let _ = tell.send(Ok(about));
                process
            }
            Err(error) => {
                let _ = tell.send(Err(error));
                return;
            }
        };
        let Ok(order) = orders.recv() else { return end(&process) };
        let mut serving = match self.load(&process, &order) {
            Ok(description) => {
                // Before it is told, so that the first call finds it.
                self.place.set(Now::Serving(Arc::clone(&process)));
                let _ = order.loaded.send(Ok(description));
                Some(process)
            }
            Err(error) => {
                end(&process);
                let _ = order.loaded.send(Err(error));
                return;
            }
        };
        let connector = order.connector.as_str();
        loop {
            let why = match serving.take() {
                Some(process) => {
                    let Ended { how, reference } = process.ended();
                    if !self.place.set(Now::Starting) {
                        return;
                    }
                    let pid = process.id();
                    tracing::error!(connector, pid, reference, "the worker process of a connector {how}");
                    format!("its worker process {how} (reference {reference})")
                }
                None => match self.start(&order) {
                    Ok(process) => {
                        if !self.place.set(Now::Serving(Arc::clone(&process))) {
                            return end(&process);
                        }
                        tracing::info!(
                            connector,
                            pid = process.id(),
                            "the connector is back, in a new worker process"
                        );
                        serving = Some(process);
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
            let is_wanted = match self.breaker.crashed(started, now) {
                Next::Start(wait) => self.place.wait(wait),
                Next::Pause(pause) => {
                    tracing::error!(
                        connector,
                        crashes = self.breaker.crashes(),
                        seconds = pause.as_secs_f64(),
                        "out of service: the connector crashed too often"
                    );
                    self.place.set(Now::Paused { until: now + pause, why }) && self.place.wait(pause) && {
                        tracing::warn!(connector, "in service again, on trial: the connector is started");
                        self.place.set(Now::Starting)
                    }
                }
            };
            if !is_wanted {
                return;
            }
            started = Instant::now();
        }
    }

    /// Starts a process and opens the plugin in it.
    fn open(&self) -> Result<(Arc<Process>, About), String> {
        let path = self.copy.to_str().ok_or_else(|| {
            format!("the path {} is not UTF-8 text; name another data folder", self.copy.display())
        })?;
        let process = Process::start(&self.place.confinement, &self.label)?;
        let request = protocol::text(path);
        let mut about = None;
        let asked = self.ask(&process, protocol::OPEN, request.as_ref(), "opened", |message| {
            about = protocol::about(message).ok();
        });
        match (asked, about) {
            (Ok(()), Some(about)) => Ok((process, about)),
            (asked, _) => {
                end(&process);
                Err(asked.err().unwrap_or_else(ended_early))
            }
        }
    }

    /// Makes the connector.
    fn load(&self, process: &Process, order: &Order) -> Result<Description, String> {
        process.is_of(&order.connector);
        let mut description = None;
        self.ask(process, protocol::LOAD, order.host.as_ref(), "made", |message| {
            description = Description::decode(message).ok();
        })?;
        description.ok_or_else(ended_early)
    }

    fn start(&self, order: &Order) -> Result<Arc<Process>, String> {
        let (process, _) = self.open()?;
        match self.load(&process, order) {
            Ok(_) => Ok(process),
            Err(error) => {
                end(&process);
                Err(error)
            }
        }
    }

    fn ask(
        &self,
        process: &Process,
        what: u32,
        request: MessageRef<'_>,
        done: &str,
        mut take: impl FnMut(MessageRef<'_>),
    ) -> Result<(), String> {
        let mut refused = None;
        let limit = self.place.confinement.call_deadline;
        let answered = process.call(Head::new(what), request, limit, &mut |frame| {
            match frame.head.what {
                protocol::REFUSED => refused = frame.message.reader().text().ok().map(str::to_owned),
                _ => take(frame.message),
            }
            true
        });
        match (answered, refused) {
            (_, Some(why)) => Err(why),
            (Ok(_), None) => Ok(()),
            (Err(ended), None) => Err(format!(
                "its worker process {} while it was {done}; mend the plugin, or allow the worker more (see the log)",
                ended.how
            )),
        }
    }
}

/// Ends a process in order, and waits for it: it must not outlive the thread that has started it.
fn end(process: &Process) {
    process.let_go();
    process.ended();
}
