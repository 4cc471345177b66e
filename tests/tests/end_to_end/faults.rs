//! Disks and files that fail under a running host: the caller gets an error, the operator reads why, nothing is lost, and all is
//! well again when the trouble is over.

#![cfg(target_os = "linux")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use contract::{Dialect, Request};
use test_support::host_process::HostProcess;
use test_support::http;
use test_support::soap::Answer;
use test_support::{ROGUE, Setup, TestHost, plugin_bytes, wait_until};
use values::State;

const FIRST: &str = "cccccccc-0000-4000-8000-000000000001";
const SECOND: &str = "cccccccc-0000-4000-8000-000000000002";
/// Who owns nothing.
const NOBODY: u32 = 65534;

fn save_as(guid: &str, host: &TestHost, server: &str) -> Answer {
    let settings = [("Server", Some(server)), ("Password", Some("the password"))];
    let request = Request::SaveConnection { connection_info: Some(settings.into_iter().collect()) };
    host.client(Dialect::Message).connection(guid).call(request)
}

/// What the connector was given as its setting `Server`.
fn server_of(guid: &str, host: &TestHost) -> String {
    let list = Request::GetList { list_name: Some("Settings".into()) };
    let answer = host.client(Dialect::Message).connection(guid).ok(list);
    assert_eq!(answer.list[1], ("Password".to_owned(), "the password".to_owned()));
    answer.list[0].1.clone()
}

#[track_caller]
fn refused(answer: &Answer, why: &str) {
    assert_eq!(answer.state, State::Error, "{answer:?}");
    assert!(answer.user.contains("nothing was changed"), "{}", answer.user);
    assert!(answer.tech.contains(why), "{why} in {}", answer.tech);
}

fn verified(host: &TestHost) {
    let output = host.command(&["audit", "verify"]);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    assert!(!printed.contains("wait in the store"), "{printed}");
}

/// A small disk, as the data folder of a host. Taken away when dropped.
struct Disk(PathBuf);

impl Disk {
    /// `None`, said loudly, where nothing may be mounted.
    fn new(folder: &Path) -> Option<Self> {
        fs::create_dir_all(folder).unwrap();
        let disk = Disk(folder.to_owned());
        // The host keeps a copy of each plugin file there.
        let size = plugin_bytes(ROGUE).len() + (4 << 20);
        match disk.mount(&["-t", "tmpfs", "-o", &format!("size={size},mode=700"), "tmpfs"]) {
            Ok(()) => Some(disk),
            Err(reason) => {
                let _ = writeln!(std::io::stderr(), "\n!!!! SKIPPED: no disk can be mounted: {reason}\n");
                std::mem::forget(disk);
                None
            }
        }
    }

    fn mount(&self, arguments: &[&str]) -> Result<(), String> {
        let output = Command::new("mount").args(arguments).arg(&self.0).output();
        let output = output.map_err(|error| error.to_string())?;
        if output.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    fn remount(&self, options: &str) {
        self.mount(&["-o", &format!("remount,{options}")]).unwrap();
    }

    /// Writes until there is no room for a byte.
    fn fill(&self) {
        let mut file = fs::File::create(self.filling()).unwrap();
        let mut size = 64 << 10;
        while size > 0 {
            if file.write_all(&vec![b'x'; size]).is_err() {
                size /= 2;
            }
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.filling()).unwrap();
    }

    fn filling(&self) -> PathBuf {
        self.0.join("filling")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn full_disk_refuses_changes_and_loses_none() {
    let mut host = Setup::new().plugin(ROGUE).prepare();
    let Some(disk) = Disk::new(&host.data()) else { return };
    host.start();
    assert_eq!(save_as(FIRST, &host, "before").state, State::Ok);
    disk.fill();
    // Until then there is room in the journal.
    let long = "x".repeat(30_000);
    let answers: Vec<_> = (0..50).map(|number| save_as(SECOND, &host, &format!("{number}{long}"))).collect();
    let first_refused = answers.iter().position(|answer| answer.state == State::Error);
    let first_refused = first_refused.expect("no room for all of these");
    for answer in &answers[first_refused..] {
        refused(answer, "disk");
    }
    assert_eq!(server_of(FIRST, &host), "before", "what is there is served on");
    assert!(host.log().contains("the connection store failed"), "{}", host.log());

    host.kill();
    drop(host.try_start().unwrap_or_else(|error| panic!("{error}")));
    disk.make_room();
    host.start();
    assert_eq!(server_of(FIRST, &host), "before");
    if first_refused > 0 {
        assert!(
            server_of(SECOND, &host).starts_with(&format!("{}x", first_refused - 1)),
            "the last acknowledged one"
        );
    }
    assert_eq!(save_as(FIRST, &host, "after").state, State::Ok);
    assert_eq!(server_of(FIRST, &host), "after");
    verified(&host);
    drop(host);
    drop(disk);
}

/// The answer of `/ready`.
fn readiness(host: &TestHost) -> (u16, String) {
    let response = http::Request::get("/ready").send(host.address()).expect("an answer");
    (response.status, response.text().trim().to_owned())
}

const FULL: &str = r#"{"ready":true,"reasons":["disk full"]}"#;
const READY: &str = r#"{"ready":true,"reasons":[]}"#;

/// Each way in which the host has ended before, because each leaves other files behind.
#[test]
fn full_disk_at_the_start_leaves_reads_and_is_left_when_there_is_room() {
    for is_killed in [false, true] {
        let mut host = Setup::new().plugin(ROGUE).prepare();
        let Some(disk) = Disk::new(&host.data()) else { return };
        host.start();
        assert_eq!(save_as(FIRST, &host, "before").state, State::Ok);
        if is_killed {
            host.kill();
        } else {
            assert!(host.stop().0.success());
        }
        disk.fill();
        host.start();
        assert_eq!(readiness(&host), (200, FULL.to_owned()));
        assert_eq!(server_of(FIRST, &host), "before", "what is stored is served");
        let long = "x".repeat(30_000);
        for _ in 0..3 {
            refused(&save_as(SECOND, &host, &long), "is full");
        }
        let delete = host.client(Dialect::Message).connection(FIRST).call(Request::DeleteConnection);
        refused(&delete, "is full");
        let listed = host.command(&["connections", "list"]);
        let shown = String::from_utf8_lossy(&listed.stdout).into_owned();
        assert!(listed.status.success() && shown.contains(FIRST), "{shown}{listed:?}");
        // What is read only now, by a connection that is not open yet, is there after a restart too.
        host.kill();
        host.start();
        assert_eq!(server_of(FIRST, &host), "before");

        disk.make_room();
        wait_until("the disk has room again", || readiness(&host) == (200, READY.to_owned()));
        assert_eq!(save_as(SECOND, &host, "after").state, State::Ok);
        assert_eq!(server_of(SECOND, &host), "after");
        host.kill();
        host.start();
        assert_eq!((server_of(FIRST, &host), server_of(SECOND, &host)), ("before".into(), "after".into()));
        verified(&host);
        drop(host);
        drop(disk);
    }
}

#[test]
fn full_disk_in_operation_is_a_reason_in_readiness() {
    let mut host = Setup::new().plugin(ROGUE).prepare();
    let Some(disk) = Disk::new(&host.data()) else { return };
    host.start();
    assert_eq!(save_as(FIRST, &host, "before").state, State::Ok);
    assert_eq!(readiness(&host), (200, READY.to_owned()));
    disk.fill();
    // Without a change: by the check.
    wait_until("the full disk is noticed", || readiness(&host) == (200, FULL.to_owned()));
    assert_eq!(server_of(FIRST, &host), "before");
    disk.make_room();
    wait_until("the disk has room again", || readiness(&host) == (200, READY.to_owned()));
    assert_eq!(save_as(FIRST, &host, "after").state, State::Ok);
    drop(host);
    drop(disk);
}

#[test]
fn full_disk_without_the_copy_of_a_plugin_refuses_that_plugin() {
    let mut host = Setup::new().plugin(ROGUE).prepare();
    let Some(disk) = Disk::new(&host.data()) else { return };
    host.start();
    assert_eq!(save_as(FIRST, &host, "before").state, State::Ok);
    host.stop();
    fs::remove_dir_all(host.data().join("plugins-cache")).unwrap();
    disk.fill();
    host.start();
    let expected = r#"{"ready":false,"reasons":["no connector loaded","disk full"]}"#;
    assert_eq!(readiness(&host), (503, expected.to_owned()));
    assert!(host.log().contains("make room if the disk is full"), "{}", host.log());
    disk.make_room();
    assert!(host.command(&["reload"]).status.success());
    assert_eq!(server_of(FIRST, &host), "before");
    drop(host);
    drop(disk);
}

#[test]
fn store_that_was_moved_away_is_a_reason_in_readiness_and_takes_no_change() {
    let mut host = Setup::new().plugin(ROGUE).start();
    assert_eq!(save_as(FIRST, &host, "before").state, State::Ok);
    let (store, moved) = (host.data().join("erp-host.sqlite"), host.data().join("moved.sqlite"));
    fs::rename(&store, &moved).unwrap();
    let expected = r#"{"ready":false,"reasons":["store unreachable"]}"#;
    wait_until("the missing store is noticed", || readiness(&host) == (503, expected.to_owned()));
    refused(&save_as(FIRST, &host, "lost"), "was removed or replaced");
    assert_eq!(server_of(FIRST, &host), "before", "what is open is served");
    assert!(host.log().contains("the store cannot be read"), "{}", host.log());
    fs::rename(&moved, &store).unwrap();
    wait_until("the store is back", || readiness(&host) == (200, READY.to_owned()));
    assert_eq!(save_as(FIRST, &host, "after").state, State::Ok);
    host.kill();
    host.start();
    assert_eq!(server_of(FIRST, &host), "after");
    verified(&host);
}

#[test]
fn read_only_disk_refuses_changes_until_it_is_writable() {
    let mut host = Setup::new().plugin(ROGUE).prepare();
    let Some(disk) = Disk::new(&host.data()) else { return };
    host.start();
    assert_eq!(save_as(FIRST, &host, "before").state, State::Ok);
    // What is open for writing keeps a disk from becoming read-only: so a host is killed and started on it.
    host.kill();
    disk.remount("ro");
    let refusal = host.try_start().expect_err("the host does not start").to_string();
    assert!(
        refusal.contains("erp-host:") && refusal.contains("see that the disk is not read-only"),
        "{refusal}"
    );
    let listed = host.command(&["connections", "delete", FIRST, "--yes"]);
    assert!(!listed.status.success());
    disk.remount("rw");
    host.start();
    assert_eq!(server_of(FIRST, &host), "before");
    assert_eq!(save_as(FIRST, &host, "after").state, State::Ok);
    verified(&host);
    drop(host);
    drop(disk);
}

/// As root may do everything, the host runs as somebody who may not.
#[test]
fn lost_permissions_are_reported_and_nothing_is_lost() {
    if !rustix::process::getuid().is_root() {
        let _ = writeln!(std::io::stderr(), "\n!!!! SKIPPED: only root can start a host as somebody else\n");
        return;
    }
    let mut host = Setup::new().plugin(ROGUE).start();
    assert_eq!(save_as(FIRST, &host, "before").state, State::Ok);
    host.stop();
    let program = host.folder().join("erp-host");
    fs::copy(host.program().get_program(), &program).unwrap();
    fs::set_permissions(host.folder(), fs::Permissions::from_mode(0o755)).unwrap();
    let all = |owner: u32| {
        for entry in fs::read_dir(host.data()).unwrap() {
            chown(entry.unwrap().path(), Some(owner), Some(owner)).unwrap();
        }
        for entry in fs::read_dir(host.data().join("erp-host.audit")).unwrap() {
            chown(entry.unwrap().path(), Some(owner), Some(owner)).unwrap();
        }
        for entry in fs::read_dir(host.data().join("plugins-cache")).into_iter().flatten() {
            chown(entry.unwrap().path(), Some(owner), Some(owner)).unwrap();
        }
        chown(host.data(), Some(owner), Some(owner)).unwrap();
    };
    let start = || {
        let mut command = Command::new("setpriv");
        let id = NOBODY.to_string();
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(&program).arg("serve");
        command.args(["--listen", "127.0.0.1:0", "--plugins"]).arg(host.plugins());
        command.arg("--data").arg(host.data()).current_dir("/").stdin(Stdio::null());
        HostProcess::start(command)
    };
    // Its own: it works.
    all(NOBODY);
    let own = start().unwrap_or_else(|error| panic!("{error}"));
    drop(own);
    // Somebody has copied the folder as root.
    all(0);
    fs::set_permissions(host.data(), fs::Permissions::from_mode(0o755)).unwrap();
    let refusal = start().expect_err("it cannot work there").to_string();
    assert!(refusal.contains("erp-host:") && refusal.to_lowercase().contains("permission"), "{refusal}");
    // The folder may be read, but neither the store nor the key.
    chown(host.data(), Some(NOBODY), None).unwrap();
    for cache in ["plugins-cache", "spool", "rogue"] {
        let _ = chown(host.data().join(cache), Some(NOBODY), None);
    }
    let refusal = start().expect_err("nor there").to_string();
    assert!(refusal.contains("erp-host.sqlite") && refusal.contains("write access"), "{refusal}");
    for file in ["erp-host.sqlite", "erp-host.sqlite-wal", "erp-host.sqlite-shm"] {
        let _ = chown(host.data().join(file), Some(NOBODY), None);
    }
    let refusal = start().expect_err("nor there").to_string();
    assert!(refusal.contains("erp-host.key") && refusal.contains("cannot be read"), "{refusal}");

    all(NOBODY);
    drop(start().unwrap_or_else(|error| panic!("{error}")));
    all(0);
    host.start();
    assert_eq!(server_of(FIRST, &host), "before");
    verified(&host);
}

#[test]
fn truncated_journal_is_reported() {
    let mut host = Setup::new().plugin(ROGUE).start();
    assert_eq!(save_as(FIRST, &host, "first").state, State::Ok);
    let journal = host.data().join("erp-host.sqlite-wal");
    let length = fs::metadata(&journal).unwrap().len();
    assert_eq!(save_as(SECOND, &host, "second").state, State::Ok);
    host.kill();
    // In the middle of the second save.
    let text = fs::read(&journal).unwrap();
    let cut = (length as usize + text.len()) / 2;
    assert!(text.len() > cut, "the journal holds the second save");
    fs::write(&journal, &text[..cut]).unwrap();
    host.start();
    assert_eq!(server_of(FIRST, &host), "first", "whole, and without what was cut off");
    let log = host.log();
    assert!(log.contains("the store of connections is older than the audit log"), "{log}");
    verified(&host);
    let shown = host.command(&["audit", "show"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("store set back"));
}

#[test]
fn emptied_store_is_refused() {
    let mut host = Setup::new().plugin(ROGUE).start();
    assert_eq!(save_as(FIRST, &host, "first").state, State::Ok);
    let (status, _) = host.stop();
    assert!(status.success());
    let store = host.data().join("erp-host.sqlite");
    let kept = fs::read(&store).unwrap();
    let header = [&[0; 100][..], &kept[100..]].concat();
    for (bytes, expected) in [(Vec::new(), "it is empty"), (header, "is not an SQLite database")] {
        fs::write(&store, &bytes).unwrap();
        let refusal = host.try_start().expect_err("the host does not start").to_string();
        assert!(refusal.contains(expected) && refusal.contains("restore it from a backup"), "{refusal}");
        assert_eq!(fs::read(&store).unwrap(), bytes, "the store was not replaced");
    }
    fs::write(&store, kept).unwrap();
    host.start();
    assert_eq!(server_of(FIRST, &host), "first");
}
