//! The running call, on both sides of the boundary: cancellation, deadline, progress and services.
//!
//! On the host's side a call is the one of its thread, from the router to the transport, which passes it to the plugin as an
//! object. The author gets it as a [`crate::Context`].

use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::sabi_types::RMut;
use abi_stable::std_types::{RBox, RStr};

use values::Guid;

use super::objects::{
    AnswerRef, AnswerSink, AnswerSink_TO, CallBox, CallObject, CallObject_TO, CallbackBox, CallbackObject,
    CallbackObject_TO, Wire,
};
use super::{Message, MessageRef};
use crate::Context;
use crate::caller::Caller;
use crate::service::Service;
use crate::state::{self, StateAccess, StateStore};

/// [`CallObject::time_left`] of a call without a deadline.
const NO_LIMIT: u64 = u64::MAX;

/// Progress texts are cut to this many characters.
const MAX_PROGRESS: usize = 200;

/// How long a service may take in a call without a deadline, and at least in any other: what a connector keeps at the end of
/// its time must not be lost.
const SERVICE_TIME: Duration = Duration::from_secs(30);
const LEAST_SERVICE_TIME: Duration = Duration::from_secs(1);

thread_local! {
    /// The call that the host makes on this thread.
    static CURRENT: RefCell<Option<Arc<dyn Caller>>> = const { RefCell::new(None) };
}

/// The host's handle of a call: a cancellation token with a deadline, and the connector's progress. Clones belong to the same
/// call.
#[derive(Clone, Default)]
pub struct CallWatch(Arc<CallState>);

#[derive(Default)]
struct CallState {
    cancelled: AtomicBool,
    deadline: Option<Instant>,
    /// The connector's latest progress text.
    progress: Mutex<Option<String>>,
    /// Callbacks for the cancellation, such as that of a worker's socket.
    on_cancel: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
    /// The stored connection that is called, and what keeps its state.
    connection: Option<(Guid, Arc<dyn StateStore>)>,
    /// Whether the connector works on it. Services are for that time.
    is_running: AtomicBool,
}

impl CallWatch {
    /// A call with this deadline.
    pub fn new(deadline: Option<Instant>) -> Self {
        CallWatch(Arc::new(CallState { deadline, ..CallState::default() }))
    }

    /// A call of a stored connection, whose state is kept here.
    pub fn of_connection(deadline: Option<Instant>, connection: Guid, state: Arc<dyn StateStore>) -> Self {
        let connection = Some((connection, state));
        CallWatch(Arc::new(CallState { deadline, connection, ..CallState::default() }))
    }

    /// Runs code that calls a connector for this call.
    pub fn during<T>(&self, code: impl FnOnce() -> T) -> T {
        /// The call has ended, also after a panic.
        struct Running<'c>(&'c CallState);
        impl Drop for Running<'_> {
            fn drop(&mut self) {
                self.0.is_running.store(false, Ordering::Release);
            }
        }
        self.0.is_running.store(true, Ordering::Release);
        let _running = Running(&self.0);
        during(Arc::clone(&self.0) as _, code)
    }

    /// The context of a connector that is called for this call directly, in a test.
    pub fn context(&self) -> Context {
        Context::of_caller(Arc::clone(&self.0) as _)
    }

    /// Calls a connector for this call directly, in a test, as a host does: the callbacks for the cancellation end with it.
    pub fn call<T>(&self, code: impl FnOnce(&Context) -> T) -> T {
        let cx = self.context();
        let result = code(&cx);
        cx.drop_callbacks();
        result
    }

    /// Cancels the call, and runs the callbacks.
    pub fn cancel(&self) {
        let callbacks = {
            let mut on_cancel = lock(&self.0.on_cancel);
            self.0.cancelled.store(true, Ordering::Release);
            std::mem::take(&mut *on_cancel)
        };
        callbacks.into_iter().for_each(|callback| callback());
    }

    /// Whether the call was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// The time until the deadline: zero after a cancellation, `None` without a deadline.
    pub fn time_left(&self) -> Option<Duration> {
        self.0.time_left()
    }

    /// Runs a callback when the call is cancelled, or at once if it is already.
    pub fn on_cancel(&self, callback: impl FnOnce() + Send + 'static) {
        self.0.on_cancel(Box::new(callback));
    }

    /// The connector's latest progress text.
    pub fn progress(&self) -> Option<String> {
        lock(&self.0.progress).clone()
    }
}

/// Runs code that calls a connector for this caller, as [`CallWatch::during`] does.
pub fn during<T>(caller: Arc<dyn Caller>, code: impl FnOnce() -> T) -> T {
    /// Puts back what was before, also after a panic.
    struct Before(Option<Arc<dyn Caller>>);
    impl Drop for Before {
        fn drop(&mut self) {
            replace(self.0.take());
        }
    }
    let _before = Before(replace(Some(caller)));
    code()
}

fn replace(caller: Option<Arc<dyn Caller>>) -> Option<Arc<dyn Caller>> {
    // A thread that ends has no current call any more.
    CURRENT.try_with(|current| current.replace(caller)).ok().flatten()
}

/// The caller of the call that the host makes on this thread.
pub fn current() -> Option<Arc<dyn Caller>> {
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Caller for CallState {
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
        *lock(&self.progress) = Some(text.chars().take(MAX_PROGRESS).map(printable).collect());
    }

    fn on_cancel(&self, callback: Box<dyn FnOnce() + Send>) {
        let mut on_cancel = lock(&self.on_cancel);
        if self.is_cancelled() {
            drop(on_cancel);
            callback();
        } else {
            on_cancel.push(callback);
        }
    }

    fn ask(&self, service: Service, request: MessageRef<'_>) -> Message {
        if !self.is_running.load(Ordering::Acquire) {
            return service.no_answer("the call has ended: a service of the host is for a running call");
        }
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let within = left.map_or(SERVICE_TIME, |left| left.max(LEAST_SERVICE_TIME));
        let state = self
            .connection
            .as_ref()
            .map(|(connection, state)| (state.as_ref(), StateAccess { connection: *connection, within }));
        state::serve(state, service, request)
    }
}

/// The call of this thread, as an object for the plugin.
pub(super) fn to_plugin() -> CallBox {
    CallObject_TO::from_ptr(RBox::new(CallAdapter(current())), TD_Opaque)
}

/// A call as the object that a plugin calls. A panic of the host must not unwind through the plugin.
struct CallAdapter(Option<Arc<dyn Caller>>);

impl CallObject for CallAdapter {
    fn is_cancelled(&self) -> bool {
        self.0.as_ref().is_some_and(|caller| caller.is_cancelled())
    }

    fn time_left(&self) -> u64 {
        let left = self.0.as_ref().and_then(|caller| caller.time_left());
        left.map_or(NO_LIMIT, |left| u64::try_from(left.as_millis()).unwrap_or(NO_LIMIT))
    }

    fn progress(&self, text: RStr<'_>) {
        if let Some(caller) = &self.0 {
            let _ = catch_unwind(AssertUnwindSafe(|| caller.progress(text.as_str())));
        }
    }

    fn on_cancel(&self, mut callback: CallbackBox) {
        if let Some(caller) = &self.0 {
            let callback = Box::new(move || callback.cancelled());
            let _ = catch_unwind(AssertUnwindSafe(|| caller.on_cancel(callback)));
        }
    }

    fn ask(&self, service: u32, request: Wire<'_>, mut answer: AnswerRef<'_>) {
        let service = Service(service);
        let ask = || match &self.0 {
            Some(caller) => caller.ask(service, request.message()),
            None => service.unknown(),
        };
        let failed = |_| service.no_answer("the host failed; its log says why");
        let mut message = catch_unwind(AssertUnwindSafe(ask)).unwrap_or_else(failed);
        answer.receive(message.as_ref().into());
        message.wipe();
    }
}

/// Keeps the answer of a service.
struct Answer(Option<Message>);

impl AnswerSink for Answer {
    fn receive(&mut self, answer: Wire<'_>) {
        let answer = answer.message();
        let mut copy = Message::with_room(answer.text.len(), answer.marks.len());
        copy.put_message(answer);
        self.0 = Some(copy);
    }
}

/// An author's callback as the object that the host calls.
struct CallbackAdapter(Option<Box<dyn FnOnce() + Send>>);

impl CallbackObject for CallbackAdapter {
    fn cancelled(&mut self) {
        let Some(callback) = self.0.take() else { return };
        let run = move || {
            // The hook has logged a panic; there is no reply to put it into. Its payload might panic when it is dropped.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(callback)) {
                std::mem::forget(payload);
            }
        };
        // On a thread of its own: the host cancels calls on threads that must not block. Without a thread the connector still
        // notices the cancellation when it checks.
        let _ = thread::Builder::new().name("cancellation".to_owned()).spawn(run);
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

    fn on_cancel(&self, callback: Box<dyn FnOnce() + Send>) {
        let callback = CallbackObject_TO::from_ptr(RBox::new(CallbackAdapter(Some(callback))), TD_Opaque);
        CallObject_TO::on_cancel(self, callback);
    }

    fn ask(&self, service: Service, request: MessageRef<'_>) -> Message {
        let mut answer = Answer(None);
        let sink = AnswerSink_TO::from_ptr(RMut::new(&mut answer), TD_Opaque);
        CallObject_TO::ask(self, service.0, request.into(), sink);
        answer.0.unwrap_or_else(|| service.no_answer("the host gave no answer"))
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
