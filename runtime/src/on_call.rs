//! Whose call a thread works on, for whatever is logged meanwhile. A span would say the same, and costs a call a tenth of
//! all that it takes; most calls log nothing, so theirs is made when the first line needs it.

use std::cell::RefCell;
use std::sync::Arc;

use tracing::{Span, field};
use values::Guid;

thread_local! {
    static CURRENT: RefCell<Option<OnCall>> = const { RefCell::new(None) };
}

/// What the log tells of a call.
#[derive(Debug, Clone)]
pub struct OnCall {
    /// The operation's name.
    pub operation: &'static str,
    /// The connector's.
    pub connector: Option<Arc<str>>,
    /// The connection.
    pub connection: Option<Guid>,
}

impl OnCall {
    /// The call that this thread works on.
    pub fn current() -> Option<OnCall> {
        CURRENT.with_borrow(Option::clone)
    }

    /// Works on this call.
    pub fn within<R>(self, work: impl FnOnce() -> R) -> R {
        let _before = Before(CURRENT.replace(Some(self)));
        work()
    }

    /// The call as a span: of the highest level, so that it is there for whatever a connector logs.
    pub fn span(&self) -> Span {
        tracing::error_span!(
            "call",
            operation = self.operation,
            connector = self.connector.as_deref(),
            connection = self.connection.map(field::display)
        )
    }
}

/// What the thread worked on before; set again even if the work panics.
struct Before(Option<OnCall>);

impl Drop for Before {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}
