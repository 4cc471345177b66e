//! nginx in front of the host, configured as docs/operators/nginx.md says.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use contract::{Dialect, Request};
use test_support::documentation::{code_blocks, read};
use test_support::exchange::PATH;
use test_support::http;
use test_support::soap::Client;
use test_support::{EXCEL, ROGUE, Setup, TestHost, WORKBOOK, tools};

use crate::operations::settings;

const GUID: &str = "eeeeeeee-0000-4000-8000-000000000001";

/// What a client may send to look like a proxy.
const HOSTILE: [(&str, &str); 7] = [
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Port", "4711"),
    ("X-Forwarded-Prefix", "/evil"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-For", "192.0.2.66"),
    ("Forwarded", "for=192.0.2.66;host=evil.example;proto=https"),
    ("X_Forwarded_Prefix", "/evil"),
];

/// A running nginx. Dropping it ends it.
struct Nginx {
    child: Child,
    address: SocketAddr,
}

impl Nginx {
    fn start(program: &Path, host: &TestHost) -> Self {
        Self::start_with(program, host, str::to_owned)
    }

    /// With a change of the documented configuration.
    fn start_with(program: &Path, host: &TestHost, change: impl FnOnce(&str) -> String) -> Self {
        let folder = host.folder().join("nginx");
        std::fs::create_dir(&folder).unwrap();
        // Free a moment ago; nginx cannot be asked which port it took.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let configuration = folder.join("nginx.conf");
        std::fs::write(&configuration, configuration_for(&folder, address, host.address(), change)).unwrap();
        let child = Command::new(program)
            .arg("-c")
            .arg(&configuration)
            .arg("-p")
            .arg(&folder)
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx runs");
        let mut nginx = Nginx { child, address };
        let end = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(address).is_err() {
            if let Some(status) = nginx.child.try_wait().unwrap() {
                let log = std::fs::read_to_string(folder.join("error.log")).unwrap_or_default();
                panic!("nginx ended with {status}: {log}");
            }
            assert!(Instant::now() < end, "nginx does not listen");
            thread::sleep(Duration::from_millis(10));
        }
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The documented server, without TLS and with our ports.
fn configuration_for(
    folder: &Path,
    own: SocketAddr,
    host: SocketAddr,
    change: impl FnOnce(&str) -> String,
) -> String {
    let blocks = code_blocks(&read("docs/operators/nginx.md"), "nginx");
    let [documented] = &blocks[..] else { panic!("expected one nginx example, found {}", blocks.len()) };
    let ours = change(documented)
        .lines()
        .filter(|line| !line.trim_start().starts_with("ssl_"))
        .collect::<Vec<_>>()
        .join("\n")
        .replace("listen 443 ssl;", &format!("listen {own};"))
        .replace("server 127.0.0.1:8080;", &format!("server {host};"));
    assert!(ours.contains(&format!("listen {own};")) && ours.contains(&format!("server {host};")), "{ours}");
    let folder = folder.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("    {kind}_temp_path {folder}/{kind};\n"))
        .collect();
    format!(
        "daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n\
         events {{}}\nhttp {{\n    access_log off;\n{temporary}{ours}\n}}\n"
    )
}

#[test]
fn calls_faults_and_the_wsdl_pass_through_nginx() {
    let Some(program) = tools::nginx() else { return };
    let host = Setup::new()
        .plugin(EXCEL)
        .plugin(ROGUE)
        .configuration(&code_blocks(&read("docs/operators/nginx.md"), "toml")[0])
        .start();
    let nginx = Nginx::start(&program, &host);

    // Calls, in every dialect, over connections that nginx keeps.
    for dialect in Dialect::ALL {
        let client = Client::new(nginx.address, *dialect).connection(GUID);
        client.ok(Request::SaveConnection { connection_info: settings(WORKBOOK) });
        for _ in 0..3 {
            assert!(client.ok(Request::GetSupportedActorTypes).items.len() >= 4);
        }
    }
    // A large reply.
    let rogue = Client::new(nginx.address, Dialect::Message)
        .connector("Rogue")
        .connection("eeeeeeee-0000-4000-8000-000000000002");
    let orders = [("Server", Some("erp")), ("get", Some("huge:5000"))];
    rogue.ok(Request::SaveConnection { connection_info: Some(orders.into_iter().collect()) });
    let keys = Some(vec![]);
    let many = rogue.ok(Request::GetActors {
        actor_type: Some("Customer".into()),
        erp_keys: keys,
        field_keys: None,
    });
    assert_eq!(many.actors.len(), 5000);

    // A fault keeps its status, its type and its text.
    let fault = http::Request::soap(PATH, "urn:no-such-operation", "<a/>").send(nginx.address).unwrap();
    assert_eq!(fault.status, 500);
    assert!(fault.header("Content-Type").unwrap().starts_with("text/xml"), "{:?}", fault.headers);
    assert!(fault.text().contains("faultstring"), "{}", fault.text());

    // So does what is no fault.
    let refused = http::Request::soap(PATH, "", "{}").header("Content-Type", "application/json");
    assert_eq!(refused.send(nginx.address).unwrap().status, 415);

    // The WSDL names the address that the caller used.
    let target = format!("{PATH}?singleWsdl");
    let wsdl =
        http::Request::get(&target).header("Host", "erp.example.com:8443").send(nginx.address).unwrap();
    let expected = format!("http://erp.example.com:8443{PATH}");
    assert!(wsdl.text().contains(&format!("location=\"{expected}\"")), "{}", wsdl.text());

    // Also to a client that sends the headers of a proxy itself.
    let mut hostile = http::Request::get(&target).header("Host", "erp.example.com:8443");
    for (header, value) in HOSTILE {
        hostile = hostile.header(header, value);
    }
    let wsdl = hostile.send(nginx.address).unwrap().text();
    assert!(wsdl.contains(&format!("location=\"{expected}\"")), "{wsdl}");
    assert!(!wsdl.contains("evil"), "{wsdl}");

    // nginx itself answers what is not the service.
    assert_eq!(http::Request::get("/").send(nginx.address).unwrap().status, 404);
}

#[test]
fn headers_of_a_proxy_are_all_set_or_removed_in_the_documentation() {
    let nginx = &code_blocks(&read("docs/operators/nginx.md"), "nginx")[0];
    let iis = read("docs/operators/iis.md");
    for header in
        ["X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix", "Forwarded"]
    {
        assert!(nginx.contains(&format!("proxy_set_header {header} ")), "nginx.md: {header}");
        let variable = format!("HTTP_{}", header.to_uppercase().replace('-', "_"));
        assert!(iis.contains(&format!("<set name=\"{variable}\"")), "iis.md: {variable}");
        assert!(iis.contains(&format!("[name='{variable}']")), "iis.md allows {variable}");
    }
    assert!(nginx.contains("proxy_set_header X-Forwarded-For "));
}

#[test]
fn wsdl_has_the_path_that_nginx_removes() {
    let Some(program) = tools::nginx() else { return };
    let trusted = &code_blocks(&read("docs/operators/nginx.md"), "toml")[0];
    let host = Setup::new().plugin(EXCEL).configuration(trusted).start();
    let prefixed = code_blocks(&read("docs/operators/nginx.md"), "text");
    let prefixed = prefixed.iter().find(|block| block.contains("X-Forwarded-Prefix")).unwrap();
    let nginx = Nginx::start_with(&program, &host, |documented| {
        let location = documented.find("    location ").unwrap();
        let rest = documented[location..].find("proxy_http_version").unwrap() + location;
        let without = documented[rest..].replace("proxy_set_header X-Forwarded-Prefix \"\";", "");
        format!("{}{prefixed}\n        {without}", &documented[..location])
    });
    let target = format!("/erp{PATH}?singleWsdl&ConnectorName=Excel");
    let mut request = http::Request::get(&target).header("Host", "erp.example.com");
    for (header, value) in HOSTILE {
        request = request.header(header, value);
    }
    let wsdl = request.send(nginx.address).unwrap().text();
    let expected = format!("location=\"http://erp.example.com/erp{PATH}?ConnectorName=Excel\"");
    assert!(wsdl.contains(&expected), "{wsdl}");
}

#[test]
fn oversized_bodies_are_refused_with_and_without_nginx() {
    let Some(program) = tools::nginx() else { return };
    let host = Setup::new().plugin(EXCEL).start();
    let nginx = Nginx::start(&program, &host);
    let body = vec![b' '; (16 << 20) + 1];
    for address in [host.address(), nginx.address] {
        let response = http::Request::soap(PATH, "", body.clone()).send(address).unwrap();
        assert_eq!(response.status, 413);
    }
}
