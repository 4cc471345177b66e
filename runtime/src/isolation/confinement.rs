//! The confinement that a worker process applies to itself before it opens the plugin: it ends with its host, cannot gain
//! privileges, and has resource limits.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::Limits;

/// Lets the process end with its host, and forbids it to gain privileges (`no_new_privs`). This holds for the calling thread
/// and those that it starts later, so it must be called first.
///
/// # Errors
/// The system refuses it.
pub(super) fn restrict() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, set_parent_process_death_signal};
        set_parent_process_death_signal(Some(Signal::KILL))?;
        rustix::thread::set_no_new_privs(true)?;
    }
    Ok(())
}

/// Sets the resource limits of the whole process. That of processor time grows with each call: see [`CpuTimeLimit`].
///
/// # Errors
/// The system refuses them.
pub(super) fn set_limits(limits: &Limits) -> io::Result<()> {
    let both = |limit: u64| Rlimit { current: Some(limit), maximum: Some(limit) };
    if let Some(memory) = limits.memory {
        // Linux counts private writable memory here. A limit of the address space would count what is only reserved.
        setrlimit(if cfg!(target_os = "linux") { Resource::Data } else { Resource::As }, both(memory))?;
    }
    if let Some(files) = limits.open_files {
        setrlimit(Resource::Nofile, both(files))?;
    }
    Ok(())
}

/// The limit of processor time, counted from the beginning of the latest call. The system ends a process that exceeds it
/// (SIGXCPU).
pub(super) struct CpuTimeLimit {
    /// Seconds for one call.
    seconds: u64,
    /// The present limit, in seconds since the start of the process.
    limit: AtomicU64,
}

impl CpuTimeLimit {
    pub(super) fn new(seconds: u64) -> Self {
        CpuTimeLimit { seconds, limit: AtomicU64::new(0) }
    }

    /// Extends the limit, at the beginning of a call.
    pub(super) fn extend(&self) {
        let used = u64::try_from(clock_gettime(ClockId::ProcessCPUTime).tv_sec).unwrap_or(0);
        let limit = used + self.seconds + 1;
        if self.limit.fetch_max(limit, Ordering::Relaxed) < limit {
            // It can only fail above the hard limit, which is not set.
            let _ = setrlimit(Resource::Cpu, Rlimit { current: Some(limit), maximum: None });
        }
    }
}
