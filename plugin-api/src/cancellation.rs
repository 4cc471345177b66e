//! Callbacks for the cancellation of a call.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::caller::Caller;

type Callback = Box<dyn FnOnce() + Send>;

/// The callbacks of a connector for a call. The host has one callback for all of them: a call may add one for each of thousands of
/// requests, and a callback of the host costs a thread when the call is cancelled, and in a worker a socket to wait for.
#[derive(Default)]
pub(crate) struct CancelCallbacks {
    /// `None`: the host has no callback that is still to run.
    waiting: Mutex<Option<VecDeque<Callback>>>,
    /// Locked while callbacks run.
    running: Mutex<()>,
}

impl CancelCallbacks {
    /// Adds a callback, which runs when the call is cancelled, at once if it is already.
    pub(crate) fn add(self: &Arc<Self>, caller: &dyn Caller, callback: Callback) {
        let is_first = {
            let mut waiting = lock(&self.waiting);
            let is_first = waiting.is_none();
            waiting.get_or_insert_default().push_back(callback);
            is_first
        };
        if is_first {
            let all = Arc::clone(self);
            caller.on_cancel(Box::new(move || all.run()));
        }
    }

    /// The call was cancelled.
    fn run(&self) {
        let _running = lock(&self.running);
        while let Some(callback) = self.next() {
            // The hook has logged a panic; there is no reply to put it into. Its payload might panic when it is dropped.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(callback)) {
                std::mem::forget(payload);
            }
        }
    }

    fn next(&self) -> Option<Callback> {
        let mut waiting = lock(&self.waiting);
        let next = waiting.as_mut()?.pop_front();
        if next.is_none() {
            *waiting = None;
        }
        next
    }

    /// Drops the callbacks that have not run. Waits for one that runs.
    pub(crate) fn drop_all(&self) {
        let dropped = lock(&self.waiting).take();
        drop(dropped);
        drop(lock(&self.running));
    }
}

/// A callback that panicked leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::encoding::{Message, MessageRef};
    use crate::service::Service;

    /// A call, with the callbacks that the host has for it.
    #[derive(Default)]
    struct Call(Mutex<Vec<Callback>>);

    impl Call {
        fn callbacks(&self) -> Vec<Callback> {
            std::mem::take(&mut *lock(&self.0))
        }
    }

    impl Caller for Call {
        fn is_cancelled(&self) -> bool {
            false
        }

        fn time_left(&self) -> Option<Duration> {
            None
        }

        fn progress(&self, _: &str) {}

        fn on_cancel(&self, callback: Callback) {
            lock(&self.0).push(callback);
        }

        fn ask(&self, service: Service, _: MessageRef<'_>) -> Message {
            service.unknown()
        }
    }

    #[test]
    fn host_has_one_callback_for_all_and_again_one_after_it_has_run() {
        let (call, all) = (Call::default(), Arc::new(CancelCallbacks::default()));
        let count = Arc::new(AtomicUsize::new(0));
        let add = || {
            let count = Arc::clone(&count);
            let callback = move || {
                count.fetch_add(1, Ordering::SeqCst);
            };
            all.add(&call, Box::new(callback));
        };
        all.add(&call, Box::new(|| std::panic::resume_unwind(Box::new("the author's callback"))));
        (0..1000).for_each(|_| add());
        for expected in [1000, 1001] {
            let [callback] = call.callbacks().try_into().ok().expect("one callback");
            callback();
            assert_eq!(count.load(Ordering::SeqCst), expected);
            add();
        }
        all.drop_all();
        call.callbacks().into_iter().for_each(|callback| callback());
        assert_eq!(count.load(Ordering::SeqCst), 1001, "the last one is dropped");
        assert_eq!(Arc::strong_count(&count), 1);
    }
}
