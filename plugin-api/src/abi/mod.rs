//! The frozen boundary between the host and a plugin file: handshake, layout check, messages and transports. Connector
//! authors do not need it; the export macro uses it.
//!
//! Everything that crosses is a [`Message`]: one buffer of text, and an array of lengths and numbers. The other side borrows
//! it for the duration of the call. A call is one request message, then any number of reply messages that are pushed into
//! a sink of the caller; the last one is the outcome. The same messages travel to a plugin in a worker process.
//!
//! ```
//! use plugin_api::abi::{ActorCall, ActorOperation, ConnectionRequest};
//!
//! let operation = ActorOperation::ChangedSince { stamp: None };
//! let request = ConnectionRequest::Actors(ActorCall { actor_type: "Customer", fields: None, operation });
//! let message = request.encode();
//! assert_eq!(ConnectionRequest::decode(request.operation(), message.as_ref()), Ok(request));
//! ```
//!
//! Modules, from the bottom up, above the encoding of values and rows in messages:
//!
//! - `requests`, `replies`: what the messages contain; `reply_validation`: the limits that a host enforces on replies;
//! - `save_results`: the results of a save, and the outcome that they make together;
//! - `objects`: the objects with their methods, as they cross the boundary; `version`: the version of all this;
//! - `call`: cancellation, time limit and progress of a call; `logging`: log records and panics of a plugin;
//! - `adapter`: the plugin's side, which catches panics; `handshake`: what the plugin file exports;
//! - `transport`: how a client reaches a plugin, in this process or in another one;
//! - [`client`]: the host's side: loading with the layout check, and calls;
//! - `reference`: the ID of a failure in the answer and in the log.

// The one place of this crate with `unsafe`; every block has its proof.
#![allow(unsafe_code)]

mod adapter;
mod call;
pub mod client;
mod handshake;
mod logging;
mod objects;
mod reference;
mod replies;
mod reply_validation;
mod requests;
mod save_results;
mod transport;
mod version;

pub use call::{CallWatch, current, during};
pub use handshake::{About, HANDSHAKE_SYMBOL, Handshake, Refused, Root};
pub use logging::Record;
pub use reference::new_reference;
pub use replies::{Description, Kind, Opened, outcome_message};
pub use requests::{ActorCall, ActorOperation, ConnectionRequest, ConnectorRequest, Operation, RequestError};
pub use save_results::{ActorName, NotSaved, SaveReport, SaveResult, SaveResults};
pub use transport::{ConnectionTransport, ConnectorTransport, ReplyReceiver};
pub use version::ApiVersion;

pub use crate::caller::Caller;
pub use crate::encoding::{Malformed, Message, MessageRef, Reader, RowRef, RowWriter};
pub use crate::metrics::{Measurement, MetricKind};
pub use crate::rows::RowSink;
pub use crate::saves::SaveSink;
pub use crate::service::Service;
pub use crate::state::{
    LARGEST_STATE_VALUE, MAX_STATE, MAX_STATE_KEY, MAX_STATE_VALUE, STATE_ENTRY_BYTES, StateAccess,
    StateCondition, StateStore, StateWritten, check_state_key,
};

#[cfg(test)]
mod tests;
