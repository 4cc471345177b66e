//! Too much, too slow, too late.

use std::thread;

use contract::{Call, Dialect, Envelope, Operation, Request, State};

use crate::host::{GUID, Host, message, post, soap_headers};

const SERVICE: &str = "/Services/ErpConnectorWS.svc";
const OTHER: &str = "11111111-2222-3333-4444-555555555555";

fn request(guid: &'static str, request: Request<'static>) -> Vec<u8> {
    let call =
        Call { envelope: Envelope::new(Dialect::Message), connection_guid: Some(guid.into()), request };
    post(SERVICE, &soap_headers(&call), &message(&call))
}

#[test]
fn concurrency_limit_rejects_calls_of_one_connector_only() {
    let host = Host::configured("queued_calls = 0\n[connectors.Rogue]\nconcurrent_calls = 1");
    host.save(&[("test_connection", "block")]);
    // One of the two takes the only place and blocks, whichever comes first.
    let mut callers = [host.client(), host.client()];
    callers.iter_mut().for_each(|caller| caller.send(&request(GUID, Request::TestConnection)));
    let turned_away = loop {
        if let Some(caller) = callers.iter().position(|caller| caller.has_response()) {
            break caller;
        }
    };
    let response = callers[turned_away].receive();
    assert_eq!(response.status, 503);
    assert_eq!(response.header("retry-after"), Some("5"));
    assert!(response.text().contains("busy"));
    // What needs no connector goes on.
    assert_eq!(host.exchange(b"GET /health HTTP/1.1\r\nHost: t\r\n\r\n").status, 200);
    let unknown = host.exchange(&request(OTHER, Request::TestConnection));
    assert!(unknown.text().contains("UNKNOWN_CONNECTION_ID"));
}

#[test]
fn call_deadline_answers_and_keeps_the_permit() {
    let host = Host::configured(
        "queued_calls = 0\nmax_timed_out_calls = 2\n[connectors.Rogue]\nconcurrent_calls = 1\ncall_deadline = \"1s\"",
    );
    host.save(&[("test_connection", "block")]);
    host.save_as(OTHER, &[]);
    let late = host.call(Request::TestConnection);
    assert_eq!(late.state, State::Error);
    assert!(late.user.contains("did not answer within 1 seconds"), "{}", late.user);
    let next = host.call(Request::GetSupportedActorTypes);
    assert!(next.user.contains(&format!("the connection {GUID} is out of service")), "{}", next.user);
    let other = host.exchange(&request(OTHER, Request::GetSupportedActorTypes));
    assert_eq!(other.status, 503, "the late call still runs");
}

#[test]
fn call_deadline_includes_opening_a_connection() {
    let host = Host::configured("[connectors.Rogue]\ncall_deadline = \"1s\"");
    let saved = host.save(&[("connect", "block")]);
    assert_eq!(saved.state, State::Warning);
    assert!(saved.user.contains("did not answer within"), "{}", saved.user);
}

#[test]
fn graceful_shutdown_finishes_running_calls() {
    let host = Host::start();
    host.save(&[("test_connection", "block")]);
    host.save_as(OTHER, &[("test_connection", "release"), ("actor_types", "release")]);
    let mut idle = host.client();
    idle.send(b"GET /health HTTP/1.1\r\nHost: t\r\n\r\n");
    assert_eq!(idle.receive().status, 200);
    let mut running = host.client();
    // The host has begun to read this one when it asks for the rest.
    let request = request(GUID, Request::TestConnection);
    let head = request.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 2;
    running.send(&[&request[..head], b"Expect: 100-continue\r\n\r\n"].concat());
    assert_eq!(running.receive_head().status, 100);
    host.stop();
    assert!(idle.is_closed(), "nothing runs there");
    running.send(&request[head + 2..]);
    let answer = thread::scope(|scope| {
        let answer = scope.spawn(|| running.receive());
        // The call blocks some time after its body has arrived; a release before that does nothing.
        while !answer.is_finished() {
            host.call_within(OTHER, Request::TestConnection);
        }
        answer.join().unwrap()
    });
    assert_eq!(answer.status, 200);
    let reply = contract::read_reply(&answer.body, Operation::TestConnection).unwrap();
    assert_eq!(reply.reply.outcome().unwrap().state, State::Warning);
    assert_eq!(answer.header("connection"), Some("close"));
    host.finish();
    assert!(std::net::TcpStream::connect(host.address).is_err(), "nobody listens any more");
}

#[test]
fn stalled_clients_are_disconnected() {
    let host = Host::configured(
        "[limits]\nstall_timeout = \"200ms\"\nheader_timeout = \"200ms\"\nreply_in_memory = \"1MiB\"",
    );
    // In the middle of a body.
    let mut client = host.client();
    client.send(
        format!("POST {SERVICE} HTTP/1.1\r\nHost: t\r\nContent-Type: text/xml\r\nContent-Length: 9\r\n\r\n<")
            .as_bytes(),
    );
    let response = client.receive();
    assert_eq!((response.status, response.header("connection")), (408, Some("close")));
    assert!(client.is_closed());
    // Without a request at all, and in the middle of its head.
    let mut client = host.client();
    assert!(client.is_closed());
    let mut client = host.client();
    client.send(b"POST / HTTP/1.1\r\nHo");
    assert_eq!(client.receive().status, 408);
    assert!(client.is_closed());
    // In the middle of a later head, too.
    let mut client = host.client();
    client.send(b"GET /health HTTP/1.1\r\nHost: t\r\n\r\nGET /hea");
    assert_eq!(client.receive().status, 200);
    assert_eq!(client.receive().status, 408);
    assert!(client.is_closed());
    // In the middle of a reply: nobody takes it, and still the connection ends.
    host.save(&[("changed_since", "huge:20000")]);
    let mut client = host.client();
    client.send(&request(
        GUID,
        Request::GetActorsByTimestamp {
            updated_on_or_after: None,
            actor_type: Some("Customer".into()),
            field_keys: None,
        },
    ));
    assert_eq!(client.receive_head().status, 200);
    host.stop();
    host.finish();
}

#[test]
fn disconnected_clients_harm_no_other_call() {
    let host = Host::start();
    host.save(&[("changed_since", "huge:500")]);
    let whole = request(
        GUID,
        Request::GetActorsByTimestamp {
            updated_on_or_after: None,
            actor_type: Some("Customer".into()),
            field_keys: None,
        },
    );
    for length in [1, 50, 300, whole.len() - 1, whole.len()] {
        let mut client = host.client();
        client.send(&whole[..length]);
        drop(client);
    }
    assert_eq!(host.call(Request::TestConnection).state, State::Warning);
    // Their connections end, too.
    host.stop();
    host.finish();
}

#[test]
fn half_closed_connections_still_get_the_reply() {
    let host = Host::start();
    host.save(&[]);
    let mut client = host.client();
    // As it says that this is its last request; otherwise it would have gone.
    let last = String::from_utf8(request(GUID, Request::GetSupportedActorTypes)).unwrap();
    client.send(last.replacen("\r\n", "\r\nConnection: close\r\n", 1).as_bytes());
    client.end();
    assert!(client.receive().text().contains("Person"));
    assert!(client.is_closed());
}

#[test]
fn connection_limit_rejects_and_still_answers_health() {
    let host = Host::configured("[limits]\nconnections = 1");
    let health = b"GET /health HTTP/1.1\r\nHost: t\r\n\r\n";
    let mut first = host.client();
    first.send(health);
    assert_eq!(first.receive().status, 200);
    let mut second = host.client();
    second.send(health);
    drop(first);
    assert_eq!(second.receive().status, 200, "served once the first one is gone");

    // A busy connection is not evicted; new ones are rejected, but /health is answered.
    let host = Host::configured("[limits]\nconnections = 1");
    host.save(&[("test_connection", "block")]);
    let mut busy = host.client();
    // It may have to wait until the connection before is closed.
    busy.send(health);
    assert_eq!(busy.receive().status, 200);
    busy.send(&request(GUID, Request::TestConnection));
    let mut turned_away = host.client();
    turned_away.send(&request(GUID, Request::TestConnection));
    let response = turned_away.receive();
    assert_eq!((response.status, response.header("retry-after")), (503, Some("5")), "{}", response.text());
    assert!(turned_away.is_closed());
    assert_eq!(host.exchange(health).text(), "ok\n");
    assert!(!busy.has_response());
}

#[test]
fn header_size_is_limited() {
    let host = Host::start();
    let request = format!("GET /health HTTP/1.1\r\nHost: t\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    let mut client = host.client();
    client.send_some(request.as_bytes());
    assert_eq!(client.receive_head().status, 431);
}
