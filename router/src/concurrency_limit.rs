//! The concurrency limit of a connector: how many calls run at once, with a bounded queue of calls that wait
//! (backpressure). Both are divided into shares, so that the calls of one connection do not use them up.
//!
//! A share may take places as long as it has fewer, weighed by [`Limits::running_per_share`], than are still free. So a lone
//! share gets as many as it may have, and the more is taken, the smaller each share becomes: shares that have nothing yet
//! still find free places. This is the dynamic threshold of buffers in switches (Choudhury and Hahne). The shares that wait
//! take turns.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout_at};

use super::share::Share;

/// How many calls may run and wait.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    pub(super) running: usize,
    /// Those of one share, while there is no other one.
    pub(super) running_per_share: usize,
    pub(super) queued: usize,
    pub(super) queue_timeout: Duration,
}

/// Limits the calls that run in a connector at once, and those that wait for a permit.
#[derive(Debug)]
pub(super) struct ConcurrencyLimit {
    limits: Limits,
    /// The part of the queue that a share may have, as `running_per_share`.
    queued_per_share: usize,
    state: Mutex<State>,
    idle: Notify,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    /// Those of them that are calls in the background.
    background: usize,
    queued: usize,
    /// Only those with calls that run or wait.
    shares: HashMap<Share, ShareState>,
    /// The shares with calls that wait, in the order of their turns.
    turns: VecDeque<Share>,
    last_entry: u64,
}

#[derive(Debug, Default)]
struct ShareState {
    running: usize,
    queue: VecDeque<QueueEntry>,
}

#[derive(Debug)]
struct QueueEntry {
    number: u64,
    granted: oneshot::Sender<()>,
}

/// The call was not started: the queue is full, or the call has waited for the longest time that is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QueueFull {
    /// The places are taken by many.
    Connector,
    /// This share has as many calls as it may have, while others are still served.
    Share(Share),
}

/// The permit of a call to run. It counts as running until this is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    limit: Arc<ConcurrencyLimit>,
    share: Share,
    is_background: bool,
}

/// Whether a share that has `own` of `all` places may take another one, when so many are taken.
fn may_take(own: usize, per_share: usize, taken: usize, all: usize) -> bool {
    taken < all && own.saturating_mul(all - per_share) < per_share.saturating_mul(all - taken)
}

impl ConcurrencyLimit {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        let running = limits.running.max(1);
        let running_per_share = limits.running_per_share.clamp(1, running);
        let limits = Limits { running, running_per_share, ..limits };
        let queued_per_share = (limits.queued * running_per_share).div_ceil(running);
        Arc::new(ConcurrencyLimit { limits, queued_per_share, state: Mutex::default(), idle: Notify::new() })
    }

    /// Waits for a permit, until the call's deadline or the queue timeout, whichever comes first: a reply that comes too
    /// late for its caller is wasted work.
    pub(super) async fn acquire(
        self: &Arc<Self>,
        share: Share,
        deadline: Instant,
    ) -> Result<Permit, QueueFull> {
        let mut waiting = {
            let mut state = self.state();
            if state.shares.get(&share).is_none_or(|own| own.queue.is_empty())
                && self.start(&mut state, share)
            {
                return Ok(Permit { limit: Arc::clone(self), share, is_background: false });
            }
            self.enter_queue(&mut state, share)?
        };
        let deadline = deadline.min(Instant::now() + self.limits.queue_timeout);
        match timeout_at(deadline, &mut waiting.granted).await {
            Ok(Ok(())) => Ok(waiting.into_permit()),
            _ => Err(self.reason(share)),
        }
    }

    /// A permit for a call in the background. `None`: other calls wait or would have to, or a quarter of all that may run are calls
    /// in the background already.
    pub(super) fn try_acquire_in_background(self: &Arc<Self>, share: Share) -> Option<Permit> {
        let mut state = self.state();
        let all = self.limits.running;
        let leaves_one_free = state.running + 1 < all || state.running == 0;
        let is_allowed = state.queued == 0 && leaves_one_free && state.background < (all / 4).max(1);
        if !is_allowed || !self.start(&mut state, share) {
            return None;
        }
        state.background += 1;
        Some(Permit { limit: Arc::clone(self), share, is_background: true })
    }

    /// Waits until no call runs.
    pub(super) async fn wait_until_idle(&self) {
        loop {
            let idle = self.idle.notified();
            if self.state().running == 0 {
                return;
            }
            idle.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for a call of this share, if it may have one.
    fn start(&self, state: &mut State, share: Share) -> bool {
        let Limits { running, running_per_share, .. } = self.limits;
        let own = state.shares.get(&share).map_or(0, |own| own.running);
        let may_start = may_take(own, running_per_share, state.running, running);
        if may_start {
            state.running += 1;
            state.shares.entry(share).or_default().running += 1;
        }
        may_start
    }

    fn enter_queue(self: &Arc<Self>, state: &mut State, share: Share) -> Result<Waiting, QueueFull> {
        let own = state.shares.get(&share).map_or(0, |own| own.queue.len());
        // A call that would run if there were no calls in the background waits for them, and is not refused because of them.
        let (own_limit, limit) =
            (self.queued_per_share + state.background, self.limits.queued + state.background);
        if !may_take(own, own_limit, state.queued, limit) {
            return Err(self.reason_in(state, share));
        }
        state.queued += 1;
        state.last_entry += 1;
        let number = state.last_entry;
        let (sender, granted) = oneshot::channel();
        if own == 0 {
            state.turns.push_back(share);
        }
        state.shares.entry(share).or_default().queue.push_back(QueueEntry { number, granted: sender });
        Ok(Waiting { limit: Arc::clone(self), share, number, granted, is_over: false })
    }

    /// Frees the place of a call that has ended, and starts those that wait and may run now.
    fn release(&self, share: Share, is_background: bool) {
        let mut state = self.state();
        state.running -= 1;
        state.background -= usize::from(is_background);
        if let Some(own) = state.shares.get_mut(&share) {
            own.running -= 1;
        }
        state.forget_if_unused(share);
        self.start_waiting(&mut state);
        if state.running == 0 {
            self.idle.notify_waiters();
        }
    }

    /// Starts calls that wait: one of each share that may have another place, in turns.
    fn start_waiting(&self, state: &mut State) {
        let mut refused = 0;
        while refused < state.turns.len() && state.running < self.limits.running {
            let Some(share) = state.turns.pop_front() else { return };
            if !self.start(state, share) {
                state.turns.push_back(share);
                refused += 1;
                continue;
            }
            refused = 0;
            let Some(own) = state.shares.get_mut(&share) else { continue };
            if let Some(entry) = own.queue.pop_front() {
                state.queued -= 1;
                // Its receiver leaves the queue before it is dropped, so it is there.
                let _ = entry.granted.send(());
            }
            if !own.queue.is_empty() {
                state.turns.push_back(share);
            }
        }
    }

    fn reason(&self, share: Share) -> QueueFull {
        self.reason_in(&self.state(), share)
    }

    /// Why a call of this share is refused: its own calls are too many, if a share without any would be served.
    fn reason_in(&self, state: &State, share: Share) -> QueueFull {
        let has_own = state.shares.contains_key(&share);
        let is_free = state.running < self.limits.running;
        if has_own && is_free { QueueFull::Share(share) } else { QueueFull::Connector }
    }
}

impl State {
    fn forget_if_unused(&mut self, share: Share) {
        if self.shares.get(&share).is_some_and(|own| own.running == 0 && own.queue.is_empty()) {
            self.shares.remove(&share);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.limit.release(self.share, self.is_background);
    }
}

/// A call in the queue. Dropping it leaves the queue: a caller may disconnect while it waits.
struct Waiting {
    limit: Arc<ConcurrencyLimit>,
    share: Share,
    number: u64,
    granted: oneshot::Receiver<()>,
    is_over: bool,
}

impl Waiting {
    /// Its permit was granted.
    fn into_permit(mut self) -> Permit {
        self.is_over = true;
        Permit { limit: Arc::clone(&self.limit), share: self.share, is_background: false }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut state = self.limit.state();
        let state_of_queue = &mut *state;
        let Some(own) = state_of_queue.shares.get_mut(&self.share) else { return };
        match own.queue.iter().position(|entry| entry.number == self.number) {
            Some(position) => {
                own.queue.remove(position);
                if own.queue.is_empty() {
                    state_of_queue.turns.retain(|share| *share != self.share);
                }
                state_of_queue.queued -= 1;
                state_of_queue.forget_if_unused(self.share);
            }
            // Granted at the same time: nobody runs in this place.
            None => {
                drop(state);
                self.limit.release(self.share, false);
            }
        }
    }
}

#[cfg(test)]
mod tests;
