//! Looks after tests with many cases: none may hang, and memory must not grow with their number.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A case that takes longer than this hangs: it has a few kilobytes.
const HANGS: Duration = Duration::from_secs(20);

/// Watches cases, one after the other. Ends the process when one hangs, which could not be ended otherwise.
#[derive(Default)]
pub(crate) struct Watch(Arc<Mutex<Option<Case>>>);

struct Case {
    since: Instant,
    bytes: Vec<u8>,
}

impl Watch {
    pub(crate) fn start() -> Self {
        let watch = Watch::default();
        let current = Arc::downgrade(&watch.0);
        thread::spawn(move || {
            while let Some(current) = current.upgrade() {
                if let Some(case) = &*current.lock().unwrap()
                    && case.since.elapsed() > HANGS
                {
                    eprintln!("this case hangs: {}", case.bytes.escape_ascii());
                    std::process::abort();
                }
                drop(current);
                thread::sleep(Duration::from_millis(500));
            }
        });
        watch
    }

    /// Runs a case.
    pub(crate) fn case<T>(&self, bytes: &[u8], run: impl FnOnce() -> T) -> T {
        *self.0.lock().unwrap() = Some(Case { since: Instant::now(), bytes: bytes.to_vec() });
        let report = ReportCase(bytes);
        let result = run();
        std::mem::forget(report);
        *self.0.lock().unwrap() = None;
        result
    }
}

/// Prints the case, unless it succeeded.
struct ReportCase<'a>(&'a [u8]);

impl Drop for ReportCase<'_> {
    fn drop(&mut self) {
        eprintln!("it was this case: {}", self.0.escape_ascii());
    }
}

/// The most memory that this process ever had, in KiB; `None` where the system has no such figure.
pub(crate) fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
