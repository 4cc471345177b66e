//! Cancellation and deadline of the call that a connector works on.

use std::cell::RefCell;
use std::fmt::{self, Display};
use std::sync::Arc;
use std::time::Duration;

use crate::{Error, Result};

thread_local! {
    static CURRENT: RefCell<Call> = const { RefCell::new(Call(None)) };
}

/// The call that a connector works on. Since plugin API 1.1.
///
/// The host answers its caller with an error when a call takes too long, and a caller may go away; the host cannot stop
/// the connector then. A connector can ask here whether the call was cancelled, and how much time is left:
///
/// ```
/// # use plugin_api::{Call, Outcome, Result, Rows};
/// # struct Page { last: bool }
/// # fn read_page(number: u32, timeout: std::time::Duration) -> Result<Page> { Ok(Page { last: number == 3 }) }
/// fn actors(rows: &mut Rows<'_>) -> Result<Outcome> {
///     let call = Call::current();
///     for number in 1.. {
///         call.check()?; // Ends here when the call was cancelled.
///         call.progress(format_args!("reading page {number}")); // In the host's log, if the call is too late.
///         let timeout = call.time_left().unwrap_or(std::time::Duration::from_secs(30));
///         let page = read_page(number, timeout)?;
///         # rows.row(number).end()?;
///         if page.last {
///             break;
///         }
///     }
///     Ok(Outcome::ok())
/// }
/// ```
///
/// In a call that only reads, [`Row::end`](crate::Row::end) and [`Rows::push`](crate::Rows::push) fail when it was
/// cancelled. A call that changes something goes on until it checks, so that the author decides where it may end.
///
/// In a host older than 1.1, a call is never cancelled and has no deadline.
#[derive(Clone, Default)]
pub struct Call(Option<Arc<dyn Caller>>);

/// The host's side of a call, wherever it is.
pub trait Caller: Send + Sync {
    /// Whether the call was cancelled.
    fn is_cancelled(&self) -> bool;

    /// The time until the deadline; `None` when there is none.
    fn time_left(&self) -> Option<Duration>;

    /// Takes a text about what is being done.
    fn progress(&self, text: &str);

    /// Runs a callback when the call is cancelled, if the implementation can notice it.
    fn on_cancel(&self, callback: Box<dyn FnOnce() + Send>) {
        drop(callback);
    }
}

impl Call {
    pub(crate) fn new(caller: Arc<dyn Caller>) -> Self {
        Call(Some(caller))
    }

    /// The call that this thread works on. Another thread that works on it gets a clone.
    pub fn current() -> Self {
        CURRENT.try_with(|current| current.borrow().clone()).unwrap_or_default()
    }

    /// Whether the call was cancelled: the caller has gone, or has got the answer that it took too long.
    pub fn is_cancelled(&self) -> bool {
        self.0.as_ref().is_some_and(|caller| caller.is_cancelled())
    }

    /// Fails when the call was cancelled.
    ///
    /// # Errors
    /// The call was cancelled: return the error as it is.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            return Err(Error::user("the call was given up").tech("nobody waits for its answer any more"));
        }
        Ok(())
    }

    /// The time until the deadline; zero when it has passed or the call was cancelled. `None` when there is no deadline. A
    /// good timeout for a network call.
    pub fn time_left(&self) -> Option<Duration> {
        self.0.as_ref().and_then(|caller| caller.time_left())
    }

    /// Reports what is being done, in a few words. The last ones go into the host's log and to its caller when the call takes
    /// too long: so no secrets.
    pub fn progress(&self, doing: impl Display) {
        if let Some(caller) = &self.0 {
            caller.progress(&doing.to_string());
        }
    }

    /// Runs a callback when the call is cancelled.
    pub(crate) fn on_cancel(&self, callback: impl FnOnce() + Send + 'static) {
        if let Some(caller) = &self.0 {
            caller.on_cancel(Box::new(callback));
        }
    }

    /// Runs code that works on this call.
    pub(crate) fn during<T>(&self, code: impl FnOnce() -> T) -> T {
        /// Puts back what was before, also after a panic.
        struct Before(Call);
        impl Drop for Before {
            fn drop(&mut self) {
                swap(&mut self.0);
            }
        }
        let mut before = self.clone();
        swap(&mut before);
        let _before = Before(before);
        code()
    }
}

fn swap(call: &mut Call) {
    // A thread that ends has no current call any more.
    let _ = CURRENT.try_with(|current| std::mem::swap(&mut *current.borrow_mut(), call));
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("is_cancelled", &self.is_cancelled())
            .field("time_left", &self.time_left())
            .finish()
    }
}
