//! A connector as the router calls it: off the I/O threads, within its limits, within a deadline.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use plugin_api::abi::CallWatch;
use plugin_api::abi::client::{ConnectionClient, ConnectorClient};
use plugin_api::{Field, Outcome, Settings};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use super::config::RouterConfig;
use super::gate::{Full, Gate};
use super::overdue::Overdue;
use erp_host_runtime::OnCall;

/// A connector with its limits. Dropping it ends it: once another version is in its place, and the last call in it is
/// over.
pub(super) struct Connector {
    name: Arc<str>,
    /// Taken out only by `drop`.
    client: Option<ConnectorClient>,
    gate: Gate,
    overdue: Arc<Overdue>,
    deadline: Duration,
    form: OnceLock<Arc<[Field]>>,
}

/// Why work in a connector gave no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Interrupted {
    /// It was not begun: too much is running.
    Full,
    /// It has not ended by its deadline, and goes on. What it has said last that it does.
    Late(Option<String>),
    /// It was not begun: so many others have not come back in time.
    OutOfService(usize),
    /// It panicked on our side of the boundary.
    Panicked,
}

/// An open connection. Dropping it closes it.
pub(super) struct Open {
    pub(super) client: ConnectionClient,
    pub(super) connector: Arc<Connector>,
}

impl Connector {
    pub(super) fn new(client: ConnectorClient, config: &RouterConfig) -> Self {
        let name: Arc<str> = client.name().into();
        let (running, waiting) = (config.concurrent_calls(&name), config.queued_calls as usize);
        let gate = Gate::new(running, waiting, config.queue_timeout);
        let deadline = config.call_deadline(&name);
        let overdue = Overdue::new(Arc::clone(&name), config.max_timed_out_calls(&name));
        Connector { name, client: Some(client), gate, overdue, deadline, form: OnceLock::new() }
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

    /// How long a call may take.
    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// The settings that a connection needs. Read once: what a connector offers does not change while it runs.
    pub(super) fn settings_form(&self) -> Result<Arc<[Field]>, Outcome> {
        if let Some(form) = self.form.get() {
            return Ok(Arc::clone(form));
        }
        let form: Arc<[Field]> = self.client().settings_form()?.into();
        Ok(Arc::clone(self.form.get_or_init(|| form)))
    }

    /// Opens a connection. Blocks.
    pub(super) fn open(self: &Arc<Self>, settings: &Settings) -> Result<Open, Outcome> {
        Ok(Open { client: self.client().connect(settings)?, connector: Arc::clone(self) })
    }

    /// Works with the connector, which may block, on a thread of its own. The permit of the gate is kept until the work has
    /// really ended, be it long after its deadline: a connector that hangs fills its own gate and nothing else.
    pub(super) async fn work<R: Send + 'static>(
        &self,
        call: OnCall,
        deadline: Instant,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Interrupted> {
        if let Some(late) = self.overdue.too_many() {
            return Err(Interrupted::OutOfService(late));
        }
        let permit = self.gate.enter(deadline).await?;
        let (waits, does) = self.overdue.call(deadline);
        let watch = CallWatch::new(Some(deadline.into_std()));
        let _waiting = Waiting(watch.clone());
        let watched = watch.clone();
        let work = move || {
            let _does = does;
            watched.during(work)
        };
        let work = inside(permit, deadline, call, work);
        match timeout_at(deadline, spawn_blocking(work)).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(error)) => {
                tracing::error!(connector = %self.name, %error, "a call panicked inside the host");
                Err(Interrupted::Panicked)
            }
            Err(_) => {
                waits.late();
                Err(Interrupted::Late(watch.progress()))
            }
        }
    }

    /// Waits until nothing runs in the connector.
    pub(super) async fn idle(&self) {
        self.gate.empty().await;
    }
}

/// Somebody waits for a call. Dropped when it is over, its deadline has passed or its caller has gone: then the connector
/// is told that nobody waits any more.
struct Waiting(CallWatch);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// What ends a connector is its author's code: whoever lets go of it last, it ends away from the I/O threads.
impl Drop for Connector {
    fn drop(&mut self) {
        let client = self.client.take();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(move || drop(client));
        }
    }
}

/// Work that keeps its permit, and tells whose call it is to whatever is logged.
fn inside<R>(
    permit: OwnedSemaphorePermit,
    deadline: Instant,
    call: OnCall,
    work: impl FnOnce() -> R,
) -> impl FnOnce() -> R {
    move || {
        let span = call.clone();
        call.within(|| {
            let result = work();
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

impl From<Full> for Interrupted {
    fn from(_: Full) -> Self {
        Interrupted::Full
    }
}
