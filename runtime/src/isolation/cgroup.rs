//! Control groups (cgroup v2): where the service manager has delegated its group to the host, each worker gets a group of its
//! own, in which the kernel limits memory and the number of processes, and which is ended as a whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::Limits;

/// The group of the host itself: a group that has subgroups with controllers can hold no processes.
const HOST_GROUP: &str = "host";
/// What the names of the workers' groups begin with.
const WORKER_PREFIX: &str = "worker-";
/// The controllers that are needed.
const CONTROLLERS: [&str; 2] = ["memory", "pids"];
/// The extended attribute that systemd marks a delegated group with.
const DELEGATED: &str = "user.delegate";

/// The group that holds the groups of workers; `None`: no group was delegated to this process. The first call moves this
/// process to a group below it.
pub(super) fn delegated() -> Option<&'static Path> {
    static DELEGATED_GROUP: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = DELEGATED_GROUP.get_or_init(|| {
        let group = find(
            &fs::read_to_string("/proc/self/cgroup").ok()?,
            &fs::read_to_string("/proc/self/mountinfo").ok()?,
        )?;
        let group = if group.ends_with(HOST_GROUP) { group.parent()?.to_owned() } else { group };
        if !is_delegated(&group) {
            return None;
        }
        match take(&group) {
            Ok(()) => Some(group),
            Err(error) => {
                tracing::warn!(
                    "the limits of workers are not those of control groups: the delegated group {} cannot be used: {error}",
                    group.display()
                );
                None
            }
        }
    });
    found.as_deref()
}

/// The folder of this process's group, from `/proc/self/cgroup` and `/proc/self/mountinfo`.
fn find(groups: &str, mounts: &str) -> Option<PathBuf> {
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    // `ID PARENT MAJOR:MINOR ROOT PLACE OPTIONS.. - TYPE ..`
    let place = mounts.lines().find_map(|line| {
        let (mount, source) = line.split_once(" - ")?;
        source.starts_with("cgroup2 ").then(|| mount.split(' ').nth(4)).flatten()
    })?;
    Some(Path::new(place).join(path))
}

fn is_delegated(group: &Path) -> bool {
    let mut value = [0; 8];
    rustix::fs::getxattr(group, DELEGATED, &mut value).is_ok_and(|length| value.get(..length) == Some(b"1"))
}

/// Prepares a delegated group for groups of workers: moves this process to a group below it, and hands its controllers on.
fn take(group: &Path) -> io::Result<()> {
    let available = fs::read_to_string(group.join("cgroup.controllers"))?;
    for controller in CONTROLLERS {
        if !available.split_ascii_whitespace().any(|one| one == controller) {
            return Err(io::Error::other(format!("it has no controller {controller}")));
        }
    }
    let host = group.join(HOST_GROUP);
    fs::create_dir_all(&host)?;
    write(&host, "cgroup.procs", "0")?;
    write(group, "cgroup.subtree_control", "+memory +pids")?;
    // What a host that was killed has left behind; a group with processes stays.
    for entry in fs::read_dir(group)?.flatten() {
        if entry.file_name().to_string_lossy().starts_with(WORKER_PREFIX) {
            let _ = fs::remove_dir(entry.path());
        }
    }
    Ok(())
}

fn write(group: &Path, file: &str, value: &str) -> io::Result<()> {
    let path = group.join(file);
    fs::write(&path, value)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

/// The group of one worker.
#[derive(Debug)]
pub(super) struct WorkerGroup {
    parent: PathBuf,
    folder: PathBuf,
}

impl WorkerGroup {
    /// Creates a group with these limits.
    ///
    /// # Errors
    /// The group cannot be created.
    pub(super) fn create(parent: &Path, limits: &Limits) -> io::Result<Self> {
        let folder = parent.join(format!("{WORKER_PREFIX}{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        if let Some(memory) = limits.memory {
            write(&folder, "memory.max", &memory.to_string())?;
            // All of it ends, not one process of it.
            write(&folder, "memory.oom.group", "1")?;
            // Missing where swapping is not counted.
            let _ = write(&folder, "memory.swap.max", "0");
        }
        if let Some(tasks) = limits.tasks {
            write(&folder, "pids.max", &tasks.to_string())?;
        }
        Ok(WorkerGroup { parent: parent.to_owned(), folder })
    }

    /// Starts a process that begins in this group.
    ///
    /// # Errors
    /// This process cannot be moved, or the other one cannot be started.
    pub(super) fn start_in<T>(&self, start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        write(&self.folder, "cgroup.procs", "0")?;
        let started = start();
        write(&self.parent.join(HOST_GROUP), "cgroup.procs", "0")?;
        started
    }

    /// Ends all processes of the group, and removes it. Returns what they were ended for if the kernel has done it.
    pub(super) fn end(self) -> Option<String> {
        // Processes that were not children of this one; Linux 5.14 and newer.
        let _ = write(&self.folder, "cgroup.kill", "1");
        let events = fs::read_to_string(self.folder.join("memory.events")).unwrap_or_default();
        let _ = fs::remove_dir(&self.folder);
        has_run_out(&events).then(|| {
            "was ended by the system, because it and the processes that it started used more memory than they may ([worker] memory)"
                .to_owned()
        })
    }
}

/// Whether `memory.events` has a process that was killed.
fn has_run_out(events: &str) -> bool {
    let counts = events.lines().filter_map(|line| line.split_once(' '));
    counts.into_iter().any(|(event, count)| event == "oom_kill" && count != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(folder: &Path, file: &str) -> String {
        fs::read_to_string(folder.join(file)).unwrap()
    }

    #[test]
    fn group_of_this_process_is_found_in_both_hierarchies() {
        let mounts = "36 25 0:31 / /sys rw - sysfs sysfs rw\n42 36 0:39 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";
        let unit = "0::/system.slice/erp-host.service\n";
        assert_eq!(find(unit, mounts), Some("/sys/fs/cgroup/system.slice/erp-host.service".into()));
        let hybrid = "12:memory:/x\n1:name=systemd:/y\n0::/\n";
        let mounts = mounts.replace("/sys/fs/cgroup ", "/sys/fs/cgroup/unified ");
        assert_eq!(find(hybrid, &mounts), Some("/sys/fs/cgroup/unified/".into()));
        assert_eq!(find("12:memory:/x\n", &mounts), None);
        assert_eq!(find(unit, "36 25 0:31 / /sys rw - sysfs sysfs rw\n"), None);
    }

    #[test]
    fn delegated_group_is_taken_over_only_with_its_controllers() {
        let group = tempfile::tempdir().unwrap();
        fs::write(group.path().join("cgroup.controllers"), "cpu memory\n").unwrap();
        let error = take(group.path()).unwrap_err().to_string();
        assert!(error.contains("no controller pids"), "{error}");
        fs::write(group.path().join("cgroup.controllers"), "cpu memory pids\n").unwrap();
        let old = group.path().join("worker-7");
        fs::create_dir(&old).unwrap();
        take(group.path()).unwrap();
        assert_eq!(read(group.path(), "cgroup.subtree_control"), "+memory +pids");
        assert_eq!(read(&group.path().join("host"), "cgroup.procs"), "0");
        assert!(!old.exists(), "a group that was left behind is removed");
    }

    #[test]
    fn worker_group_has_its_limits_and_is_ended_as_a_whole() {
        let parent = tempfile::tempdir().unwrap();
        fs::create_dir(parent.path().join(HOST_GROUP)).unwrap();
        let limits = Limits { memory: Some(64 << 20), tasks: Some(100), ..Limits::default() };
        let group = WorkerGroup::create(parent.path(), &limits).unwrap();
        let folder = group.folder.clone();
        assert_eq!(read(&folder, "memory.max"), "67108864");
        assert_eq!(read(&folder, "memory.swap.max"), "0");
        assert_eq!(read(&folder, "memory.oom.group"), "1");
        assert_eq!(read(&folder, "pids.max"), "100");
        let inside = || {
            assert_eq!(read(&folder, "cgroup.procs"), "0", "the process starts within its group");
            assert!(!parent.path().join(HOST_GROUP).join("cgroup.procs").exists());
            Ok(())
        };
        group.start_in(inside).unwrap();
        assert_eq!(
            read(&parent.path().join(HOST_GROUP), "cgroup.procs"),
            "0",
            "and this one is back in its own"
        );
        fs::write(folder.join("memory.events"), "low 0\noom 1\noom_kill 1\n").unwrap();
        let exceeded = group.end().unwrap();
        assert!(exceeded.contains("used more memory than they may"), "{exceeded}");
        assert_eq!(read(&folder, "cgroup.kill"), "1");

        let group = WorkerGroup::create(parent.path(), &Limits::default()).unwrap();
        fs::write(folder.join("memory.events"), "oom_kill 0\n").unwrap();
        assert_eq!(group.end(), None);
    }
}
