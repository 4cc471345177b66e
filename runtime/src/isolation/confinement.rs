//! The confinement that a worker process applies to itself before it opens the plugin: it ends with its parent, has no
//! privileges and cannot gain any, has resource limits, and may use only some files and system calls.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::{Limits, WorkerOptions};

/// Confines the process: the calling thread and those that it starts later, so it must be called first. Returns what the
/// system cannot restrict, and what it cannot allow, in one line each.
///
/// # Errors
/// The system refuses what it must be able to do, or cannot restrict a worker for which that is required.
pub(super) fn confine(options: &WorkerOptions) -> io::Result<Vec<String>> {
    // A session of its own: signals to its group do not reach the subreaper, and it has no terminal.
    rustix::process::setsid()?;
    #[cfg(target_os = "linux")]
    give_up_privileges()?;
    set_limits(options)?;
    if let Some(folder) = std::env::var_os("TMPDIR") {
        // Where it cannot be created, neither can temporary files.
        let _ = std::fs::create_dir_all(folder);
    }
    let mut notes = Vec::new();
    if rustix::process::geteuid().is_root() {
        notes.push(
            "the worker runs as root, because erp-host does; name a user of its own for it ([worker] user)"
                .to_owned(),
        );
    }
    #[cfg(target_os = "linux")]
    restrict(options, &mut notes).map_err(io::Error::other)?;
    #[cfg(not(target_os = "linux"))]
    if options.requires_sandbox {
        return Err(io::Error::other("a sandbox is required ([worker] sandbox), and this system has none"));
    }
    Ok(notes)
}

/// Lets the process end with its parent, hides it from other processes of its user, and drops all capabilities for ever.
#[cfg(target_os = "linux")]
fn give_up_privileges() -> io::Result<()> {
    use rustix::process::{DumpableBehavior, Signal, set_dumpable_behavior, set_parent_process_death_signal};
    use rustix::thread::{CapabilitySet, CapabilitySets};
    // Not that of the link that it was started from. Only shown in the list of processes.
    let _ = rustix::thread::set_name(c"erp-host worker");
    set_parent_process_death_signal(Some(Signal::KILL))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    rustix::thread::set_no_new_privs(true)?;
    // Not without the right to change it; nothing can be gained from it then, either.
    for capability in CapabilitySet::all().iter() {
        let _ = rustix::thread::remove_capability_from_bounding_set(capability);
    }
    let _ = rustix::thread::clear_ambient_capability_set();
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    if let Err(error) = rustix::thread::set_capabilities(None, sets) {
        // A service manager may deny the call to a process that has none.
        if !rustix::thread::capabilities(None)?.permitted.is_empty() {
            return Err(error.into());
        }
    }
    Ok(())
}

/// Restricts files and system calls.
#[cfg(target_os = "linux")]
fn restrict(options: &WorkerOptions, notes: &mut Vec<String>) -> Result<(), String> {
    use super::file_access;
    use super::system_calls::{Denial, deny};
    let cannot = |what: &str, error: &dyn std::fmt::Display| format!("{what} cannot be restricted: {error}");
    let files = file_access::restrict(&options.files).map_err(|error| cannot("its files", &error))?;
    let has_own_user = options.user.is_some();
    let denial = Denial {
        has_own_user,
        shared_memory: options.limits.memory.is_some() && std::env::var_os(super::IN_CGROUP).is_none(),
        truncation: !files.truncation,
        signals: !files.scope && !has_own_user,
    };
    let calls = deny(denial);
    let mut missing = Vec::new();
    if !files.files {
        missing.push(
            "this kernel does not restrict files (Landlock): the worker can use every file that its user can"
                .to_owned(),
        );
    }
    if let Err(error) = calls {
        missing.push(format!("this kernel does not restrict system calls (seccomp): {error}"));
    }
    if options.requires_sandbox && !missing.is_empty() {
        return Err(format!("{}; [worker] sandbox requires it", missing.join("; ")));
    }
    notes.extend(missing);
    notes.extend(files.problems);
    Ok(())
}

/// The most processes and threads of the host's user besides those of one worker.
const OTHER_TASKS: u64 = 8192;

/// Sets the resource limits of the whole process. That of processor time grows with each call: see [`CpuTimeLimit`].
fn set_limits(options: &WorkerOptions) -> io::Result<()> {
    // A limit that the host has already is kept where it is lower: nobody but root may raise it.
    let set = |resource: Resource, limit: u64| {
        let limit = getrlimit(resource).maximum.map_or(limit, |maximum| limit.min(maximum));
        setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })
    };
    let Limits { memory, cpu_seconds: _, open_files, tasks } = options.limits;
    if let Some(memory) = memory {
        // Linux counts private writable memory here. A limit of the address space would count what is only reserved.
        set(if cfg!(target_os = "linux") { Resource::Data } else { Resource::As }, memory)?;
    }
    if let Some(files) = open_files {
        set(Resource::Nofile, files)?;
    }
    // The system counts all processes and threads of the user. Without a user of its own those of the host and of other
    // workers count too: then it is a bound for a worker that starts processes faster than the subreaper counts them.
    if let Some(tasks) = tasks {
        set(Resource::Nproc, if options.user.is_some() { tasks } else { tasks + OTHER_TASKS })?;
    }
    // A core dump would hold the secrets of open connections.
    set(Resource::Core, 0)?;
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
