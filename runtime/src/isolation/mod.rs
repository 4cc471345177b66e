//! A connector in a process of its own, of this same program, with the same API: what it does to that process it does to
//! no other connector and not to the host.
//!
//! - `protocol`, `frame`: what the two say to each other, and how that stands on a socket;
//! - `worker`, `confine`: the worker's side;
//! - `process`: one worker process as the host sees it; `keeper`: starts it, and starts it again as `breaker` says;
//! - `link`: calls and connections, for a client.

#![cfg_attr(not(unix), allow(dead_code))]

mod breaker;
#[cfg(unix)]
mod confine;
mod frame;
#[cfg(unix)]
mod keeper;
#[cfg(unix)]
mod link;
#[cfg(unix)]
mod process;
mod protocol;
#[cfg(unix)]
mod user;
#[cfg(unix)]
mod worker;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

#[cfg(not(unix))]
mod absent;

#[cfg(not(unix))]
pub(super) use absent::{Opened, hand_over};
#[cfg(unix)]
pub(super) use keeper::Opened;
#[cfg(unix)]
pub(super) use user::hand_over;

/// The stack of a thread that serves calls: as much as one of the host's own has.
const STACK: usize = 2 << 20;

/// How a connector runs in a process of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confinement {
    /// The program; `None`: the one that runs.
    pub program: Option<PathBuf>,
    /// What its log records are filtered by.
    pub log: String,
    /// What it may use.
    pub limits: Limits,
    /// The user that it runs as; `None`: the host's.
    pub user: Option<String>,
    /// The environment variables that it sees besides `PATH`, `LANG`, `LC_ALL`, `TZ` and `TMPDIR`.
    pub environment: Vec<String>,
    /// How long a call may take before the process is ended.
    pub call_deadline: Duration,
    /// So many crashes within a minute take it out of service.
    pub crashes: u32,
    /// For how long, the first time.
    pub crash_pause: Duration,
}

/// What a worker process may use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Seconds of processor time, from the beginning of its latest call on.
    pub cpu_seconds: Option<u64>,
    /// Open files and sockets.
    pub open_files: Option<u64>,
}

/// Serves as a worker, in a process that a host has started; returns when the host wants it to end.
///
/// # Errors
/// This is no such process, its limits cannot be set, or this system has none of what it needs.
pub fn run_worker(limits: &Limits) -> io::Result<()> {
    #[cfg(unix)]
    return worker::run(limits);
    #[cfg(not(unix))]
    Err(io::Error::new(io::ErrorKind::Unsupported, format!("no workers on this system ({limits:?})")))
}
