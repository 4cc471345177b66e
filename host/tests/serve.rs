//! The program `erp-host serve`: what it prints, and how it ends.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that meets the unexpected fails")]

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use test_support::host_process::HostProcess;
use test_support::http::Request;

const SERVICE: &str = "/Services/ErpConnectorWS.svc";

/// The program in a folder of its own, with an empty plugins folder and no settings from outside.
fn program(folder: &Path, arguments: &[&str]) -> Command {
    std::fs::create_dir_all(folder.join("plugins")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_erp-host"));
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ERP_HOST_")) {
        command.env_remove(name);
    }
    command
}

fn start(folder: &Path, arguments: &[&str]) -> HostProcess {
    HostProcess::start(program(folder, arguments)).unwrap()
}

fn refused(folder: &TempDir, arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = program(folder.path(), arguments).output().unwrap();
    assert_eq!((status.code(), stdout.len()), (Some(1), 0));
    let text = String::from_utf8(stderr).unwrap();
    let line = text.lines().last().unwrap_or_default().to_owned();
    assert!(line.starts_with("erp-host: "), "{text}");
    line
}

#[test]
fn serve_prints_its_url_and_shows_the_help_page() {
    let folder = tempfile::tempdir().unwrap();
    let host = start(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert!(host.url().ends_with(SERVICE), "{}", host.url());
    let page = Request::get(SERVICE).send(host.address()).unwrap().text();
    assert!(page.contains("No connector is loaded"), "{page}");
    assert!(folder.path().join("data").is_dir());
}

#[cfg(target_os = "linux")]
#[test]
fn serve_raises_the_limit_of_open_files_to_its_connections() {
    let folder = tempfile::tempdir().unwrap();
    let serve = program(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
    // As most systems start it: few open files, and more on demand.
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -Sn 300 && exec \"$@\"", "sh"]).arg(serve.get_program()).args(serve.get_args());
    shell.current_dir(folder.path());
    let host = HostProcess::start(shell).unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", host.id())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let soft: u64 = files.split_whitespace().nth(3).unwrap().parse().unwrap();
    let hard: u64 = files.split_whitespace().nth(4).unwrap().parse().unwrap_or(u64::MAX);
    // Connections, files of bodies and replies, and others.
    assert_eq!(soft, hard.min(2048 + 2 * 2048 + 512), "{files}");
}

#[cfg(unix)]
#[test]
fn signals_stop_serve_gracefully() {
    for signal in ["TERM", "INT"] {
        let folder = tempfile::tempdir().unwrap();
        let mut host = start(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
        let idle = TcpStream::connect(host.address()).unwrap();
        let sent = Command::new("kill").args([format!("-{signal}"), host.id().to_string()]).status();
        assert!(sent.unwrap().success());
        assert_eq!(host.wait().unwrap().code(), Some(0));
        drop(idle);
        assert!(host.log().contains("stopped"), "{}", host.log());
    }
}

#[test]
fn flags_override_the_environment_which_overrides_the_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("erp-host.toml"), "listen = \"127.0.0.1:0\"\ndata = \"from-file\"")
        .unwrap();
    for (variable, flags, data) in [
        (None, &["serve"][..], "from-file"),
        (Some("from-variable"), &["serve"], "from-variable"),
        (Some("from-variable"), &["serve", "--data", "from-flag"], "from-flag"),
    ] {
        let mut command = program(folder.path(), flags);
        if let Some(variable) = variable {
            command.env("ERP_HOST_DATA", variable);
        }
        let mut host = HostProcess::start(command).unwrap();
        assert!(folder.path().join(data).join("erp-host.sqlite").is_file(), "{data}");
        host.kill().unwrap();
        std::fs::remove_dir_all(folder.path().join(data)).unwrap();
    }
}

#[test]
fn serve_prints_one_line_when_it_cannot_start() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    std::fs::write(folder.path().join("wrong.toml"), "\nlissten = \"x\"").unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    for (arguments, texts) in [
        (&["--listen", &taken][..], [taken.as_str(), "in use"]),
        (&["--listen", "nowhere"], ["nowhere", "cannot listen"]),
        (&["--config", "wrong.toml"], ["wrong.toml, line 2", "lissten"]),
        (&["--config", "absent.toml"], ["absent.toml", "cannot be read"]),
        (&["--plugins", "absent"], ["absent", "--plugins"]),
        (&["--data", "file/data"], ["file/data", "cannot be made"]),
        (&["--log", "loud"], ["loud", "debug"]),
        (&["--key-file", "."], ["key", "."]),
    ] {
        let arguments: Vec<_> = ["serve"].iter().chain(arguments).copied().collect();
        let line = refused(&folder, &arguments);
        assert!(texts.iter().all(|text| line.contains(text)), "{arguments:?}: {line}");
    }
}

/// Calls the service with a connection and this content; returns the body of the reply.
fn call(host: &HostProcess, operation: &str, content: &str) -> String {
    call_of("3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf", host, operation, content)
}

/// The same with this text as the ConnectionGuid.
fn call_of(guid: &str, host: &HostProcess, operation: &str, content: &str) -> String {
    const NAMESPACE: &str = "http://www.superoffice.net/EIS/Connector/1.0";
    let class =
        contract::Operation::from_name(operation).and_then(contract::Operation::request_class).unwrap();
    let message = format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><{class} xmlns=\"{NAMESPACE}\" \
         xmlns:a=\"http://schemas.microsoft.com/2003/10/Serialization/Arrays\">\
         <ConnectionGuid>{guid}</ConnectionGuid>{content}</{class}></s:Body></s:Envelope>"
    );
    let action = contract::Operation::from_name(operation).unwrap().action(NAMESPACE);
    Request::soap(SERVICE, &action, message).send(host.address()).unwrap().text()
}

/// A folder with the rogue connector in its plugins folder.
fn with_rogue() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let name = format!("{}rogue_connector{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    std::fs::create_dir(folder.path().join("plugins")).unwrap();
    let file = std::env::current_exe().unwrap().with_file_name(&name);
    std::fs::copy(file, folder.path().join("plugins").join(&name)).unwrap();
    folder
}

#[test]
fn log_has_every_call_and_no_secret() {
    let folder = with_rogue();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--log", "trace", "--log-format", "json"];
    let mut host = start(folder.path(), &arguments);

    let settings = [("Server", "here"), ("Password", "never-in-a-log"), ("test_connection", "log")];
    let settings = settings.map(|(key, value)| {
        format!("<a:KeyValueOfstringstring><a:Key>{key}</a:Key><a:Value>{value}</a:Value></a:KeyValueOfstringstring>")
    });
    let settings = format!("<ConnectionInfo>{}</ConnectionInfo>", settings.concat());
    let saved = call(&host, "WSSaveConnection", &settings);
    assert!(saved.contains("<State>Ok</State>"), "{saved}");
    let tested = call(&host, "WSTestConnection", "");
    assert!(tested.contains("mind the step"), "{tested}");
    let fault = call(&host, "WSTestConnection", "<x>never-in-a-log</y>");
    assert!(fault.contains("faultstring"), "{fault}");
    // Stopped and not killed: so that every line is written.
    host.ask_to_stop().unwrap();
    host.wait().unwrap();

    let log = host.log();
    let lines: Vec<_> = log.lines().collect();
    for line in &lines {
        assert!(!line.contains("never-in-a-log"), "{line}");
    }
    let has = |texts: &[&str]| lines.iter().any(|line| texts.iter().all(|text| line.contains(text)));
    const CALL: &str = "\"connection\":\"3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf\"";
    let connector = "\"connector\":\"Rogue\"";
    let common = [CALL, connector, "\"dialect\":\"message\"", "\"rows\":0", "\"bytes\":", "\"ms\":"];
    for own in [["WSSaveConnection", "\"state\":\"Ok\""], ["WSTestConnection", "\"state\":\"Warning\""]] {
        assert!(has(&[&common[..], &own].concat()), "{own:?}: {lines:#?}");
    }
    // What a connector logs comes with the call that it belongs to.
    for own in ["\"message\":\"an error\"", "\"number\":\"7\"", "from the log crate"] {
        assert!(has(&[own, CALL, connector, "WSTestConnection"]), "{own}: {lines:#?}");
    }
    assert!(
        has(&["refused", "bad message", "an element is closed by the end tag of another one at byte"]),
        "{lines:#?}"
    );
}

#[test]
fn log_has_no_value_of_a_request_in_any_element() {
    const SECRET: &str = "hunter2-swordfish";
    for format in ["text", "json"] {
        let folder = with_rogue();
        let every_line = "[log]\nrejection_lines_per_second = 1000\n";
        std::fs::write(folder.path().join("erp-host.toml"), every_line).unwrap();
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--log", "trace", "--log-format", format];
        let mut host = start(folder.path(), &arguments);
        let entry = |key: &str, value: &str| {
            format!(
                "<ConnectionInfo><a:KeyValueOfstringstring><a:Key>Server</a:Key><a:Value>here</a:Value>\
                 </a:KeyValueOfstringstring><a:KeyValueOfstringstring><a:Key>{key}</a:Key><a:Value>{value}</a:Value>\
                 </a:KeyValueOfstringstring></ConnectionInfo>"
            )
        };
        let saved = call(&host, "WSSaveConnection", &entry("Port", "1"));
        assert!(saved.contains("<State>Ok</State>"), "{saved}");
        let restriction = |member: &str| {
            format!(
                "<ActorType>Customer</ActorType><Restrictions><SearchRestrictionInfoWS><{member}>{SECRET}</{member}>\
                 </SearchRestrictionInfoWS></Restrictions>"
            )
        };
        let actor = |member: &str| {
            format!("<Actor><ActorType>Customer</ActorType><{member}>{SECRET}</{member}></Actor>")
        };
        for (operation, content) in [
            ("WSSaveConnection", entry(SECRET, "")),
            ("WSSaveConnection", entry(&format!("{SECRET}{}", "x".repeat(300)), "")),
            ("WSSaveConnection", entry("Port", SECRET)),
            ("WSSaveConnection", format!("<ConnectionInfo>{SECRET}</ConnectionInfo>")),
            ("WSTestConfigData", entry("Port", SECRET)),
            ("WSTestConnection", format!("&{SECRET};")),
            ("WSTestConnection", format!("<{SECRET}>")),
            ("WSTestConnection", format!("<ConnectionInfo a='1' {SECRET}='' {SECRET}=''/>")),
            ("WSTestConnection", format!("<{SECRET}:a/>")),
            ("WSTestConnection", format!("<?{SECRET}?>")),
            ("WSGetList", format!("<ListName>{SECRET}</ListName>")),
            ("WSGetActors", format!("<ActorType>{SECRET}</ActorType>")),
            ("WSGetActors", format!("<ActorType><{SECRET}/></ActorType>")),
            ("WSGetActors", format!("<ActorType>Customer</ActorType><ErpKeys>{SECRET}</ErpKeys>")),
            ("WSSearchActorsAdvanced", restriction("FieldKey")),
            ("WSSearchActorsAdvanced", restriction("Operator")),
            ("WSSearchActorsAdvanced", restriction("ScalarValue")),
            ("WSGetActorsByTimestamp", format!("<UpdatedOnOrAfter>{SECRET}</UpdatedOnOrAfter>")),
            ("WSCreateActor", actor("ErpKey")),
            ("WSCreateActor", actor("FieldValues")),
            ("WSCreateActor", actor("LastModified")),
            ("Authenticate", format!("<SignedToken>{SECRET}</SignedToken>")),
        ] {
            call(&host, operation, &content);
        }
        // The caller gets what it sent.
        assert!(call_of(SECRET, &host, "WSTestConnection", "").contains(SECRET));
        assert!(
            call_of(&format!("a<b>{SECRET}</b>"), &host, "WSTestConnection", "").contains("<faultstring>")
        );
        assert!(call_of(&format!("a<{SECRET}>c"), &host, "WSTestConnection", "").contains(SECRET));
        host.ask_to_stop().unwrap();
        host.wait().unwrap();
        let log = host.log();
        let lines: Vec<_> = log.lines().filter(|line| line.contains(SECRET)).collect();
        assert!(lines.is_empty(), "{lines:#?}");
        assert!(log.contains("[ConnectionGuid]"), "what is wrong is in the log, without the value: {log}");
    }
}

#[test]
fn log_names_the_connector_of_the_address_where_it_is_another_one() {
    let folder = with_rogue();
    let mut host = start(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
    let server = "<ConnectionInfo><a:KeyValueOfstringstring><a:Key>Server</a:Key><a:Value>here</a:Value>\
                  </a:KeyValueOfstringstring></ConnectionInfo>";
    assert!(call(&host, "WSSaveConnection", server).contains("<State>Ok</State>"));
    for guid in ["3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf", "aaaaaaaa-8642-4fc1-8dc9-4e08bd76a6bf"] {
        let message = format!(
            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><RequestBaseWS \
             xmlns=\"http://www.superoffice.net/EIS/Connector/1.0\"><ConnectionGuid>{guid}</ConnectionGuid>\
             </RequestBaseWS></s:Body></s:Envelope>"
        );
        let action =
            contract::Operation::TestConnection.action("http://www.superoffice.net/EIS/Connector/1.0");
        let target = format!("{SERVICE}?ConnectorName=Nope{}", &guid[..2]);
        Request::soap(&target, &action, message).send(host.address()).unwrap();
    }
    host.ask_to_stop().unwrap();
    host.wait().unwrap();
    let log = host.log();
    assert!(log.contains("addressed_connector=\"Nope3a\""), "{log}");
    assert!(log.contains("the address names the connector 'Nopeaa'"), "{log}");
}

#[test]
fn settings_that_look_like_secrets_are_stored_encrypted() {
    let folder = with_rogue();
    let mut host = start(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
    let keys = ["password", " PASSWORD", "Passwort", "PWD", "ApiKey", "secret", "token", "NotInTheForm"];
    let entries: String = [("Server", "visible-server")]
        .into_iter()
        .chain(keys.map(|key| (key, "hunter2-swordfish")))
        .map(|(key, value)| {
            format!("<a:KeyValueOfstringstring><a:Key>{key}</a:Key><a:Value>{value}</a:Value></a:KeyValueOfstringstring>")
        })
        .collect();
    let saved = call(&host, "WSSaveConnection", &format!("<ConnectionInfo>{entries}</ConnectionInfo>"));
    assert!(saved.contains("<State>Ok</State>"), "{saved}");
    host.ask_to_stop().unwrap();
    host.wait().unwrap();
    let data = folder.path().join("data");
    for file in
        std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file())
    {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(17).any(|part| part == b"hunter2-swordfish"), "{}", file.display());
    }
    for arguments in [
        &["connections", "show", "3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf"][..],
        &["connections", "show", "3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf", "--json"],
    ] {
        let output = program(folder.path(), arguments).output().unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        assert!(shown.contains("visible-server") && !shown.contains("hunter2"), "{shown}");
    }
    let output = program(folder.path(), &["connections", "export", "--masked", "e.json"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let exported = std::fs::read_to_string(folder.path().join("e.json")).unwrap();
    assert!(exported.contains("visible-server") && !exported.contains("hunter2"), "{exported}");
}

#[test]
fn unprintable_characters_of_callers_are_escaped_in_log_and_commands() {
    let evil = "\u{202e}\u{2028}\u{2066}\u{feff}\u{85}\u{200b}\u{e0041}";
    for format in ["text", "json"] {
        let folder = with_rogue();
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--log", "debug", "--log-format", format];
        let mut host = start(folder.path(), &arguments);
        let encoded: String = evil.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let path = format!("{SERVICE}?ConnectorName={encoded}");
        let message =
            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body/></s:Envelope>";
        let action = "http://www.superoffice.net/EIS/Connector/1.0/IErpConnectorWS/WSGetConfigData";
        Request::soap(&path, action, message.to_owned()).send(host.address()).unwrap();
        let entry = format!(
            "<ConnectionInfo><a:KeyValueOfstringstring><a:Key>Server</a:Key><a:Value>a{evil}b</a:Value>\
             </a:KeyValueOfstringstring><a:KeyValueOfstringstring><a:Key>k{evil}</a:Key><a:Value>1</a:Value>\
             </a:KeyValueOfstringstring></ConnectionInfo>"
        );
        let saved = call(&host, "WSSaveConnection", &entry);
        assert!(saved.contains("<State>Ok</State>"), "{saved}");
        host.ask_to_stop().unwrap();
        host.wait().unwrap();
        let log = host.log();
        assert!(!log.contains(|c| evil.contains(c)), "{format}: {log:?}");
        let log = log.replace(r"\\", r"\");
        assert!(log.contains(r"\u202e\u2028\u2066\ufeff\u0085\u200b\udb40\udc41"), "{format}: {log}");
        for arguments in [
            &["connections", "list"][..],
            &["connections", "show", "3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf"],
            &["connections", "show", "3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf", "--json"],
            &["audit", "show"],
            &["audit", "show", "--json"],
        ] {
            let output = program(folder.path(), arguments).output().unwrap();
            let shown = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success() && !shown.is_empty(), "{arguments:?}");
            assert!(!shown.contains(|c| evil.contains(c)), "{arguments:?}: {shown:?}");
        }
    }
}
