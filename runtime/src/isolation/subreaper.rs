//! The subreaper of a worker: a process between the host and the worker process, to which the kernel hands every process that
//! the worker leaves behind. It starts the worker, measures it with its descendants, and ends all of them together: when the
//! worker ends, when they use more than they may, and when the host closes the lifeline or ends.
//!
//! It has the rights of the host and runs no code of a plugin.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, kill_process_group, wait, waitid, waitpid,
};

use super::WorkerOptions;
use super::cgroup::WorkerGroup;
use super::descriptors::{keep_from_children, receive_descriptor, take_stdin};
use super::process_tree::{self, Usage};

/// How often the worker and its descendants are measured.
const INTERVAL: Duration = Duration::from_millis(200);

/// What the subreaper reports on the lifeline when all processes have ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WorkerExit {
    /// The exit status of the worker process.
    pub(super) status: ExitStatus,
    /// The limit that the worker was ended for.
    pub(super) exceeded: Option<String>,
}

impl WorkerExit {
    /// The end of a worker, from what was read of the lifeline; `None` when there is no report.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (status, exceeded) = bytes.split_first_chunk()?;
        let exceeded = (!exceeded.is_empty()).then(|| String::from_utf8_lossy(exceeded).into_owned());
        Some(WorkerExit { status: ExitStatus::from_raw(i32::from_ne_bytes(*status)), exceeded })
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = self.status.into_raw().to_ne_bytes().to_vec();
        bytes.extend(self.exceeded.iter().flat_map(|text| text.bytes()));
        bytes
    }
}

/// Runs as the subreaper of a worker. Standard input is the lifeline; the host sends the worker's control socket over it.
///
/// # Errors
/// Standard input is not a lifeline, or the worker cannot be started.
pub(super) fn run(options: &WorkerOptions) -> io::Result<()> {
    super::hide_process()?;
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let mut lifeline = UnixStream::from(take_stdin()?);
    let Some(control) = receive_descriptor(&lifeline)? else { return Ok(()) };
    let group = options.cgroup.as_deref().map(|parent| WorkerGroup::create(parent, &options.limits));
    let group = group.transpose()?;
    let worker = start(options, control, group.as_ref())?;
    // Processes that a worker starts in large numbers must not delay this one. Only root may do that.
    let _ = rustix::process::setpriority_process(None, -20);
    let (status, exceeded) = supervise(&worker, &lifeline, options, group.is_some());
    let exceeded = exceeded.or_else(|| group.and_then(|group| group.end()));
    // The host may have ended.
    let _ = lifeline.write_all(&WorkerExit { status, exceeded }.encode());
    Ok(())
}

/// Starts the worker process with the arguments of this one.
fn start(options: &WorkerOptions, control: OwnedFd, group: Option<&WorkerGroup>) -> io::Result<Child> {
    keep_from_children()?;
    // On Linux this file, whatever has become of its path, and whether or not the worker's user can reach it.
    let program = if cfg!(target_os = "linux") { "/proc/self/exe".into() } else { std::env::current_exe()? };
    let mut command = Command::new(program);
    if let Some(name) = std::env::args_os().next() {
        command.arg0(name);
    }
    command.args(std::env::args_os().skip(1).take(1)).arg("--confined").args(std::env::args_os().skip(2));
    command.stdin(control);
    if group.is_some() {
        command.env(super::IN_CGROUP, "1");
    }
    if let Some((user, group)) = options.user {
        // Those of the host, which no longer fit. The standard library drops them only as root.
        #[cfg(target_os = "linux")]
        rustix::thread::set_thread_groups(&[])?;
        command.uid(user).gid(group);
    }
    match group {
        // The worker process begins in its group, so that nothing of it is outside.
        Some(group) => group.start_in(|| command.spawn()),
        None => command.spawn(),
    }
}

/// Waits for a reason to end the worker, and ends it with all its descendants. Returns its exit status, and the limit that
/// they have exceeded.
fn supervise(
    worker: &Child,
    lifeline: &UnixStream,
    options: &WorkerOptions,
    has_group: bool,
) -> (ExitStatus, Option<String>) {
    let pid = Pid::from_child(worker);
    #[cfg(target_os = "linux")]
    let ended = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok();
    // The end is seen at the next interval.
    #[cfg(not(target_os = "linux"))]
    let ended: Option<OwnedFd> = None;
    let mut exceeded = None;
    let mut is_hidden = false;
    while exceeded.is_none() && is_open(lifeline, ended.as_ref()) && !has_ended(pid) {
        let children = process_tree::own_children();
        reap_others(pid, &children);
        if !has_group {
            let usage = process_tree::usage(children);
            exceeded = excess(usage, options);
            if cfg!(target_os = "linux") && usage.processes == 0 && !is_hidden && !has_ended(pid) {
                is_hidden = true;
                // The host logs it.
                eprintln!(
                    "erp-host: memory and processes of this worker cannot be limited together: /proc hides them (ProtectProc in \
                     the unit), and no control group is delegated"
                );
            }
        }
    }
    (end_all(pid), exceeded)
}

/// Whether the worker has ended. It is not reaped: its process ID stays that of its process group, and of nothing else.
fn has_ended(worker: Pid) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::Pid(worker), options), Ok(None))
}

/// Waits for the interval, or until the worker ends. False: the host has closed the lifeline.
fn is_open(lifeline: &UnixStream, ended: Option<&OwnedFd>) -> bool {
    let mut events = vec![PollFd::new(lifeline, PollFlags::IN)];
    events.extend(ended.map(|ended| PollFd::new(ended, PollFlags::IN)));
    let timeout = Timespec::try_from(INTERVAL).ok();
    match poll(&mut events, timeout.as_ref()) {
        Ok(_) => events[0].revents().is_empty(),
        Err(error) => error == Errno::INTR,
    }
}

/// What of the limits is exceeded, in words.
fn excess(usage: Usage, options: &WorkerOptions) -> Option<String> {
    let limits = &options.limits;
    if let Some(tasks) = limits.tasks.filter(|&tasks| usage.tasks > tasks) {
        return Some(format!(
            "was ended by the host, because it had {} processes and threads, and may have {tasks} ([worker] tasks)",
            usage.tasks
        ));
    }
    // A single process is held to its limit by the kernel.
    let memory = limits.memory.filter(|&memory| usage.processes > 1 && usage.memory > memory)?;
    Some(format!(
        "was ended by the host, because it and the processes that it started used {} MiB of memory together, and may use {} MiB ([worker] memory)",
        usage.memory >> 20,
        memory >> 20
    ))
}

/// Reaps the processes that the worker has left behind and that have ended.
fn reap_others(worker: Pid, children: &[Pid]) {
    for &child in children.iter().filter(|&&child| child != worker) {
        let _ = waitpid(Some(child), WaitOptions::NOHANG);
    }
}

/// Kills all descendants, and reaps them. Returns the exit status of the worker, which may have ended already.
///
/// The first signal goes to the worker's process group, in one step: no process of it can start another one meanwhile. All
/// descendants are in it where system calls are restricted. Elsewhere some may have left it: the children of a process that is
/// killed become children of this one, so it repeats that until it has none.
fn end_all(worker: Pid) -> ExitStatus {
    let mut status = None;
    loop {
        if status.is_none() {
            let _ = kill_process_group(worker, Signal::KILL);
            let _ = kill_process(worker, Signal::KILL);
        }
        for child in process_tree::own_children() {
            let _ = kill_process(child, Signal::KILL);
        }
        let mut options = WaitOptions::empty();
        loop {
            match wait(options) {
                Ok(Some((pid, ended))) if pid == worker => {
                    status = Some(ExitStatus::from_raw(ended.as_raw()))
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                // Others are still ending.
                Ok(None) => break,
                Err(_) => return status.unwrap_or_else(|| ExitStatus::from_raw(Signal::KILL.as_raw())),
            }
            options = WaitOptions::NOHANG;
        }
    }
}

/// Reads the report of a subreaper; the lifeline is closed when it ends.
pub(super) fn read_report(lifeline: &mut UnixStream) -> Option<WorkerExit> {
    let mut bytes = Vec::new();
    let _ = lifeline.read_to_end(&mut bytes);
    WorkerExit::decode(&bytes)
}
