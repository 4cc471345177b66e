//! What a worker takes from itself before it opens the plugin: it must not outlive its host, gain no rights, and take no
//! more than it may.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::Limits;

/// Ends with its host, and never gets more rights than it has now, whatever it runs. For this thread and those that it
/// starts from now on: to be called first.
pub(super) fn at_once() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, set_parent_process_death_signal};
        set_parent_process_death_signal(Some(Signal::KILL))?;
        rustix::thread::set_no_new_privs(true)?;
    }
    Ok(())
}

/// Sets the limits that do not move.
pub(super) fn limit(limits: &Limits) -> io::Result<()> {
    let both = |most: u64| Rlimit { current: Some(most), maximum: Some(most) };
    if let Some(memory) = limits.memory {
        // What is written to and not shared, as Linux counts it: address space alone costs nothing.
        setrlimit(if cfg!(target_os = "linux") { Resource::Data } else { Resource::As }, both(memory))?;
    }
    if let Some(files) = limits.open_files {
        setrlimit(Resource::Nofile, both(files))?;
    }
    Ok(())
}

/// The processor time that the worker may use: so many seconds from the beginning of its latest call on. The system ends
/// it (SIGXCPU) when it has used them.
pub(super) struct ProcessorTime {
    seconds: u64,
    /// Where the limit stands, in seconds of the worker's whole life.
    limit: AtomicU64,
}

impl ProcessorTime {
    pub(super) fn new(seconds: u64) -> Self {
        ProcessorTime { seconds, limit: AtomicU64::new(0) }
    }

    /// A call begins.
    pub(super) fn extend(&self) {
        let used = u64::try_from(clock_gettime(ClockId::ProcessCPUTime).tv_sec).unwrap_or(0);
        let limit = used + self.seconds + 1;
        if self.limit.fetch_max(limit, Ordering::Relaxed) < limit {
            // It can only fail above the hard limit, which is not set.
            let _ = setrlimit(Resource::Cpu, Rlimit { current: Some(limit), maximum: None });
        }
    }
}
