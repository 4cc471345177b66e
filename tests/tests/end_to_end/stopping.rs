//! SIGTERM: the host stops accepting, finishes what runs, and ends with exit code 0.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::thread;

use contract::{Call, Dialect, Envelope, Request};
use test_support::exchange::PATH;
use test_support::http::{Response, connect};
use test_support::{ROGUE, Setup, TestHost, wait_until};

const WAITS: &str = "dddddddd-0000-4000-8000-000000000001";
const RELEASES: &str = "dddddddd-0000-4000-8000-000000000002";

fn host_with_two_connections() -> TestHost {
    let host = Setup::new().plugin(ROGUE).start();
    for (guid, fault) in [(WAITS, "block"), (RELEASES, "release")] {
        let settings = [("Server", Some("erp")), ("actor_types", Some(fault))];
        let request = Request::SaveConnection { connection_info: Some(settings.into_iter().collect()) };
        host.client(Dialect::Message).connection(guid).ok(request);
    }
    host
}

#[test]
fn graceful_shutdown_finishes_running_calls() {
    let mut host = host_with_two_connections();
    let waiting = {
        let client = host.client(Dialect::Message).connection(WAITS);
        thread::spawn(move || client.ok(Request::GetSupportedActorTypes).items)
    };
    wait_until("the call runs", || host.log().contains("waiting for a release"));

    // A second call that has arrived but for its body: `100 Continue` says that the host reads it.
    let call = Call {
        envelope: Envelope::new(Dialect::Message),
        connection_guid: Some(RELEASES.into()),
        request: Request::GetSupportedActorTypes,
    };
    let mut body = Vec::new();
    contract::write_request(&mut body, &call);
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml; charset=utf-8\r\nSOAPAction: \"{}\"\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        call.soap_action(),
        body.len()
    );
    let mut stream = connect(host.address()).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 100"), "{line}");
    reader.read_line(&mut line).unwrap();

    let address = host.address();
    host.process().ask_to_stop().unwrap();
    wait_until("no more calls are accepted", || TcpStream::connect(address).is_err());
    assert!(host.process().has_ended().unwrap().is_none(), "the call still runs");

    stream.write_all(&body).unwrap();
    assert_eq!(Response::read(&mut reader).unwrap().status, 200);
    assert_eq!(waiting.join().unwrap(), ["Customer", "Person"]);
    assert!(host.process().wait().unwrap().success(), "exit code 0");
}

#[test]
fn graceful_shutdown_closes_idle_connections() {
    let mut host = host_with_two_connections();
    let idle = connect(host.address()).unwrap();
    let (status, _) = host.stop();
    assert!(status.success(), "{status}");
    drop(idle);
}
