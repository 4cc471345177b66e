//! Services that the host has for a running call: a number, a request message, and an answer message.
//!
//! An answer begins with a number: 0 before what was asked for, or 1 before the error. New services need no new layout, and
//! new values go to the end of a message.

use crate::encoding::{Message, MessageRef, Reader};
use crate::{Error, ErrorKind, Result};

/// The service that is asked for. It is a number and not an enum, so that later versions can add services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service(pub u32);

/// The numbers of the services; they never change.
impl Service {
    /// Reads an entry of the connection's state.
    pub const STATE_GET: Service = Service(1);
    /// Writes or deletes an entry of the connection's state.
    pub const STATE_SET: Service = Service(2);
    /// Lists the keys of the connection's state.
    pub const STATE_KEYS: Service = Service(3);

    /// The answer of a host that does not have the service.
    pub fn unknown(self) -> Message {
        let tech = format!("the host does not have the service {} of the plugin API", self.0);
        failure(&Error::user("the host is too old for this connector").tech(tech))
    }

    /// The answer for a call that gets none: it has ended, or the host does not answer any more.
    pub fn no_answer(self, why: &str) -> Message {
        let error = Error::user("the host did not answer the connector").tech(why);
        failure(&if self.is_change() { error.of_kind(ErrorKind::UnknownOutcome) } else { error })
    }

    /// Whether it changes something.
    fn is_change(self) -> bool {
        self == Service::STATE_SET
    }
}

const OK: u32 = 0;
const FAILED: u32 = 1;

/// An answer with what `encode` writes.
pub(crate) fn answer(encode: impl FnOnce(&mut Message)) -> Message {
    let mut message = Message::new();
    message.put_number(OK);
    encode(&mut message);
    message
}

/// An answer with an error.
pub(crate) fn failure(error: &Error) -> Message {
    let tech = error.tech_text();
    let mut message = Message::new();
    message.put_number(FAILED);
    message.put_text(error.kind().as_str());
    message.put_text(&error.user_text());
    message.put_optional((!tech.is_empty()).then_some(&tech));
    message
}

/// What an answer contains.
///
/// # Errors
/// Those of the host.
pub(crate) fn read(answer: MessageRef<'_>) -> Result<Reader<'_>> {
    let mut reader = answer.reader();
    if reader.number()? == OK {
        return Ok(reader);
    }
    let (kind, user, tech) = (reader.text()?, reader.text()?, reader.optional()?);
    // A newer host may have more kinds.
    let kind = ErrorKind::ALL.iter().copied().find(|known| known.as_str() == kind).unwrap_or_default();
    let error = Error::new(kind, user);
    Err(match tech {
        Some(tech) => error.tech(tech),
        None => error,
    })
}
