//! Requests against a real server: retries, kinds of failure, sessions, redaction.
#![allow(clippy::unwrap_used, reason = "what panics fails a test")]

use std::io::Write as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use erp_host_conformance::testing::{cancelled_context, context_with_deadline};
use plugin_api::abi::CallWatch;
use plugin_api::{Context, Error, ErrorKind, Result, Secret};
use plugin_http::test_support::{Reply, ServedRequest, Server};
use plugin_http::{Client, Session, pages};

/// A server that counts its requests.
fn counted(
    answer: impl Fn(usize, &ServedRequest) -> Reply + Send + Sync + 'static,
) -> (Server, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&count);
    let server =
        Server::start(move |request| answer(counting.fetch_add(1, Ordering::SeqCst) + 1, &request)).unwrap();
    (server, count)
}

fn client(server: &Server) -> Client {
    Client::builder(&server.address()).unwrap().name("Demo ERP").build().unwrap()
}

fn kind(result: Result<plugin_http::Answer>) -> ErrorKind {
    result.unwrap_err().kind()
}

/// An address at which nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn address_is_checked_without_showing_it() {
    for (address, problem) in [
        ("erp.example.com", "is not valid"),
        ("ftp://erp.example.com", "does not begin with http:// or https://"),
        ("https://ada:wins@erp.example.com", "has a user or a password in it"),
        ("https://erp.example.com/?password=wins", "has a query in it"),
        ("", "is not valid"),
    ] {
        let error = Client::builder(address).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Settings, "{address}");
        assert!(error.user_text().contains(problem), "{error}");
        assert!(!error.to_string().contains("wins"), "{error}");
    }
    assert_eq!(Client::builder(" https://erp/api ").unwrap().build().unwrap().address(), "https://erp/api/");
}

#[test]
fn statuses_become_kinds_of_failure() {
    let server = Server::start(|request| Reply::status(request.path()[1..].parse().unwrap())).unwrap();
    let http = Client::builder(&server.address()).unwrap().attempts(1).build().unwrap();
    let cx = Context::default();
    use ErrorKind as Kind;
    for (status, read, write) in [
        (401, Kind::Settings, Kind::Settings),
        (403, Kind::Settings, Kind::Settings),
        (404, Kind::NotFound, Kind::NotFound),
        (409, Kind::Conflict, Kind::Conflict),
        (412, Kind::Conflict, Kind::Conflict),
        (429, Kind::Unavailable, Kind::Unavailable),
        (502, Kind::Unavailable, Kind::UnknownOutcome),
        (503, Kind::Unavailable, Kind::Unavailable),
        (504, Kind::Unavailable, Kind::UnknownOutcome),
        (302, Kind::Failed, Kind::Failed),
        (400, Kind::Failed, Kind::Failed),
        (500, Kind::Failed, Kind::Failed),
    ] {
        let path = status.to_string();
        assert_eq!(kind(http.get(&path).send(&cx)), read, "{status} of a read");
        assert_eq!(kind(http.post(&path).send(&cx)), write, "{status} of a write");
    }
    assert!(http.get("404").send_if_found(&cx).unwrap().is_none());
    assert!(http.get("304").accept_status(304).send(&cx).is_ok());
}

#[test]
fn error_has_the_own_text_of_the_erp_system_and_no_secret() {
    let server = Server::start(|request| {
        let body = format!(
            r#"{{"message": "bad {0}", "password": "{0}", "token": "t0p", "asked": "{1}"}}"#,
            "s3cret/1", request.target
        );
        Reply { body: body.into_bytes(), ..Reply::status(422) }
    })
    .unwrap();
    let http = Client::builder(&server.address()).unwrap();
    let http = http.secret(&Secret::from("s3cret/1")).secret_header("X-Tenant", &"ten4nt".into()).unwrap();
    let http = http.error_text(|answer| answer.find("/message")).build().unwrap();
    let error = http.get("a").query("key", "s3cret/1").send(&Context::default()).unwrap_err();
    assert_eq!(error.user_text(), "bad (redacted)");
    assert!(error.tech_text().starts_with("GET /a: status 422: {"), "{error}");
    for secret in ["s3cret", "t0p", "ten4nt"] {
        assert!(!format!("{error} {http:?}").contains(secret), "{error}");
    }
}

#[test]
fn reads_are_repeated_and_writes_are_not() {
    for (first, name) in [(Reply::status(503), "busy"), (Reply::close(), "lost")] {
        let (server, count) =
            counted(move |number, _| if number == 1 { first.clone() } else { Reply::status(200) });
        let http = client(&server);
        let cx = Context::default();
        assert!(http.get("a").send(&cx).is_ok(), "{name}");
        assert_eq!(count.swap(0, Ordering::SeqCst), 2, "{name}");
        assert!(http.post("a").reads().json(&1).send(&cx).is_ok(), "{name}");
        assert_eq!(count.swap(0, Ordering::SeqCst), 2, "{name}");
        assert!(http.post("a").json(&1).idempotency_key("Idempotency-Key", "7").send(&cx).is_ok(), "{name}");
        assert_eq!(count.swap(0, Ordering::SeqCst), 2, "{name}");
        let expected = if name == "busy" { ErrorKind::Unavailable } else { ErrorKind::UnknownOutcome };
        assert_eq!(kind(http.post("a").json(&1).send(&cx)), expected, "{name}");
        assert_eq!(count.swap(0, Ordering::SeqCst), 1, "{name}");
        assert_eq!(kind(http.delete("a").send(&cx)), expected, "{name}");
        count.store(0, Ordering::SeqCst);
        assert_eq!(kind(http.get("a").writes().send(&cx)), expected, "{name}");
    }
}

#[test]
fn retries_end_with_attempts_and_with_the_time_of_the_call() {
    let (server, count) = counted(|_, _| Reply::status(503));
    let http = Client::builder(&server.address()).unwrap().attempts(2).build().unwrap();
    let error = http.get("a").send(&Context::default()).unwrap_err();
    assert!(error.tech_text().ends_with("(sent 2 times)"), "{error}");
    assert_eq!(count.load(Ordering::SeqCst), 2);

    let (server, count) = counted(|_, _| Reply::status(429).header("Retry-After", "20"));
    let error = client(&server).get("a").send(&context_with_deadline(Duration::from_secs(10))).unwrap_err();
    assert_eq!((error.kind(), count.load(Ordering::SeqCst)), (ErrorKind::Unavailable, 1));
}

#[test]
fn write_that_never_left_is_unavailable() {
    let http = Client::builder(&nobody()).unwrap().attempts(1).build().unwrap();
    let cx = Context::default();
    for request in [http.post("a").json(&1), http.delete("a"), http.get("a")] {
        let error = request.send(&cx).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.user_text().contains("cannot be reached at http://127.0.0.1:"), "{error}");
    }
}

/// A server that takes connections and requests, and never answers.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    (listener, address)
}

#[test]
fn timeout_is_that_of_the_call() {
    let (_listener, address) = silent();
    let http = Client::builder(&address).unwrap().build().unwrap();
    let cx = context_with_deadline(Duration::from_millis(300));
    assert_eq!(kind(http.get("a").send(&cx)), ErrorKind::Unavailable);
    let cx = context_with_deadline(Duration::from_millis(300));
    let error = http.post("a").json(&1).send(&cx).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownOutcome, "{error}");
    assert!(error.tech_text().contains("did not answer within 0.2 seconds"), "{error}");
}

#[test]
fn cancelled_call_ends_at_once_and_closes_its_socket() {
    let (listener, address) = silent();
    let http = Client::builder(&address).unwrap().build().unwrap();
    let call = Arc::new(CallWatch::default());
    let cx = call.context();
    let sending = std::thread::spawn(move || http.post("a").json(&1).send(&cx).unwrap_err());
    let (mut socket, _) = listener.accept().unwrap();
    let mut request = [0; 20];
    std::io::Read::read_exact(&mut socket, &mut request).unwrap();
    call.cancel();
    // Without the cancellation this would wait for the timeout of 30 seconds.
    let error = sending.join().unwrap();
    assert_eq!(error.kind(), ErrorKind::UnknownOutcome, "{error}");
    // The socket is at its end.
    std::io::copy(&mut socket, &mut std::io::sink()).unwrap();
}

#[test]
fn cancelled_call_sends_nothing() {
    let (server, count) = counted(|_, _| Reply::status(200));
    assert!(client(&server).get("a").send(&cancelled_context()).is_err());
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[test]
fn answer_has_a_greatest_size_also_unpacked() {
    let server = Server::start(|_| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(&vec![b' '; 2_000_000]).unwrap();
        Reply { body: packed.finish().unwrap(), ..Reply::status(200).header("content-encoding", "gzip") }
    })
    .unwrap();
    let cx = Context::default();
    let builder = || Client::builder(&server.address()).unwrap();
    assert_eq!(builder().build().unwrap().get("a").send(&cx).unwrap().bytes().len(), 2_000_000);
    let small = builder().most_bytes(1_000_000).build().unwrap();
    let error = small.get("a").send(&cx).unwrap_err();
    assert!(error.tech_text().ends_with("it has more than 1000000 bytes"), "{error}");
    assert_eq!(kind(small.post("a").json(&1).send(&cx)), ErrorKind::UnknownOutcome);
}

#[test]
fn unreadable_answer_of_a_write_leaves_the_outcome_unknown() {
    let server = Server::start(|_| Reply::json(200, &"text")).unwrap();
    let (http, cx) = (client(&server), Context::default());
    let read = http.get("a").send(&cx).unwrap().json::<u32>().unwrap_err();
    let write = http.post("a").json(&1).send(&cx).unwrap().json::<u32>().unwrap_err();
    assert_eq!((read.kind(), write.kind()), (ErrorKind::Failed, ErrorKind::UnknownOutcome));
}

#[test]
fn keys_cannot_leave_their_place_in_the_path() {
    let server = Server::start(|request| Reply::json(200, &request.target)).unwrap();
    let http = Client::builder(&format!("{}/api", server.address())).unwrap().build().unwrap();
    let cx = Context::default();
    let target = |key: &str| http.get("customers").segment(key).query("q", "a&b").send(&cx)?.json::<String>();
    assert_eq!(target("a/../b?c#d ø").unwrap(), "/api/customers/a%2F..%2Fb%3Fc%23d%20%C3%B8?q=a%26b");
    for key in ["", ".", ".."] {
        assert_eq!(target(key).unwrap_err().kind(), ErrorKind::NotFound, "{key:?}");
    }
    let link = format!("{}/api/next?page=2", server.address());
    assert_eq!(http.get(&link).send(&cx).unwrap().json::<String>().unwrap(), "/api/next?page=2");
    assert!(http.get("http://other.example.com/api").send(&cx).is_err());
}

/// A server with sessions: `POST /login` opens the next one, and only the newest is valid. `/end` ends it.
fn with_sessions(password: &'static str) -> (Server, Arc<AtomicUsize>) {
    let logins = Arc::new(AtomicUsize::new(0));
    let valid = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&logins);
    let server = Server::start(move |request| {
        if request.path() == "/login" {
            let number = counting.fetch_add(1, Ordering::SeqCst) + 1;
            if request.text() != format!("password={password}") {
                return Reply::status(401);
            }
            valid.store(number, Ordering::SeqCst);
            return Reply::json(200, &number);
        }
        let session = format!("Bearer {}", valid.load(Ordering::SeqCst));
        if request.header("authorization") != Some(session.as_str()) {
            return Reply::status(401);
        }
        if request.path() == "/end" {
            valid.store(0, Ordering::SeqCst);
        }
        Reply::status(if request.path() == "/forbidden" { 403 } else { 200 })
    })
    .unwrap();
    (server, logins)
}

fn session_client(server: &Server, password: &'static str) -> Client {
    let login = move |cx: &Context, http: &Client| -> Result<Session> {
        let number: u32 = http.post("login").form(&[("password", password)]).send(cx)?.json()?;
        Ok(Session::bearer(number.to_string()))
    };
    Client::builder(&server.address()).unwrap().login(login).build().unwrap()
}

#[test]
fn ended_session_is_opened_again_once_for_all_threads() {
    let (server, logins) = with_sessions("right");
    let http = session_client(&server, "right");
    let all = || {
        std::thread::scope(|scope| {
            let calls: Vec<_> =
                (0..100).map(|_| scope.spawn(|| http.get("a").send(&Context::default()).map(drop))).collect();
            calls.into_iter().for_each(|call| call.join().unwrap().unwrap());
        });
    };
    all();
    assert_eq!(logins.load(Ordering::SeqCst), 1);
    http.get("end").send(&Context::default()).unwrap();
    all();
    assert_eq!(logins.load(Ordering::SeqCst), 2);
    // A write in an ended session had no effect: it is sent again as well.
    http.get("end").send(&Context::default()).unwrap();
    http.post("a").json(&1).send(&Context::default()).unwrap();
    assert_eq!(logins.load(Ordering::SeqCst), 3);
    // The login is right, so it is not the settings.
    assert_eq!(kind(http.get("forbidden").send(&Context::default())), ErrorKind::Failed);
}

#[test]
fn wrong_password_is_tried_once() {
    let (server, logins) = with_sessions("right");
    let http = session_client(&server, "wrong");
    for _ in 0..3 {
        let error = http.get("a").send(&Context::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Settings, "{error}");
    }
    assert_eq!(logins.load(Ordering::SeqCst), 1);
}

#[test]
fn login_that_fails_is_tried_again_by_the_next_call() {
    let (server, count) =
        counted(|number, _| if number == 1 { Reply::status(500) } else { Reply::json(200, &1) });
    let login = |cx: &Context, http: &Client| -> Result<Session> {
        http.post("login").send(cx).map(|_| Session::bearer("1"))
    };
    let http = Client::builder(&server.address()).unwrap().login(login).build().unwrap();
    assert_eq!(kind(http.get("a").send(&Context::default())), ErrorKind::Failed);
    assert!(http.get("a").send(&Context::default()).is_ok());
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[test]
fn login_that_panics_or_is_cancelled_does_not_stop_the_others() {
    let (server, _) = counted(|_, _| Reply::status(200));
    let (begun, wait_for_begin) = mpsc::channel();
    let first = AtomicUsize::new(0);
    let login = move |cx: &Context, _: &Client| -> Result<Session> {
        if first.fetch_add(1, Ordering::SeqCst) == 0 {
            begun.send(()).unwrap();
            while !cx.is_cancelled() {
                std::thread::yield_now();
            }
            return Err(Error::unavailable("cancelled"));
        }
        assert_ne!(first.load(Ordering::SeqCst), 2, "panics");
        Ok(Session::bearer("1"))
    };
    let http = Client::builder(&server.address()).unwrap().login(login).build().unwrap();
    let call = CallWatch::default();
    std::thread::scope(|scope| {
        let cx = call.context();
        let cancelled = scope.spawn(|| http.get("a").send(&{ cx }));
        wait_for_begin.recv().unwrap();
        let panics = scope.spawn(|| http.get("a").send(&Context::default()));
        call.cancel();
        assert!(cancelled.join().unwrap().is_err());
        assert!(panics.join().is_err());
        assert!(http.get("a").send(&Context::default()).is_ok());
    });
}

#[test]
fn session_that_is_about_to_end_is_opened_before_it_is_used() {
    let (server, count) = counted(|_, _| Reply::status(200));
    let login = |cx: &Context, http: &Client| -> Result<Session> {
        http.post("login").send(cx).map(|_| Session::bearer("1").valid_for(Duration::ZERO))
    };
    let http = Client::builder(&server.address()).unwrap().login(login).build().unwrap();
    http.get("a").send(&Context::default()).unwrap();
    http.get("a").send(&Context::default()).unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 4);
}

#[test]
fn pages_are_read_until_one_is_empty() {
    let server = Server::start(|request| {
        let page: u32 = request.query("page").unwrap().parse().unwrap();
        Reply::json(200, &if page <= 3 { vec![page, page] } else { Vec::new() })
    })
    .unwrap();
    let (http, cx) = (client(&server), Context::default());
    let mut all = Vec::new();
    for page in pages(&cx, "numbers", |at| {
        let answer = http.get("numbers").query("page", at.number).send(&cx)?;
        Ok(answer.page(answer.json::<Vec<u32>>()?))
    }) {
        all.extend(page.unwrap());
    }
    assert_eq!(all, [1, 1, 2, 2, 3, 3]);
}
