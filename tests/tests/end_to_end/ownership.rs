//! Who owns the files of the data folder, who else may use them, and which commands change nothing there. Commands run as
//! root, the host as another user.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use contract::{Dialect, Request};
use test_support::host_process::HostProcess;
use test_support::http;
use test_support::soap::Client;
use test_support::{ROGUE, Setup, TestHost};

/// The user of the service, and a group that it is not in.
const SERVICE: u32 = 65534;
const OTHER_GROUP: u32 = 54_321;

const FIRST: &str = "cdcdcdcd-0000-4000-8000-000000000001";
const SECOND: &str = "cdcdcdcd-0000-4000-8000-000000000002";

/// The commands that only look.
const LOOKING: &[&[&str]] = &[
    &["plugins"],
    &["plugins", "--json"],
    &["plugins", "inspect", "PLUGIN"],
    &["connections", "list"],
    &["connections", "show", FIRST],
    &["connections", "export", "masked.json", "--masked", "--force"],
    &["audit", "show"],
    &["audit", "verify"],
];

/// Folders of a host that runs as a user of its own.
struct Service {
    host: TestHost,
    program: PathBuf,
}

impl Service {
    /// `None`, with a message, if this test does not run as root.
    fn prepare(configuration: &str) -> Option<Self> {
        if !rustix::process::getuid().is_root() {
            assert!(
                std::env::var_os("CI").is_none_or(|value| value != "true"),
                "no test may be skipped in CI"
            );
            let _ =
                writeln!(std::io::stderr(), "\n!!!! SKIPPED: only root can start a host as somebody else\n");
            return None;
        }
        let host = Setup::new().plugin(ROGUE).configuration(configuration).prepare();
        let program = host.folder().join("erp-host");
        // Copied by another process: a child that this one starts meanwhile would keep the file open for writing, and the system
        // refuses to run such a file.
        let copied = Command::new("cp").arg(host.program().get_program()).arg(&program).status().unwrap();
        assert!(copied.success());
        set_mode(host.folder(), 0o755);
        fs::create_dir(host.data()).unwrap();
        set_mode(&host.data(), 0o700);
        chown(host.data(), Some(SERVICE), Some(SERVICE)).unwrap();
        Some(Service { host, program })
    }

    fn data(&self) -> PathBuf {
        self.host.data()
    }

    /// Starts the host as its user.
    fn start(&self) -> HostProcess {
        let mut command = Command::new("setpriv");
        let id = SERVICE.to_string();
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(&self.program);
        command.args(["serve", "--listen", "127.0.0.1:0"]).current_dir("/").stdin(Stdio::null());
        for (name, value) in self.host.program().get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        HostProcess::start(command).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs a command as root.
    #[track_caller]
    fn run(&self, arguments: &[&str]) -> String {
        let file = fs::read_dir(self.host.plugins()).unwrap().next().unwrap().unwrap().path();
        let arguments: Vec<_> =
            arguments.iter().map(|&one| if one == "PLUGIN" { file.to_str().unwrap() } else { one }).collect();
        let output =
            self.host.command_with(&arguments, &[("ERP_HOST_PASSPHRASE", "a long enough passphrase")]);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output));
        text(&output)
    }

    /// The files and folders below the data folder, with what a change of them changes.
    fn files(&self) -> BTreeMap<PathBuf, String> {
        let mut found = BTreeMap::new();
        for path in walk(&self.data()) {
            let metadata = path.metadata().unwrap();
            // The index of the write-ahead log has the marks of readers.
            let is_index = path.to_string_lossy().ends_with("-shm");
            let content = if metadata.is_file() && !is_index { fs::read(&path).unwrap() } else { Vec::new() };
            let (owner, group, mode) = (metadata.uid(), metadata.gid(), metadata.mode());
            let modified = if is_index { None } else { metadata.modified().ok() };
            found.insert(path, format!("{owner}:{group} {mode:o} {modified:?} {}", content.len()));
        }
        found
    }

    #[track_caller]
    fn assert_all_belong_to_the_service(&self, after: &str) {
        for path in walk(&self.data()) {
            let metadata = path.metadata().unwrap();
            assert_eq!(
                (metadata.uid(), metadata.gid()),
                (SERVICE, SERVICE),
                "{} after {after}",
                path.display()
            );
        }
    }
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        }
        found.push(path);
    }
    found
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn save(host: &HostProcess, guid: &str) {
    let settings = [("Server", Some("erp")), ("Password", Some("secret"))];
    let client = Client::new(host.address(), Dialect::Message).connector("Rogue").connection(guid);
    client.ok(Request::SaveConnection { connection_info: Some(settings.into_iter().collect()) });
}

#[track_caller]
fn assert_works(host: &HostProcess, guid: &str) {
    let client = Client::new(host.address(), Dialect::Message).connection(guid);
    assert_eq!(client.ok(Request::GetSupportedActorTypes).items, ["Customer", "Person"]);
    let ready = http::Request::get("/ready").send(host.address()).unwrap();
    assert_eq!(ready.status, 200, "{}", ready.text());
    assert!(!host.log().contains("cannot be written"), "{}", host.log());
}

#[test]
fn plugins_command_of_root_before_the_first_start_leaves_the_folder_to_the_service() {
    let Some(service) = Service::prepare("") else { return };
    for command in [&["plugins"][..], &["plugins", "--json"], &["plugins", "inspect", "PLUGIN"]] {
        service.run(command);
    }
    assert_eq!(service.files(), BTreeMap::new());
    let host = service.start();
    save(&host, FIRST);
    assert_works(&host, FIRST);
}

#[test]
fn commands_that_look_change_nothing_and_create_nothing() {
    let Some(service) = Service::prepare("") else { return };
    let mut host = service.start();
    save(&host, FIRST);
    host.kill().unwrap();
    for state in ["a crash", "an orderly end"] {
        let before = service.files();
        for command in LOOKING {
            let shown = service.run(command);
            assert!(!shown.contains("no connections"), "{shown}");
            assert_eq!(service.files(), before, "{command:?} after {state}");
        }
        let host = service.start();
        assert_works(&host, FIRST);
        save(&host, SECOND);
        // While it runs its own files change; nothing of root's is there.
        for command in LOOKING {
            let shown = service.run(command);
            assert!(
                !command.contains(&"list") || shown.contains(SECOND),
                "what is in the write-ahead log is seen: {shown}"
            );
            service.assert_all_belong_to_the_service(command[0]);
        }
        host.stop().unwrap();
    }
}

#[test]
fn commands_of_root_create_files_of_the_services_user() {
    let Some(service) = Service::prepare("") else { return };
    // An import creates the store, its key and the audit log.
    let other = Service::prepare("").unwrap();
    let host = other.start();
    save(&host, FIRST);
    save(&host, SECOND);
    let export = other.host.folder().join("all.erpx");
    other.run(&["connections", "export", export.to_str().unwrap()]);
    drop(host);
    let backup = service.host.folder().join("backup.sqlite");
    for command in [
        &["connections", "import", export.to_str().unwrap()][..],
        &["connections", "rekey"],
        &["connections", "delete", SECOND, "--yes"],
        &["backup", backup.to_str().unwrap(), "--with-key"],
        &["restore", backup.to_str().unwrap(), "--replace"],
    ] {
        service.run(command);
        service.assert_all_belong_to_the_service(command[0]);
    }
    let host = service.start();
    assert_works(&host, FIRST);
    save(&host, SECOND);
    service.run(&["reload"]);
    service.run(&["connections", "rekey"]);
    service.assert_all_belong_to_the_service("commands beside a host");
    save(&host, SECOND);
    service.run(&["audit", "verify"]);
    assert_works(&host, SECOND);
}

#[test]
fn audit_log_is_written_where_the_folder_has_another_group() {
    let Some(service) = Service::prepare("") else { return };
    for mode in [0o750, 0o2750] {
        chown(service.data(), Some(SERVICE), Some(OTHER_GROUP)).unwrap();
        set_mode(&service.data(), mode);
        let host = service.start();
        save(&host, FIRST);
        assert_works(&host, FIRST);
        let verified = service.run(&["audit", "verify"]);
        assert!(!verified.contains("wait in the store"), "{mode:o}: {verified}");
        host.stop().unwrap();
        for entry in fs::read_dir(service.data()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
    }
}

#[test]
fn what_others_can_change_is_refused_with_the_command_that_corrects_it() {
    let mut host = Setup::new().plugin(ROGUE).start();
    let settings = [("Server", Some("erp"))];
    let client = host.client(Dialect::Message).connector("Rogue").connection(FIRST);
    client.ok(Request::SaveConnection { connection_info: Some(settings.into_iter().collect()) });
    host.stop();
    let store = host.data().join("erp-host.sqlite");
    for (path, loose) in
        [(host.data(), 0o777), (host.data(), 0o770), (store, 0o666), (host.configuration(), 0o664)]
    {
        let right = path.metadata().unwrap().mode() & 0o7777;
        set_mode(&path, loose);
        let command = format!("run: chmod go-w {}", path.display());
        let refusal = host.try_start().expect_err("the host does not start").to_string();
        assert!(refusal.contains(&command) && refusal.contains(&format!("mode {loose:04o}")), "{refusal}");
        for arguments in [&["connections", "list"][..], &["connections", "delete", SECOND, "--yes"]] {
            let refusal = text(&host.command(arguments));
            assert!(refusal.contains(&command), "{arguments:?}: {refusal}");
        }
        set_mode(&path, right);
    }
    host.start();
}

#[test]
fn files_with_secrets_that_others_can_read_are_refused() {
    let host = Setup::new().plugin(ROGUE).start();
    let file = |name: &str, content: &str| {
        let path = host.folder().join(name);
        fs::write(&path, content).unwrap();
        set_mode(&path, 0o644);
        path
    };
    let passphrase = file("passphrase", "a long enough passphrase\n");
    let key = host.folder().join("partner.pem");
    assert!(host.command(&["plugins", "keygen", key.to_str().unwrap()]).status.success());
    assert_eq!(key.metadata().unwrap().mode() & 0o7777, 0o600);
    let plugin = file("plugin.so", "a plugin");
    let (passphrase, key, plugin) =
        (passphrase.to_str().unwrap(), key.to_str().unwrap(), plugin.to_str().unwrap());
    for (secret, arguments) in [
        (passphrase, &["connections", "export", "all.erpx", "--passphrase-file", passphrase][..]),
        (passphrase, &["backup", "backup.sqlite", "--with-key", "--passphrase-file", passphrase]),
        (key, &["plugins", "sign", plugin, "--key", key]),
    ] {
        set_mode(Path::new(secret), 0o644);
        let refused = host.command(arguments);
        let shown = text(&refused);
        let expected = format!(
            "others may read it (mode 0644); make it 0600, or 0640 with a group of its own; run: chmod o-rwx,g-w {secret}"
        );
        assert!(!refused.status.success() && shown.contains(&expected), "{arguments:?}: {shown}");
        for right in [0o640, 0o400] {
            set_mode(Path::new(secret), right);
            let done = host
                .command(&[arguments, if arguments[0] == "plugins" { &[] } else { &["--force"] }].concat());
            assert!(done.status.success(), "{arguments:?}: {}", text(&done));
        }
    }
    let values = file("values", "Server=erp\nPassword=secret\n");
    let url = format!("http://{}", host.address());
    let called = host.command(&["call", &url, "testconfigdata", "--set-file", values.to_str().unwrap()]);
    assert!(called.status.success() && text(&called).contains("warning: if "), "{}", text(&called));
}

#[test]
fn lock_files_are_for_the_host_alone_whatever_the_umask_is() {
    let host = Setup::new().plugin(ROGUE).prepare();
    let locks =
        ["erp-host.lock", "erp-host.keys.lock", "erp-host.audit/lock"].map(|name| host.data().join(name));
    let start = || {
        let program = host.program();
        let mut command = Command::new("sh");
        command.args(["-c", "umask 0; exec \"$@\"", "sh"]).arg(program.get_program());
        command.args(["serve", "--listen", "127.0.0.1:0"]).current_dir(host.folder()).stdin(Stdio::null());
        command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let process = HostProcess::start(command).unwrap();
        save(&process, FIRST);
        assert!(host.command(&["connections", "rekey"]).status.success());
        drop(process);
        for lock in &locks {
            assert_eq!(lock.metadata().unwrap().mode() & 0o7777, 0o600, "{}", lock.display());
        }
        for path in walk(&host.data()) {
            let mode = path.metadata().unwrap().mode() & 0o7777;
            assert_eq!(mode & 0o077, 0, "{} has mode {mode:04o}", path.display());
        }
    };
    start();
    // As an older version has created them.
    locks.iter().for_each(|lock| set_mode(lock, 0o666));
    start();
}

#[cfg(target_os = "linux")]
#[test]
fn plugin_file_of_five_gigabytes_costs_no_memory() {
    let host = Setup::new().plugin(ROGUE).prepare();
    let large = host.plugins().join("large.so");
    fs::write(&large, b"\x7fELF").unwrap();
    set_mode(&large, 0o644);
    fs::File::options().write(true).open(&large).unwrap().set_len(5 << 30).unwrap();
    let process = host.try_start().unwrap();
    let reason = "it is larger than 256 MiB, which no plugin is";
    assert!(process.log().contains(reason), "{}", process.log());
    let reloaded = text(&host.command(&["reload"]));
    assert!(reloaded.contains(reason) && reloaded.contains("serving: Rogue"), "{reloaded}");
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kilobytes < 400 << 10, "the host has used {kilobytes} kB");

    let large = large.to_str().unwrap();
    let key = host.folder().join("partner.pem");
    let key = key.to_str().unwrap();
    assert!(host.command(&["plugins", "keygen", key]).status.success());
    fs::write(format!("{large}.sig"), "x").unwrap();
    for (arguments, expected) in [
        (&["plugins"][..], reason),
        (&["plugins", "inspect", large], reason),
        (&["plugins", "sign", large, "--key", key], "it is larger than 268435456 bytes"),
        (&["plugins", "verify", large, "--key", &format!("{key}.pub")], "it is larger than 268435456 bytes"),
    ] {
        let output = host.command(arguments);
        assert!(
            !output.status.success() && text(&output).contains(expected),
            "{arguments:?}: {}",
            text(&output)
        );
    }
}

#[test]
fn input_files_of_any_size_are_refused_before_they_are_read() {
    let host = Setup::new().plugin(ROGUE).start();
    let large = host.folder().join("large");
    fs::write(&large, "x").unwrap();
    set_mode(&large, 0o600);
    fs::File::options().write(true).open(&large).unwrap().set_len(5 << 40).unwrap();
    let (file, url) = (large.to_str().unwrap(), format!("http://{}", host.address()));
    for arguments in [
        &["connections", "list", "--config", file][..],
        &["connections", "import", file],
        &["connections", "export", "all.erpx", "--passphrase-file", file],
        &["call", &url, "testconfigdata", "--set-file", file],
        &["call", &url, "saveactors", "--connection", FIRST, "--actors", file],
        &["call", &url, "authenticate", "--token-file", file],
        &["call", &url, "getconfigdata", "--ca", file],
        &["plugins", "verify", file, "--key", file],
    ] {
        let output = host.command(arguments);
        assert!(
            !output.status.success() && text(&output).contains("it is larger than"),
            "{arguments:?}: {}",
            text(&output)
        );
    }
}

/// As systemd hands over a credential (`LoadCredential`): root owns it, and an access list, which shows as rights of the group,
/// lets the service read it.
#[test]
fn key_file_of_root_may_be_readable_by_the_group_of_the_service() {
    let Some(service) = Service::prepare("") else { return };
    let folder = service.host.folder().join("credentials");
    fs::create_dir(&folder).unwrap();
    set_mode(&folder, 0o755);
    let key = folder.join("key");
    let other = Service::prepare("").unwrap();
    save(&other.start(), FIRST);
    fs::copy(other.data().join("erp-host.key"), &key).unwrap();
    chown(&key, Some(0), Some(SERVICE)).unwrap();
    set_mode(&key, 0o440);
    let configuration = format!("key_file = \"{}\"\n", key.display());
    fs::write(service.host.configuration(), configuration).unwrap();
    let host = service.start();
    save(&host, FIRST);
    assert_works(&host, FIRST);
}
