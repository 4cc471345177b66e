//! HTTPS of the host's own, with certificates made for the test.

use std::path::Path;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use reqwest::{Certificate, Client, Identity, StatusCode};
use tempfile::TempDir;
use test_support::http::Connection;

use crate::host::{Host, PATIENCE};

const SERVICE: &str = "/Services/ErpConnectorWS.svc";

/// An authority and the files that it has signed.
struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = Authority { folder: tempfile::tempdir().unwrap(), issuer };
        authority.put("ca.pem", &authority.issuer.pem());
        authority
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }

    /// A certificate for this name and its key, in PEM.
    fn sign(&self, name: &str, purpose: ExtendedKeyUsagePurpose) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages.push(purpose);
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// Puts down a certificate of the server's.
    fn serve_as(&self, name: &str) {
        let (certificate, key) = self.sign(name, ExtendedKeyUsagePurpose::ServerAuth);
        self.put("server.pem", &certificate);
        self.put("server.key", &key);
    }

    fn host(&self, more: &str) -> Host {
        let folder = self.folder.path().display();
        let tls = format!("[tls]\ncertificate = \"{folder}/server.pem\"\nkey = \"{folder}/server.key\"\n");
        Host::configured(&format!("{tls}{}", more.replace("FOLDER", &folder.to_string())))
    }

    /// A client that trusts this authority, and finds this name at the host's address.
    fn client(&self, host: &Host, name: &str) -> reqwest::ClientBuilder {
        let authority = Certificate::from_pem(self.issuer.pem().as_bytes()).unwrap();
        Client::builder()
            .tls_certs_only([authority])
            .resolve(name, host.address)
            .no_proxy()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
    }

    fn identity(&self, name: &str) -> Identity {
        let (certificate, key) = self.sign(name, ExtendedKeyUsagePurpose::ClientAuth);
        Identity::from_pem(format!("{certificate}{key}").as_bytes()).unwrap()
    }
}

/// What a GET gives.
fn get(host: &Host, client: &Client, url: &str) -> Result<(StatusCode, String), String> {
    host.block_on(async {
        let response = client.get(url).send().await.map_err(|error| format!("{error:?}"))?;
        let status = response.status();
        Ok((status, response.text().await.map_err(|error| format!("{error:?}"))?))
    })
}

#[test]
fn tls_serves_calls_and_the_wsdl_has_https() {
    let authority = Authority::new();
    authority.serve_as("erp.test");
    let host = authority.host("");
    let url = format!("https://erp.test:{}{SERVICE}", host.address.port());
    for version in [reqwest::tls::Version::TLS_1_2, reqwest::tls::Version::TLS_1_3] {
        let client = authority.client(&host, "erp.test").tls_version_min(version).tls_version_max(version);
        let (status, wsdl) = get(&host, &client.build().unwrap(), &format!("{url}?singleWsdl")).unwrap();
        assert_eq!(status, StatusCode::OK);
        assert!(wsdl.contains(&format!("location=\"{url}\"")), "{wsdl:.300}");
    }
    let client = authority.client(&host, "erp.test").build().unwrap();
    let body = "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body/></s:Envelope>";
    let action = "\"http://www.superoffice.net/EIS/Connector/1.0/IErpConnectorWS/WSGetConfigData\"";
    let text = host.block_on(async {
        let call =
            client.post(&url).header("Content-Type", "text/xml").header("SOAPAction", action).body(body);
        call.send().await.unwrap().text().await.unwrap()
    });
    assert!(text.contains("FieldMetaDataObjects"), "{text}");
    // A large body, and a reply that does not fit into one record.
    let large = host.block_on(async {
        let call = client.post(&url).header("Content-Type", "text/xml").body(" ".repeat(17 << 20));
        call.send().await.map(|response| response.status())
    });
    assert_eq!(large.unwrap(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[test]
fn tls_certificate_is_reloaded_and_a_bad_one_is_not_used() {
    let authority = Authority::new();
    authority.serve_as("first.test");
    let host = authority.host("");
    let port = host.address.port();
    // A client of its own each time: connections are kept.
    let reaches = |name: &str| {
        let client = authority.client(&host, name).build().unwrap();
        get(&host, &client, &format!("https://{name}:{port}/health")).is_ok_and(|(status, _)| status == 200)
    };
    let kept = authority.client(&host, "first.test").build().unwrap();
    let url = format!("https://first.test:{port}/health");
    assert!(get(&host, &kept, &url).is_ok() && !reaches("second.test"));

    authority.serve_as("second.test");
    let looked = host.reload_files();
    assert!(looked.len() == 1 && looked[0].is_ok(), "{looked:?}");
    assert!(reaches("second.test") && !reaches("first.test"));
    assert!(get(&host, &kept, &url).is_ok(), "a connection that was there goes on");

    let (other, _) = authority.sign("other.test", ExtendedKeyUsagePurpose::ServerAuth);
    for (file, text, expected) in [
        ("server.pem", other.as_str(), "does not belong"),
        ("server.pem", "nonsense", "holds no certificate"),
        ("server.key", "nonsense", "does not"),
    ] {
        authority.put(file, text);
        let looked = host.reload_files();
        let why = looked[0].as_ref().unwrap_err();
        assert!(why.contains(expected) || why.contains("holds no"), "{expected}: {why}");
        assert!(reaches("second.test"));
    }
    authority.serve_as("third.test");
    assert!(host.reload_files()[0].is_ok() && reaches("third.test"));
}

#[test]
fn tls_handshake_rejects_plain_http_and_times_out() {
    let authority = Authority::new();
    authority.serve_as("erp.test");
    let host = authority.host("handshake_timeout = \"200ms\"\n");
    let answer = host.exchange(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("https://"), "{}", answer.text());
    // Neither silence nor the beginning of a handshake keeps a connection.
    for beginning in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01\x00"] {
        let mut client = Connection::open(host.address);
        client.send(beginning);
        assert!(client.is_closed());
    }
    // Old versions are not spoken.
    let mut client = Connection::open(host.address);
    client.send(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00");
    let _ = client.is_closed();
    let client = authority.client(&host, "erp.test").build().unwrap();
    let (status, _) =
        get(&host, &client, &format!("https://erp.test:{}/health", host.address.port())).unwrap();
    assert_eq!(status, StatusCode::OK);
}

#[test]
fn https_redirect_applies_to_get_and_refuses_calls() {
    let authority = Authority::new();
    authority.serve_as("erp.test");
    // Free a moment ago.
    let plain = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let host = authority.host(&format!("redirect_from = \"{plain}\"\n"));
    let port = host.address.port();
    let ask = |request: &str| {
        let mut client = Connection::open(plain);
        client.send(request.as_bytes());
        client.receive()
    };
    let moved = ask(&format!("GET {SERVICE}?wsdl HTTP/1.1\r\nHost: erp.test:80\r\n\r\n"));
    assert_eq!(moved.status, 308);
    let expected = format!("https://erp.test:{port}{SERVICE}?wsdl");
    assert_eq!(moved.header("location"), Some(expected.as_str()));
    let client = authority.client(&host, "erp.test").build().unwrap();
    assert_eq!(get(&host, &client, &expected).unwrap().0, StatusCode::OK);

    let call = ask(&format!("POST {SERVICE} HTTP/1.1\r\nHost: erp.test\r\nContent-Length: 2\r\n\r\nhi"));
    assert_eq!((call.status, call.header("location"), call.header("connection")), (403, None, Some("close")));
    assert!(call.text().contains(&format!("https://erp.test:{port}{SERVICE}")), "{}", call.text());
    assert_eq!(ask("GET / HTTP/1.1\r\nHost: <x>\r\n\r\n").status, 400);
    assert_eq!(ask("GET / HTTP/1.0\r\n\r\n").status, 400);
}

#[test]
fn tls_requires_a_client_certificate() {
    let authority = Authority::new();
    authority.serve_as("erp.test");
    let host = authority.host("client_ca = \"FOLDER/ca.pem\"\nclient_names = [\"eis.test\"]\n");
    let base = format!("https://erp.test:{}", host.address.port());
    let client = |identity: Option<Identity>| {
        let mut client = authority.client(&host, "erp.test");
        if let Some(identity) = identity {
            client = client.identity(identity);
        }
        client.build().unwrap()
    };
    let help = format!("{base}{SERVICE}");
    let named = client(Some(authority.identity("eis.test")));
    assert_eq!(get(&host, &named, &help).unwrap().0, StatusCode::OK);
    // Its names count on connections that are resumed, too.
    let again = client(Some(authority.identity("EIS.test")));
    assert_eq!(get(&host, &again, &help).unwrap().0, StatusCode::OK);

    let nameless = client(None);
    assert_eq!(get(&host, &nameless, &help).unwrap().0, StatusCode::FORBIDDEN);
    assert_eq!(get(&host, &nameless, &format!("{base}/health")).unwrap().0, StatusCode::OK);
    let other = client(Some(authority.identity("other.test")));
    assert_eq!(get(&host, &other, &help).unwrap().0, StatusCode::FORBIDDEN);
    // Somebody else's authority: no handshake at all.
    let stranger = client(Some(Authority::new().identity("eis.test")));
    assert!(get(&host, &stranger, &help).is_err());
}

#[test]
fn tls_without_a_valid_certificate_prevents_the_start() {
    let authority = Authority::new();
    authority.serve_as("erp.test");
    let (_, key) = authority.sign("other.test", ExtendedKeyUsagePurpose::ServerAuth);
    authority.put("other.key", &key);
    authority.put("empty.pem", "");
    let folder = authority.folder.path().display().to_string();
    for (certificate, key, more, expected) in [
        ("absent.pem", "server.key", "", "absent.pem"),
        ("empty.pem", "server.key", "", "holds no certificate"),
        ("server.pem", "server.pem", "", "holds no private key"),
        ("server.pem", "other.key", "", "does not belong"),
        ("server.pem", "server.key", "client_ca = \"FOLDER/empty.pem\"", "tls.client_ca"),
    ] {
        let toml = format!("[tls]\ncertificate = \"FOLDER/{certificate}\"\nkey = \"FOLDER/{key}\"\n{more}");
        let error = Host::refused(&toml.replace("FOLDER", &folder));
        assert!(error.contains(expected), "{expected}: {error}");
    }
    #[cfg(unix)]
    {
        let key = Path::new(&folder).join("server.key");
        std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        let toml = format!("[tls]\ncertificate = \"{folder}/server.pem\"\nkey = \"{folder}/server.key\"");
        let error = Host::refused(&toml);
        assert!(error.contains("others may read it") && error.contains("0600"), "{error}");
    }
}

#[test]
fn graceful_shutdown_does_not_wait_for_handshakes() {
    let authority = Authority::new();
    authority.serve_as("erp.test");
    let host = authority.host("handshake_timeout = \"1h\"\n");
    let mut client = Connection::open(host.address);
    client.send(b"\x16");
    // It is accepted by the time that a later one is answered.
    let other =
        authority.client(&host, "erp.test").pool_idle_timeout(Duration::from_millis(1)).build().unwrap();
    assert!(get(&host, &other, &format!("https://erp.test:{}/health", host.address.port())).is_ok());
    drop(other);
    host.stop();
    host.finish();
}
