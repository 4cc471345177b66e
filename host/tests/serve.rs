//! The program `erp-host serve`: what it prints, and how it ends.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that meets the unexpected fails")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;

/// The program in a folder of its own, with an empty plugins folder and no settings from outside.
fn program(folder: &Path, arguments: &[&str]) -> Command {
    std::fs::create_dir_all(folder.join("plugins")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_erp-host"));
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ERP_HOST_")) {
        command.env_remove(name);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Starts it and waits for the line that says where it listens.
fn start(folder: &Path, arguments: &[&str]) -> (Child, String) {
    let mut child = program(folder, arguments).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.strip_prefix("listening on http://").expect(&line);
    let address = address.strip_suffix("/Services/ErpConnectorWS.svc\n").expect(&line);
    (child, address.to_owned())
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
fn it_says_where_it_listens_and_what_it_serves() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, address) = start(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.write_all(b"GET /Services/ErpConnectorWS.svc HTTP/1.0\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    assert!(page.contains("No connector is loaded"), "{page}");
    assert!(folder.path().join("data").is_dir());
    child.kill().unwrap();
    child.wait().unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn it_makes_room_for_as_many_connections_as_are_configured() {
    let folder = tempfile::tempdir().unwrap();
    let serve = program(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
    // As most systems start it: few open files, and more on demand.
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -Sn 300 && exec \"$@\"", "sh"]).arg(serve.get_program()).args(serve.get_args());
    shell.current_dir(folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let now: u64 = files.split_whitespace().nth(3).unwrap().parse().unwrap();
    let most: u64 = files.split_whitespace().nth(4).unwrap().parse().unwrap_or(u64::MAX);
    assert_eq!(now, most.min(2048 + 512), "{files}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[cfg(unix)]
#[test]
fn signals_end_it_in_order() {
    for signal in ["TERM", "INT"] {
        let folder = tempfile::tempdir().unwrap();
        let (mut child, address) = start(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
        let idle = TcpStream::connect(address).unwrap();
        let sent = Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status();
        assert!(sent.unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(0));
        drop(idle);
        let mut log = String::new();
        child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert!(log.contains("stopped"), "{log}");
    }
}

#[test]
fn flags_count_over_the_environment_and_that_over_the_file() {
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
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("listening on "), "{line}");
        assert!(folder.path().join(data).join("erp-host.sqlite").is_file(), "{data}");
        child.kill().unwrap();
        child.wait().unwrap();
        std::fs::remove_dir_all(folder.path().join(data)).unwrap();
    }
}

#[test]
fn what_keeps_it_from_starting_is_said_in_a_line() {
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

/// Calls a service with recorded-looking bodies; returns what it answers.
fn call(address: &str, operation: &str, body: &str) -> String {
    const NAMESPACE: &str = "http://www.superoffice.net/EIS/Connector/1.0";
    let class = if operation == "WSSaveConnection" { "SaveConnectionRequestWS" } else { "RequestBaseWS" };
    let message = format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><{class} xmlns=\"{NAMESPACE}\" \
         xmlns:a=\"http://schemas.microsoft.com/2003/10/Serialization/Arrays\">\
         <ConnectionGuid>3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf</ConnectionGuid>{body}</{class}></s:Body></s:Envelope>"
    );
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST /Services/ErpConnectorWS.svc HTTP/1.0\r\nContent-Type: text/xml\r\n\
         SOAPAction: \"{NAMESPACE}/IErpConnectorWS/{operation}\"\r\nContent-Length: {}\r\n\r\n{message}",
        message.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_log_tells_of_every_call_and_never_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let name = format!("{}rogue_connector{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    std::fs::create_dir(folder.path().join("plugins")).unwrap();
    let file = std::env::current_exe().unwrap().with_file_name(&name);
    std::fs::copy(file, folder.path().join("plugins").join(&name)).unwrap();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--log", "trace", "--log-format", "json"];
    let (mut child, address) = start(folder.path(), &arguments);
    let log = BufReader::new(child.stderr.take().unwrap());
    // The host may write a line some milliseconds late: the last one is awaited before the host is killed.
    let (sender, last) = mpsc::channel();
    let log = std::thread::spawn(move || {
        let lines = log.lines().map(|line| line.unwrap());
        let inspect = |line: &String| {
            if line.contains("bad message") {
                let _ = sender.send(());
            }
        };
        lines.inspect(inspect).collect::<Vec<_>>()
    });

    let settings = [("Server", "here"), ("Password", "never-in-a-log"), ("test_connection", "log")];
    let settings = settings.map(|(key, value)| {
        format!("<a:KeyValueOfstringstring><a:Key>{key}</a:Key><a:Value>{value}</a:Value></a:KeyValueOfstringstring>")
    });
    let settings = format!("<ConnectionInfo>{}</ConnectionInfo>", settings.concat());
    let saved = call(&address, "WSSaveConnection", &settings);
    assert!(saved.contains("<State>Ok</State>"), "{saved}");
    let tested = call(&address, "WSTestConnection", "");
    assert!(tested.contains("mind the step"), "{tested}");
    let fault = call(&address, "WSTestConnection", "<x>never-in-a-log</y>");
    assert!(fault.contains("faultstring"), "{fault}");
    last.recv_timeout(Duration::from_secs(60)).expect("the host logs that it refused a message");
    child.kill().unwrap();
    child.wait().unwrap();

    let lines = log.join().unwrap();
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
