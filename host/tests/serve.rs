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
    assert_eq!(soft, hard.min(2048 + 512), "{files}");
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
    const NAMESPACE: &str = "http://www.superoffice.net/EIS/Connector/1.0";
    let class = if operation == "WSSaveConnection" { "SaveConnectionRequestWS" } else { "RequestBaseWS" };
    let message = format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><{class} xmlns=\"{NAMESPACE}\" \
         xmlns:a=\"http://schemas.microsoft.com/2003/10/Serialization/Arrays\">\
         <ConnectionGuid>3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf</ConnectionGuid>{content}</{class}></s:Body></s:Envelope>"
    );
    let action = format!("{NAMESPACE}/IErpConnectorWS/{operation}");
    Request::soap(SERVICE, &action, message).send(host.address()).unwrap().text()
}

#[test]
fn log_has_every_call_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let name = format!("{}rogue_connector{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    std::fs::create_dir(folder.path().join("plugins")).unwrap();
    let file = std::env::current_exe().unwrap().with_file_name(&name);
    std::fs::copy(file, folder.path().join("plugins").join(&name)).unwrap();
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
    assert!(has(&["refused", "bad message", "<x> is closed by </y>"]), "{lines:#?}");
}
