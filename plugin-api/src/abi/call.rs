//! The call that a plugin works on, on both sides of the boundary. Since 1.1: an older plugin does not ask for it, and an
//! older host does not have it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::std_types::{RBox, RStr};

use super::objects::{CallBox, CallObject, CallObject_TO};
use crate::Call;
use crate::call::Caller;

/// [`CallObject::time_left`] of a call that may take as long as it takes.
const NO_LIMIT: u64 = u64::MAX;

/// Characters of a progress text that are kept.
const LONGEST_PROGRESS: usize = 200;

/// The host's hold on a call that it makes: tells the connector when nobody waits for the answer any more. Clones hold the
/// same call.
#[derive(Clone, Default)]
pub struct CallWatch(Arc<Watched>);

#[derive(Default)]
struct Watched {
    cancelled: AtomicBool,
    deadline: Option<Instant>,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    /// What the connector said last that it does.
    progress: Option<String>,
    /// What wants to know that the call is cancelled, such as the channel to another process.
    on_cancel: Vec<Box<dyn FnOnce() + Send>>,
}

impl CallWatch {
    /// A call that somebody waits for until then; `None`: as long as it takes.
    pub fn new(deadline: Option<Instant>) -> Self {
        CallWatch(Arc::new(Watched { deadline, ..Watched::default() }))
    }

    /// Makes calls: what a connector asks of [`Call::current`] while the code runs is answered from here.
    pub fn during<T>(&self, code: impl FnOnce() -> T) -> T {
        let caller: Arc<dyn Caller> = Arc::clone(&self.0) as _;
        Call::new(caller).during(code)
    }

    /// Nobody waits for the answer any more.
    pub fn cancel(&self) {
        let waiting = {
            let mut told = self.0.told();
            self.0.cancelled.store(true, Ordering::Release);
            std::mem::take(&mut told.on_cancel)
        };
        waiting.into_iter().for_each(|tell| tell());
    }

    /// Whether nobody waits for the answer any more.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// How long somebody will still wait; `None`: as long as it takes.
    pub fn time_left(&self) -> Option<Duration> {
        self.0.time_left()
    }

    /// Does something when the call is cancelled, at once if it is already. Not done if it never is.
    pub fn on_cancel(&self, tell: impl FnOnce() + Send + 'static) {
        self.0.on_cancel(Box::new(tell));
    }

    /// What the connector said last that it does.
    pub fn progress(&self) -> Option<String> {
        self.0.told().progress.clone()
    }
}

/// Makes calls for a caller that is elsewhere, as [`CallWatch::during`] does.
pub fn during<T>(caller: Arc<dyn Caller>, code: impl FnOnce() -> T) -> T {
    Call::new(caller).during(code)
}

/// Does something when the call is cancelled that the host makes on this thread, as [`CallWatch::on_cancel`] does.
pub fn on_cancel(tell: impl FnOnce() + Send + 'static) {
    Call::current().on_cancel(tell);
}

impl Watched {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Caller for Watched {
    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    fn time_left(&self) -> Option<Duration> {
        if self.is_cancelled() {
            return Some(Duration::ZERO);
        }
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    fn progress(&self, text: &str) {
        let printable = |c: char| if c.is_control() { ' ' } else { c };
        self.told().progress = Some(text.chars().take(LONGEST_PROGRESS).map(printable).collect());
    }

    fn on_cancel(&self, tell: Box<dyn FnOnce() + Send>) {
        let mut told = self.told();
        if self.is_cancelled() {
            drop(told);
            tell();
        } else {
            told.on_cancel.push(tell);
        }
    }
}

/// The call that the host makes on this thread, for the plugin that it calls.
pub(super) fn to_plugin() -> CallBox {
    CallObject_TO::from_ptr(RBox::new(InHost(Call::current())), TD_Opaque)
}

/// The call that a plugin works on, as its host has it.
pub(super) fn from_host(call: CallBox) -> Call {
    Call::new(Arc::new(call))
}

struct InHost(Call);

impl CallObject for InHost {
    fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    fn time_left(&self) -> u64 {
        self.0.time_left().map_or(NO_LIMIT, |left| u64::try_from(left.as_millis()).unwrap_or(NO_LIMIT))
    }

    fn progress(&self, text: RStr<'_>) {
        // A panic of ours must not go through the plugin.
        let _ = catch_unwind(AssertUnwindSafe(|| self.0.progress(text.as_str())));
    }
}

impl Caller for CallBox {
    fn is_cancelled(&self) -> bool {
        CallObject_TO::is_cancelled(self)
    }

    fn time_left(&self) -> Option<Duration> {
        let left = CallObject_TO::time_left(self);
        (left != NO_LIMIT).then(|| Duration::from_millis(left))
    }

    fn progress(&self, text: &str) {
        CallObject_TO::progress(self, text.into());
    }
}

impl fmt::Debug for CallWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallWatch")
            .field("is_cancelled", &self.is_cancelled())
            .field("time_left", &self.time_left())
            .finish_non_exhaustive()
    }
}
