//! The operator's commands, while the host runs.

use std::time::{Duration, Instant};

use contract::{Dialect, Request};
use test_support::{EXCEL, ROGUE, Setup, TestHost, WORKBOOK};
use values::{State, error_code};

use crate::operations::settings;

const WORKS: &str = "ffffffff-0000-4000-8000-000000000001";
const SECRET: &str = "ffffffff-0000-4000-8000-000000000002";
const PASSWORD: &str = "hunter2-and-more";

fn host_with_connections() -> TestHost {
    let host = Setup::new().plugin(EXCEL).plugin(ROGUE).start();
    let client = host.client(Dialect::Message);
    client.clone().connection(WORKS).ok(Request::SaveConnection { connection_info: settings(WORKBOOK) });
    let settings = [("Server", Some("erp.example.com")), ("Password", Some(PASSWORD))];
    let request = Request::SaveConnection { connection_info: Some(settings.into_iter().collect()) };
    client.connector("Rogue").connection(SECRET).ok(request);
    host
}

/// What a command prints, both ways; it must end well.
fn run(host: &TestHost, arguments: &[&str]) -> String {
    let output = host.command(arguments);
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {text}");
    text
}

/// What a command says on standard error; it must not end well.
fn refused(host: &TestHost, arguments: &[&str]) -> String {
    let output = host.command(arguments);
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// SuperOffice sends all settings that it has stored, also those that an update of the connector has removed from its form.
#[test]
fn settings_that_a_connection_has_already_may_stay_although_no_form_has_them() {
    let host = host_with_connections();
    let file = host.folder().join("connections.json");
    let path = file.to_str().unwrap();
    run(&host, &["connections", "export", path, "--masked"]);
    let masked = std::fs::read_to_string(&file).unwrap();
    let server = masked.find("\"Server\"").unwrap();
    let begin = masked[..server].rfind('{').unwrap();
    let long = "x".repeat(5000);
    let former = format!("{{\"key\":\"Tenant\",\"value\":\"{long}\"}},");
    std::fs::write(&file, format!("{}{former}{}", &masked[..begin], &masked[begin..])).unwrap();
    run(&host, &["connections", "import", path, "--replace"]);

    let save = |key: &str| {
        let settings = [("Server", Some("erp")), (key, Some(long.as_str()))].into_iter().collect();
        let client = host.client(Dialect::Message).connection(SECRET);
        client.call(Request::SaveConnection { connection_info: Some(settings) })
    };
    let refused = save("Tenants");
    assert_eq!(refused.state, State::Error, "{refused:?}");
    assert!(
        refused.user.contains("no settings with these names: Tenants; it has Server, Password,"),
        "{refused:?}"
    );
    assert_eq!(save("Tenant").state, State::Ok);
    assert!(!run(&host, &["connections", "show", SECRET]).contains(&long), "stored as a secret");
}

#[test]
fn connections_are_listed_and_shown_with_secrets_masked() {
    let host = host_with_connections();
    let listed = run(&host, &["connections", "list"]);
    for expected in [WORKS, SECRET, "Excel", "Rogue"] {
        assert!(listed.contains(expected), "no {expected} in {listed}");
    }
    let shown = run(&host, &["connections", "show", SECRET]);
    assert!(shown.contains("erp.example.com") && shown.contains("Password"), "{shown}");
    assert!(!shown.contains(PASSWORD) && !listed.contains(PASSWORD), "masked: {shown}");
    // Any form of a GUID.
    assert!(
        run(&host, &["connections", "show", &format!("{{{}}}", WORKS.to_uppercase())]).contains(WORKBOOK)
    );

    assert!(refused(&host, &["connections", "show", "no-guid"]).contains("no-guid"));
    let unknown = "00000000-0000-4000-8000-00000000abcd";
    assert!(refused(&host, &["connections", "show", unknown]).contains(unknown));
}

#[test]
fn deleted_connections_are_gone_from_the_running_host() {
    let host = host_with_connections();
    let client = host.client(Dialect::Message).connection(WORKS);
    client.ok(Request::TestConnection);
    run(&host, &["connections", "delete", WORKS, "--yes"]);
    // The host notices within a second or so.
    let end = Instant::now() + Duration::from_secs(30);
    while client.call(Request::TestConnection).code != error_code::UNKNOWN_CONNECTION_ID {
        assert!(Instant::now() < end, "the host goes on with a deleted connection");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(refused(&host, &["connections", "delete", WORKS, "--yes"]).contains(WORKS));
}

#[test]
fn export_can_be_imported_by_another_host() {
    let host = host_with_connections();
    let file = host.folder().join("connections.export");
    let file = file.to_str().unwrap();
    let passphrase = [("ERP_HOST_PASSPHRASE", "one that only operators know")];
    let exported = host.command_with(&["connections", "export", file], &passphrase);
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    let content = std::fs::read(file).unwrap();
    assert!(!content.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes()), "encrypted");

    let other = Setup::new().plugin(EXCEL).plugin(ROGUE).start();
    let wrong =
        other.command_with(&["connections", "import", file], &[("ERP_HOST_PASSPHRASE", "a wrong one")]);
    assert!(!wrong.status.success());
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("passphrase"), "{wrong:?}");
    let imported = other.command_with(&["connections", "import", file], &passphrase);
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));

    other.client(Dialect::Message).connection(WORKS).ok(Request::TestConnection);
    let client = other.client(Dialect::Message).connection(SECRET);
    client.ok(Request::GetSupportedActorTypes);
}

#[test]
fn help_and_errors_name_the_remedy() {
    let host = Setup::new().plugin(EXCEL).prepare();
    let help = run(&host, &["--help"]);
    for command in ["serve", "plugins", "connections"] {
        assert!(help.contains(command), "{help}");
    }
    for flag in ["--config", "--listen", "--plugins", "--data", "ERP_HOST_LISTEN"] {
        assert!(run(&host, &["serve", "--help"]).contains(flag), "{flag}");
    }
    assert!(refused(&host, &["serve", "--listen", "nonsense"]).contains("nonsense"));
    assert!(refused(&host, &["serve", "--plugins", "no-such-folder"]).contains("no-such-folder"));

    std::fs::write(host.configuration(), "listen = \"127.0.0.1:0\"\n\nplugin = \"x\"\n").unwrap();
    let refusal = refused(&host, &["serve"]);
    assert!(refusal.contains("line 3") && refusal.contains("plugin"), "{refusal}");
}

#[test]
fn taken_addresses_are_refused() {
    let host = TestHost::with_excel();
    let address = host.address().to_string();
    let other = Setup::new().plugin(EXCEL).prepare();
    assert!(refused(&other, &["serve", "--listen", &address]).contains(&address));
}
