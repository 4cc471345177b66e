//! The log context of a thread: the call that it works on. Whatever a connector logs meanwhile gets these fields.
//!
//! A span for each call would do the same, and cost a tenth of a small call. Most calls log nothing, so the span is made
//! when the first record needs it.

use std::cell::RefCell;
use std::sync::Arc;

use tracing::{Span, field};
use values::Guid;

thread_local! {
    static CURRENT: RefCell<Option<LogContext>> = const { RefCell::new(None) };
}

/// The fields that identify a call in the log.
#[derive(Debug, Clone)]
pub struct LogContext {
    /// The operation's name.
    pub operation: &'static str,
    /// The connector's name, once it is found.
    pub connector: Option<Arc<str>>,
    /// The connection that the call names, once it is read.
    pub connection: Option<Guid>,
}

impl LogContext {
    /// The context of this thread.
    pub fn current() -> Option<LogContext> {
        CURRENT.with_borrow(Option::clone)
    }

    /// Does the work with this context set for its thread.
    pub fn within<R>(self, work: impl FnOnce() -> R) -> R {
        let _restore = Restore(CURRENT.replace(Some(self)));
        work()
    }

    /// The context as a span, of the highest level: so that it is enabled for whatever a connector logs.
    pub fn span(&self) -> Span {
        tracing::error_span!(
            "call",
            operation = self.operation,
            connector = self.connector.as_deref(),
            connection = self.connection.map(field::display)
        )
    }
}

/// Restores the context from before, also after a panic.
struct Restore(Option<LogContext>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}
