//! The call that a connector works on: whether anybody still waits for it, and for how long.

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
/// the connector then. This tells it, so that it need not go on for nobody:
///
/// ```
/// # use plugin_api::{Call, Outcome, Result, Rows};
/// # struct Page { last: bool }
/// # fn read_page(number: u32, timeout: std::time::Duration) -> Result<Page> { Ok(Page { last: number == 3 }) }
/// fn actors(rows: &mut Rows<'_>) -> Result<Outcome> {
///     let call = Call::current();
///     for number in 1.. {
///         call.check()?; // Ends here when nobody waits any more.
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
/// Rows that answer a call which only reads look for themselves: [`Row::end`](crate::Row::end) and
/// [`Rows::push`](crate::Rows::push) fail when nobody waits. A call that changes something goes on until it looks, so that
/// it is the author who says where it may end.
///
/// In a host that is older than 1.1, somebody always waits, and for as long as it takes.
#[derive(Clone, Default)]
pub struct Call(Option<Arc<dyn Caller>>);

/// The host's side of a call, wherever it is.
pub trait Caller: Send + Sync {
    /// Whether nobody waits for the answer any more.
    fn is_cancelled(&self) -> bool;

    /// How long somebody will still wait; `None`: as long as it takes.
    fn time_left(&self) -> Option<Duration>;

    /// Takes a text that says what is being done.
    fn progress(&self, text: &str);

    /// Does something when nobody waits any more, if that is noticed here.
    fn on_cancel(&self, tell: Box<dyn FnOnce() + Send>) {
        drop(tell);
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

    /// Whether nobody waits for the answer any more: the caller has gone, or was told that it takes too long.
    pub fn is_cancelled(&self) -> bool {
        self.0.as_ref().is_some_and(|caller| caller.is_cancelled())
    }

    /// Fails when nobody waits for the answer any more.
    ///
    /// # Errors
    /// Nobody waits: return the error as it is.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            return Err(Error::user("the call was given up").tech("nobody waits for its answer any more"));
        }
        Ok(())
    }

    /// How long somebody will still wait; zero when nobody does. `None`: as long as it takes. A good limit for a network
    /// call.
    pub fn time_left(&self) -> Option<Duration> {
        self.0.as_ref().and_then(|caller| caller.time_left())
    }

    /// Says what is being done, in a few words. The last ones go into the host's log and to its caller when the call takes
    /// too long: so no secrets.
    pub fn progress(&self, doing: impl Display) {
        if let Some(caller) = &self.0 {
            caller.progress(&doing.to_string());
        }
    }

    /// Does something when nobody waits any more.
    pub(crate) fn on_cancel(&self, tell: impl FnOnce() + Send + 'static) {
        if let Some(caller) = &self.0 {
            caller.on_cancel(Box::new(tell));
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
