//! Key sets behind a URL.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::remote::RemoteKeySet;

/// A server of key sets, which counts how often it is asked.
struct KeyServer {
    url: String,
    answer: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
}

impl KeyServer {
    fn start(answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let answer = Arc::new(Mutex::new(answer));
        let asked = Arc::new(AtomicUsize::new(0));
        let (given, count) = (Arc::clone(&answer), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                count.fetch_add(1, Ordering::SeqCst);
                let answer = given.lock().unwrap().clone();
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        KeyServer { url, answer, asked }
    }

    fn give(&self, answer: String) {
        *self.answer.lock().unwrap() = answer;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn ok(keys: Value) -> String {
    let body = json!({ "keys": keys }).to_string();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: max-age=3600\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn remote_key_set_is_fetched_in_the_background() {
    let scene = Scene::new();
    let server = KeyServer::start(ok(json!([scene.superoffice.jwk("first")])));
    let toml =
        format!("[online.clients.ab12cd]\njwks = \"{}\"\nprivate_key = \"FOLDER/partner.pem\"", server.url);
    let online = scene.online(&toml).unwrap();
    // The very first call waits for the keys.
    assert!(online.authenticate(&scene.superoffice.sign(&claims()), "Excel").await.is_ok());
    for _ in 0..10 {
        // An unknown key does not make the host ask again at once: it has asked just now.
        let stranger = TestKey::other(0).sign_with(&json!({ "alg": "RS256", "kid": "x" }), &claims());
        assert!(matches!(denied(&online, &stranger).await, Denied::Signature { .. }));
    }
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn remote_key_set_is_refreshed_for_an_unknown_key_and_survives_failures() {
    let scene = Scene::new();
    let next = TestKey::other(0);
    let server = KeyServer::start(ok(json!([scene.superoffice.jwk("first")])));
    let set = RemoteKeySet::start_with(&server.url, Duration::ZERO).unwrap();
    let ids =
        |keys: &[crate::VerificationKey]| keys.iter().map(|key| key.id.clone().unwrap()).collect::<Vec<_>>();
    assert_eq!(ids(&set.keys().await), ["first"]);

    server.give(ok(json!([scene.superoffice.jwk("first"), next.jwk("second")])));
    assert!(set.refresh().await);
    assert_eq!((ids(&set.keys().await), server.asked()), (vec!["first".into(), "second".into()], 2));

    // Whatever goes wrong, what was there is kept.
    let large = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", " ".repeat(300_000));
    for (broken, at) in [
        ("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned(), 3),
        (
            "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                .to_owned(),
            4,
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}".to_owned(), 5),
        (ok(json!([])), 6),
        (large, 7),
        ("nonsense\r\n\r\n".to_owned(), 8),
    ] {
        server.give(broken);
        assert!(set.refresh().await);
        assert_eq!((ids(&set.keys().await).len(), server.asked()), (2, at));
    }
    server.give(ok(json!([next.jwk("second")])));
    assert!(set.refresh().await);
    assert_eq!(ids(&set.keys().await), ["second"]);
}

#[tokio::test]
async fn remote_key_set_is_refreshed_while_a_token_waits() {
    let scene = Scene::new();
    let next = TestKey::other(0);
    let server = KeyServer::start(ok(json!([scene.superoffice.jwk("first")])));
    let mut online = Arc::into_inner(
        scene
            .online("[online.clients.ab12cd]\njwks = \"http://127.0.0.1:1/\"\nprivate_key = \"FOLDER/partner.pem\"")
            .unwrap(),
    )
    .unwrap();
    let set = RemoteKeySet::start_with(&server.url, Duration::ZERO).unwrap();
    online.clients[0].key_set = Some(crate::KeySet::Remote(set));
    let online = Arc::new(online);
    assert!(online.authenticate(&scene.superoffice.sign(&claims()), "Excel").await.is_ok());

    server.give(ok(json!([next.jwk("second")])));
    let token = next.sign_with(&json!({ "alg": "RS256", "kid": "second" }), &claims());
    assert!(online.authenticate(&token, "Excel").await.is_ok());
    assert_eq!(server.asked(), 2);
    // A bad signature under a known name is no reason to ask.
    let forged = scene.partner.sign_with(&json!({ "alg": "RS256", "kid": "second" }), &claims());
    assert!(matches!(denied(&online, &forged).await, Denied::Signature { .. }));
    assert_eq!(server.asked(), 2);
}
