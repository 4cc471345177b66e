//! A connector with its limits: every call passes the circuit breaker and the concurrency limit, has a deadline, and delays no
//! other call.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use contract::Operation;
use erp_host_input_check::{Descriptions, InputCheck};
use plugin_api::abi::client::{ConnectionClient, ConnectorClient};
use plugin_api::abi::{CallWatch, StateStore};
use plugin_api::{Field, Outcome, Settings};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout_at};
use values::Guid;

use super::caller_presence::CallerPresence;
use super::circuit_breaker::{self, CircuitBreaker, Open};
use super::concurrency_limit::{self, ConcurrencyLimit, Permit, QueueFull};
use super::config::RouterConfig;
use super::connections_in_use::InUse;
use super::failed_tests::FailedTests;
use super::latency_estimate::LatencyEstimates;
use super::share::Share;
use super::threads::{ConnectorThreads, Exhausted};
use super::watchdog::Watchdog;
use erp_host_runtime::LogContext;
use erp_host_store::{Lifetime, Live};

/// A connector with its limits. It ends when it is dropped: after it was replaced or removed, and the last call in it has
/// ended.
pub(super) struct Connector {
    name: Arc<str>,
    /// `None` only while it is dropped.
    client: Option<ConnectorClient>,
    concurrency_limit: Arc<ConcurrencyLimit>,
    circuit_breaker: Arc<CircuitBreaker>,
    deadline: Duration,
    connection_lifetime: Lifetime,
    settings_form: OnceLock<Arc<[Field]>>,
    pub(super) failed_tests: FailedTests,
    latency: LatencyEstimates,
    threads: ConnectorThreads,
    watchdog: Arc<Watchdog>,
    /// The state of connections.
    state: Arc<dyn StateStore>,
    /// Whether the log has the replacement of a NUL character.
    has_replaced_characters: AtomicBool,
}

/// How much longer a timed-out call of a worker process counts for its connection. It was given up, and has cost the connector
/// a worker process.
const COOL_DOWN: Duration = Duration::from_secs(60);

/// How long a connection may take to close itself, if calls may take as long.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a call of a connector gave no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CallError {
    /// It was not started: too many calls run and wait.
    QueueFull(QueueFull),
    /// It has not ended by its deadline, and still runs. The text is the progress that it has reported last.
    DeadlineExceeded(Option<String>),
    /// It was not started: its caller has left before.
    CallerLeft,
    /// It was not started: no thread is free for it.
    NoThread(Exhausted),
    /// It was not started: the circuit breaker is open.
    OutOfService(Open),
    /// It panicked in the host's own code.
    Panicked,
}

/// The place of a call among all others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'c> {
    pub(super) share: Share,
    pub(super) deadline: Instant,
    pub(super) presence: &'c CallerPresence,
}

/// An open connection. Dropping it closes it, on a thread that may block.
pub(super) struct LiveConnection {
    guid: Guid,
    /// `None` only while it is dropped.
    client: Option<ConnectionClient>,
    descriptions: Descriptions,
    pub(super) connector: Arc<Connector>,
    has_refresh_failed: AtomicBool,
    /// `None` only while it is dropped.
    in_use: Option<InUse>,
}

impl LiveConnection {
    pub(super) fn client(&self) -> &ConnectionClient {
        match &self.client {
            Some(client) => client,
            None => unreachable!("the client is taken out only by drop"),
        }
    }

    /// The check of what callers send.
    pub(super) fn input_check(&self) -> InputCheck<'_> {
        InputCheck::new(self.client().opened().input, &self.descriptions, self.client())
    }

    /// Sets whether the last refresh has failed; returns whether the one before had.
    pub(super) fn set_refresh_failed(&self, has_failed: bool) -> bool {
        self.has_refresh_failed.swap(has_failed, Ordering::Relaxed)
    }
}

impl Drop for LiveConnection {
    fn drop(&mut self) {
        let (client, in_use) = (self.client.take(), self.in_use.take());
        // Its connector ends after its last connection.
        let (connector, connection) = (Arc::clone(&self.connector), self.guid);
        self.connector.threads.close(move || {
            if let Some(client) = &client {
                close(client, &connector, connection);
            }
            drop(client);
            drop((in_use, connector));
        });
    }
}

/// Closes a connection. Blocks. What still runs after the time is cancelled, and logged.
fn close(client: &ConnectionClient, connector: &Connector, connection: Guid) {
    let time = CLOSE_TIMEOUT.min(connector.deadline);
    let deadline = Some(std::time::Instant::now() + time);
    let watch = CallWatch::of_connection(deadline, connection, Arc::clone(&connector.state));
    let late = {
        let (watch, connector) = (watch.clone(), Arc::clone(&connector.name));
        tokio::spawn(async move {
            sleep(time).await;
            watch.cancel();
            let seconds = time.as_secs_f64();
            tracing::warn!(%connection, %connector, operation = "close", "the connection is not closed after {seconds} seconds");
        })
    };
    let log_context = LogContext {
        operation: "close",
        connector: Some(Arc::clone(&connector.name)),
        connection: Some(connection),
    };
    // The plugin's side logs a failure.
    log_context.within(|| watch.during(|| client.close()));
    late.abort();
}

impl Live for LiveConnection {
    /// As its connector wants it, within what the operator allows.
    fn lifetime(&self) -> Lifetime {
        let most = self.connector.connection_lifetime;
        let own = self.client().opened().lifetime;
        Lifetime {
            idle: own.idle.map_or(most.idle, |idle| idle.min(most.idle)),
            age: own.age.map_or(most.age, |age| age.min(most.age)),
        }
    }

    fn refresh_every(&self) -> Option<Duration> {
        self.client().opened().lifetime.refresh_every
    }
}

impl Connector {
    pub(super) fn new(
        client: ConnectorClient,
        config: &RouterConfig,
        state: Arc<dyn StateStore>,
        threads: ConnectorThreads,
        watchdog: Arc<Watchdog>,
    ) -> Self {
        let name: Arc<str> = client.name().into();
        let concurrency_limit = ConcurrencyLimit::new(concurrency_limit::Limits {
            running: config.concurrent_calls(&name),
            running_per_share: config.calls_per_connection(&name),
            queued: config.queued_calls as usize,
            queue_timeout: config.queue_timeout,
        });
        let is_in_process = client.is_in_process();
        let limits = circuit_breaker::Limits {
            // The threads of a worker process are its own, and it is replaced.
            timed_out: if is_in_process { config.max_timed_out_calls(&name) } else { usize::MAX },
            timed_out_per_share: config.max_timed_out_calls_per_connection(&name),
            cool_down: if is_in_process { Duration::ZERO } else { COOL_DOWN },
        };
        Connector {
            client: Some(client),
            concurrency_limit,
            circuit_breaker: CircuitBreaker::new(Arc::clone(&name), limits),
            deadline: config.call_deadline(&name),
            connection_lifetime: config.connection_lifetime(&name),
            settings_form: OnceLock::new(),
            failed_tests: FailedTests::default(),
            latency: LatencyEstimates::default(),
            threads,
            watchdog,
            state,
            has_replaced_characters: AtomicBool::new(false),
            name,
        }
    }

    /// Logs, once, that a reply had a NUL character.
    pub(super) fn log_replaced_character(&self, operation: &str, place: &str) {
        if !self.has_replaced_characters.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                connector = %self.name,
                operation,
                "NUL characters are replaced by U+FFFD in replies of the connector: first in {place}"
            );
        }
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn client(&self) -> &ConnectorClient {
        match &self.client {
            Some(client) => client,
            None => unreachable!("the client is taken out only by drop"),
        }
    }

    /// The call deadline: how long a call may take.
    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// The settings that a connection needs, if they were read before: they do not change while a connector runs.
    pub(super) fn known_settings_form(&self) -> Option<Arc<[Field]>> {
        self.settings_form.get().map(Arc::clone)
    }

    /// The settings that a connection needs. Blocks the first time.
    pub(super) fn settings_form(&self) -> Result<Arc<[Field]>, Outcome> {
        if let Some(form) = self.known_settings_form() {
            return Ok(form);
        }
        let form: Arc<[Field]> = self.client().settings_form()?.into();
        Ok(Arc::clone(self.settings_form.get_or_init(|| form)))
    }

    /// Opens a connection. Blocks.
    pub(super) fn open(
        self: &Arc<Self>,
        guid: Guid,
        settings: &Settings,
        in_use: InUse,
    ) -> Result<LiveConnection, Outcome> {
        let client = self.client().connect(settings)?;
        let descriptions = Descriptions::new(client.opened().description_lifetime);
        Ok(LiveConnection {
            guid,
            client: Some(client),
            descriptions,
            connector: Arc::clone(self),
            has_refresh_failed: AtomicBool::new(false),
            in_use: Some(in_use),
        })
    }

    /// Runs a call of the connector, which may block: on a blocking thread; or on an I/O thread, under the watchdog, if its
    /// operation is expected to be quick. A call without an operation, or of a worker process, always runs on a blocking thread.
    ///
    /// The caller may disconnect, and gets an error at the deadline; the call itself cannot be aborted. Its permit of the
    /// concurrency limit is kept until it has really ended: a connection that hangs fills its own share and nothing else.
    pub(super) async fn call<R: Send + 'static>(
        &self,
        place: Place<'_>,
        log_context: LogContext,
        operation: Option<Operation>,
        call: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, CallError> {
        let Place { share, deadline, presence } = place;
        self.circuit_breaker.check(share)?;
        let permit = tokio::select! {
            biased;
            permit = self.concurrency_limit.acquire(share, deadline) => permit?,
            () = presence.left() => return Err(CallError::CallerLeft),
        };
        // It may have opened while the call was in the queue.
        self.circuit_breaker.check(share)?;
        if presence.has_left() {
            return Err(CallError::CallerLeft);
        }
        self.run(permit, place, log_context, operation, call).await
    }

    /// Runs a call that no caller waits for, with the same deadline. Other calls go first: it does not wait for its turn.
    pub(super) async fn call_in_background<R: Send + 'static>(
        &self,
        share: Share,
        log_context: LogContext,
        call: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, CallError> {
        self.circuit_breaker.check(share)?;
        let permit = self.concurrency_limit.try_acquire_in_background(share).ok_or(QueueFull::Connector)?;
        let deadline = Instant::now() + self.deadline;
        let place = Place { share, deadline, presence: &CallerPresence::default() };
        self.run(permit, place, log_context, None, call).await
    }

    /// Runs a call that has its permit.
    async fn run<R: Send + 'static>(
        &self,
        permit: Permit,
        Place { share, deadline, presence }: Place<'_>,
        log_context: LogContext,
        operation: Option<Operation>,
        call: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, CallError> {
        let operation = operation.filter(|_| self.client().is_in_process());
        let estimate = operation.map(|operation| Arc::clone(self.latency.of(operation)));
        let slot =
            estimate.as_ref().filter(|estimate| estimate.is_quick()).and_then(|_| self.watchdog.slot());
        let thread = if slot.is_none() { Some(self.threads.for_call()?) } else { None };
        let (waiting_side, working_side) = self.circuit_breaker.track(share, deadline);
        let watch = self.watch(share, deadline);
        let _cancel = CancelOnDrop(watch.clone());
        presence.cancel_when_left(&watch);
        let watched = watch.clone();
        let call = move || {
            let _until_it_ends = (working_side, thread);
            watched.during(call)
        };
        let call = with_permit(permit, deadline, log_context, call);
        let task = match (slot, estimate) {
            // A task of its own, so that the deadline ends the wait for it.
            (Some(slot), Some(estimate)) => tokio::spawn(async move { slot.run(&estimate, call) }),
            (_, Some(estimate)) => spawn_blocking(move || estimate.measure(call)),
            (_, None) => spawn_blocking(call),
        };
        match timeout_at(deadline, task).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(error)) => {
                tracing::error!(connector = %self.name, %error, "a call panicked inside the host");
                Err(CallError::Panicked)
            }
            Err(_) => {
                waiting_side.time_out();
                Err(CallError::DeadlineExceeded(watch.progress()))
            }
        }
    }

    /// The handle of a call. One of a stored connection has the state of that connection.
    fn watch(&self, share: Share, deadline: Instant) -> CallWatch {
        let deadline = Some(deadline.into_std());
        match share {
            Share::Connection(guid) => CallWatch::of_connection(deadline, guid, Arc::clone(&self.state)),
            Share::SettingsForm | Share::Tests => CallWatch::new(deadline),
        }
    }

    /// Waits until no call runs in the connector.
    pub(super) async fn idle(&self) {
        self.concurrency_limit.wait_until_idle().await;
    }
}

/// Cancels a call that is not waited for any more: it has ended, its deadline has passed, or the host stops. The connector can
/// ask for that.
struct CancelOnDrop(CallWatch);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Ending a connector runs its author's code, which may block.
impl Drop for Connector {
    fn drop(&mut self) {
        let client = self.client.take();
        self.threads.close(move || drop(client));
    }
}

/// A call that keeps its permit until it ends, and sets the log context for what is logged meanwhile.
fn with_permit<R>(
    permit: Permit,
    deadline: Instant,
    log_context: LogContext,
    call: impl FnOnce() -> R,
) -> impl FnOnce() -> R {
    move || {
        let span = log_context.clone();
        log_context.within(|| {
            let result = call();
            let late = Instant::now().saturating_duration_since(deadline);
            if !late.is_zero() {
                let _span = span.span().entered();
                tracing::warn!(seconds = late.as_secs_f64(), "a call ended after its deadline");
            }
            drop(permit);
            result
        })
    }
}

impl From<QueueFull> for CallError {
    fn from(full: QueueFull) -> Self {
        CallError::QueueFull(full)
    }
}

impl From<Exhausted> for CallError {
    fn from(exhausted: Exhausted) -> Self {
        CallError::NoThread(exhausted)
    }
}

impl From<Open> for CallError {
    fn from(open: Open) -> Self {
        CallError::OutOfService(open)
    }
}
