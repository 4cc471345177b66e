//! The processes that a process has started, with their memory and threads, as `/proc` shows them.

use std::fs;
use std::io;

use rustix::process::Pid;

/// What processes use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) processes: u64,
    /// Processes and threads.
    pub(super) tasks: u64,
    /// Bytes of memory that are not those of files. What processes share after a fork counts for each of them.
    pub(super) memory: u64,
}

/// The children of this process.
pub(super) fn own_children() -> Vec<Pid> {
    children(rustix::process::getpid()).unwrap_or_default()
}

/// What the descendants of this process use.
pub(super) fn usage_below(process: Pid) -> Usage {
    usage(children(process).unwrap_or_default())
}

/// What these processes and their descendants use. Processes that end meanwhile do not count.
pub(super) fn usage(mut found: Vec<Pid>) -> Usage {
    let mut usage = Usage::default();
    while let Some(process) = found.pop() {
        let Ok(own) = read(process) else { continue };
        usage.processes += own.processes;
        usage.tasks += own.tasks;
        usage.memory += own.memory;
        found.extend(children(process).unwrap_or_default());
    }
    usage
}

/// The children of a process: those of each of its threads.
fn children(process: Pid) -> io::Result<Vec<Pid>> {
    let mut found = Vec::new();
    for task in fs::read_dir(format!("/proc/{}/task", process.as_raw_nonzero()))? {
        // A thread may have ended.
        let Ok(list) = fs::read_to_string(task?.path().join("children")) else { continue };
        found.extend(list.split_ascii_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?)));
    }
    Ok(found)
}

fn read(process: Pid) -> io::Result<Usage> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.as_raw_nonzero()))?;
    Ok(parse(&status))
}

/// Reads `/proc/PID/status`.
fn parse(status: &str) -> Usage {
    let mut usage = Usage { processes: 1, ..Usage::default() };
    for line in status.lines() {
        let (name, value) = line.split_once(':').unwrap_or_default();
        let number =
            || value.split_ascii_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0);
        match name {
            "RssAnon" | "RssShmem" | "VmSwap" => usage.memory += number() * 1024,
            "Threads" => usage.tasks = number(),
            _ => {}
        }
    }
    usage
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_from_the_status_of_a_process() {
        let status = "Name:\tx\nVmRSS:\t 900 kB\nRssAnon:\t 100 kB\nRssFile:\t 700 kB\nRssShmem:\t 20 kB\nVmSwap:\t 3 kB\nThreads:\t7\n";
        assert_eq!(parse(status), Usage { processes: 1, tasks: 7, memory: 123 * 1024 });
        assert_eq!(parse(""), Usage { processes: 1, ..Usage::default() });
    }

    #[test]
    fn usage_adds_up_a_process_and_its_descendants() {
        let mut shell = std::process::Command::new("sh");
        let mut child = shell.args(["-c", "sleep 1000 & sleep 1000 & wait"]).spawn().unwrap();
        let pid = Pid::from_child(&child);
        while usage(vec![pid]).processes < 3 {
            std::thread::yield_now();
        }
        assert_eq!(usage(vec![pid]).tasks, 3);
        assert!(own_children().contains(&pid));
        for process in children(pid).unwrap() {
            rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
