//! A call and its reply.

use contract::{Operation, Outcome, Reply, ReplyMessage};

use crate::error::{CallError, CallErrorKind};
use crate::http_message::HttpExchange;

/// A call of the contract that was answered by a reply.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The operation.
    pub operation: Operation,
    /// What was sent and received.
    pub traffic: HttpExchange,
    /// The reply, parsed.
    pub answer: ReplyMessage<'static>,
}

impl Exchange {
    /// The outcome of the call. A reply of Authenticate has no state, so its outcome is made from `Succeeded`.
    pub fn outcome(&self) -> Outcome<'static> {
        match &self.answer.reply {
            Reply::Result { outcome, .. } => outcome.clone(),
            Reply::Authentication(reply) if reply.succeeded => Outcome::ok(),
            Reply::Authentication(reply) => Outcome::error(
                reply.reason.clone().unwrap_or_else(|| "not succeeded, no reason given".into()),
            ),
        }
    }

    /// Turns a reply with State=Error into an error.
    ///
    /// # Errors
    /// The reply has State=Error.
    pub fn succeeded(self) -> Result<Self, CallError> {
        let outcome = self.outcome();
        if outcome.state.is_ok() {
            return Ok(self);
        }
        let kind = CallErrorKind::Refused(Box::new(outcome));
        Err(CallError { operation: self.operation, kind, traffic: Some(Box::new(self.traffic)) })
    }
}
