//! The host's side of a running call, as the context of the connector reaches it.

use std::time::Duration;

use crate::encoding::{Message, MessageRef};
use crate::service::Service;

/// The host's side of a call, wherever it is.
pub trait Caller: Send + Sync {
    /// Whether the call was cancelled.
    fn is_cancelled(&self) -> bool;

    /// The time until the deadline; `None` when there is none.
    fn time_left(&self) -> Option<Duration>;

    /// Takes a text about what is being done.
    fn progress(&self, text: &str);

    /// Runs a callback when the call is cancelled, at once if it is already.
    fn on_cancel(&self, callback: Box<dyn FnOnce() + Send>);

    /// Asks the host for a service for the connection of the call. Blocks until the answer is there
    /// (`service`); of several threads one asks after the other.
    fn ask(&self, service: Service, request: MessageRef<'_>) -> Message;
}
