//! Whether the caller of a call still waits. When it has left, the call goes on to its end without it: the connector is asked
//! to stop, what was changed is recorded, and the log has the outcome. Only what has not begun is not begun any more.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use plugin_api::abi::CallWatch;
use tokio::runtime::Handle;
use tokio::sync::Notify;

/// Whether a caller has left.
#[derive(Debug, Default)]
pub(super) struct CallerPresence {
    has_left: AtomicBool,
    left: Notify,
    /// The call in the connector, to be cancelled when the caller leaves.
    watch: Mutex<Option<CallWatch>>,
}

impl CallerPresence {
    pub(super) fn has_left(&self) -> bool {
        self.has_left.load(Ordering::Acquire)
    }

    /// Waits until the caller has left.
    pub(super) async fn left(&self) {
        let left = self.left.notified();
        if !self.has_left() {
            left.await;
        }
    }

    /// Cancels the call when the caller leaves, or now if it has.
    pub(super) fn cancel_when_left(&self, watch: &CallWatch) {
        let mut own = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        if self.has_left() {
            watch.cancel();
        } else {
            *own = Some(watch.clone());
        }
    }

    fn leave(&self) {
        let watch = {
            let mut own = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
            self.has_left.store(true, Ordering::Release);
            own.take()
        };
        self.left.notify_waiters();
        if let Some(watch) = watch {
            watch.cancel();
        }
    }
}

/// A call that its caller waits for. When this is dropped before its end, because the caller has left, it goes on in a task of
/// its own.
pub(super) struct Attended<F: Future<Output: Send> + Send + 'static> {
    /// `None` after its end.
    call: Option<Pin<Box<F>>>,
    presence: Arc<CallerPresence>,
}

impl<F: Future<Output: Send> + Send + 'static> Attended<F> {
    /// `presence` is that of the caller of this call.
    pub(super) fn new(call: F, presence: Arc<CallerPresence>) -> Self {
        Attended { call: Some(Box::pin(call)), presence }
    }
}

impl<F: Future<Output: Send> + Send + 'static> Future for Attended<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Some(call) = &mut self.call else { return Poll::Pending };
        let result = call.as_mut().poll(cx);
        if result.is_ready() {
            self.call = None;
        }
        result
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for Attended<F> {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            self.presence.leave();
            if let Ok(runtime) = Handle::try_current() {
                runtime.spawn(call);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn call_goes_on_without_its_caller() {
        let presence = Arc::new(CallerPresence::default());
        let watch = CallWatch::new(None);
        presence.cancel_when_left(&watch);
        let (done, is_done) = oneshot::channel();
        let of_call = Arc::clone(&presence);
        let mut call = Attended::new(
            async move {
                of_call.left().await;
                done.send(of_call.has_left()).unwrap();
            },
            Arc::clone(&presence),
        );
        assert!(futures_now(&mut call).is_pending());
        assert!(!presence.has_left() && !watch.is_cancelled());
        drop(call);
        assert!(presence.has_left() && watch.is_cancelled());
        assert_eq!(is_done.await, Ok(true));
        // What begins after that is cancelled at once.
        let late = CallWatch::new(None);
        presence.cancel_when_left(&late);
        assert!(late.is_cancelled());
    }

    #[tokio::test]
    async fn call_that_has_ended_is_not_one_whose_caller_has_left() {
        let presence = Arc::new(CallerPresence::default());
        assert_eq!(Attended::new(async { 7 }, Arc::clone(&presence)).await, 7);
        assert!(!presence.has_left());
    }

    fn futures_now<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
        Pin::new(future).poll(&mut Context::from_waker(std::task::Waker::noop()))
    }
}
