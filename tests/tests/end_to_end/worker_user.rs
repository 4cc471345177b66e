//! No code of a plugin file runs as another user than configured: not at the first load, and not in a command.

#![cfg(target_os = "linux")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use contract::{Dialect, Request};
use test_support::host_process::HostProcess;
use test_support::tools;
use test_support::{HELLO, ROGUE, Setup, TestHost, wait_until};
use values::State;

const GUID: &str = "dddddddd-0000-4000-8000-000000000011";

/// The users `nobody` and `daemon`, which every system has.
const NOBODY: &str = "65534";
const DAEMON: &str = "1";

/// What the constructor of the rogue connector prints.
const PRINTED: &str = "rogue constructor: user ";

/// A host with the rogue connector, whose folders the users of its workers can enter.
fn prepare(configuration: &str) -> TestHost {
    let host = Setup::new().plugin(HELLO).plugin(ROGUE).configuration(configuration).prepare();
    std::fs::create_dir(host.data()).unwrap();
    for folder in [host.folder(), &host.data()] {
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o711)).unwrap();
    }
    host
}

fn serve(host: &TestHost) -> HostProcess {
    let mut command = host.program();
    command.args(["serve", "--listen", "127.0.0.1:0"]).env("ROGUE_CONSTRUCTOR", "1");
    HostProcess::start(command).unwrap()
}

/// The users that the constructor has run as.
fn users(log: &str) -> Vec<String> {
    let after = log.split(PRINTED).skip(1);
    after.map(|rest| rest.chars().take_while(char::is_ascii_digit).collect()).collect()
}

fn printed(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn worker_user_holds_from_the_first_load_on() {
    if !tools::is_root() {
        return;
    }
    let environment = "environment = [\"ROGUE_CONSTRUCTOR\"]\n";
    let cases = [
        (format!("isolation = \"process\"\n[worker]\nuser = \"{NOBODY}\"\n{environment}"), NOBODY),
        (
            format!(
                "[connectors.rogue]\nisolation = \"process\"\n[connectors.rogue.worker]\nuser = \"{DAEMON}\"\n{environment}"
            ),
            DAEMON,
        ),
        (
            format!(
                "isolation = \"process\"\n[worker]\nuser = \"{NOBODY}\"\n{environment}[connectors.ROGUE.worker]\nuser = \"{DAEMON}\"\n"
            ),
            DAEMON,
        ),
    ];
    for (configuration, user) in &cases {
        let host = prepare(configuration);
        let process = serve(&host);
        let client = test_support::soap::Client::new(process.address(), Dialect::Message)
            .connector("Rogue")
            .connection(GUID);
        let orders = [("Server", Some("erp")), ("get", Some("abort"))];
        client.ok(Request::SaveConnection { connection_info: Some(orders.into_iter().collect()) });
        let get = || Request::GetActors {
            actor_type: Some("Customer".into()),
            erp_keys: Some(vec![Some("1".into())]),
            field_keys: None,
        };
        assert_eq!(client.call(get()).state, State::Error);
        wait_until("the restart", || process.log().contains("the connector is back"));
        // Another file with the same connector, and the first one again.
        let file = std::fs::read_dir(host.plugins()).unwrap().map(|entry| entry.unwrap().path());
        let file = file.into_iter().find(|path| path.to_string_lossy().contains("rogue")).unwrap();
        append(&file);
        wait_until("the replacement", || users(&process.log()).len() >= 3);
        client.ok(Request::GetSupportedActorTypes);
        let log = process.log();
        assert!(users(&log).iter().all(|found| found == user), "{configuration}: {:?}", users(&log));
        process.stop().unwrap();

        let inspected = file.to_string_lossy();
        for arguments in [&["plugins"][..], &["plugins", "--json"], &["plugins", "inspect", &inspected]] {
            let output = host.command_with(arguments, &[("ROGUE_CONSTRUCTOR", "1")]);
            let printed = printed(&output);
            assert!(output.status.success(), "{arguments:?}: {printed}");
            assert!(users(&printed).iter().all(|found| found == user), "{arguments:?}: {printed}");
        }
    }
}

/// Appends a byte to a plugin file, which changes nothing but its hash, in a new file.
fn append(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes.push(0);
    let new = file.with_extension("new");
    std::fs::write(&new, bytes).unwrap();
    std::fs::set_permissions(&new, PermissionsExt::from_mode(0o644)).unwrap();
    std::fs::rename(new, file).unwrap();
}

/// Where one connector is isolated, the file of another one is opened in the host once, and only there.
#[test]
fn file_is_opened_only_where_its_connector_is_configured_to_run() {
    let configuration =
        "[worker]\nenvironment = [\"ROGUE_CONSTRUCTOR\"]\n[connectors.Hello]\nisolation = \"process\"\n";
    let host = prepare(configuration);
    let process = serve(&host);
    let log = process.log();
    assert_eq!(users(&log).len(), 1, "{log}");
    assert!(!log.contains("printed by a connector"), "{log}");
}
