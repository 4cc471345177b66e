//! What a connector in the host's process changes of that process (working directory, umask, environment, signals, standard
//! output) does not change what the host does.

#![cfg(target_os = "linux")]

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};

use contract::{Dialect, Request};
use serde_json::Value;
use test_support::host_process::HostProcess;
use test_support::soap::Client;
use test_support::{HELLO, ROGUE, Setup, TestHost, plugin_bytes, wait_until};
use values::State;

use crate::rogue;

const ROGUES: &str = "abababab-0000-4000-8000-000000000001";
const OTHERS: &str = "abababab-0000-4000-8000-000000000002";

/// A host with the rogue connector in its process, started with relative paths.
struct Host {
    folders: TestHost,
    process: HostProcess,
}

impl Host {
    fn start(configuration: &str) -> Self {
        let folders = Setup::new().plugin(ROGUE).configuration(configuration).prepare();
        let mut command = folders.program();
        command.args(["serve", "--listen", "127.0.0.1:0", "--plugins", "plugins", "--data", "data"]);
        command
            .env("ERP_HOST_CONFIG", "host.toml")
            .env_remove("ERP_HOST_PLUGINS")
            .env_remove("ERP_HOST_DATA");
        let process = HostProcess::start(command).unwrap();
        Host { folders, process }
    }

    fn client(&self, guid: &str) -> Client {
        Client::new(self.process.address(), Dialect::Message).connector("Rogue").connection(guid)
    }

    fn save(&self, guid: &str, faults: &[(&str, &str)]) {
        self.client(guid).ok(rogue::save(faults));
    }

    /// Lets the connector have this fault during a call.
    fn inject(&self, fault: &str) {
        self.save(ROGUES, &[("actor_types", fault)]);
        self.client(ROGUES).ok(Request::GetSupportedActorTypes);
    }

    /// The process IDs of its workers.
    fn workers(&self) -> Vec<i32> {
        // A worker is a child of the thread that has started it.
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        let of_task = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("children"));
        let all = tasks.filter_map(Result::ok).filter_map(|task| of_task(task).ok());
        all.flat_map(|ids| ids.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<_>>()).collect()
    }

    /// Runs a command on the same folders.
    fn run(&self, arguments: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.folders.command(arguments);
        let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success(), "{arguments:?}: {text}\n{}", self.process.log());
        text
    }

    /// Saves, restarts nothing, and uses everything that is in a folder: store, audit log, spool, plugins, reload.
    fn check_everything_works(&self, after: &str) {
        self.save(OTHERS, &[("get", "huge:5000")]);
        let get = Request::GetActors {
            actor_type: Some("Customer".into()),
            erp_keys: Some(vec![]),
            field_keys: None,
        };
        assert_eq!(self.client(OTHERS).ok(get).actors.len(), 5000, "a reply in the spool after {after}");
        let file = self.folders.plugins().join(format!("hello-{after}.so"));
        std::fs::write(&file, plugin_bytes(HELLO)).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        let reloaded = self.run(&["reload"]);
        assert!(
            reloaded.contains("serving: Hello") && reloaded.contains("serving: Rogue"),
            "{after}: {reloaded}"
        );
        let verified = self.run(&["audit", "verify"]);
        assert!(verified.contains("the newest is "), "{after}: {verified}");
        let shown = self.run(&["audit", "show", "--json"]);
        assert!(shown.contains(OTHERS), "the audit log is below the data folder after {after}: {shown}");
    }
}

const SPOOL_AT_ONCE: &str = "[limits]\nreply_in_memory = \"1KiB\"\n";

#[test]
fn working_directory_changed_by_a_connector_moves_no_folder() {
    let host = Host::start(SPOOL_AT_ONCE);
    host.inject("chdir");
    let link = std::fs::read_link(format!("/proc/{}/cwd", host.process.id()));
    assert!(link.is_err() || link.is_ok_and(|folder| folder == Path::new("/")), "the fault works");
    host.check_everything_works("chdir");
}

#[test]
fn environment_changed_by_a_connector_changes_nothing_in_the_host() {
    let host = Host::start(&format!("{SPOOL_AT_ONCE}[connectors.Hello]\nisolation = \"process\"\n"));
    host.inject("env");
    // Starts the worker of a connector that was not there before.
    host.check_everything_works("env");
    let worker = host.workers().pop().unwrap();
    let environment = std::fs::read(format!("/proc/{worker}/environ")).unwrap();
    let environment = String::from_utf8_lossy(&environment);
    assert!(environment.contains("PATH=") && !environment.contains("Tokyo"), "{environment}");
}

#[test]
fn standard_output_of_serve_has_its_own_line_only() {
    let configuration = "[connectors.Rogue.options]\nnew = \"print\"\n";
    let folders = Setup::new().plugin(ROGUE).configuration(configuration).prepare();
    let (printed, log) = (folders.folder().join("printed"), folders.folder().join("log"));
    let mut command = folders.program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json"]);
    command.stdin(Stdio::null()).stdout(File::create(&printed).unwrap()).stderr(File::create(&log).unwrap());
    let mut child = command.spawn().unwrap();
    let printed = || std::fs::read_to_string(&printed).unwrap();
    wait_until("the host is ready", || printed().ends_with('\n'));
    let first = printed();
    let address = first.strip_prefix("listening on http://").and_then(|rest| rest.split('/').next()).unwrap();
    let client =
        Client::new(address.parse().unwrap(), Dialect::Message).connector("Rogue").connection(ROGUES);
    let settings = [("Server", Some("erp")), ("actor_types", Some("print:500"))];
    client.ok(Request::SaveConnection { connection_info: Some(settings.into_iter().collect()) });
    client.ok(Request::GetSupportedActorTypes);
    assert_eq!((printed(), first.lines().count()), (first.clone(), 1));

    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM)
        .unwrap();
    assert!(child.wait().unwrap().success());
    let log = std::fs::read_to_string(log).unwrap();
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let logged = |text: &str| {
        lines.iter().any(|line| line["message"].as_str().is_some_and(|message| message.ends_with(text)))
    };
    assert!(logged("printed by a connector in the host's process: printed by the rogue"), "{log}");
    assert!(logged(&format!("line 499 {}", "x".repeat(200))), "{log}");
}

#[test]
fn json_output_of_commands_is_json_although_a_connector_prints() {
    let configuration = "[connectors.Rogue.options]\nnew = \"print\"\nsettings = \"print:100\"\n";
    let folders = Setup::new().plugin(ROGUE).configuration(configuration).prepare();
    let file = std::fs::read_dir(folders.plugins()).unwrap().next().unwrap().unwrap().path();
    let file = file.to_str().unwrap();
    for arguments in [&["plugins", "--json"][..], &["plugins", "inspect", file, "--json"]] {
        let output = folders.command(arguments);
        let json: Result<Value, _> = serde_json::from_slice(&output.stdout);
        assert!(json.is_ok(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
        assert!(output.status.success());
        let others = String::from_utf8_lossy(&output.stderr);
        assert!(others.contains("printed by the rogue"), "{arguments:?}: {others}");
    }
    let listed = String::from_utf8(folders.command(&["plugins"]).stdout).unwrap();
    assert!(listed.starts_with("FILE ") && !listed.contains("printed by the rogue"), "{listed}");
}

#[test]
fn umask_changed_by_a_connector_opens_no_file_to_others() {
    // As it is loaded: most files are created later.
    let host = Host::start(&format!("{SPOOL_AT_ONCE}[connectors.Rogue.options]\nnew = \"umask\"\n"));
    host.check_everything_works("umask");
    let (mut checked, mut folders) = (0, vec![host.folders.data()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let mode = path.metadata().unwrap().permissions().mode() & 0o7777;
            assert_eq!(mode & 0o077, 0, "{} has mode {mode:04o}", path.display());
            checked += 1;
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    assert!(checked > 10, "{checked} files and folders");
}

#[test]
fn worker_is_restarted_although_a_connector_lets_the_host_ignore_sigchld() {
    let host = Host::start("[connectors.Hello]\nisolation = \"process\"\n");
    host.inject("sigchld");
    host.check_everything_works("sigchld");
    let client = Client::new(host.process.address(), Dialect::Message).connector("Hello");
    client.ok(Request::GetConfigData);
    let before = host.workers();
    assert_eq!(before.len(), 1, "{before:?}");
    let worker = rustix::process::Pid::from_raw(before[0]).unwrap();
    rustix::process::kill_process(worker, rustix::process::Signal::KILL).unwrap();
    wait_until("the connector is back", || {
        client.call(Request::GetConfigData).state == State::Ok
            && host.workers().first().is_some_and(|new| *new != before[0])
    });
    wait_until("the log line", || host.process.log().contains("the connector is back"));
}

/// As the isolation page says: nothing but SIGKILL ends the host then. All else works.
#[test]
fn host_that_a_connector_lets_ignore_sigterm_goes_on() {
    let mut host = Host::start(SPOOL_AT_ONCE);
    host.inject("sigterm");
    host.process.ask_to_stop().unwrap();
    host.check_everything_works("sigterm");
    host.process.kill().unwrap();
}
