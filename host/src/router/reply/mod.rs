//! Replies on their way out.

use std::io;
use std::ops::ControlFlow;

use contract::{
    ActorRow, Authentication, Envelope, Fault, Operation, Outcome, Payload, Reply, ReplyWriter, SoapVersion,
    State,
};
use plugin_api::abi::RowRef;
use plugin_api::abi::client::INVALID_ANSWER;

use super::convert;
use super::spool::{Spool, SpoolFolder, Spooled};

/// A reply, and what the log tells of it.
#[derive(Debug)]
pub(super) struct Replied {
    pub(super) body: Spooled,
    /// `None` for Authenticate.
    pub(super) state: Option<State>,
    pub(super) rows: u64,
    /// What went wrong, when the state is Error.
    pub(super) error: Option<Outcome<'static>>,
}

/// A reply without a payload, or with a null one.
pub(super) fn outcome(envelope: &Envelope, operation: Operation, outcome: &Outcome<'_>) -> Replied {
    payload(envelope, operation, outcome, Payload::None, 0)
}

/// A reply with a payload of so many rows.
pub(super) fn payload(
    envelope: &Envelope,
    operation: Operation,
    outcome: &Outcome<'_>,
    payload: Payload<'_>,
    rows: usize,
) -> Replied {
    let mut body = Vec::with_capacity(1024);
    let (state, error) = (outcome.state, error_of(outcome));
    contract::write_reply(&mut body, envelope, operation, &Reply::with(outcome.clone(), payload));
    Replied { body: Spooled::in_memory(body), state: Some(state), rows: rows as u64, error }
}

/// The reply of Authenticate; without an answer the caller was refused, and is not told why (contract page, section 6).
pub(super) fn authentication(envelope: &Envelope, answer: Option<&str>) -> Replied {
    let reply = Reply::Authentication(match answer {
        Some(answer) => {
            Authentication { reason: None, signed_application_token: Some(answer.into()), succeeded: true }
        }
        None => Authentication {
            reason: Some("Failed to validate authentication request".into()),
            ..Authentication::default()
        },
    });
    let mut body = Vec::with_capacity(1024);
    contract::write_reply(&mut body, envelope, Operation::Authenticate, &reply);
    Replied { body: Spooled::in_memory(body), state: None, rows: 0, error: None }
}

/// A fault.
pub(super) fn fault(soap: SoapVersion, fault: &Fault) -> Spooled {
    let mut body = Vec::with_capacity(512);
    contract::write_fault(&mut body, soap, fault);
    Spooled::in_memory(body)
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

/// A reply with actors, written as they come. How the call ended is known last and may stand first: it begins as if it had
/// ended well, and another head takes the place of that one if need be. When it ended badly, none of it is sent.
pub(super) struct ActorsReply<'e> {
    envelope: &'e Envelope,
    operation: Operation,
    writer: ReplyWriter,
    /// Bytes of the head.
    head: usize,
    spool: Spool<'e>,
    rows: u64,
    bytes: u64,
    most: u64,
    broken: Option<Broken>,
}

/// Why a reply is broken off.
enum Broken {
    Disk(io::Error),
    /// It is larger than replies may be.
    TooLarge,
}

impl<'e> ActorsReply<'e> {
    pub(super) fn new(envelope: &'e Envelope, operation: Operation, folder: &'e SpoolFolder) -> Self {
        let writer = ReplyWriter::new(envelope, operation);
        let (mut spool, most) = (folder.spool(), folder.most);
        writer.head(spool.buffer(), &Outcome::ok());
        let head = spool.buffer().len();
        ActorsReply { envelope, operation, writer, head, spool, rows: 0, bytes: 0, most, broken: None }
    }

    /// Writes an actor. Breaks off when it cannot be kept.
    pub(super) fn push(&mut self, row: &RowRef<'_>) -> ControlFlow<()> {
        let actor = ActorRow {
            actor_type: row.actor_type,
            erp_key: row.key,
            last_modified: row.last_modified,
            parent: row.parent,
        };
        let before = self.spool.buffer().len();
        self.writer.actor(self.spool.buffer(), &actor, row.fields());
        self.rows += 1;
        self.bytes += (self.spool.buffer().len() - before) as u64;
        if self.bytes > self.most {
            self.broken = Some(Broken::TooLarge);
            return ControlFlow::Break(());
        }
        match self.spool.settle() {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.broken = Some(Broken::Disk(error));
                ControlFlow::Break(())
            }
        }
    }

    /// Ends the reply with what the connector said.
    pub(super) fn finish(self, ended: &plugin_api::Outcome) -> Replied {
        let ActorsReply { envelope, operation, writer, head, mut spool, rows, bytes: _, most, broken } = self;
        match broken {
            Some(Broken::Disk(error)) => return not_kept(envelope, operation, &error),
            Some(Broken::TooLarge) => return too_large(envelope, operation, rows, most),
            None => {}
        }
        let ended = convert::outcome(ended);
        if ended.state == State::Error {
            return outcome(envelope, operation, &ended);
        }
        writer.tail(spool.buffer(), &ended);
        let another_head = (writer.head_depends_on_outcome() && ended != Outcome::ok()).then(|| {
            let mut another = Vec::with_capacity(1024);
            writer.head(&mut another, &ended);
            (head, another)
        });
        match spool.finish(another_head) {
            Ok(body) => Replied { body, state: Some(ended.state), rows, error: None },
            Err(error) => not_kept(envelope, operation, &error),
        }
    }
}

/// The reply when the connector does not come to an end.
fn too_large(envelope: &Envelope, operation: Operation, rows: u64, most: u64) -> Replied {
    let outcome = Outcome::error("there are too many actors to answer with; ask for fewer of them")
        .with_error_code(INVALID_ANSWER)
        .with_tech_explanation(format!(
            "the answer is larger than {most} bytes after {rows} rows; a larger one needs a larger limits.reply"
        ));
    self::outcome(envelope, operation, &outcome)
}

/// The reply when the disk gives out.
fn not_kept(envelope: &Envelope, operation: Operation, error: &io::Error) -> Replied {
    tracing::error!(%error, "a reply cannot be kept in the spool folder; is the disk full?");
    let outcome = Outcome::error("the host has no room for this reply, see its log")
        .with_tech_explanation(error.to_string());
    self::outcome(envelope, operation, &outcome)
}

#[cfg(test)]
mod tests;
