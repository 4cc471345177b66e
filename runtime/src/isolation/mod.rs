//! Worker process isolation: a connector in a process of its own, with the same API. What it does to that process harms no
//! other connector and not the host.
//!
//! The host's side:
//! - `supervisor`: starts the worker process, and restarts it after a crash;
//! - `crash_breaker`: the circuit breaker that takes a connector out of service after repeated crashes;
//! - `worker_handle`: the worker as calls see it, whatever process runs at the moment;
//! - `process`: one worker process: its sockets, its output and its exit; `user`: the system user that it runs as;
//! - `transport`: connector and connections over these sockets, for a `ConnectorClient`.
//!
//! The worker's side:
//! - `worker`: the main loop of the worker process; `confinement`: its privileges and resource limits.
//!
//! Between them: `protocol` (frame types and messages) and `frame` (framing).

#![cfg_attr(not(unix), allow(dead_code))]

#[cfg(unix)]
mod confinement;
mod crash_breaker;
mod frame;
#[cfg(unix)]
mod process;
mod protocol;
#[cfg(unix)]
mod supervisor;
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
    /// How long a call may take before the host ends the process.
    pub call_deadline: Duration,
    /// The number of crashes within a minute that take the connector out of service.
    pub max_crashes_per_minute: u32,
    /// How long it is out of service the first time. It doubles each further time.
    pub crash_backoff: Duration,
}

/// The resource limits of a worker process; `None`: no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// Processor time in seconds, from the beginning of the latest call.
    pub cpu_seconds: Option<u64>,
    /// Open files and sockets.
    pub open_files: Option<u64>,
}

/// Runs as a worker process that a host has started. Returns when the host has closed the control socket.
///
/// # Errors
/// Standard input is not a control socket, the limits cannot be set, or this system has no worker processes.
pub fn run_worker(limits: &Limits) -> io::Result<()> {
    #[cfg(unix)]
    return worker::run(limits);
    #[cfg(not(unix))]
    Err(io::Error::new(io::ErrorKind::Unsupported, format!("no workers on this system ({limits:?})")))
}
