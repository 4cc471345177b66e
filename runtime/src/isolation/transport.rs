//! The transport to a connector in a worker: calls, and connections that are opened again in a new process when theirs has ended
//! or is retired, or when a call of theirs was given up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use plugin_api::abi::{
    ConnectionTransport, ConnectorTransport, Kind, Message, MessageRef, Operation, ReplyReceiver,
    outcome_message,
};
use plugin_api::{ErrorKind, Outcome};
use tracing::Span;

use super::deadline_breaker::DeadlineBreaker;
use super::frame::{Frame, FrameHeader};
use super::process::{CallFailure, ExitCause, ProcessExit, ProcessInUse, WorkerProcess};
use super::protocol::{self, EMPTY};
use super::worker_handle::{WorkerHandle, error};
use crate::log_context::LogContext;

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

/// A connection in a worker. It is opened again with the same settings in a new process.
struct WorkerConnection {
    connector: Arc<Connector>,
    settings: Message,
    opened: Mutex<Opened>,
    breaker: Mutex<DeadlineBreaker>,
    is_closed: AtomicBool,
}

/// Where a connection is open, or was before its worker ended.
struct Opened {
    at: Arc<OpenConnection>,
    /// The last failure to open it again.
    failed: Option<FailedOpening>,
}

struct FailedOpening {
    outcome: Message,
    pause: Duration,
    retry_at: Instant,
}

/// Where a connection is open.
struct OpenConnection {
    process: Arc<WorkerProcess>,
    /// Its number in that process.
    number: u32,
    /// A call of it was given up: it is not used again.
    is_given_up: AtomicBool,
}

/// A call got no answer; the caller has an outcome that explains it.
enum NoAnswer {
    /// It was given up after its deadline.
    GivenUp,
    Failed,
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
        let opened = self.0.open(&process, settings, replies).ok()?;
        let mut copy = Message::new();
        copy.put_message(settings);
        let connector = Arc::clone(&self.0);
        let opened = Mutex::new(Opened { at: Arc::new(opened), failed: None });
        let breaker = Mutex::default();
        let is_closed = AtomicBool::new(false);
        Some(Box::new(WorkerConnection { connector, settings: copy, opened, breaker, is_closed }))
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
        let Some((process, open)) = self.opened(replies) else { return };
        let header = FrameHeader::new(protocol::CONNECTION_CALL).with_detail(operation.0).about(open.number);
        if let Err(NoAnswer::GivenUp) = self.connector.call(&process, header, request, replies) {
            open.is_given_up.store(true, Ordering::Release);
            self.record_given_up(&process);
        }
    }

    /// Where it is open. A process that has crashed has nothing to close, and one that is retired closes it at its end.
    fn close(&self, replies: &mut dyn ReplyReceiver) {
        let replies = &mut CallReplies::new(replies);
        self.is_closed.store(true, Ordering::Release);
        let open = Arc::clone(&self.opened.lock().unwrap_or_else(PoisonError::into_inner).at);
        if let Some(process) = open.process.enter() {
            let header = FrameHeader::new(protocol::CLOSE).about(open.number);
            let _ = self.connector.call(&process, header, EMPTY, replies);
        }
        // It was closed before, with the process that it was open in.
        replies.end(&Outcome::ok());
    }
}

impl WorkerConnection {
    /// Where it is open, in a process that takes its next call. The first caller after the end of its process opens it again,
    /// while the others wait. If that fails it is not tried again for a while.
    fn opened(&self, replies: &mut CallReplies<'_>) -> Option<(ProcessInUse, Arc<OpenConnection>)> {
        if let Some(left) = self.breaker().time_left(Instant::now()) {
            replies.end(&out_of_service(&self.connector.name, left));
            return None;
        }
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if !opened.at.is_given_up.load(Ordering::Acquire)
            && let Some(process) = opened.at.process.enter()
        {
            return Some((process, Arc::clone(&opened.at)));
        }
        if let Some(failed) = opened.failed.as_ref().filter(|failed| Instant::now() < failed.retry_at) {
            replies.receive(Kind::OUTCOME, failed.outcome.as_ref());
            return None;
        }
        let process = self.connector.process(replies)?;
        // The outcome of opening replaces that of the call if it fails, and is dropped otherwise.
        let mut own = OutcomeCollector::default();
        let settings = self.settings.as_ref();
        match self.connector.open(&process, settings, &mut CallReplies::new(&mut own)) {
            Ok(again) => {
                tracing::debug!("the connection is open again, in a new worker process");
                let again = Arc::new(again);
                *opened = Opened { at: Arc::clone(&again), failed: None };
                return Some((process, again));
            }
            Err(NoAnswer::GivenUp) => self.record_given_up(&process),
            Err(NoAnswer::Failed) => {}
        }
        let outcome = own.outcome.unwrap_or_else(|| {
            let user = format!("the connector '{}' did not open the connection again", self.connector.name);
            outcome_message(&error(user, "its worker process is a new one".to_owned()))
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

    /// Counts a call, or an opening, that was given up in this process.
    fn record_given_up(&self, process: &WorkerProcess) {
        if let Some(pause) = self.breaker().record(process.id(), Instant::now()) {
            let _span = self.connector.span().entered();
            tracing::error!(
                seconds = pause.as_secs_f64(),
                "the connection is out of service: its calls have not come back in worker after worker; check whether its ERP \
                 system answers"
            );
        }
    }

    fn breaker(&self) -> MutexGuard<'_, DeadlineBreaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The outcome of a call whose connection is out of service.
fn out_of_service(connector: &str, left: Duration) -> Outcome {
    let connection = match LogContext::current().and_then(|call| call.connection) {
        Some(guid) => format!("the connection {guid}"),
        None => format!("this connection of the connector '{connector}'"),
    };
    let seconds = left.as_secs() + 1;
    let user = format!(
        "{connection} is out of service, because its calls do not come back; check whether its ERP system answers"
    );
    let tech = format!(
        "its calls were over their deadlines in one worker process after the other; it is tried again in {seconds} seconds, or \
         at once when its settings are saved"
    );
    error(user, tech)
}

impl Drop for WorkerConnection {
    fn drop(&mut self) {
        if !*self.is_closed.get_mut() {
            self.close(&mut Unwanted);
        }
    }
}

impl Connector {
    /// The process that serves; `None` after an outcome that explains why there is none.
    fn process(&self, replies: &mut CallReplies<'_>) -> Option<ProcessInUse> {
        self.worker.process(&self.name).map_err(|outcome| replies.end(&outcome)).ok()
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// It is not open, and the caller has an outcome that says why.
    fn open(
        &self,
        process: &Arc<WorkerProcess>,
        settings: MessageRef<'_>,
        replies: &mut CallReplies<'_>,
    ) -> Result<OpenConnection, NoAnswer> {
        let done = self.call(process, FrameHeader::new(protocol::CONNECT), settings, replies)?;
        match done.connection {
            0 => Err(NoAnswer::Failed),
            number => Ok(OpenConnection {
                process: Arc::clone(process),
                number,
                is_given_up: AtomicBool::new(false),
            }),
        }
    }

    /// The span of the call that this thread works on, or of the connector.
    fn span(&self) -> Span {
        match LogContext::current() {
            Some(call) => call.span(),
            None => tracing::error_span!("connector", connector = %self.name),
        }
    }

    /// Makes a call. One that is over its deadline has its process replaced.
    ///
    /// # Errors
    /// There is no answer, and the caller has an outcome that says why.
    fn call(
        &self,
        process: &WorkerProcess,
        header: FrameHeader,
        request: MessageRef<'_>,
        replies: &mut CallReplies<'_>,
    ) -> Result<FrameHeader, NoAnswer> {
        let limit = self.worker.confinement.call_deadline;
        // What a change has done before it ended is unknown.
        let failed = |user: String, tech: String| {
            let mut outcome = error(user, tech);
            if header.changes_something() {
                outcome.kind = ErrorKind::UnknownOutcome;
            }
            outcome
        };
        let receive =
            &mut |Frame { header, message }: Frame<'_>| replies.receive(Kind(header.detail), message);
        let (user, tech) = match process.call(header, request, limit, receive) {
            Ok(done) => return Ok(done),
            Err(CallFailure::NotSent) => {
                let user = format!("the connector '{}' has not got this call", self.name);
                replies
                    .end(&error(user, "it was cancelled before its worker process had read it".to_owned()));
                return Err(NoAnswer::Failed);
            }
            Err(CallFailure::GivenUp) => {
                process.ask_for_replacement();
                let _span = self.span().entered();
                tracing::warn!(
                    pid = process.id(),
                    "a call is over its deadline in a worker process: its connection is closed, and the worker is replaced"
                );
                let user = format!("the connector '{}' did not answer in time", self.name);
                let tech = "its connection is opened again with its next call; what this call changes may still happen";
                replies.end(&failed(user, tech.to_owned()));
                return Err(NoAnswer::GivenUp);
            }
            Err(CallFailure::Exit(ProcessExit { description, reference, cause: ExitCause::Crash })) => (
                format!("the connector '{}' crashed during this call (reference {reference})", self.name),
                format!(
                    "its worker process {description}; it is started again, and what this call has changed stays changed"
                ),
            ),
            Err(CallFailure::Exit(ProcessExit { description, reference, .. })) => (
                format!(
                    "this call of the connector '{}' was ended before its deadline (reference {reference})",
                    self.name
                ),
                format!("its worker process {description}; what this call has changed stays changed"),
            ),
        };
        replies.end(&failed(user, tech));
        Err(NoAnswer::Failed)
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

/// Drops all replies.
pub(super) struct Unwanted;

impl ReplyReceiver for Unwanted {
    fn receive(&mut self, _: Kind, _: MessageRef<'_>) -> bool {
        true
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
