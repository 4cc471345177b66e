//! Keeps watch over connector calls that run on the I/O threads.
//!
//! A call that is taken to be quick runs on an I/O thread, and may turn out not to be quick at all. Then the tasks that
//! wait for this thread must not wait for the call. The lookout sees to that: a thread looks at the calls every so often,
//! and when one takes too long, it wakes another I/O thread, which takes over what waits there and the sockets. There is
//! always another one: as many calls as there are I/O threads but one may run on them; the rest run elsewhere.
//!
//! So nobody waits longer than [`LOOK_EVERY`] and [`PATIENCE`] together for a connector that is not theirs.

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};

use super::pace::Pace;

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_micros(400);
/// How long a call may take before it is seen as slow.
const PATIENCE: Duration = Duration::from_micros(400);
/// Looks at nothing after which it sleeps until somebody comes.
const LOOKS_AT_NOTHING: u32 = 16;

// What the documentation promises.
const _: () = assert!(LOOK_EVERY.as_micros() + PATIENCE.as_micros() < 1000);

/// Keeps watch. Dropping it ends that.
#[derive(Debug)]
pub(super) struct Lookout(Option<Arc<Watch>>);

#[derive(Debug)]
struct Watch {
    posts: Box<[Post]>,
    runtime: Handle,
    asleep: AtomicBool,
    thread: OnceLock<Thread>,
}

/// A place for a call on an I/O thread.
#[derive(Debug, Default)]
struct Post {
    taken: AtomicBool,
    call: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    since: Instant,
    pace: Arc<Pace>,
    /// Whether it was seen as slow already.
    is_late: bool,
}

/// A place that was taken for a call. Dropping it leaves the place.
#[derive(Debug)]
pub(super) struct Place {
    watch: Arc<Watch>,
    post: usize,
}

impl Lookout {
    /// A lookout for the runtime that this is called in. Where there is only one I/O thread, or none, it gives no
    /// places away.
    pub(super) fn start() -> Self {
        let Some(runtime) = Handle::try_current().ok() else { return Lookout(None) };
        let places = match runtime.runtime_flavor() {
            RuntimeFlavor::MultiThread => runtime.metrics().num_workers().saturating_sub(1),
            _ => 0,
        };
        if places == 0 {
            return Lookout(None);
        }
        let watch = Arc::new(Watch {
            posts: (0..places).map(|_| Post::default()).collect(),
            runtime,
            asleep: AtomicBool::new(false),
            thread: OnceLock::new(),
        });
        let weak = Arc::downgrade(&watch);
        match thread::Builder::new().name("lookout".to_owned()).spawn(move || keep_watch(&weak)) {
            Ok(thread) => {
                watch.thread.get_or_init(|| thread.thread().clone());
                Lookout(Some(watch))
            }
            Err(error) => {
                tracing::warn!(%error, "no lookout can be had: every call runs on a thread of its own");
                Lookout(None)
            }
        }
    }

    /// A place for a call on an I/O thread, if one is free.
    pub(super) fn place(&self) -> Option<Place> {
        let watch = self.0.as_ref()?;
        let free =
            |post: &Post| !post.taken.load(Ordering::Relaxed) && !post.taken.swap(true, Ordering::Acquire);
        let post = watch.posts.iter().position(free)?;
        Some(Place { watch: Arc::clone(watch), post })
    }
}

impl Drop for Lookout {
    fn drop(&mut self) {
        if let Some(watch) = self.0.take() {
            let thread = watch.thread.get().cloned();
            drop(watch);
            // It sees that nothing is left to watch.
            if let Some(thread) = thread {
                thread.unpark();
            }
        }
    }
}

impl Place {
    /// Does the work, watched.
    pub(super) fn run<R>(self, pace: &Arc<Pace>, work: impl FnOnce() -> R) -> R {
        let since = Instant::now();
        *self.call() = Some(Running { since, pace: Arc::clone(pace), is_late: false });
        // Either the lookout sees the call before it sleeps, or we see that it sleeps.
        fence(Ordering::SeqCst);
        if self.watch.asleep.load(Ordering::Relaxed) {
            self.watch.wake();
        }
        pace.measure_since(since, work)
    }

    fn call(&self) -> MutexGuard<'_, Option<Running>> {
        self.watch.posts[self.post].call()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *self.call() = None;
        self.watch.posts[self.post].taken.store(false, Ordering::Release);
    }
}

impl Post {
    fn call(&self) -> MutexGuard<'_, Option<Running>> {
        self.call.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// Whether anything runs; what is slow is said to be, and does not hold up others from now on.
    fn look(&self, now: Instant) -> bool {
        let mut anything = false;
        for post in &self.posts {
            let mut call = post.call();
            let Some(call) = &mut *call else { continue };
            anything = true;
            if now.saturating_duration_since(call.since) < PATIENCE {
                continue;
            }
            // At each look anew, so that what hangs is known to be slow long before it ends.
            call.pace.takes_long();
            if !call.is_late {
                call.is_late = true;
                self.relieve();
            }
        }
        anything
    }

    /// Has another I/O thread take over what waits for one that is busy with a call: a task from outside wakes one, and
    /// an I/O thread that is awake looks for all the work that it can get before it sleeps, and sleeps on the sockets.
    fn relieve(&self) {
        self.runtime.spawn(async {});
    }
}

fn keep_watch(watch: &Weak<Watch>) {
    let mut looks_at_nothing = 0;
    loop {
        {
            let Some(watch) = watch.upgrade() else { return };
            if watch.look(Instant::now()) {
                looks_at_nothing = 0;
            } else {
                looks_at_nothing += 1;
            }
            if looks_at_nothing > LOOKS_AT_NOTHING {
                watch.asleep.store(true, Ordering::Relaxed);
                fence(Ordering::SeqCst);
            }
            // One look more, for who came before it said that it sleeps.
            if looks_at_nothing > LOOKS_AT_NOTHING && watch.look(Instant::now()) {
                watch.asleep.store(false, Ordering::Relaxed);
                looks_at_nothing = 0;
            }
        }
        if looks_at_nothing > LOOKS_AT_NOTHING {
            thread::park();
            if let Some(watch) = watch.upgrade() {
                watch.asleep.store(false, Ordering::Relaxed);
            }
            looks_at_nothing = 0;
        }
        thread::sleep(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests;
