//! Watchdog of connector calls that run on I/O threads.
//!
//! A call that is expected to be quick runs on an I/O thread, and may turn out to be slow. Then the tasks in the queue of this
//! thread must not wait for it. The watchdog is a thread that checks the running calls every [`CHECK_INTERVAL`]. When a call
//! has taken longer than [`SLOW_CALL_THRESHOLD`], the watchdog wakes another I/O thread, which steals the waiting tasks and polls the sockets.
//! There is always another I/O thread, because the watchdog has one slot fewer than there are I/O threads; a call without a
//! slot runs on a blocking thread. So a hanging call delays other tasks by less than a millisecond, once.
//!
//! Work stealing and polling by an idle I/O thread are in tokio's documentation (`tokio::runtime`, "Detailed runtime behavior"),
//! which does not promise them for ever. The tests here, and the end-to-end test `containment`, fail if they change. Why it is
//! not `block_in_place` or `spawn_blocking` for every call: docs/performance.md, "Where calls run".

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};

use super::latency_estimate::LatencyEstimate;

/// Time between two checks.
const CHECK_INTERVAL: Duration = Duration::from_micros(400);
/// How long a call may take before it counts as slow.
const SLOW_CALL_THRESHOLD: Duration = Duration::from_micros(400);
/// After so many checks without a running call the watchdog sleeps until the next call.
const IDLE_CHECKS: u32 = 16;

// As the documentation promises.
const _: () = assert!(CHECK_INTERVAL.as_micros() + SLOW_CALL_THRESHOLD.as_micros() < 1000);

/// The watchdog. Its thread ends when it is dropped.
#[derive(Debug)]
pub(super) struct Watchdog(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    slots: Box<[Slot]>,
    runtime: Handle,
    is_asleep: AtomicBool,
    thread: OnceLock<Thread>,
}

/// Room for one call on an I/O thread.
#[derive(Debug, Default)]
struct Slot {
    is_taken: AtomicBool,
    call: Mutex<Option<RunningCall>>,
}

#[derive(Debug)]
struct RunningCall {
    started: Instant,
    estimate: Arc<LatencyEstimate>,
    /// Whether the watchdog has found it slow.
    is_slow: bool,
}

/// The permit of a call to run on an I/O thread. Dropping it frees the slot.
#[derive(Debug)]
pub(super) struct WatchdogSlot {
    shared: Arc<Shared>,
    index: usize,
}

impl Watchdog {
    /// Starts a watchdog for the current runtime. It has no slots if there is no runtime, or only one I/O thread.
    pub(super) fn start() -> Self {
        let Some(runtime) = Handle::try_current().ok() else { return Watchdog(None) };
        let slots = match runtime.runtime_flavor() {
            RuntimeFlavor::MultiThread => runtime.metrics().num_workers().saturating_sub(1),
            _ => 0,
        };
        if slots == 0 {
            return Watchdog(None);
        }
        let shared = Arc::new(Shared {
            slots: (0..slots).map(|_| Slot::default()).collect(),
            runtime,
            is_asleep: AtomicBool::new(false),
            thread: OnceLock::new(),
        });
        let weak = Arc::downgrade(&shared);
        match thread::Builder::new().name("watchdog".to_owned()).spawn(move || run(&weak)) {
            Ok(thread) => {
                shared.thread.get_or_init(|| thread.thread().clone());
                Watchdog(Some(shared))
            }
            Err(error) => {
                tracing::warn!(%error, "the watchdog cannot be started: every call runs on a blocking thread");
                Watchdog(None)
            }
        }
    }

    /// A slot for a call on an I/O thread, if one is free.
    pub(super) fn slot(&self) -> Option<WatchdogSlot> {
        let shared = self.0.as_ref()?;
        let take = |slot: &Slot| {
            !slot.is_taken.load(Ordering::Relaxed) && !slot.is_taken.swap(true, Ordering::Acquire)
        };
        let index = shared.slots.iter().position(take)?;
        Some(WatchdogSlot { shared: Arc::clone(shared), index })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            let thread = shared.thread.get().cloned();
            drop(shared);
            // It ends when it finds that nothing is left to watch.
            if let Some(thread) = thread {
                thread.unpark();
            }
        }
    }
}

impl WatchdogSlot {
    /// Runs a call under the watchdog, and adds its latency to the estimate.
    pub(super) fn run<R>(self, estimate: &Arc<LatencyEstimate>, call: impl FnOnce() -> R) -> R {
        let started = Instant::now();
        *self.call() = Some(RunningCall { started, estimate: Arc::clone(estimate), is_slow: false });
        // Either the watchdog sees the call before it sleeps, or this thread sees that the watchdog sleeps.
        fence(Ordering::SeqCst);
        if self.shared.is_asleep.load(Ordering::Relaxed) {
            self.shared.wake();
        }
        estimate.measure_since(started, call)
    }

    fn call(&self) -> MutexGuard<'_, Option<RunningCall>> {
        self.shared.slots[self.index].call()
    }
}

impl Drop for WatchdogSlot {
    fn drop(&mut self) {
        *self.call() = None;
        self.shared.slots[self.index].is_taken.store(false, Ordering::Release);
    }
}

impl Slot {
    fn call(&self) -> MutexGuard<'_, Option<RunningCall>> {
        self.call.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// Checks the running calls, and wakes another I/O thread for each new slow one. Returns whether any call runs.
    fn check(&self, now: Instant) -> bool {
        let mut is_any_running = false;
        for slot in &self.slots {
            let mut call = slot.call();
            let Some(call) = &mut *call else { continue };
            is_any_running = true;
            if now.saturating_duration_since(call.started) < SLOW_CALL_THRESHOLD {
                continue;
            }
            // At each check again, so that the estimate rises long before a hanging call ends.
            call.estimate.add_slow();
            if !call.is_slow {
                call.is_slow = true;
                self.wake_io_thread();
            }
        }
        is_any_running
    }

    /// A task that is spawned from outside wakes an idle I/O thread. Before that thread sleeps again it steals tasks from the
    /// queues of the others, and it sleeps in the poll of the sockets.
    fn wake_io_thread(&self) {
        self.runtime.spawn(async {});
    }
}

/// The watchdog thread.
fn run(shared: &Weak<Shared>) {
    let mut idle_checks = 0;
    loop {
        {
            let Some(shared) = shared.upgrade() else { return };
            if shared.check(Instant::now()) {
                idle_checks = 0;
            } else {
                idle_checks += 1;
            }
            if idle_checks > IDLE_CHECKS {
                shared.is_asleep.store(true, Ordering::Relaxed);
                fence(Ordering::SeqCst);
            }
            // One more check, for a call that started before `is_asleep` was set.
            if idle_checks > IDLE_CHECKS && shared.check(Instant::now()) {
                shared.is_asleep.store(false, Ordering::Relaxed);
                idle_checks = 0;
            }
        }
        if idle_checks > IDLE_CHECKS {
            thread::park();
            if let Some(shared) = shared.upgrade() {
                shared.is_asleep.store(false, Ordering::Relaxed);
            }
            idle_checks = 0;
        }
        thread::sleep(CHECK_INTERVAL);
    }
}

#[cfg(test)]
mod tests;
