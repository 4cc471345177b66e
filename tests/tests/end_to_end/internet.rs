//! A host that others can reach: SuperOffice Online authenticates itself, HTTPS, and who may call.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contract::{Authentication, Call, Dialect, Envelope, Operation, Reply, Request, read_reply};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use test_support::exchange::PATH;
use test_support::http;
use test_support::{EXCEL, HELLO, Setup, TestHost};

const REASON: &str = "Failed to validate authentication request";

/// A private key made for a test, in PEM.
fn rsa_key() -> (KeyPair, String) {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let pkcs8: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let pem = rcgen::KeyPair::try_from(pkcs8.as_ref()).unwrap().serialize_pem();
    (pair, pem)
}

/// A certificate in PEM for this key.
fn certificate(key_pem: &str, name: &str) -> String {
    let key = rcgen::KeyPair::from_pem(key_pem).unwrap();
    rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap().pem()
}

/// Writes a file that only its owner may read.
fn put(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

fn token(key_pem: &str, client: &str, lifetime: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims: Value = json!({
        "iss": "SuperOffice AS",
        "aud": format!("spn:{client}"),
        "sub": "Cust26759",
        "http://schemes.superoffice.net/identity/ctx": "Cust26759",
        "nonce": "FEDCBA9876543210FEDCBA9876543210",
        "nbf": now - 10,
        "exp": i64::try_from(now).unwrap() + lifetime,
    });
    encode(&Header::new(Algorithm::RS256), &claims, &EncodingKey::from_rsa_pem(key_pem.as_bytes()).unwrap())
        .unwrap()
}

/// What Authenticate answers to this message.
fn answer(host: &TestHost, target: &str, message: Vec<u8>) -> Authentication<'static> {
    let action = Operation::Authenticate.action(contract::namespace::CONTRACT);
    let response = http::Request::soap(target, &action, message).send(host.address()).unwrap();
    assert_eq!(response.status, 200, "{}", response.text());
    let reply = read_reply(&response.body, Operation::Authenticate).unwrap().reply;
    let Reply::Authentication(answer) = reply else { panic!("{reply:?}") };
    let owned = |text: &str| Some(text.to_owned().into());
    Authentication {
        reason: answer.reason.as_deref().and_then(owned),
        signed_application_token: answer.signed_application_token.map(|token| token.0.into_owned().into()),
        succeeded: answer.succeeded,
    }
}

fn authenticate(host: &TestHost, target: &str, dialect: Dialect, token: &str) -> Authentication<'static> {
    let mut message = Vec::new();
    let request = Request::Authenticate { signed_token: Some(token.into()) };
    let call = Call { envelope: Envelope::new(dialect), connection_guid: None, request };
    contract::write_request(&mut message, &call);
    answer(host, target, message)
}

#[test]
fn superoffice_online_authenticates_itself_in_every_dialect() {
    let ((_, superoffice), (partner, partner_pem)) = (rsa_key(), rsa_key());
    let mut host = Setup::new()
        .plugin(EXCEL)
        .plugin(HELLO)
        .configuration(
            "default_connector = \"Excel\"\n[online.clients.1a2b3c4d5e6f]\ncertificates = [\"superoffice.crt\"]\n\
             private_key = \"app.pem\"\nconnectors = [\"Excel\"]\n[log]\nrejection_lines_per_second = 100\n",
        )
        .prepare();
    put(host.folder(), "superoffice.crt", &certificate(&superoffice, "federated.test"));
    put(host.folder(), "app.pem", &partner_pem);
    host.start();

    let good = token(&superoffice, "1A2B3C4D5E6F", 360);
    let in_header = format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Header><SignedToken \
         xmlns=\"http://www.superoffice.net/EIS/Connector/1.0\">{good}</SignedToken></s:Header><s:Body>\
         <AuthenticationRequest xmlns=\"http://www.superoffice.net/EIS/Connector/1.0\"/></s:Body></s:Envelope>"
    );
    let mut answers: Vec<_> =
        Dialect::ALL.iter().map(|&dialect| authenticate(&host, PATH, dialect, &good)).collect();
    answers.push(answer(&host, &format!("{PATH}?ConnectorName=excel"), in_header.into_bytes()));
    for answer in answers {
        assert!(answer.succeeded && answer.reason.is_none(), "{answer:?}");
        let signed = answer.signed_application_token.unwrap().0;
        let (text, signature) = signed.rsplit_once('.').unwrap();
        assert!(text.starts_with("FEDCBA9876543210FEDCBA9876543210.20"), "{text}");
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, partner.public_key().as_ref())
            .verify(text.as_bytes(), &STANDARD.decode(signature).unwrap())
            .expect("signed with the partner's key");
    }

    // The caller always gets the same text; the log has the reason.
    let stranger = token(&partner_pem, "1a2b3c4d5e6f", 360);
    let hello = format!("{PATH}?ConnectorName=Hello");
    let nobody = format!("{PATH}?ConnectorName=Nobody");
    let cases = [
        (PATH, stranger.as_str(), "no key fits"),
        (PATH, &token(&superoffice, "1a2b3c4d5e6f", -600), "has expired"),
        (PATH, &token(&superoffice, "other", 360), "spn:other"),
        (&hello, &good, "does not serve the connector"),
        (&nobody, &good, "no connector that is here"),
        (PATH, "x.y.z", "malformed"),
        (PATH, "", "no SignedToken"),
    ];
    for (target, token, _) in cases {
        let answer = authenticate(&host, target, Dialect::Message, token);
        let expected = Authentication { reason: Some(REASON.into()), ..Authentication::default() };
        assert_eq!(answer, expected);
    }
    let (_, log) = host.stop();
    for (_, _, expected) in cases {
        assert!(log.contains(expected), "{expected}: {log}");
    }
    assert!(log.contains("authenticated") && log.contains("Cust26759"), "{log}");
    for secret in [good.as_str(), stranger.as_str(), "FEDCBA9876543210", "PRIVATE KEY"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[test]
fn certificate_reload_keeps_the_old_one_when_the_new_one_is_bad() {
    let mut host = Setup::new()
        .plugin(HELLO)
        .configuration("[tls]\ncertificate = \"server.pem\"\nkey = \"server.key\"\n")
        .prepare();
    let serve_as = |host: &TestHost, name: &str| {
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let pem = certificate(&key, name);
        put(host.folder(), "server.key", &key);
        put(host.folder(), "server.pem", &pem);
        pem
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let reaches = |host: &TestHost, name: &str, certificate: &str| {
        let authority = reqwest::Certificate::from_pem(certificate.as_bytes()).unwrap();
        let client =
            reqwest::Client::builder().tls_certs_only([authority]).resolve(name, host.address()).no_proxy();
        let url = format!("https://{name}:{}{PATH}?wsdl", host.address().port());
        runtime.block_on(async {
            let response = client.build().unwrap().get(&url).send().await.ok()?;
            response.text().await.ok().filter(|wsdl| wsdl.contains(&format!("https://{name}")))
        })
    };
    let first = serve_as(&host, "first.test");
    host.start();
    assert!(reaches(&host, "first.test", &first).is_some());

    let second = serve_as(&host, "second.test");
    let reload = host.command(&["reload"]);
    let printed = String::from_utf8_lossy(&reload.stdout).into_owned();
    assert!(reload.status.success(), "{printed}");
    assert!(
        reaches(&host, "second.test", &second).is_some() && reaches(&host, "first.test", &first).is_none()
    );

    put(host.folder(), "server.pem", "nonsense");
    let reload = host.command(&["reload"]);
    let printed = String::from_utf8_lossy(&reload.stdout).into_owned();
    assert!(
        !reload.status.success() && printed.contains("serves on") && printed.contains("server.pem"),
        "{printed}"
    );
    assert!(reaches(&host, "second.test", &second).is_some());
}

#[test]
fn access_rules_use_the_client_address_behind_a_trusted_proxy() {
    let mut host = Setup::new().plugin(HELLO).prepare();
    // What the command prints is what the configuration takes.
    let made = host.command(&["access", "eis"]);
    let lines = String::from_utf8(made.stdout).unwrap();
    let secret = lines.lines().find_map(|line| line.strip_prefix("#   ")).unwrap().to_owned();
    let configuration = format!(
        "trusted_proxies = [\"127.0.0.1\"]\n[access]\nnetworks = [\"192.0.2.0/24\"]\n{}",
        lines.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
    );
    std::fs::write(host.configuration(), configuration).unwrap();
    host.start();
    for (client, shown, status) in [
        ("192.0.2.7", secret.as_str(), 200),
        ("192.0.2.7", "guessed", 403),
        ("198.51.100.1", &secret, 403),
        ("192.0.2.7, 198.51.100.1", &secret, 403),
        ("198.51.100.1, 192.0.2.7", &secret, 200),
    ] {
        let request =
            http::Request::get(PATH).header("X-Forwarded-For", client).header("X-Connector-Secret", shown);
        assert_eq!(request.send(host.address()).unwrap().status, status, "{client} {shown}");
    }
    assert_eq!(http::Request::get("/health").send(host.address()).unwrap().status, 200);
    let (_, log) = host.stop();
    assert!(log.contains("access denied") && log.contains("198.51.100.1 via 127.0.0.1"), "{log}");
    assert!(
        log.contains("a secret that is not known") && !log.contains(&secret) && !log.contains("guessed"),
        "{log}"
    );
}
