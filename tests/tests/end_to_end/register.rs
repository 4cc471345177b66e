//! `erp-host register` against a stand-in that takes nothing that a WCF service would read wrongly.

use std::process::Output;

use test_support::netserver::{NetServer, PASSWORD, TICKET, USER};
use test_support::{Setup, TestHost};

const URL: &str = "https://erp.example.com/Services/ErpConnectorWS.svc?ConnectorName=Excel&x=1";

/// The program, without a host.
struct Program(TestHost);

impl Program {
    fn new() -> Self {
        Program(Setup::new().prepare())
    }

    fn register(&self, server: &NetServer, arguments: &[&str]) -> Output {
        let site = server.url();
        let mut all = vec!["register", "--netserver", &site, "--name", "Excel & more", "--url", URL];
        all.extend(["--user", USER]);
        all.extend(arguments);
        self.0.command_with(&all, &[("ERP_HOST_NETSERVER_PASSWORD", PASSWORD)])
    }

    fn ok(&self, server: &NetServer, arguments: &[&str]) -> String {
        let output = self.register(server, arguments);
        let (shown, error) = texts(&output);
        assert!(server.state().violations.is_empty(), "{:#?}", server.state().violations);
        assert!(output.status.success(), "{shown}{error}");
        assert!(!shown.contains(PASSWORD) && !shown.contains(TICKET), "{shown}");
        shown
    }

    /// One sentence on standard error, and a code that is not zero.
    fn refused(&self, server: &NetServer, arguments: &[&str]) -> String {
        let output = self.register(server, arguments);
        let (shown, error) = texts(&output);
        assert_eq!(output.status.code(), Some(1), "{shown}{error}");
        assert_eq!(error.trim_end().lines().count(), 1, "{error}");
        assert!(error.starts_with("erp-host: ") && !error.contains(PASSWORD), "{error}");
        error
    }
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// The calls since the last time.
fn calls(server: &NetServer) -> Vec<String> {
    std::mem::take(&mut server.state().calls)
}

#[test]
fn sync_connector_is_created_changed_and_left_alone() {
    let (program, server) = (Program::new(), NetServer::start());

    let shown = program.ok(&server, &["--dry-run"]);
    assert!(
        shown.contains("would create the Sync Connector") && shown.contains("nothing was changed"),
        "{shown}"
    );
    assert!(server.state().connectors.is_empty());

    let shown = program.ok(&server, &[]);
    assert!(shown.contains("signed in as Kari & Co") && shown.contains("created"), "{shown}");
    let connectors = server.state().connectors.clone();
    assert_eq!(connectors.values().collect::<Vec<_>>(), [&("Excel & more".to_owned(), URL.to_owned())]);
    let once = ["AuthenticateUsernamePassword", "TestConnectorUrl", "GetAllConnectors"];
    assert_eq!(calls(&server)[3..], [&once[..], &["SaveErpSyncConnectorEntity"]].concat());

    let shown = program.ok(&server, &[]);
    assert!(shown.contains("is there already") && shown.contains("nothing was changed"), "{shown}");
    assert_eq!(calls(&server), once);

    let id = *connectors.keys().next().unwrap();
    server.state().connectors.insert(id, ("Excel & more".to_owned(), "https://old.example.com/".to_owned()));
    let shown = program.ok(&server, &["--dry-run"]);
    assert!(shown.contains("\"https://old.example.com/\" -> "), "{shown}");
    let shown = program.ok(&server, &[]);
    assert!(shown.contains(&format!("changed the Sync Connector \"Excel & more\" (ID {id})")), "{shown}");
    assert_eq!(server.state().connectors, connectors);

    server.state().connectors.insert(7, ("Excel & more".to_owned(), "https://twin.example.com/".to_owned()));
    let error = program.refused(&server, &[]);
    assert!(error.contains("several") && error.contains("--connector-id"), "{error}");
    program.ok(&server, &["--connector-id", "7"]);
    assert_eq!(server.state().connectors[&7].1, URL);
}

#[test]
fn connection_is_filled_in_tested_saved_and_activated_once() {
    let (program, server) = (Program::new(), NetServer::start());
    let wanted =
        ["--connection", "Ours", "--set", "Server=erp & co", "--set", "Password=hunter3", "--language", "NO"];

    let error = program.refused(&server, &wanted[..2]);
    assert!(error.contains("missing: Server;") && error.contains("--set"), "mandatory: {error}");
    assert!(server.state().connections.is_empty());
    calls(&server);

    let shown = program.ok(&server, &wanted);
    for part in ["Server  * Text      Tjener = erp & co", "passed", "created the connection", "activated"] {
        assert!(shown.contains(part), "no {part:?} in {shown}");
    }
    assert!(!shown.contains("hunter3"), "{shown}");
    let made: Vec<_> = calls(&server).into_iter().skip(3).collect();
    let expected = [
        "GetAllConnections",
        "GetConfigurationFields",
        "TestConnectionByConfig",
        "SaveConnection",
        "ToggleErpConnectionActive",
    ];
    assert_eq!(made, expected);
    {
        let state = server.state();
        let (id, connection) = state.connections.first_key_value().unwrap();
        let member = |name: &str| connection[name].as_str();
        assert_eq!((member("DisplayName"), member("Active"), member("AllAccess")), ("Ours", "true", "true"));
        let settings: Vec<_> =
            state.settings[id].iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(settings, [("Server", "erp & co"), ("Days", "[I:30]"), ("Password", "hunter3")]);
    }

    let shown = program.ok(&server, &wanted);
    assert!(shown.contains("nothing was changed"), "{shown}");
    assert_eq!(
        calls(&server).last().unwrap(),
        "GetConfigurationFields",
        "nothing is saved, tested or toggled"
    );

    // A change keeps the rest, and what runs goes on running.
    let changed = ["--connection", "Ours", "--set", "Days=10", "--user-groups", "3,4"];
    let shown = program.ok(&server, &[&changed[..], &["--dry-run"]].concat());
    assert!(shown.contains("would change the connection") && !shown.contains("would activate"), "{shown}");
    program.ok(&server, &changed);
    let state = server.state();
    let (id, connection) = state.connections.first_key_value().unwrap();
    assert_eq!(state.connections.len(), 1);
    assert!(state.settings[id].contains(&("Days".to_owned(), "[I:10]".to_owned())));
    assert!(state.settings[id].contains(&("Server".to_owned(), "erp & co".to_owned())));
    assert_eq!(connection["UserGroupAccessIds"], "3 4");
    assert_eq!((connection["Active"].as_str(), connection["AllAccess"].as_str()), ("true", "false"));
}

#[test]
fn online_sites_get_their_token_and_a_ticket_replaces_the_password() {
    let (program, server) = (Program::new(), NetServer::start());
    server.state().application_token = Some("token-1".to_owned());
    server.state().soap_12 = true;
    let site = server.url();
    let arguments =
        ["register", "--netserver", &site, "--name", "N", "--url", URL, "--soap12", "--time-zone", "57"];
    let environment = [("ERP_HOST_NETSERVER_TICKET", TICKET), ("ERP_HOST_APPLICATION_TOKEN", "token-1")];
    let output = program.0.command_with(&arguments, &environment);
    assert!(output.status.success(), "{:?} {:#?}", texts(&output), server.state().violations);
    assert!(server.state().violations.is_empty(), "{:#?}", server.state().violations);
    assert_eq!(calls(&server)[0], "TestConnectorUrl", "nobody signs in who has a ticket");

    let nobody = program.0.command(&arguments);
    assert!(texts(&nobody).1.contains("--user"), "{nobody:?}");
}

#[test]
fn netserver_errors_are_shown_with_a_remedy() {
    let program = Program::new();
    let html = || (404, "text/html".to_owned(), "<html>not here</html>".to_owned());
    let fault = |code: &str, text: &str| {
        let body = format!(
            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault>\
             <faultcode>{code}</faultcode><faultstring>{text}</faultstring></s:Fault></s:Body></s:Envelope>"
        );
        (500, "text/xml; charset=utf-8".to_owned(), body)
    };
    let answers = [
        ("AuthenticateUsernamePassword", html(), ["404", "--services"]),
        (
            "AuthenticateUsernamePassword",
            (302, "text/html".to_owned(), String::new()),
            ["302", "leads elsewhere"],
        ),
        (
            "TestConnectorUrl",
            (200, "text/html".to_owned(), "<p>Welcome</p>".to_owned()),
            ["text/html", "web client"],
        ),
        ("TestConnectorUrl", (200, "text/xml".to_owned(), "<a>".to_owned()), ["no XML", "TestConnectorUrl"]),
        (
            "GetAllConnectors",
            fault("a:ActionNotSupported", "cannot be processed"),
            ["cannot be", "--connector-id"],
        ),
        ("GetAllConnectors", fault("s:Client", "the ticket has expired"), ["has expired", "sign in anew"]),
        ("SaveErpSyncConnectorEntity", (503, "text/plain".to_owned(), "down".to_owned()), ["503", "later"]),
    ];
    for (operation, answer, expected) in answers {
        let server = NetServer::start();
        server.state().answers.insert(operation.to_owned(), answer);
        let error = program.refused(&server, &[]);
        assert!(expected.iter().all(|part| error.contains(part)), "{expected:?}: {error}");
        assert!(error.contains(operation), "{error}");
    }

    // With HTTP 200, in the reply's header.
    let server = NetServer::start();
    let text = "Restricted agent: access denied";
    server.state().exceptions.insert("GetAllConnectors".to_owned(), text.to_owned());
    let error = program.refused(&server, &[]);
    assert!(error.contains(text) && error.contains("on request"), "{error}");

    let server = NetServer::start();
    server.state().url_answer = Some("ErrorNotFound".to_owned());
    let error = program.refused(&server, &[]);
    assert!(error.contains("ErrorNotFound") && error.contains("SuperOffice server"), "{error}");
    program.ok(&server, &["--skip-url-test"]);

    let connection = ["--connection", "Ours", "--set", "Server=x", "--skip-url-test"];
    server.state().test_fails = true;
    let error = program.refused(&server, &connection);
    assert!(error.contains("did not pass") && error.contains("erp-host call"), "{error}");
    assert!(server.state().connections.is_empty(), "nothing is saved that was not tested");
    server.state().test_fails = false;
    server.state().toggle_reasons = vec!["No mapping".to_owned(), "No licence".to_owned()];
    let error = program.refused(&server, &connection);
    assert!(error.contains("No mapping; No licence") && error.contains("is saved"), "{error}");
}

#[test]
fn wrong_addresses_and_passwords_are_reported() {
    let program = Program::new();
    let register = |site: &str, password: &str| {
        let arguments = ["register", "--netserver", site, "--name", "N", "--url", URL, "--user", USER];
        let output = program.0.command_with(&arguments, &[("ERP_HOST_NETSERVER_PASSWORD", password)]);
        assert_eq!(output.status.code(), Some(1));
        let error = texts(&output).1;
        assert_eq!(error.trim_end().lines().count(), 1, "{error}");
        error
    };
    let server = NetServer::start();
    let error = register(&server.url(), "wrong");
    assert!(error.contains("did not accept") && error.contains("application token"), "{error}");
    assert!(register("crm.example.com", "x").contains("expected the site's address"), "no scheme");
    // Nobody listens: the port was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(register(&format!("http://{free}"), "x").contains("nobody listens"));
    // TLS to a server that speaks none.
    let error = register(&server.url().replace("http://", "https://"), "x");
    assert!(error.contains("TLS"), "{error}");
}
