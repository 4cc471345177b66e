//! A worker process is a boundary: what a connector in it cannot do to the host and to other connectors, with a user of its
//! own and with the host's; and how all that it has started ends with it.

#![cfg(target_os = "linux")]

use std::fmt::Write as _;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use contract::{Dialect, Request};
use test_support::host_process::HostProcess;
use test_support::soap::{Answer, Client};
use test_support::tools;
use test_support::{HELLO, ROGUE, Setup, TestHost, wait_until};

use crate::rogue::{get, save};

const GUID: &str = "dddddddd-0000-4000-8000-000000000021";
const OTHER: &str = "dddddddd-0000-4000-8000-000000000022";

/// The users `nobody` and `daemon`, which every system has.
const NOBODY: u32 = 65534;
const DAEMON: u32 = 1;

/// Tries what a connector must not be able to do. Prints a line for each attempt.
const ATTACK: &str = include_str!("worker_boundary/attack.py");

/// The users of a host and its workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Users {
    /// Host and worker are root.
    Root,
    /// Host and worker have the same user, which is not root.
    Same,
    /// The host is root, and its workers have a user of their own.
    RootAndOwn,
    /// The host is not root, and has the capabilities that it needs for workers with a user of their own.
    CapabilitiesAndOwn,
}

impl Users {
    fn has_own(self) -> bool {
        matches!(self, Users::RootAndOwn | Users::CapabilitiesAndOwn)
    }
}

struct Attacked {
    // Before the folders, so that it ends first.
    process: HostProcess,
    host: TestHost,
}

impl Attacked {
    fn start(users: Users, configuration: &str) -> Self {
        Attacked::start_after(users, configuration, None)
    }

    /// Starts a host from a shell, after this command.
    fn start_after(users: Users, configuration: &str, before: Option<&str>) -> Self {
        let user = if users.has_own() { format!("user = \"{NOBODY}\"\n") } else { String::new() };
        let configuration = format!(
            "isolation = \"process\"\n[worker]\nmax_crashes_per_minute = 1000\n{user}{configuration}"
        );
        let host = Setup::new().plugin(HELLO).plugin(ROGUE).configuration(&configuration).prepare();
        let folders = [host.data(), host.data().join("rogue"), host.data().join("hello")];
        for folder in &folders {
            std::fs::create_dir(folder).unwrap();
        }
        for folder in [host.folder(), &host.data()] {
            std::fs::set_permissions(folder, PermissionsExt::from_mode(0o711)).unwrap();
        }
        std::fs::write(host.data().join("hello").join("secret"), "of the other connector").unwrap();
        std::fs::write(host.data().join("rogue").join("attack.py"), ATTACK).unwrap();
        let mut command = host.program();
        match users {
            Users::Root | Users::RootAndOwn => {}
            Users::Same => {
                command.uid(DAEMON).gid(DAEMON);
            }
            Users::CapabilitiesAndOwn => {
                let own = command;
                command = Command::new("setpriv");
                command.args(["--reuid=1", "--regid=1", "--clear-groups"]);
                let capabilities = "+setuid,+setgid,+kill";
                command.args(["--inh-caps", capabilities, "--ambient-caps", capabilities]);
                command.arg(own.get_program()).current_dir(host.folder());
                command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
            }
        }
        if matches!(users, Users::Same | Users::CapabilitiesAndOwn) {
            let worker = if users == Users::Same { DAEMON } else { NOBODY };
            chown(host.data(), Some(DAEMON), Some(DAEMON)).unwrap();
            for folder in &folders[1..] {
                chown(folder, Some(worker), Some(worker)).unwrap();
            }
            chown(host.configuration(), Some(DAEMON), Some(DAEMON)).unwrap();
        }
        if let Some(before) = before {
            let own = command;
            command = Command::new("sh");
            command
                .args(["-c", &format!("{before} && exec \"$@\""), "sh"])
                .arg(own.get_program())
                .args(own.get_args());
            command.current_dir(host.folder());
            command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
        }
        command.args(["serve", "--listen", "127.0.0.1:0"]).env("ERP_HOST_SECRET", "of the environment");
        Attacked { process: HostProcess::start(command).unwrap(), host }
    }

    fn client(&self, connector: &str, guid: &str) -> Client {
        Client::new(self.process.address(), Dialect::Message).connector(connector).connection(guid)
    }

    /// Has the connector run a command, and returns the answer.
    fn run(&self, command: &str) -> Answer {
        let client = self.client("Rogue", GUID);
        let command = format!("sh:{command}");
        client.ok(save(&[("get", command.as_str())]));
        client.call(get())
    }

    /// The processes that the host has started: the subreapers of its workers.
    fn subreapers(&self) -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        let lists = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok());
        lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
    }
}

fn is_possible() -> bool {
    tools::is_root() && tools::installed(&["python3", "setpriv"], &[], "python3 util-linux")
}

/// The files of the host that no connector may read or change.
fn files(host: &TestHost) -> Vec<String> {
    let mut found = vec![host.configuration()];
    for folder in [host.data(), host.data().join("plugins-cache"), host.data().join("hello"), host.plugins()]
    {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        found.extend(entries.filter(|path| path.is_file()));
    }
    let shown = |path: &Path| path.to_string_lossy().into_owned();
    // Its own copy and its own file in the plugins folder: the first may be read.
    found.iter().map(|path| shown(path)).filter(|path| !path.contains("rogue")).collect()
}

fn attacks_fail(users: Users) {
    if !is_possible() {
        return;
    }
    let attacked = Attacked::start(users, "memory = \"512MiB\"\n");
    let other = attacked.client("Hello", OTHER);
    other.ok(Request::SaveConnection {
        connection_info: Some([("Company", Some("x"))].into_iter().collect()),
    });
    let Attacked { process, host } = &attacked;
    let mut arguments = String::new();
    let subreapers = attacked.subreapers();
    assert_eq!(subreapers.len(), 2, "{subreapers:?}");
    let own = if users.has_own() { "own" } else { "same" };
    let data = host.data();
    write!(arguments, "{own} {} {} {}", process.id(), subreapers.join(","), data.display()).unwrap();
    let secrets = files(host);
    assert!(secrets.len() > 5, "{secrets:?}");
    for file in &secrets {
        write!(arguments, " '{file}'").unwrap();
    }
    let script = data.join("rogue").join("attack.py");
    let answer = attacked.run(&format!("exec python3 -I {} {arguments}", script.display()));
    let printed = &answer.user;
    assert!(printed.contains("all attempts are made"), "{users:?}: {answer:?}");
    let succeeded: Vec<&str> = printed.lines().filter(|line| line.contains("SUCCEEDED")).collect();
    assert!(succeeded.is_empty(), "{users:?}: {succeeded:#?}");
    let failed: Vec<&str> = printed.lines().filter(|line| line.contains("MUST WORK")).collect();
    assert!(failed.is_empty(), "{users:?}: {failed:#?}");
    other.ok(Request::GetSupportedActorTypes);
    assert!(!host.data().join("erp-host.reload").join("0.order").exists());
}

#[test]
fn worker_that_is_root_like_its_host_reaches_nothing_of_it() {
    attacks_fail(Users::Root);
}

#[test]
fn worker_with_the_user_of_its_host_reaches_nothing_of_it() {
    attacks_fail(Users::Same);
}

#[test]
fn worker_with_a_user_of_its_own_reaches_nothing_of_its_host() {
    attacks_fail(Users::RootAndOwn);
}

#[test]
fn worker_with_a_user_of_its_own_reaches_nothing_of_a_host_with_capabilities() {
    attacks_fail(Users::CapabilitiesAndOwn);
}

/// The processes whose command line has this text as one of its words.
fn running(word: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| line.split(|&byte| byte == 0).any(|part| part == word.as_bytes())).count()
}

#[test]
fn processes_that_a_worker_leaves_behind_end_with_it() {
    if !is_possible() {
        return;
    }
    for (number, users) in
        [Users::Root, Users::Same, Users::RootAndOwn, Users::CapabilitiesAndOwn].iter().enumerate()
    {
        let mut attacked = Attacked::start(*users, "");
        // Unlike any other on this machine.
        let seconds = format!("{}{number}", 800_000_000 + std::process::id());
        let leave = format!("setsid sh -c 'sleep {seconds} & sleep {seconds}' >/dev/null 2>&1 &");
        attacked.run(&leave);
        wait_until("the processes", || running(&seconds) == 2);
        // A crash of the worker.
        let client = attacked.client("Rogue", GUID);
        let orders = [("Server", Some("erp")), ("get", Some("abort"))];
        client.ok(Request::SaveConnection { connection_info: Some(orders.into_iter().collect()) });
        assert!(client.call(get()).tech.contains("SIGABRT"), "{users:?}");
        wait_until("their end", || running(&seconds) == 0);
        // A crash of the host.
        attacked.run(&leave);
        wait_until("the processes", || running(&seconds) == 2);
        attacked.process.kill().unwrap();
        wait_until("their end", || running(&seconds) == 0);
    }
}

#[test]
fn worker_with_too_many_processes_is_ended() {
    if !is_possible() {
        return;
    }
    for users in [Users::Root, Users::Same] {
        let attacked = Attacked::start(users, "tasks = 64\n");
        let seconds = format!("{}", 900_000_000 + std::process::id());
        let answer = attacked.run(&format!("for i in $(seq 80); do sleep {seconds} & done; wait"));
        assert!(answer.tech.contains("processes and threads, and may have 64"), "{users:?}: {answer:?}");
        wait_until("their end", || running(&seconds) == 0);
        attacked.client("Hello", OTHER).ok(Request::GetConfigData);
    }
    // The system refuses to start them.
    let attacked = Attacked::start(Users::RootAndOwn, "tasks = 64\n");
    let answer = attacked.run("for i in $(seq 80); do sleep 2 & done; wait");
    let refused =
        ["Resource temporarily unavailable", "Cannot fork", "processes and threads, and may have 64"];
    assert!(refused.iter().any(|text| format!("{answer:?}").contains(text)), "{answer:?}");
}

#[test]
fn worker_starts_where_its_host_has_lower_limits() {
    if !is_possible() {
        return;
    }
    let limits = "prlimit --pid $$ --nproc=9000 --nofile=2000";
    let attacked = Attacked::start_after(Users::Root, "open_files = 4000\n", Some(limits));
    assert!(format!("{:?}", attacked.run("echo shown")).contains("shown"));
}

#[test]
fn worker_gets_no_descriptor_that_its_host_was_started_with() {
    if !is_possible() {
        return;
    }
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "of a file of root\n").unwrap();
    let open = format!("exec 9<>{}", secret.path().display());
    let attacked = Attacked::start_after(Users::RootAndOwn, "", Some(&open));
    let answer = attacked.run("cat <&9 2>&1; echo overwritten >&9; ls /proc/self/fd 2>&1");
    assert!(!format!("{answer:?}").contains("of a file of root"), "{answer:?}");
    assert_eq!(std::fs::read_to_string(secret.path()).unwrap(), "of a file of root\n");
    // What the command prints is shown, so that the test can fail.
    let answer = attacked.run("echo shown");
    assert!(format!("{answer:?}").contains("shown"), "{answer:?}");
}

/// Every process starts others as fast as it can, in a session of its own, for 20 seconds at most.
const FORK_BOMB: &str = "
import os, time
end = time.time() + 20
while time.time() < end:
    try:
        if os.fork() == 0: os.setsid()
    except OSError: pass
";

#[test]
fn worker_with_a_fork_bomb_is_ended() {
    if !is_possible() {
        return;
    }
    // With a user of its own the system refuses to start more; the others may use that user at the same time.
    for users in [Users::Root, Users::Same] {
        let attacked = Attacked::start(users, "tasks = 200\n");
        let name = format!("bomb{}", std::process::id());
        let answer = attacked.run(&format!("python3 -I -c '{FORK_BOMB}' {name}; true"));
        assert!(answer.tech.contains("processes and threads, and may have 200"), "{users:?}: {answer:?}");
        wait_until("their end", || running(&name) == 0);
        attacked.client("Hello", OTHER).ok(Request::GetConfigData);
    }
}

#[test]
fn worker_whose_processes_use_too_much_memory_together_is_ended() {
    if !is_possible() {
        return;
    }
    for users in [Users::Root, Users::Same, Users::RootAndOwn] {
        let attacked = Attacked::start(users, "memory = \"256MiB\"\n");
        let script = "import time; x = b'1' * (100 << 20); time.sleep(600)";
        let answer = attacked.run(&format!("for i in 1 2 3 4; do python3 -I -c \"{script}\" & done; wait"));
        assert!(answer.tech.contains("of memory together, and may use 256 MiB"), "{users:?}: {answer:?}");
        attacked.client("Hello", OTHER).ok(Request::GetConfigData);
    }
}

/// A control group that is delegated as systemd does it. Dropping it removes it.
struct DelegatedGroup {
    folder: PathBuf,
}

impl DelegatedGroup {
    fn create(groups: &Path, users: Users) -> Self {
        std::fs::write(groups.join("cgroup.subtree_control"), "+memory +pids").unwrap();
        let folder = groups.join(format!("erp-host-test-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let mark = "import os, sys; os.setxattr(sys.argv[1], 'user.delegate', b'1')";
        let marked = Command::new("python3").args(["-I", "-c", mark]).arg(&folder).status().unwrap();
        assert!(marked.success());
        if users == Users::CapabilitiesAndOwn {
            for file in ["", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"] {
                chown(folder.join(file), Some(DAEMON), Some(DAEMON)).unwrap();
            }
        }
        DelegatedGroup { folder }
    }

    fn workers(&self) -> usize {
        let names = std::fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with("worker-")).count()
    }
}

impl Drop for DelegatedGroup {
    fn drop(&mut self) {
        for name in ["host", ""] {
            let folder = self.folder.join(name);
            let _ = std::fs::write(folder.join("cgroup.kill"), "1");
            let emptied = || std::fs::remove_dir(&folder).is_ok() || !folder.exists();
            wait_until("an empty control group", emptied);
        }
    }
}

#[test]
fn control_groups_limit_workers_where_they_are_delegated() {
    if !is_possible() {
        return;
    }
    let Some(groups) = tools::control_groups() else { return };
    for users in [Users::Root, Users::CapabilitiesAndOwn] {
        let group = DelegatedGroup::create(&groups, users);
        let configuration = "memory = \"256MiB\"\ntasks = 64\n";
        let join = format!("echo 0 > {}/cgroup.procs", group.folder.display());
        let mut attacked = Attacked::start_after(users, configuration, Some(&join));
        assert_eq!(group.workers(), 2, "{}", attacked.process.log());
        // Memory that belongs to no process.
        let script = "import os; f = os.memfd_create('x'); [os.write(f, bytes(1 << 20)) for _ in range(400)]";
        let answer = attacked.run(&format!("python3 -I -c \"{script}\""));
        assert!(
            answer.tech.contains("was ended by the system, because it and the processes"),
            "{users:?}: {answer:?}"
        );
        let answer = attacked.run("for i in $(seq 80); do sleep 3 & done; wait");
        let refused = format!("{answer:?}");
        assert!(
            refused.contains("Resource temporarily unavailable") || refused.contains("fork"),
            "{users:?}: {answer:?}"
        );
        let seconds = format!("{}", 700_000_000 + std::process::id());
        attacked.run(&format!("setsid sleep {seconds} >/dev/null 2>&1 &"));
        wait_until("the process", || running(&seconds) == 1);
        attacked.process.ask_to_stop().unwrap();
        attacked.process.wait().unwrap();
        wait_until("its end", || running(&seconds) == 0);
        wait_until("the end of the groups", || group.workers() == 0);
    }
}
