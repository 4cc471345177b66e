//! The real program under attack: it goes on serving those who mean well.

use std::io::Write;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use contract::{Call, Dialect, Envelope, Request, State};
use test_support::open_load::{self, Load};
use test_support::soap::Client;
use test_support::{ROGUE, Setup, TestHost, scale, tools};
use test_support::{exchange, http};

use crate::mutations::{change, recorded};

const GUID: &str = "aaaaaaaa-0000-4000-8000-000000000004";

/// A host with a connection whose methods have these faults.
fn host(configuration: &str, faults: &[(&'static str, &'static str)]) -> TestHost {
    let host = Setup::new().plugin(ROGUE).configuration(configuration).start();
    let settings = [("Server", "somewhere"), ("Port", "443")];
    let settings = settings.iter().chain(faults).map(|(key, value)| (*key, Some(*value)));
    let connection_info = Some(settings.collect());
    client(&host).ok(Request::SaveConnection { connection_info });
    host
}

fn client(host: &TestHost) -> Client {
    host.client(Dialect::Message).connection(GUID)
}

/// The bytes of a call, on a connection that is kept.
fn request(address: SocketAddr, request: Request<'_>) -> Vec<u8> {
    let call =
        Call { envelope: Envelope::new(Dialect::Message), connection_guid: Some(GUID.into()), request };
    let mut body = Vec::new();
    contract::write_request(&mut body, &call);
    let request =
        http::Request::soap(exchange::PATH, &call.soap_action(), body).header("Connection", "keep-alive");
    request.to_bytes(&address.to_string())
}

/// Somebody who means well makes calls all the while: each is served. Gives how many there were.
fn with_a_good_caller(host: &TestHost, work: impl FnOnce()) -> usize {
    let is_over = AtomicBool::new(false);
    let client = client(host);
    thread::scope(|scope| {
        let good = scope.spawn(|| {
            let mut calls = 0;
            while !is_over.load(Ordering::Relaxed) {
                assert_eq!(client.call(Request::TestConnection).state, State::Warning);
                let health = http::Request::get("/health").send(host.address()).unwrap();
                assert_eq!(health.status, 200);
                calls += 1;
                // Means well: leaves the others some time.
                thread::sleep(Duration::from_millis(10));
            }
            calls
        });
        work();
        is_over.store(true, Ordering::Relaxed);
        good.join().unwrap()
    })
}

#[test]
fn broken_requests_are_each_answered_and_others_served() {
    use proptest::strategy::{Strategy, ValueTree};

    let host = host("[limits]\nheader_timeout = \"2s\"\nstall_timeout = \"2s\"\n", &[]);
    let all = recorded();
    let changes = proptest::collection::vec(change(), 1..3);
    let mut runner = proptest::test_runner::TestRunner::new(Default::default());
    let address = host.address();
    let good = with_a_good_caller(&host, || {
        for number in 0..scale(10_000) {
            let recorded = &all[number % all.len()];
            let mut body = recorded.message.clone();
            let made = changes.new_tree(&mut runner).unwrap().current();
            // Every third one is broken where HTTP is, the others where XML is.
            let bytes = if number % 3 == 0 {
                let request = http::Request::soap(exchange::PATH, &recorded.action, body);
                let mut bytes = request.to_bytes("h");
                made.iter().for_each(|change| change.make(&mut bytes, &all));
                bytes
            } else {
                made.iter().for_each(|change| change.make(&mut body, &all));
                http::Request::soap(exchange::PATH, &recorded.action, body).to_bytes("h")
            };
            // What is broken in its head may get no answer, but never a wait.
            match exchange(address, &bytes) {
                Ok(response) => assert!(
                    matches!(response.status, 200 | 302 | 400..=431 | 500 | 501 | 503 | 505),
                    "{response:?}"
                ),
                Err(error) => {
                    assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "{}", bytes.escape_ascii());
                }
            }
        }
    });
    assert!(good > 0);
}

/// Sends these bytes and says that there are no more.
fn exchange(address: SocketAddr, bytes: &[u8]) -> std::io::Result<http::Response> {
    let mut stream = http::connect(address)?;
    let _ = stream.write_all(bytes).and_then(|()| stream.shutdown(std::net::Shutdown::Write));
    http::Response::read(&mut std::io::BufReader::new(stream))
}

#[test]
fn overload_is_served_or_refused_and_the_host_stays_healthy() {
    let limits = "queued_calls = 8\nconcurrent_calls = 2\n[limits]\nconnections_per_peer = 1000\n";
    let host = host(limits, &[("actor_types", "sleep:20")]);
    // A hundred a second is what it can do.
    for rate in [200.0, 500.0] {
        let load = Load { rate, duration: Duration::from_secs(2), connections: 100 };
        let request = request(host.address(), Request::GetSupportedActorTypes);
        let outcome = open_load::run(host.address(), &request, load);
        assert!(outcome.others.is_empty(), "{:?}", outcome.others);
        assert!(!outcome.served.is_empty() && !outcome.refused.is_empty(), "at {rate} a second");
        let health = http::Request::get("/health").send(host.address()).unwrap();
        assert_eq!(health.status, 200);
        // It is over at once.
        client(&host).ok(Request::GetSupportedActorTypes);
    }
}

/// slowhttptest's three modes, shortened.
const MODES: &[(&str, &[&str])] = &[
    ("slow head", &["-H", "-i", "2"]),
    ("slow body", &["-B", "-i", "2", "-s", "100000", "-t", "POST"]),
    ("slow read", &["-X", "-w", "10", "-y", "20", "-n", "2", "-z", "5", "-k", "1"]),
];

#[test]
fn slow_clients_do_not_affect_others() {
    let Some(slowhttptest) = tools::slowhttptest() else { return };
    let host =
        host("[limits]\nheader_timeout = \"2s\"\nstall_timeout = \"2s\"\nconnections_per_peer = 2000\n", &[]);
    for (mode, arguments) in MODES {
        let mut slow = Command::new(&slowhttptest);
        let url = format!("http://{}{}", host.address(), exchange::PATH);
        slow.args(*arguments).args(["-c", "200", "-r", "200", "-l", "4", "-p", "3", "-u", &url]);
        // A content type that is served, or the body would not be waited for.
        slow.args(["-f", "text/xml"]);
        let mut output = None;
        let good = with_a_good_caller(&host, || output = Some(slow.output().unwrap()));
        let output = output.unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(printed.contains("Test ended on") || printed.contains("Exit status"), "{mode}: {printed}");
        println!("{mode}: {good} calls were served meanwhile");
        assert!(good > 0, "{mode}");
    }
}
