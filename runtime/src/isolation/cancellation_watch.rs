//! Waits for the cancellation of calls in a worker process: one thread for all of them.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// A callback for the end of the host's side of a call socket, unless the call has ended before.
pub(super) struct Registration {
    pub(super) socket: Arc<dyn AsFd + Send + Sync>,
    pub(super) has_ended: Arc<AtomicBool>,
    pub(super) callback: Box<dyn FnOnce() + Send>,
}

/// The thread, once a connector has asked for a callback.
static WATCH: Mutex<Option<CancellationWatch>> = Mutex::new(None);

struct CancellationWatch {
    added: Arc<Mutex<Vec<Registration>>>,
    wake: PipeWriter,
}

/// Adds a callback. It is dropped some time after the call has ended, at the latest with its socket.
///
/// # Errors
/// There is no thread for it: the connector still notices the cancellation when it checks.
pub(super) fn add(registration: Registration) -> io::Result<()> {
    let mut watch = lock(&WATCH);
    let watch = match &mut *watch {
        Some(watch) => watch,
        none => none.insert(CancellationWatch::start()?),
    };
    lock(&watch.added).push(registration);
    watch.wake.write_all(&[0])
}

impl CancellationWatch {
    fn start() -> io::Result<Self> {
        let (woken, wake) = io::pipe()?;
        let added = Arc::new(Mutex::new(Vec::new()));
        let watched = Arc::clone(&added);
        thread::Builder::new().name("cancellation".to_owned()).spawn(move || wait(woken, &watched))?;
        Ok(CancellationWatch { added, wake })
    }
}

fn wait(mut woken: PipeReader, added: &Mutex<Vec<Registration>>) {
    let mut waiting: Vec<Registration> = Vec::new();
    loop {
        waiting.append(&mut lock(added));
        waiting.retain(|one| !one.has_ended.load(Ordering::Acquire));
        let sockets =
            waiting.iter().map(|one| PollFd::from_borrowed_fd(one.socket.as_fd(), PollFlags::RDHUP));
        let mut descriptors: Vec<PollFd<'_>> =
            [PollFd::new(&woken, PollFlags::IN)].into_iter().chain(sockets).collect();
        match poll(&mut descriptors, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(_) => return,
        }
        let ready: Vec<bool> = descriptors.iter().map(|one| !one.revents().is_empty()).collect();
        let mut ready = ready.into_iter();
        if ready.next() == Some(true) && !matches!(woken.read(&mut [0; 64]), Ok(1..)) {
            return;
        }
        // What ends the call while its callback runs is the author's own matter, as it is in the host's process.
        for cancelled in waiting.extract_if(.., |_| ready.next() == Some(true)) {
            if !cancelled.has_ended.load(Ordering::Acquire) {
                (cancelled.callback)();
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn cancellation_watch_runs_callbacks_of_running_calls_when_their_sockets_end() {
        let (send, cancelled) = mpsc::channel();
        let call = |number: usize| {
            let (host, worker) = UnixStream::pair().unwrap();
            let (has_ended, send) = (Arc::new(AtomicBool::new(false)), send.clone());
            let callback = Box::new(move || send.send(number).unwrap());
            let socket: Arc<UnixStream> = Arc::new(worker);
            add(Registration { socket, has_ended: Arc::clone(&has_ended), callback }).unwrap();
            (host, has_ended)
        };
        let mut calls: Vec<_> = (0..100).map(call).collect();
        // Its call ends without a cancellation, and then its socket.
        let (host, has_ended) = calls.remove(7);
        has_ended.store(true, Ordering::Release);
        drop(host);
        // What the host sends is no cancellation.
        (&calls[0].0).write_all(b"service reply").unwrap();
        drop(calls.remove(40));
        assert_eq!(cancelled.recv().unwrap(), 41);
        drop(calls.remove(40));
        assert_eq!(cancelled.recv().unwrap(), 42);
        assert!(cancelled.try_recv().is_err());
        drop(calls);
        let mut rest: Vec<_> = (0..97).map(|_| cancelled.recv().unwrap()).collect();
        rest.sort_unstable();
        assert!(!rest.contains(&7) && rest.first() == Some(&0) && rest.len() == 97, "{rest:?}");
    }
}
