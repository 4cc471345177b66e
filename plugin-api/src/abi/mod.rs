//! The frozen boundary between the host and a plugin file. Authors need nothing of it; the export macro does.
//!
//! Everything that crosses is a [`Message`]: one run of text and the lengths that cut it, borrowed by the other side
//! for as long as the call lasts. A call is one request message, then any number of reply messages pushed into a sink
//! of the caller's, the last of which is the outcome. The same messages travel to a plugin in a process of its own.
//!
//! Bottom up: `message` and `row` are the form, `requests` and `replies` the content, `objects` the way across,
//! `handshake` what is read before it, `adapter` and `logging` the plugin's side, [`client`] the host's, which reaches the
//! plugin over a `transport`.

// The one place of this crate with `unsafe`; every block has its proof.
#![allow(unsafe_code)]

mod adapter;
mod call;
pub mod client;
mod handshake;
mod logging;
mod message;
mod objects;
mod reference;
mod replies;
mod requests;
mod row;
mod transport;
mod validity;

pub use call::{CallWatch, during, on_cancel};
pub use handshake::{About, ApiVersion, HANDSHAKE_SYMBOL, Handshake, Refused, Root};
pub use logging::Record;
pub use message::{Malformed, Message, MessageRef, Reader};
pub use reference::new_reference;
pub use replies::{Description, Kind, outcome_message};
pub use requests::{ActorCall, ActorOperation, ConnectionRequest, ConnectorRequest, Operation, RequestError};
pub use row::{RowRef, RowWriter};
pub use transport::{ConnectionTransport, ConnectorTransport, ReplyReceiver};

pub use crate::call::Caller;

#[cfg(test)]
mod tests;
