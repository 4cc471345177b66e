//! Worker process isolation: a connector in a process of its own, with the same API. What it does to that process harms no
//! other connector and not the host.
//!
//! The host's side:
//! - `supervisor`: starts the worker process, and restarts it after a crash;
//! - `crash_breaker`: the circuit breaker that takes a connector out of service after repeated crashes;
//! - `retired_workers`: processes that were replaced because of a call over its deadline, and finish their other calls;
//! - `deadline_breaker`: the circuit breaker that takes a connection out of service after repeated calls over their deadline;
//! - `worker_handle`: the worker as calls see it, whatever process runs at the moment;
//! - `process`: one worker process: its sockets, its output and its exit; `user`: the system user that it runs as;
//! - `transport`: connector and connections over these sockets, for a `ConnectorClient`.
//!
//! Between host and worker process:
//! - `subreaper`: the parent of the worker process, which measures it with all its descendants and ends them together;
//!   `process_tree`: what they use; `cgroup`: the same by control groups.
//!
//! The worker's side:
//! - `worker`: the main loop of the worker process; `cancellation_watch`: waits for the cancellation of its calls;
//! - `confinement`: its privileges and resource limits; `file_access`: the files that it may use; `system_calls`: those that
//!   it may not make.
//!
//! Between them: `protocol` (frame types and messages), `frame` (framing) and `descriptors` (sockets over sockets).

#![cfg_attr(not(unix), allow(dead_code))]

#[cfg(unix)]
mod cancellation_watch;
#[cfg(unix)]
mod cgroup;
#[cfg(unix)]
mod confinement;
mod crash_breaker;
#[cfg(unix)]
mod deadline_breaker;
#[cfg(unix)]
mod descriptors;
#[cfg(target_os = "linux")]
mod file_access;
mod frame;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod process_tree;
mod protocol;
#[cfg(unix)]
mod retired_workers;
#[cfg(unix)]
mod subreaper;
#[cfg(unix)]
mod supervisor;
#[cfg(target_os = "linux")]
mod system_calls;
#[cfg(unix)]
mod transport;
#[cfg(not(unix))]
mod unsupported;
#[cfg(unix)]
mod user;
#[cfg(unix)]
mod worker;
#[cfg(unix)]
mod worker_handle;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

#[cfg(unix)]
pub(crate) use supervisor::IsolatedPlugin;
#[cfg(not(unix))]
pub(crate) use unsupported::{IsolatedPlugin, grant_access};
#[cfg(unix)]
pub(crate) use user::grant_access;

/// The stack size of a worker's threads that serve calls: the same as in the host.
const CALL_STACK: usize = 2 << 20;

/// How a connector runs in a worker process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confinement {
    /// The program of the worker; `None`: this program.
    pub program: Option<PathBuf>,
    /// The filter of its log records.
    pub log: String,
    /// Its resource limits.
    pub limits: Limits,
    /// The system user that it runs as; `None`: the host's.
    pub user: Option<String>,
    /// The environment variables that it gets besides `PATH`, `LANG`, `LC_ALL`, `TZ` and `TMPDIR`.
    pub environment: Vec<String>,
    /// What it may use besides what every worker may.
    pub files: FileAccess,
    /// Whether it may run where the system cannot restrict its files and system calls.
    pub sandbox: Sandbox,
    /// How long a call may take before it is given up, and its process retired.
    pub call_deadline: Duration,
    /// The number of crashes within a minute that take the connector out of service.
    pub max_crashes_per_minute: u32,
    /// How long it is out of service the first time. It doubles each further time.
    pub crash_backoff: Duration,
}

/// Whether a worker runs where the system cannot restrict its files and system calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sandbox {
    /// It runs with what the system has, and the log has a warning.
    #[default]
    BestEffort,
    /// It does not run.
    Required,
}

/// Files and folders that a worker may use besides what every worker may.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileAccess {
    /// Those that it may read, and run programs and libraries from.
    pub read: Vec<PathBuf>,
    /// Those that it may also write to.
    pub write: Vec<PathBuf>,
}

/// The resource limits of a worker process; `None`: no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Memory in bytes, of the worker and the processes that it starts together.
    pub memory: Option<u64>,
    /// Processor time in seconds, from the beginning of the latest call.
    pub cpu_seconds: Option<u64>,
    /// Open files and sockets.
    pub open_files: Option<u64>,
    /// Processes and threads, of the worker and the processes that it starts together.
    pub tasks: Option<u64>,
}

/// What a worker is started with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkerOptions {
    /// Its resource limits.
    pub limits: Limits,
    /// Its files.
    pub files: FileAccess,
    /// Its user and group, if they are others than the host's.
    pub user: Option<(u32, u32)>,
    /// Whether it must not run where the system cannot restrict it.
    pub requires_sandbox: bool,
    /// The control group that holds the groups of workers.
    pub cgroup: Option<PathBuf>,
    /// Whether this process is the worker process; otherwise it is the subreaper that starts it.
    pub is_confined: bool,
}

/// Set in the environment of a worker that is in a control group of its own.
#[cfg(unix)]
const IN_CGROUP: &str = "ERP_HOST_WORKER_IN_CGROUP";

/// Runs as a worker that a host has started: as the worker process or as its subreaper. Returns when the host has ended it.
///
/// # Errors
/// Standard input is not a socket of the host, the worker cannot be started or confined, or this system has no workers.
pub fn run_worker(options: &WorkerOptions) -> io::Result<()> {
    #[cfg(unix)]
    return if options.is_confined { worker::run(options) } else { subreaper::run(options) };
    #[cfg(not(unix))]
    Err(io::Error::new(io::ErrorKind::Unsupported, format!("no workers on this system ({options:?})")))
}

/// Hides memory and environment of this process from other processes of its user, and prevents core dumps. Workers without
/// a user of their own have the user of the host.
///
/// # Errors
/// The system refuses it.
pub fn hide_process() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}
