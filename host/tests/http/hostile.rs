//! Callers who mean no good.

use contract::{Request, State};
use test_support::http::Connection;

use crate::host::{Host, call, gzip, message, post, soap_headers};

const SERVICE: &str = "/Services/ErpConnectorWS.svc";
const HEALTH: &[u8] = b"GET /health HTTP/1.1\r\nHost: t\r\n\r\n";

/// A request inside the body of another one, for request smuggling.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n";

#[test]
fn framing_rejects_ambiguous_requests() {
    let host = Host::start();
    let length = SMUGGLED.len();
    let chunked = format!("{length:x}\r\n{SMUGGLED}\r\n0\r\n\r\n");
    for (lines, body) in [
        // Both length headers, in either order and in every disguise.
        (
            format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"),
            format!("0\r\n\r\n{SMUGGLED}"),
        ),
        (
            format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n"),
            format!("0\r\n\r\n{SMUGGLED}"),
        ),
        (format!("Content-Length: {length}\r\nTransfer-Encoding: xchunked\r\n"), SMUGGLED.to_owned()),
        (format!("Content-Length: {length}\r\nTransfer-Encoding : chunked\r\n"), SMUGGLED.to_owned()),
        (format!("Content-Length: {length}\r\nTransfer-Encoding:\x0Bchunked\r\n"), SMUGGLED.to_owned()),
        (format!("Content-Length: {length}\r\nX: y\rTransfer-Encoding: chunked\r\n"), SMUGGLED.to_owned()),
        (format!("Content-Length: {length}\r\nX: y\nTransfer-Encoding: chunked\r\n"), SMUGGLED.to_owned()),
        (format!("Content-Length: {length}\r\nX: y\r\n Transfer-Encoding: chunked\r\n"), SMUGGLED.to_owned()),
        // Lengths that come twice, or are none.
        (format!("Content-Length: {length}\r\nContent-Length: {length}\r\n"), SMUGGLED.to_owned()),
        (format!("Content-Length: 0\r\nContent-Length: {length}\r\n"), SMUGGLED.to_owned()),
        (format!("Content-Length: 0, {length}\r\n"), SMUGGLED.to_owned()),
        (format!("Content-Length: +{length}\r\n"), SMUGGLED.to_owned()),
        (format!("Content-Length: 0{length:o}_0\r\n"), SMUGGLED.to_owned()),
        (format!("Content-Length : {length}\r\n"), SMUGGLED.to_owned()),
        (format!("Content-Length:\r\n {length}\r\n"), SMUGGLED.to_owned()),
        // Encodings that are not the one, or not alone.
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n".to_owned(), chunked.clone()),
        ("Transfer-Encoding: identity, chunked\r\n".to_owned(), chunked.clone()),
        ("Transfer-Encoding: chunked, identity\r\n".to_owned(), chunked.clone()),
        ("Transfer-Encoding: cow\r\n".to_owned(), chunked.clone()),
        ("Host: other\r\nContent-Length: 0\r\n".to_owned(), SMUGGLED.to_owned()),
    ] {
        let request =
            format!("POST {SERVICE} HTTP/1.1\r\nHost: t\r\nContent-Type: text/xml\r\n{lines}\r\n{body}");
        let mut client = host.client();
        client.send_some(request.as_bytes());
        let response = client.receive();
        assert!(matches!(response.status, 400 | 501), "{lines:?}: {}", response.status);
        assert_eq!(response.header("connection"), Some("close"), "{lines:?}");
        assert!(client.is_closed(), "{lines:?}: nothing else is answered");
    }
}

#[test]
fn framing_rejects_broken_chunks_and_reads_nothing_after_them() {
    let host = Host::start();
    for (chunks, cause) in [
        ("5\r\nabc\r\n0\r\n\r\n", "a chunk"),
        ("3\r\nabcd\r\n0\r\n\r\n", "a chunk is longer than its size says"),
        ("3\nabc\r\n0\r\n\r\n", "does not end with CR LF"),
        ("3\r\nabc\n0\r\n\r\n", "does not end with CR LF"),
        ("-1\r\nabc\r\n0\r\n\r\n", "the size of a chunk is not a number"),
        ("0x3\r\nabc\r\n0\r\n\r\n", "the size of a chunk is followed by something else"),
        ("3 \r\nabc\r\n0\r\n\r\n", "the size of a chunk is followed by something else"),
        ("fffffffffffffffff\r\nabc\r\n0\r\n\r\n", "the size of a chunk is not a number"),
        ("3;a\nb\r\nabc\r\n0\r\n\r\n", "extension, does not end with CR LF"),
        ("3;a=\"b\r\nabc\r\n0\r\n\r\n", "the extension of a chunk"),
        ("0\r\nContent-Length: 9\r\n\r\n", "a trailer says how its request is framed"),
        ("0\r\n X: folded\r\n\r\n", "a trailer line begins with white space"),
        ("0\r\nX\r\n\r\n", "a trailer line has no colon"),
    ] {
        let head = "Transfer-Encoding: chunked\r\nContent-Type: text/xml\r\n";
        let request = format!("POST {SERVICE} HTTP/1.1\r\nHost: t\r\n{head}\r\n{chunks}{SMUGGLED}");
        let mut client = host.client();
        client.send_some(request.as_bytes());
        let response = client.receive();
        assert_eq!(response.status, 400, "{chunks:?}: {}", response.text());
        assert!(response.text().contains(cause), "{chunks:?}: {}", response.text());
        assert!(client.is_closed(), "{chunks:?}");
    }
}

#[test]
fn framing_rejects_what_is_not_http() {
    let host = Host::start();
    for (bytes, status) in [
        (&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n"[..], 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET /\r\n\r\n", 400),
        (b"GET / HTTP/1.1\n\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/3\r\nHost: t\r\n\r\n", 505),
        (b"GET http://[ HTTP/1.1\r\nHost: t\r\n\r\n", 400),
        (b"\0\0\0\0\r\n\r\n", 400),
    ] {
        let mut client = host.client();
        client.send_some(bytes);
        let response = client.receive();
        assert_eq!(response.status, status, "{}", bytes.escape_ascii());
        assert!(client.is_closed());
    }
}

#[test]
fn header_limits_are_enforced() {
    let host = Host::configured("[limits]\nheader_size = \"1KiB\"\nheader_lines = 4");
    let long = "x".repeat(2000);
    for (request, status) in [
        (format!("GET /{long} HTTP/1.1\r\nHost: t\r\n\r\n"), 414),
        (format!("GET /health HTTP/1.1\r\nHost: t\r\nX: {long}\r\n\r\n"), 431),
        (format!("GET /health HTTP/1.1\r\nHost: t\r\n{}\r\n", "X: y\r\n".repeat(3)), 200),
        (format!("GET /health HTTP/1.1\r\nHost: t\r\n{}\r\n", "X: y\r\n".repeat(4)), 431),
    ] {
        let mut client = host.client();
        client.send_some(request.as_bytes());
        assert_eq!(client.receive().status, status, "{request:.60}");
    }
}

#[test]
fn gzip_bombs_and_entity_bombs_are_rejected() {
    let host = Host::configured("[limits]\nbody = \"3MiB\"");
    let xml = "Content-Type: text/xml\r\nContent-Encoding: gzip\r\n";
    // Within the limit of bodies, and still nothing that means well.
    let bomb = host.post(xml, &gzip(&vec![b' '; 2 << 20]));
    assert_eq!(bomb.status, 413);
    assert!(bomb.text().contains("100 times"), "{}", bomb.text());
    assert_eq!(host.post(xml, &gzip(&vec![0; 5 << 20])).status, 413);
    // Packed twice.
    let nested = gzip(&gzip(&vec![b' '; 2 << 20]));
    assert_eq!(host.post(&format!("{xml}Content-Encoding: gzip\r\n"), &nested).status, 415);

    let entities: String =
        (1..10).map(|n| format!("<!ENTITY e{n} \"{}\">", format!("&e{};", n - 1).repeat(10))).collect();
    let secret = host.data.join("secret");
    std::fs::write(&secret, "treasure").unwrap();
    let secret = format!("file://{}", secret.display());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/x.dtd", listener.local_addr().unwrap());
    for prolog in [
        format!("<!DOCTYPE x [<!ENTITY e0 \"lol\">{entities}]>"),
        format!("<!DOCTYPE x [<!ENTITY e9 SYSTEM \"{secret}\">]>"),
        format!("<!DOCTYPE x [<!ENTITY e9 SYSTEM \"{url}\">]>"),
        format!("<!DOCTYPE x SYSTEM \"{url}\">"),
        format!("<!DOCTYPE x [<!ENTITY % p SYSTEM \"{url}\">%p;]>"),
        "<!DOCTYPE x [<!ENTITY e9 SYSTEM \"file:///dev/zero\">]>".to_owned(),
        format!("<?xml-stylesheet href=\"{url}\"?>"),
        String::new(),
    ] {
        let ns = "http://www.superoffice.net/EIS/Connector/1.0";
        let soap = "http://schemas.xmlsoap.org/soap/envelope/";
        let text = format!(
            "{prolog}<s:Envelope xmlns:s=\"{soap}\" xmlns:xi=\"http://www.w3.org/2001/XInclude\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\"{ns} {url}\"><s:Body>\
             <RequestBaseWS xmlns=\"{ns}\"><xi:include href=\"{secret}\"/><ConnectionGuid>&e9;</ConnectionGuid>\
             </RequestBaseWS></s:Body></s:Envelope>"
        );
        let response = host.post("Content-Type: text/xml\r\n", text.as_bytes());
        assert_eq!(response.status, 500, "{prolog}");
        assert!(response.text().contains("s:Client") && !response.text().contains("treasure"), "{prolog}");
    }
    let asked = listener.accept().unwrap_err();
    assert_eq!(asked.kind(), std::io::ErrorKind::WouldBlock, "nobody was asked for anything");
}

#[test]
fn xml_limits_are_enforced() {
    let host = Host::configured("[limits.xml]\ndepth = 10\nelements = 100\nattributes = 5\ntext = \"1KiB\"");
    for (content, reason) in [
        ("<a>".repeat(20), "nested deeper than 10"),
        ("<a/>".repeat(200), "more than 100 elements"),
        ("<a b='' c='' d='' e='' f='' g=''/>".to_owned(), "more than 5 attributes"),
        (format!("<a>{}</a>", "x".repeat(2000)), "longer than 1024 bytes"),
        (format!("<a b='{}'/>", "x".repeat(2000)), "longer than 1024 bytes"),
    ] {
        let ns = "http://www.superoffice.net/EIS/Connector/1.0";
        let soap = "http://schemas.xmlsoap.org/soap/envelope/";
        let text =
            format!("<s:Envelope xmlns:s=\"{soap}\"><s:Body><GetListRequestWS xmlns=\"{ns}\">{content}");
        let response = host.post("Content-Type: text/xml\r\n", text.as_bytes());
        assert_eq!(response.status, 500);
        assert!(response.text().contains(reason), "{reason}: {}", response.text());
    }
}

/// The head of a call with a body of this length, from this client of a proxy.
fn head_from(client: &str, length: usize) -> Vec<u8> {
    format!(
        "POST {SERVICE} HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: {client}\r\nContent-Type: text/xml\r\n\
         Content-Length: {length}\r\n\r\n"
    )
    .into_bytes()
}

/// Sends a body of 900 kB that is no message, all but its last byte.
fn send_slowly(host: &Host, from: &str) -> Connection {
    let mut client = host.client();
    client.send_some(&head_from(from, 900_000));
    client.send_some(&vec![b' '; 899_999]);
    client
}

/// Sends a body of spaces; returns the status: 500, a fault, when it has been read.
fn status_of_body(host: &Host, from: &str, length: usize) -> u16 {
    let mut client = host.client();
    client.send_some(&head_from(from, length));
    client.send_some(&vec![b' '; length]);
    client.receive().status
}

const READY: &[u8] = b"GET /ready HTTP/1.1\r\nHost: t\r\n\r\n";

#[test]
fn body_memory_is_not_taken_by_bodies_that_do_not_end() {
    let host = Host::configured("[limits]\ntotal_body_memory = \"1MiB\"");
    let mut slow: Vec<_> = (0..16).map(|_| send_slowly(&host, "unused")).collect();
    for length in [50_000, 300_000, 900_000] {
        assert_eq!(status_of_body(&host, "unused", length), 500, "{length} bytes");
    }
    assert_eq!(status_of_body(&host, "unused", 1_100_000), 413, "what can never be in memory");
    assert_eq!(host.exchange(READY).status, 200);
    assert!(!slow.iter().any(Connection::has_response));
    for client in &mut slow {
        client.send(b" ");
        assert_eq!(client.receive().status, 500, "its body is complete");
    }
}

#[test]
fn body_memory_and_files_are_shared_by_all_peers() {
    let host = Host::configured(
        "trusted_proxies = [\"127.0.0.1\"]\n[limits]\ntotal_body_memory = \"1MiB\"\ntotal_body_spool = \"8MiB\"",
    );
    let honest = send_slowly(&host, "203.0.113.2");
    // As much as one peer gets, of all its addresses.
    let mut greedy: Vec<_> =
        (0..10).map(|number| send_slowly(&host, &format!("2001:db8::{number:x}"))).collect();
    let refused = loop {
        if let Some(refused) = greedy.iter().position(Connection::has_response) {
            break greedy[refused].receive();
        }
    };
    let headers = (refused.header("retry-after"), refused.header("connection"));
    assert_eq!((refused.status, headers), (503, (Some("5"), Some("close"))), "{}", refused.text());
    assert_eq!(status_of_body(&host, "203.0.113.3", 900_000), 500, "another peer");
    // Small ones always have room.
    let small = call(Request::TestConnection);
    assert_eq!(host.post(&soap_headers(&small), &message(&small)).status, 200);
    // Another greedy one may just have been refused while that body was there.
    test_support::wait_until("the host is ready", || host.exchange(READY).status == 200);
    assert!(!honest.has_response());

    // More and more peers: there is less for each, and at last nothing.
    let peers = (4..40).map(|number| format!("203.0.113.{number}"));
    let mut others = Vec::new();
    let exhausted = peers.flat_map(|peer| [peer.clone(), peer]).find_map(|peer| {
        others.push(send_slowly(&host, &peer));
        let ready = host.exchange(READY);
        (ready.status == 503).then_some(ready)
    });
    let exhausted = exhausted.expect("so many do not fit into 8 MiB");
    assert_eq!(exhausted.text(), "{\"ready\":false,\"reasons\":[\"body memory exhausted\"]}\n");
    assert_eq!(host.exchange(HEALTH).status, 200);
    assert!(!honest.has_response(), "what it has sent is kept");
}

#[test]
fn body_that_cannot_be_kept_in_a_file_is_refused() {
    let host = Host::configured("[limits]\ntotal_body_memory = \"1MiB\"");
    std::fs::remove_dir(host.data.join("spool")).unwrap();
    let mut client = host.client();
    client.send(&head_from("unused", 900_000));
    client.send_some(&vec![b' '; 900_000]);
    let response = client.receive();
    assert_eq!((response.status, response.header("retry-after")), (503, Some("5")));
    assert!(response.text().contains("no room for another request body"), "{}", response.text());
    assert_eq!(host.exchange(READY).status, 503);
    // In memory there is room for smaller ones.
    assert_eq!(status_of_body(&host, "unused", 100_000), 500);
}

#[test]
fn requests_per_connection_are_limited() {
    let host = Host::configured("[limits]\nrequests_per_connection = 2");
    let mut client = host.client();
    client.send(HEALTH);
    assert_eq!(client.receive().header("connection"), None);
    client.send(HEALTH);
    assert_eq!(client.receive().header("connection"), Some("close"));
    assert!(client.is_closed());
}

#[test]
fn connections_per_peer_are_limited() {
    let host = Host::configured("[limits]\nconnections_per_peer = 2");
    let mut clients = [host.client(), host.client()];
    for client in &mut clients {
        client.send(HEALTH);
        assert_eq!(client.receive().status, 200);
    }
    let mut third = host.client();
    let response = third.receive();
    assert_eq!((response.status, response.header("retry-after")), (503, Some("5")));
    drop(clients);
    // The host learns of it in its own time.
    loop {
        let mut client = host.client();
        client.send_some(HEALTH);
        if client.receive().status == 200 {
            break;
        }
    }
    let proxied = Host::configured("trusted_proxies = [\"127.0.0.1\"]\n[limits]\nconnections_per_peer = 2");
    let mut clients: Vec<_> = (0..5).map(|_| proxied.client()).collect();
    for client in &mut clients {
        client.send(HEALTH);
        assert_eq!(client.receive().status, 200, "a proxy speaks for many");
    }
}

#[test]
fn slow_clients_are_disconnected() {
    let host = Host::configured(
        "[limits]\nstall_timeout = \"300ms\"\nmin_bytes_per_second = \"1GiB\"\nbody_timeout = \"1h\"\nheader_timeout = \"1h\"",
    );
    // A body of which some comes all the time.
    let mut client = host.client();
    client.send(
        format!(
            "POST {SERVICE} HTTP/1.1\r\nHost: t\r\nContent-Type: text/xml\r\nContent-Length: 100000\r\n\r\n"
        )
        .as_bytes(),
    );
    while !client.has_response() {
        client.send_some(b" ");
    }
    assert_eq!(client.receive().status, 408);

    // It has sent a lot before: that does not let it be slow for longer.
    let kept = Host::configured(
        "[limits]\nstall_timeout = \"300ms\"\nmin_bytes_per_second = \"1KiB\"\nbody_timeout = \"1h\"",
    );
    let mut client = kept.client();
    client.send_some(&head_from("unused", 9_000_000));
    client.send_some(&vec![b' '; 8_000_000]);
    let trickle = |_| {
        client.send_some(b" ");
        client.has_response()
    };
    assert!((0..5_000).any(trickle));
    assert_eq!(client.receive().status, 408);

    // A reply of which some is taken all the time.
    host.save(&[("changed_since", "huge:50000")]);
    let changed = call(Request::GetActorsByTimestamp {
        updated_on_or_after: None,
        actor_type: Some("Customer".into()),
        field_keys: None,
    });
    let mut client = host.client();
    client.send(&post(SERVICE, &soap_headers(&changed), &message(&changed)));
    let head = client.receive_head();
    assert_eq!(head.status, 200);
    let whole: usize = head.header("content-length").unwrap().parse().unwrap();
    let mut taken = 0;
    while let Some(bytes) = client.read_a_little() {
        taken += bytes;
    }
    assert!(taken < whole, "it came to the end of its {whole} bytes after all");
}

#[test]
fn calls_of_the_whole_host_are_limited() {
    let host = Host::configured("[limits]\ncalls = 1");
    assert_eq!(
        host.exchange(b"GET /ready HTTP/1.1\r\nHost: t\r\n\r\n").text(),
        "{\"ready\":true,\"reasons\":[]}\n"
    );
    host.save(&[("test_connection", "block")]);
    let blocks = call(Request::TestConnection);
    let whole = post(SERVICE, &soap_headers(&blocks), &message(&blocks));
    let mut blocked = host.client();
    blocked.send(&whole);
    loop {
        let ready = host.exchange(b"GET /ready HTTP/1.1\r\nHost: t\r\n\r\n");
        if ready.status == 503 {
            let busy = "{\"ready\":false,\"reasons\":[\"call limit reached\"]}\n";
            assert_eq!((ready.text().as_str(), ready.header("retry-after")), (busy, Some("5")));
            break;
        }
    }
    assert_eq!(host.exchange(HEALTH).text(), "ok\n");
    let response = host.exchange(&whole);
    assert_eq!((response.status, response.header("retry-after")), (503, Some("5")));
    // Not even a large body is waited for; and the connection can be used again.
    let head = String::from_utf8_lossy(&whole).split("\r\n\r\n").next().unwrap().to_owned();
    let mut client = host.client();
    client.send(format!("{head}\r\nExpect: 100-continue\r\n\r\n").as_bytes());
    assert_eq!(client.receive().status, 503);
    // Done again, it is taken again.
    host.call_within("11111111-2222-3333-4444-555555555555", Request::TestConnection);
    assert!(!blocked.has_response());
}

#[test]
fn queue_timeout_limits_the_wait_for_a_connector() {
    let host =
        Host::configured("[limits]\nqueue_timeout = \"100ms\"\n[connectors.Rogue]\nconcurrent_calls = 1");
    host.save(&[("test_connection", "block")]);
    let blocks = call(Request::TestConnection);
    let whole = post(SERVICE, &soap_headers(&blocks), &message(&blocks));
    let mut callers = [host.client(), host.client()];
    callers.iter_mut().for_each(|caller| caller.send(&whole));
    let turned_away = loop {
        if let Some(caller) = callers.iter().position(|caller| caller.has_response()) {
            break caller;
        }
    };
    let response = callers[turned_away].receive();
    assert_eq!((response.status, response.header("retry-after")), (503, Some("5")));
}

#[test]
fn connection_limit_evicts_idle_connections() {
    let host = Host::configured("[limits]\nconnections = 2100\nconnections_per_peer = 2100");
    host.save(&[]);
    let mut idle: Vec<_> = (0..2000).map(|_| host.client()).collect();
    // Some have asked something, some say nothing.
    for client in idle.iter_mut().step_by(10) {
        client.send(HEALTH);
        assert_eq!(client.receive().status, 200);
    }
    for _ in 0..5 {
        assert_eq!(host.call(Request::TestConnection).state, State::Warning);
    }
    for client in idle.iter_mut().step_by(10) {
        client.send(HEALTH);
        assert_eq!(client.receive().status, 200);
    }
}

#[test]
fn connection_limit_evicts_connections_that_were_too_young_before() {
    let ready = b"GET /ready HTTP/1.1\r\nHost: t\r\n\r\n";
    let host = Host::configured("[limits]\nconnections = 2");
    let mut kept_alive = [host.client(), host.client()];
    for client in &mut kept_alive {
        client.send(ready);
        assert_eq!(client.receive().status, 200);
    }
    // These may come before the others may be evicted.
    let mut early = [host.client(), host.client()];
    early.iter_mut().for_each(|client| client.send_some(ready));
    for client in &mut early {
        assert!([200, 503].contains(&client.receive().status));
    }
    assert_eq!(host.exchange(ready).status, 200, "a later one is served");
}

#[test]
fn connection_limit_evicts_idle_connections_and_not_busy_ones() {
    let host = Host::configured("[limits]\nconnections = 3\nheader_timeout = \"1h\"");
    host.save(&[("test_connection", "block")]);
    let blocks = call(Request::TestConnection);
    let whole = post(SERVICE, &soap_headers(&blocks), &message(&blocks));
    // Two have waited longest, but for replies; the third one is in the middle of a head.
    let mut busy = vec![host.client(), host.client()];
    busy.iter_mut().for_each(|client| client.send(&whole));
    let ready = b"GET /ready HTTP/1.1\r\nHost: t\r\n\r\n";
    let mut slow = loop {
        let mut client = host.client();
        client.send(ready);
        if client.receive().status == 200 {
            break client;
        }
    };
    slow.send(b"GET /rea");
    while host.exchange(ready).status != 200 {}
    assert!(slow.is_closed());
    // Beyond the limit nobody may be slow.
    let mut beyond = loop {
        let mut client = host.client();
        client.send(ready);
        if client.receive().status == 200 {
            client.send(&whole);
            busy.push(client);
            break host.client();
        }
    };
    assert!(beyond.is_closed());
    assert!(!busy.iter().any(|client| client.has_response()));
}
