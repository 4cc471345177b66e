//! Who may call, over sockets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::host::Host;

const SERVICE: &str = "/Services/ErpConnectorWS.svc";

fn get(path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: t\r\n{headers}Connection: close\r\n\r\n").into_bytes()
}

#[test]
fn access_networks_apply_to_the_client_behind_trusted_proxies() {
    let host = Host::configured(
        "trusted_proxies = [\"127.0.0.0/8\"]\n[access]\nnetworks = [\"192.0.2.0/24\", \"2001:db8::/32\"]",
    );
    for (headers, is_in) in [
        ("", false),
        ("X-Forwarded-For: 192.0.2.5\r\n", true),
        ("X-Forwarded-For: [2001:db8::7]:4711\r\n", true),
        ("Forwarded: for=\"[2001:db8::7]:4711\";proto=https\r\n", true),
        ("X-Forwarded-For: 198.51.100.1\r\n", false),
        ("X-Forwarded-For: 192.0.2.5, 198.51.100.1\r\n", false),
        ("X-Forwarded-For: unknown\r\n", false),
        ("X-Forwarded-For: 198.51.100.1\r\nForwarded: for=192.0.2.5\r\n", false),
    ] {
        for path in [SERVICE, "/Services/ErpConnectorWS.svc?wsdl", "/", "/nothing"] {
            let answer = host.exchange(&get(path, headers));
            assert_eq!(answer.status == 403, !is_in, "{path} {headers}: {}", answer.status);
        }
        // For monitors, and it says nothing.
        assert_eq!(host.exchange(&get("/health", headers)).status, 200);
    }
    // A peer that is not a trusted proxy is the client.
    let direct =
        Host::configured("[access]\nnetworks = [\"192.0.2.0/24\"]\nhealth_networks = [\"192.0.2.0/24\"]");
    assert_eq!(direct.exchange(&get(SERVICE, "X-Forwarded-For: 192.0.2.5\r\n")).status, 403);
    assert_eq!(direct.exchange(&get("/health", "X-Forwarded-For: 192.0.2.5\r\n")).status, 403);
}

#[test]
fn access_without_a_secret_is_denied_before_the_body_is_read() {
    let (secret, hash) = erp_host::access::new_secret().unwrap();
    let secrets = format!("[access.secrets]\neis = \"{}\"\n", hash.to_text());
    let users = format!("[access.users]\neis = \"{}\"\n", hash.to_text());
    let basic = STANDARD.encode(format!("eis:{}", *secret));
    let only_secrets = Host::configured(&secrets);
    let both = Host::configured(&format!("{secrets}{users}"));
    for (host, headers, status) in [
        (&only_secrets, String::new(), 403),
        (&only_secrets, format!("X-Connector-Secret: {}\r\n", *secret), 200),
        (&only_secrets, "X-Connector-Secret: x\r\n".to_owned(), 403),
        (&only_secrets, format!("Authorization: Basic {basic}\r\n"), 403),
        (&both, String::new(), 401),
        (&both, format!("Authorization: Basic {basic}\r\n"), 200),
        (&both, format!("Authorization: Basic {basic}x\r\n"), 401),
        (&both, format!("X-Connector-Secret: {}\r\n", *secret), 200),
    ] {
        let answer = host.exchange(&get(SERVICE, &headers));
        assert_eq!(answer.status, status, "{headers}");
        let challenge = answer.header("www-authenticate");
        assert_eq!(challenge.is_some_and(|challenge| challenge.starts_with("Basic realm=")), status == 401);
        assert!(!answer.text().contains("eis"), "{}", answer.text());
    }
    // The body never comes, and the answer does.
    let mut client = both.client();
    client.send(
        format!("POST {SERVICE} HTTP/1.1\r\nHost: t\r\nContent-Type: text/xml\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n")
            .as_bytes(),
    );
    let answer = client.receive();
    assert_eq!((answer.status, answer.header("connection")), (401, Some("close")));
    assert!(client.is_closed());
}
