//! Memory does not grow with the size of a reply, or with how many are under way.

#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Read, Write};
use std::thread;

use contract::{Call, Dialect, Envelope, Request, State};
use test_support::exchange::PATH;
use test_support::http::{self, connect};
use test_support::{ROGUE, Setup, TestHost};

const LARGE: &str = "eeeeeeee-0000-4000-8000-000000000001";
const FAILS: &str = "eeeeeeee-0000-4000-8000-000000000002";

/// Rows of 20 fields: more than 60 MB a reply. It could be any number; this one takes seconds.
const ROWS: u32 = 25_000;
const CLIENTS: usize = 4;
/// Kilobytes above idle: far less than two of the replies, and what the host allows itself for any number of them.
const MOST: u64 = 64 * 1024;

fn kilobytes(host: &mut TestHost, what: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", host.process().id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn changed(guid: &str) -> Call<'static> {
    Call {
        envelope: Envelope::new(Dialect::Message),
        connection_guid: Some(guid.to_owned().into()),
        request: Request::GetActorsByTimestamp {
            updated_on_or_after: None,
            actor_type: Some("Customer".into()),
            field_keys: None,
        },
    }
}

/// Asks for everything and counts the rows as they come: the reply is never kept.
fn pull(address: std::net::SocketAddr, guid: &str) -> (u32, u64) {
    let call = changed(guid);
    let mut body = Vec::new();
    contract::write_request(&mut body, &call);
    let request = http::Request::soap(PATH, &call.soap_action(), body);
    let mut stream = connect(address).unwrap();
    stream.write_all(&request.to_bytes("x")).unwrap();
    // Every row has one '>' of its key's end tag; cut there, so that a piece is never long.
    let (mut rows, mut bytes, mut last) = (0, 0, Vec::new());
    let mut reader = BufReader::with_capacity(1 << 20, stream);
    let mut piece = Vec::new();
    while reader.read_until(b'>', &mut piece).unwrap() > 0 {
        rows += u32::from(piece.ends_with(b"</ErpKey>"));
        bytes += piece.len() as u64;
        std::mem::swap(&mut last, &mut piece);
        piece.clear();
    }
    assert_eq!(last, b"</s:Envelope>", "the reply ends where it should");
    (rows, bytes)
}

#[test]
fn large_replies_take_little_memory() {
    let mut host = Setup::new().plugin(ROGUE).start();
    let failing = format!("error-after:{}", ROWS - 1);
    for (guid, fault) in [(LARGE, format!("huge:{ROWS}")), (FAILS, failing)] {
        let settings = [("Server", Some("erp")), ("changed_since", Some(fault.as_str()))];
        let request = Request::SaveConnection { connection_info: Some(settings.into_iter().collect()) };
        host.client(Dialect::Message).connection(guid).ok(request);
        host.client(Dialect::Message).connection(guid).ok(Request::GetSupportedActorTypes);
    }
    let idle = kilobytes(&mut host, "VmRSS");
    std::fs::write(format!("/proc/{}/clear_refs", host.process().id()), "5").unwrap();

    let address = host.address();
    let clients: Vec<_> = (0..CLIENTS).map(|_| thread::spawn(move || pull(address, LARGE))).collect();
    // Meanwhile one fails at its last row: its caller reads that, and no row.
    let failed = host.client(Dialect::Data).connection(FAILS).call(Request::GetActorsByTimestamp {
        updated_on_or_after: None,
        actor_type: Some("Customer".into()),
        field_keys: None,
    });
    assert_eq!((failed.state, failed.code.as_str(), failed.actors.len()), (State::Error, "ROGUE", 0));
    for client in clients {
        let (rows, bytes) = client.join().unwrap();
        // And one that the rogue connector adds by itself.
        assert_eq!(rows, ROWS + 1);
        assert!(bytes > 40_000_000, "{bytes} bytes: too few for a conclusion");
    }
    let above = kilobytes(&mut host, "VmHWM") - idle;
    assert!(above < MOST, "{above} kB above idle");
}

/// Replies of about 9 MB, of which the kernel takes a part.
const SLOW_READERS: usize = 60;
const ROWS_OF_SLOW_READERS: u32 = 3_500;
/// Kilobytes above idle: a block of 64 KiB for each of them, and what the host has for any number of them.
const MOST_OF_SLOW_READERS: u64 = 24 * 1024;

/// Sends a request and reads only the beginning of its reply.
fn begin_to_pull(address: std::net::SocketAddr, guid: &str) -> std::net::TcpStream {
    let call = changed(guid);
    let mut body = Vec::new();
    contract::write_request(&mut body, &call);
    let request = http::Request::soap(PATH, &call.soap_action(), body);
    let mut stream = connect(address).unwrap();
    // The kernel is to keep little for it.
    rustix::net::sockopt::set_socket_recv_buffer_size(&stream, 4096).unwrap();
    stream.write_all(&request.to_bytes("x")).unwrap();
    let mut beginning = [0; 15];
    stream.read_exact(&mut beginning).unwrap();
    assert_eq!(&beginning, b"HTTP/1.1 200 OK");
    stream
}

#[test]
fn slow_readers_of_replies_take_little_memory() {
    // Nobody is too slow here.
    let limits = "[limits]\nstall_timeout = \"10m\"\n";
    let mut host = Setup::new().plugin(ROGUE).configuration(limits).start();
    let fault = format!("huge:{ROWS_OF_SLOW_READERS}");
    let settings = [("Server", Some("erp")), ("changed_since", Some(fault.as_str()))];
    let request = Request::SaveConnection { connection_info: Some(settings.into_iter().collect()) };
    host.client(Dialect::Message).connection(LARGE).ok(request);
    let address = host.address();
    pull(address, LARGE);
    let idle = kilobytes(&mut host, "VmRSS");
    let readers: Vec<_> = (0..SLOW_READERS).map(|_| begin_to_pull(address, LARGE)).collect();
    let above = kilobytes(&mut host, "VmRSS").saturating_sub(idle);
    assert!(above < MOST_OF_SLOW_READERS, "{above} kB above idle");
    // Others are served.
    assert_eq!(pull(address, LARGE).0, ROWS_OF_SLOW_READERS + 1);
    drop(readers);
}
