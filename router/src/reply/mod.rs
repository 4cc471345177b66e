//! Writes replies: whole ones at once, replies with actors row by row as the connector pushes them.

use std::ops::ControlFlow;

use contract::{
    ActorRow, Authentication, Cleaner, Envelope, Fault, Operation, Outcome, Payload, Reply, ReplyWriter,
    SoapVersion, State,
};
use plugin_api::ErrorKind;
use plugin_api::abi::client::INVALID_ANSWER;
use plugin_api::abi::{ActorName, RowRef, new_reference};

use super::convert;
use super::spool::{PeerSpools, Spool, SpooledReply};
use erp_host_spool::SpoolError;

/// A reply as it is sent, and what the log line of its call has of it.
#[derive(Debug)]
pub(super) struct WrittenReply {
    pub(super) body: SpooledReply,
    /// `None` for Authenticate.
    pub(super) state: Option<State>,
    pub(super) rows: u64,
    /// The outcome if its state is Error.
    pub(super) error: Option<Outcome<'static>>,
    /// Where the connector had a NUL character, if it had one.
    pub(super) replaced: Option<String>,
    /// The kind of failure, of an error of the connector.
    pub(super) kind: Option<ErrorKind>,
    /// Why the host refused what was sent, without values.
    pub(super) refused: Option<String>,
    /// The actors of a save that were not saved, or may not have been.
    pub(super) not_saved: Vec<NotSaved>,
}

/// An actor that was not saved, or may not have been, for the log.
#[derive(Debug)]
pub(super) struct NotSaved {
    pub(super) name: ActorName,
    pub(super) reason: NotSavedReason,
}

/// Why an actor was not saved.
#[derive(Debug)]
pub(super) enum NotSavedReason {
    /// The host has refused it, for this reason without values.
    Host(String),
    /// The connector has refused it, or it is unknown. The text may have values of the request.
    Connector(ErrorKind, String),
}

impl WrittenReply {
    fn new(body: SpooledReply, state: Option<State>) -> Self {
        WrittenReply {
            body,
            state,
            rows: 0,
            error: None,
            replaced: None,
            kind: None,
            refused: None,
            not_saved: Vec::new(),
        }
    }
}

/// A reply with an outcome of the connector, without a payload.
pub(super) fn of_connector(
    envelope: &Envelope,
    operation: Operation,
    outcome: &plugin_api::Outcome,
) -> WrittenReply {
    let kind = (outcome.state == State::Error).then_some(outcome.kind);
    WrittenReply { kind, ..self::outcome(envelope, operation, &convert::outcome(outcome)) }
}

/// A reply without a payload, or with a null one.
pub(super) fn outcome(envelope: &Envelope, operation: Operation, outcome: &Outcome<'_>) -> WrittenReply {
    let (mut outcome, mut cleaner) = (outcome.clone(), Cleaner::default());
    cleaner.outcome(&mut outcome);
    let (state, error) = (outcome.state, error_of(&outcome));
    let mut body = Vec::with_capacity(1024);
    contract::write_reply(&mut body, envelope, operation, &Reply::with(outcome, Payload::None));
    let reply = WrittenReply::new(SpooledReply::in_memory(body), Some(state));
    WrittenReply { error, replaced: cleaner.first, ..reply }
}

/// A reply with a payload; `rows` is for the log.
pub(super) fn payload(
    envelope: &Envelope,
    operation: Operation,
    outcome: &Outcome<'_>,
    payload: Payload<'_>,
    rows: usize,
    spools: &PeerSpools,
) -> WrittenReply {
    let (mut outcome, mut payload, mut cleaner) = (outcome.clone(), payload, Cleaner::default());
    cleaner.outcome(&mut outcome);
    cleaner.payload(&mut payload);
    let (state, error, rows) = (outcome.state, error_of(&outcome), rows as u64);
    let mut spool = spools.spool();
    contract::write_reply(spool.buffer(), envelope, operation, &Reply::with(outcome, payload));
    if spool.buffer().len() as u64 > spools.max_reply() {
        return too_large(envelope, operation, rows, spools.max_reply());
    }
    match spool.flush_if_full().and_then(|()| spool.finish(None)) {
        Ok(body) => {
            WrittenReply { rows, error, replaced: cleaner.first, ..WrittenReply::new(body, Some(state)) }
        }
        Err(error) => spool_failed(envelope, operation, &error),
    }
}

/// The reply of Authenticate. Without a token the caller was rejected; the reason is only in the log (contract page,
/// section 6).
pub(super) fn authentication(envelope: &Envelope, token: Option<&str>) -> WrittenReply {
    let reply = Reply::Authentication(match token {
        Some(token) => {
            Authentication { reason: None, signed_application_token: Some(token.into()), succeeded: true }
        }
        None => Authentication {
            reason: Some("Failed to validate authentication request".into()),
            ..Authentication::default()
        },
    });
    let mut body = Vec::with_capacity(1024);
    contract::write_reply(&mut body, envelope, Operation::Authenticate, &reply);
    WrittenReply::new(SpooledReply::in_memory(body), None)
}

/// A fault.
pub(super) fn fault(soap: SoapVersion, fault: &Fault) -> SpooledReply {
    let mut body = Vec::with_capacity(512);
    // It may quote the request.
    let fault = Fault { code: fault.code.clone(), text: contract::clean(&fault.text).into_owned() };
    contract::write_fault(&mut body, soap, &fault);
    SpooledReply::in_memory(body)
}

fn error_of(outcome: &Outcome<'_>) -> Option<Outcome<'static>> {
    let owned = |text: &contract::Text<'_>| text.as_ref().map(|text| text.clone().into_owned().into());
    (outcome.state == State::Error).then(|| Outcome {
        state: State::Error,
        user_explanation: owned(&outcome.user_explanation),
        tech_explanation: owned(&outcome.tech_explanation),
        error_code: owned(&outcome.error_code),
    })
}

/// Writes a reply with actors row by row. In some dialects the outcome is before the rows, and it is known only after them:
/// the reply begins with the head of outcome Ok, which is replaced if the outcome is another one. If the outcome is an error,
/// the caller gets a reply without rows.
pub(super) struct ActorsReplyWriter {
    operation: Operation,
    writer: ReplyWriter,
    /// Bytes of the head.
    head: usize,
    spool: Spool,
    rows: u64,
    bytes: u64,
    max_reply: u64,
    failure: Option<Failure>,
    cleaner: Cleaner,
}

/// Why writing a reply was stopped.
enum Failure {
    Spool(SpoolError),
    /// It is larger than `max_reply`.
    TooLarge,
}

impl ActorsReplyWriter {
    pub(super) fn new(envelope: &Envelope, operation: Operation, spools: &PeerSpools) -> Self {
        let writer = ReplyWriter::new(envelope, operation);
        let (mut spool, max_reply) = (spools.spool(), spools.max_reply());
        writer.head(spool.buffer(), &Outcome::ok());
        let head = spool.buffer().len();
        ActorsReplyWriter {
            operation,
            writer,
            head,
            spool,
            rows: 0,
            bytes: 0,
            max_reply,
            failure: None,
            cleaner: Cleaner::default(),
        }
    }

    /// Writes an actor. `Break` when the reply cannot be kept; then [`finish`](Self::finish) gives the error.
    pub(super) fn push(&mut self, row: &RowRef<'_>) -> ControlFlow<()> {
        let actor = ActorRow {
            actor_type: row.actor_type,
            erp_key: row.key,
            last_modified: row.last_modified,
            parent: row.parent,
        };
        let before = self.spool.buffer().len();
        self.writer.clean_actor(self.spool.buffer(), &actor, || row.fields(), &mut self.cleaner);
        self.rows += 1;
        self.bytes += (self.spool.buffer().len() - before) as u64;
        if self.bytes > self.max_reply {
            self.failure = Some(Failure::TooLarge);
            return ControlFlow::Break(());
        }
        match self.spool.flush_if_full() {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failure = Some(Failure::Spool(error));
                ControlFlow::Break(())
            }
        }
    }

    /// Ends the reply with the connector's outcome.
    pub(super) fn finish(self, outcome: &plugin_api::Outcome) -> WrittenReply {
        let ActorsReplyWriter {
            operation,
            writer,
            head,
            mut spool,
            rows,
            bytes: _,
            max_reply,
            failure,
            mut cleaner,
        } = self;
        let envelope = writer.envelope();
        match failure {
            Some(Failure::Spool(error)) => return spool_failed(envelope, operation, &error),
            Some(Failure::TooLarge) => return too_large(envelope, operation, rows, max_reply),
            None => {}
        }
        if outcome.state == State::Error {
            let reply = of_connector(envelope, operation, outcome);
            return WrittenReply { replaced: cleaner.first.or(reply.replaced), ..reply };
        }
        let mut outcome = convert::outcome(outcome);
        cleaner.outcome(&mut outcome);
        writer.tail(spool.buffer(), &outcome);
        let new_head = (writer.head_depends_on_outcome() && outcome != Outcome::ok()).then(|| {
            let mut new_head = Vec::with_capacity(1024);
            writer.head(&mut new_head, &outcome);
            (head, new_head)
        });
        match spool.finish(new_head) {
            Ok(body) => {
                let reply = WrittenReply::new(body, Some(outcome.state));
                WrittenReply { rows, replaced: cleaner.first, ..reply }
            }
            Err(error) => spool_failed(envelope, operation, &error),
        }
    }
}

/// The reply to a call whose rows exceed the limit of a reply.
fn too_large(envelope: &Envelope, operation: Operation, rows: u64, max_reply: u64) -> WrittenReply {
    let outcome = Outcome::error("there are too many actors to answer with; ask for fewer of them")
        .with_error_code(INVALID_ANSWER)
        .with_tech_explanation(format!(
            "the answer is larger than {max_reply} bytes after {rows} rows; a larger one needs a larger limits.reply"
        ));
    self::outcome(envelope, operation, &outcome)
}

/// The reply to a call whose reply could not be kept until it is sent.
fn spool_failed(envelope: &Envelope, operation: Operation, error: &SpoolError) -> WrittenReply {
    let reference = new_reference();
    tracing::error!(%error, %reference, "a reply cannot be kept in the spool folder (limits.total_reply_spool)");
    // The text of the system may name a path.
    let reason = match error {
        SpoolError::Disk(error) => error.kind().to_string(),
        SpoolError::NoRoom(_) | SpoolError::TooManyFiles => error.to_string(),
    };
    let outcome = Outcome::error("the host has no room for this reply now; try again later, or ask for less")
        .with_tech_explanation(format!("{reason} (reference {reference})"));
    self::outcome(envelope, operation, &outcome)
}

#[cfg(test)]
mod tests;
