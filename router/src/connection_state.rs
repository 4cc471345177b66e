//! The state of connections, as connectors reach it: they block, and the store does not.

use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::{io, thread};

use plugin_api::abi::{StateAccess, StateCondition, StateStore, StateWritten};
use plugin_api::{Error, ErrorKind, Result, StateEntry};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use zeroize::Zeroizing;

use erp_host_store::{ConnectionRepository, StoreError};

/// Work with the store.
type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The state of connections in the store. The work is done by a thread of its own, which starts with the first access: a call may run
/// on an I/O thread, and a task that it spawned there would wait until the call has ended.
pub(super) struct StoredState {
    repository: ConnectionRepository,
    /// `None`: the thread could not be started.
    jobs: OnceLock<Option<UnboundedSender<Job>>>,
}

impl StoredState {
    pub(super) fn new(repository: ConnectionRepository) -> Self {
        StoredState { repository, jobs: OnceLock::new() }
    }

    /// Has the thread do this, and waits for it. `lost` is the kind of error if there is no result in time.
    fn wait_for<R: Send + 'static>(
        &self,
        access: StateAccess,
        lost: ErrorKind,
        work: impl Future<Output = Result<R, StoreError>> + Send + 'static,
    ) -> Result<R> {
        let (done, result) = mpsc::sync_channel(1);
        let job = Box::pin(async move {
            let _ = done.send(work.await);
        });
        let jobs = self.jobs.get_or_init(|| start().map_err(|error| tracing::error!("{error}")).ok());
        if jobs.as_ref().is_none_or(|jobs| jobs.send(job).is_err()) {
            return Err(failed("the host has no thread for it"));
        }
        match result.recv_timeout(access.within) {
            Ok(result) => result.map_err(|error| {
                tracing::warn!(connection = %access.connection, "the state of a connection: {error}");
                let kind = match error {
                    StoreError::NotStored { .. } => ErrorKind::NotFound,
                    _ => ErrorKind::Failed,
                };
                failed(&error.without_paths()).of_kind(kind)
            }),
            Err(RecvTimeoutError::Timeout) => {
                let seconds = access.within.as_secs_f32();
                tracing::warn!(connection = %access.connection, seconds, "the store was too slow for the state of a connection");
                let tech = format!("the connection store has not answered within {seconds:.1} seconds");
                Err(failed(&tech).of_kind(lost))
            }
            Err(RecvTimeoutError::Disconnected) => Err(failed("the host is stopping").of_kind(lost)),
        }
    }
}

fn failed(tech: &str) -> Error {
    Error::user("the connector cannot keep its state").tech(tech)
}

/// Starts the thread. It ends when the sender is dropped.
fn start() -> io::Result<UnboundedSender<Job>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (jobs, mut to_do) = unbounded_channel::<Job>();
    thread::Builder::new().name("state".to_owned()).spawn(move || {
        runtime.block_on(async {
            while let Some(job) = to_do.recv().await {
                tokio::spawn(job);
            }
        });
    })?;
    Ok(jobs)
}

impl StateStore for StoredState {
    fn get(&self, access: StateAccess, key: &str) -> Result<Option<StateEntry>> {
        let (repository, key) = (self.repository.clone(), key.to_owned());
        self.wait_for(
            access,
            ErrorKind::Failed,
            async move { repository.state(access.connection, &key).await },
        )
    }

    fn set(
        &self,
        access: StateAccess,
        key: &str,
        value: Option<&str>,
        condition: StateCondition,
    ) -> Result<StateWritten> {
        let (repository, key) = (self.repository.clone(), key.to_owned());
        let value = value.map(|value| Zeroizing::new(value.to_owned()));
        self.wait_for(access, ErrorKind::UnknownOutcome, async move {
            let value = value.as_ref().map(|value| value.as_str());
            repository.set_state(access.connection, &key, value, condition).await
        })
    }

    fn keys(&self, access: StateAccess, prefix: &str) -> Result<Vec<String>> {
        let (repository, prefix) = (self.repository.clone(), prefix.to_owned());
        self.wait_for(access, ErrorKind::Failed, async move {
            repository.state_keys(access.connection, &prefix).await
        })
    }
}
