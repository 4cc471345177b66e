//! TLS with a certificate of an authority of its own.
#![allow(clippy::unwrap_used, reason = "what panics fails a test")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;

use plugin_api::{Context, ErrorKind};
use plugin_http::Client;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A server that answers each connection once, and the certificate to trust.
fn server() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = Arc::new(config.with_single_cert(vec![made.cert.der().clone()], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, socket.unwrap());
            let mut request = [0; 4096];
            if stream.read(&mut request).is_ok() {
                let _ =
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n42");
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    (address, made.cert.pem())
}

#[test]
fn certificate_of_an_own_authority_is_trusted_where_the_settings_have_it() {
    let (address, certificate) = server();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authority.pem");
    std::fs::write(&file, certificate).unwrap();
    let cx = Context::default();
    let builder = || Client::builder(&address).unwrap();
    let http = builder().trusted_certificates(&file).unwrap().build().unwrap();
    assert_eq!(http.get("a").send(&cx).unwrap().json::<u32>().unwrap(), 42);

    let error = builder().build().unwrap().post("a").json(&1).send(&cx).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.user_text().ends_with("add the certificates of its authority to the settings"), "{error}");
    assert!(error.tech_text().contains("invalid peer certificate"), "{error}");

    std::fs::write(&file, "nothing").unwrap();
    for file in [&file, &folder.path().join("none.pem")] {
        let error = builder().trusted_certificates(file).and_then(|builder| builder.build()).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Settings, "{error}");
    }
}
