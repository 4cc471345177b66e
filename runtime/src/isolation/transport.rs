//! The transport to a connector in a worker: calls, and connections that are opened again in a new process after a crash.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use plugin_api::Outcome;
use plugin_api::abi::{
    ConnectionTransport, ConnectorTransport, Kind, Message, MessageRef, Operation, ReplyReceiver,
    outcome_message,
};

use super::frame::{Frame, FrameHeader};
use super::process::{CallFailure, ProcessExit, WorkerProcess};
use super::protocol::{self, EMPTY};
use super::worker_handle::{WorkerHandle, error};

/// The pause after a connection could not be opened again; it doubles with each further failure, up to the longest one. An ERP
/// system locks a user out who fails too often.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A connector in a worker. The worker is stopped when this and the last connection were dropped.
pub(super) struct WorkerTransport(Arc<Connector>);

struct Connector {
    name: Arc<str>,
    worker: Arc<WorkerHandle>,
}

/// A connection in a worker. After a crash it is opened again with the same settings in the new process.
struct WorkerConnection {
    connector: Arc<Connector>,
    settings: Message,
    opened: Mutex<Opened>,
}

/// Where a connection is open, or was before its worker ended.
struct Opened {
    at: OpenConnection,
    /// The last failure to open it again.
    failed: Option<FailedOpening>,
}

struct FailedOpening {
    outcome: Message,
    pause: Duration,
    retry_at: Instant,
}

/// Where a connection is open.
#[derive(Clone)]
struct OpenConnection {
    process: Arc<WorkerProcess>,
    /// Its number in that process.
    number: u32,
}

impl WorkerTransport {
    pub(super) fn new(name: Arc<str>, worker: Arc<WorkerHandle>) -> Self {
        WorkerTransport(Arc::new(Connector { name, worker }))
    }
}

impl ConnectorTransport for WorkerTransport {
    fn call(&self, operation: Operation, request: MessageRef<'_>, replies: &mut dyn ReplyReceiver) {
        let replies = &mut CallReplies::new(replies);
        if let Some(process) = self.0.process(replies) {
            let header = FrameHeader::new(protocol::CONNECTOR_CALL).with_detail(operation.0);
            let _ = self.0.call(&process, header, request, replies);
        }
    }

    fn connect(
        &self,
        settings: MessageRef<'_>,
        replies: &mut dyn ReplyReceiver,
    ) -> Option<Box<dyn ConnectionTransport>> {
        let replies = &mut CallReplies::new(replies);
        let process = self.0.process(replies)?;
        let opened = self.0.open(process, settings, replies)?;
        let mut copy = Message::new();
        copy.put_message(settings);
        let connector = Arc::clone(&self.0);
        let opened = Mutex::new(Opened { at: opened, failed: None });
        Some(Box::new(WorkerConnection { connector, settings: copy, opened }))
    }

    fn is_in_process(&self) -> bool {
        false
    }

    fn out_of_service(&self) -> Option<String> {
        self.0.worker.out_of_service()
    }
}

impl ConnectionTransport for WorkerConnection {
    fn call(&self, operation: Operation, request: MessageRef<'_>, replies: &mut dyn ReplyReceiver) {
        let replies = &mut CallReplies::new(replies);
        let Some(OpenConnection { process, number }) = self.opened(replies) else { return };
        let header = FrameHeader::new(protocol::CONNECTION_CALL).with_detail(operation.0).about(number);
        let _ = self.connector.call(&process, header, request, replies);
    }
}

impl WorkerConnection {
    /// Where it is open. The first caller after a crash opens it again, while the others wait. If that fails it is not tried
    /// again for a while.
    fn opened(&self, replies: &mut CallReplies<'_>) -> Option<OpenConnection> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.at.process.is_alive() {
            return Some(opened.at.clone());
        }
        if let Some(failed) = opened.failed.as_ref().filter(|failed| Instant::now() < failed.retry_at) {
            replies.receive(Kind::OUTCOME, failed.outcome.as_ref());
            return None;
        }
        let process = self.connector.process(replies)?;
        // The outcome of opening replaces that of the call if it fails, and is dropped otherwise.
        let mut own = OutcomeCollector::default();
        let settings = self.settings.as_ref();
        if let Some(again) = self.connector.open(process, settings, &mut CallReplies::new(&mut own)) {
            tracing::debug!("the connection is open again, in a new worker process");
            *opened = Opened { at: again.clone(), failed: None };
            return Some(again);
        }
        let outcome = own.outcome.unwrap_or_else(|| {
            let user = format!("the connector '{}' did not open the connection again", self.connector.name);
            outcome_message(&error(user, "its worker process is a new one since it crashed".to_owned()))
        });
        replies.receive(Kind::OUTCOME, outcome.as_ref());
        let pause =
            opened.failed.as_ref().map_or(FIRST_PAUSE, |failed| (failed.pause * 2).min(LONGEST_PAUSE));
        tracing::warn!(
            "the connection could not be opened again in a new worker process; it is tried again in {} seconds",
            pause.as_secs()
        );
        opened.failed = Some(FailedOpening { outcome, pause, retry_at: Instant::now() + pause });
        None
    }
}

impl Drop for WorkerConnection {
    fn drop(&mut self) {
        let OpenConnection { process, number } =
            &self.opened.get_mut().unwrap_or_else(PoisonError::into_inner).at;
        if process.is_alive() {
            let header = FrameHeader::new(protocol::CLOSE).about(*number);
            let limit = self.connector.worker.confinement.call_deadline;
            // If this ends the process, the supervisor logs it.
            let _ = process.call(header, EMPTY, limit, &mut |_| true);
        }
    }
}

impl Connector {
    /// The process that serves; `None` after an outcome that explains why there is none.
    fn process(&self, replies: &mut CallReplies<'_>) -> Option<Arc<WorkerProcess>> {
        self.worker.process(&self.name).map_err(|outcome| replies.end(&outcome)).ok()
    }

    /// Opens a connection; `None` after an outcome that explains the failure.
    fn open(
        &self,
        process: Arc<WorkerProcess>,
        settings: MessageRef<'_>,
        replies: &mut CallReplies<'_>,
    ) -> Option<OpenConnection> {
        let done = self.call(&process, FrameHeader::new(protocol::CONNECT), settings, replies)?;
        (done.connection != 0).then_some(OpenConnection { process, number: done.connection })
    }

    /// Makes a call; `None` after an outcome that says how the process ended.
    fn call(
        &self,
        process: &WorkerProcess,
        header: FrameHeader,
        request: MessageRef<'_>,
        replies: &mut CallReplies<'_>,
    ) -> Option<FrameHeader> {
        let limit = self.worker.confinement.call_deadline;
        let receive =
            &mut |Frame { header, message }: Frame<'_>| replies.receive(Kind(header.detail), message);
        match process.call(header, request, limit, receive) {
            Ok(done) => Some(done),
            Err(CallFailure::NotSent) => {
                let user = format!("the connector '{}' has not got this call", self.name);
                let tech = "it was cancelled before its worker process had read it".to_owned();
                replies.end(&error(user, tech));
                None
            }
            Err(CallFailure::Exit(ProcessExit { description, reference })) => {
                let user =
                    format!("the connector '{}' crashed during this call (reference {reference})", self.name);
                let tech = format!(
                    "its worker process {description}; it is started again, and what this call has changed stays changed"
                );
                replies.end(&error(user, tech));
                None
            }
        }
    }
}

impl Drop for Connector {
    fn drop(&mut self) {
        self.worker.stop();
    }
}

/// The replies to one call, which have exactly one outcome.
struct CallReplies<'r> {
    receiver: &'r mut dyn ReplyReceiver,
    has_outcome: bool,
}

impl<'r> CallReplies<'r> {
    fn new(receiver: &'r mut dyn ReplyReceiver) -> Self {
        CallReplies { receiver, has_outcome: false }
    }

    fn receive(&mut self, kind: Kind, reply: MessageRef<'_>) -> bool {
        self.has_outcome |= kind == Kind::OUTCOME;
        self.receiver.receive(kind, reply)
    }

    /// Ends the call with this outcome, unless it has one.
    fn end(&mut self, outcome: &Outcome) {
        if !self.has_outcome {
            self.receive(Kind::OUTCOME, outcome_message(outcome).as_ref());
        }
    }
}

/// Keeps the outcome of a call, and drops all other replies.
#[derive(Default)]
struct OutcomeCollector {
    outcome: Option<Message>,
}

impl ReplyReceiver for OutcomeCollector {
    fn receive(&mut self, kind: Kind, reply: MessageRef<'_>) -> bool {
        if kind == Kind::OUTCOME {
            let mut outcome = Message::new();
            outcome.put_message(reply);
            self.outcome = Some(outcome);
        }
        true
    }
}
