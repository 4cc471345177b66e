//! The way from a client to a connector in a worker.

use std::sync::{Arc, Mutex, PoisonError};

use plugin_api::Outcome;
use plugin_api::abi::{
    ConnectionLink, ConnectorLink, Kind, Message, MessageRef, Operation, TakeReply, outcome_message,
};

use super::frame::{Frame, Head};
use super::keeper::{Place, error};
use super::process::{Ended, Process};
use super::protocol::{self, NOTHING};

/// A connector in a worker. Dropping it ends the worker.
pub(super) struct IsolatedConnector(Arc<Connector>);

struct Connector {
    name: Arc<str>,
    place: Arc<Place>,
}

/// A connection in a worker; in another worker, opened again with its settings, when that one has gone.
struct IsolatedConnection {
    connector: Arc<Connector>,
    settings: Message,
    opened: Mutex<Opened>,
}

#[derive(Clone)]
struct Opened {
    process: Arc<Process>,
    /// Its number there.
    number: u32,
}

impl IsolatedConnector {
    pub(super) fn new(name: Arc<str>, place: Arc<Place>) -> Self {
        IsolatedConnector(Arc::new(Connector { name, place }))
    }
}

impl ConnectorLink for IsolatedConnector {
    fn call(&self, operation: Operation, request: MessageRef<'_>, replies: &mut dyn TakeReply) {
        let replies = &mut Taking::new(replies);
        match self.0.place.process(&self.0.name) {
            Ok(process) => {
                let head = Head::new(protocol::CONNECTOR_CALL).with_detail(operation.0);
                let _ = self.0.call(&process, head, request, replies);
            }
            Err(outcome) => replies.end(&outcome),
        }
    }

    fn connect(
        &self,
        settings: MessageRef<'_>,
        replies: &mut dyn TakeReply,
    ) -> Option<Box<dyn ConnectionLink>> {
        let opened = self.0.open(settings, &mut Taking::new(replies))?;
        let mut kept = Message::new();
        kept.put_message(settings);
        let connector = Arc::clone(&self.0);
        Some(Box::new(IsolatedConnection { connector, settings: kept, opened: Mutex::new(opened) }))
    }

    fn trouble(&self) -> Option<String> {
        self.0.place.trouble()
    }
}

impl ConnectionLink for IsolatedConnection {
    fn call(&self, operation: Operation, request: MessageRef<'_>, replies: &mut dyn TakeReply) {
        let replies = &mut Taking::new(replies);
        let Some(Opened { process, number }) = self.opened(replies) else { return };
        let head = Head::new(protocol::CONNECTION_CALL).with_detail(operation.0).about(number);
        let _ = self.connector.call(&process, head, request, replies);
    }
}

impl IsolatedConnection {
    /// Where it is open; opened again if need be, by one caller while the others wait.
    fn opened(&self, replies: &mut Taking<'_>) -> Option<Opened> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if !opened.process.is_alive() {
            // Its own outcome is for nobody, unless it fails: then the call has failed with it.
            let mut collected = Collected::default();
            let again = self.connector.open(self.settings.as_ref(), &mut Taking::new(&mut collected));
            let Some(again) = again else {
                match collected.outcome {
                    Some(outcome) => replies.pass(Kind::OUTCOME, outcome.as_ref()),
                    None => {
                        let why = format!(
                            "the connector '{}' did not open the connection again",
                            self.connector.name
                        );
                        replies
                            .end(&error(why, "its worker process is a new one since it crashed".to_owned()));
                        true
                    }
                };
                return None;
            };
            tracing::debug!("the connection is open again, in a new worker process");
            *opened = again;
        }
        Some(opened.clone())
    }
}

impl Drop for IsolatedConnection {
    fn drop(&mut self) {
        let Opened { process, number } = self.opened.get_mut().unwrap_or_else(PoisonError::into_inner);
        if process.is_alive() {
            let head = Head::new(protocol::CLOSE).about(*number);
            let limit = self.connector.place.confinement.call_deadline;
            // If that ends the process, whoever keeps it says so.
            let _ = process.call(head, NOTHING, limit, &mut |_| true);
        }
    }
}

impl Connector {
    /// Opens a connection; `None` after an outcome that says why not.
    fn open(&self, settings: MessageRef<'_>, replies: &mut Taking<'_>) -> Option<Opened> {
        let process = match self.place.process(&self.name) {
            Ok(process) => process,
            Err(outcome) => {
                replies.end(&outcome);
                return None;
            }
        };
        let done = self.call(&process, Head::new(protocol::CONNECT), settings, replies)?;
        (done.connection != 0).then_some(Opened { process, number: done.connection })
    }

    /// Makes a call; `None` after an outcome that says how the process ended.
    fn call(
        &self,
        process: &Process,
        head: Head,
        request: MessageRef<'_>,
        replies: &mut Taking<'_>,
    ) -> Option<Head> {
        let limit = self.place.confinement.call_deadline;
        let take = &mut |Frame { head, message }: Frame<'_>| replies.pass(Kind(head.detail), message);
        match process.call(head, request, limit, take) {
            Ok(done) => Some(done),
            Err(Ended { how, reference }) => {
                let why =
                    format!("the connector '{}' crashed during this call (reference {reference})", self.name);
                let tech = format!(
                    "its worker process {how}; it is started again, and what this call has changed stays changed"
                );
                replies.end(&error(why, tech));
                None
            }
        }
    }
}

/// Ends the worker, once the last connection is closed, too.
impl Drop for Connector {
    fn drop(&mut self) {
        self.place.give_up();
    }
}

/// Replies on their way to the caller, among which there is one outcome.
struct Taking<'r> {
    replies: &'r mut dyn TakeReply,
    has_ended: bool,
}

impl<'r> Taking<'r> {
    fn new(replies: &'r mut dyn TakeReply) -> Self {
        Taking { replies, has_ended: false }
    }

    fn pass(&mut self, kind: Kind, reply: MessageRef<'_>) -> bool {
        self.has_ended |= kind == Kind::OUTCOME;
        self.replies.take_reply(kind, reply)
    }

    fn end(&mut self, outcome: &Outcome) {
        if !self.has_ended {
            self.pass(Kind::OUTCOME, outcome_message(outcome).as_ref());
        }
    }
}

/// The outcome of a call that nobody made.
#[derive(Default)]
struct Collected {
    outcome: Option<Message>,
}

impl TakeReply for Collected {
    fn take_reply(&mut self, kind: Kind, reply: MessageRef<'_>) -> bool {
        if kind == Kind::OUTCOME {
            let mut outcome = Message::new();
            outcome.put_message(reply);
            self.outcome = Some(outcome);
        }
        true
    }
}
