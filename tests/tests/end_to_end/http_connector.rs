//! The connector over HTTP, in the real program: the rules, sessions, network and certificates from a worker process too.

use contract::{Dialect, Request};
use demo_erp::{DemoErp, PASSWORD, USER};
use test_support::soap::{Answer, Client};
use test_support::{HELLO, HTTP, Setup, TestHost};
use values::State;

const GUID: &str = "eeeeeeee-0000-4000-8000-000000000061";
const ISOLATIONS: [&str; 2] = ["isolation = \"in-process\"\n", "isolation = \"process\"\n"];

fn client(host: &TestHost) -> Client {
    host.client(Dialect::Message).connector("DemoErp").connection(GUID)
}

/// Saves the settings of the connection.
fn save(host: &TestHost, settings: &[(&str, &str)]) -> Answer {
    let settings = [("User", USER), ("Password", PASSWORD)].iter().chain(settings);
    let settings = settings.map(|(key, value)| (*key, Some(*value))).collect();
    client(host).call(Request::SaveConnection { connection_info: Some(settings) })
}

#[test]
fn http_connector_keeps_all_rules_in_both_isolations() {
    for isolation in ISOLATIONS {
        let erp = DemoErp::start().unwrap();
        let host = Setup::new().plugin(HTTP).configuration(isolation).start();
        // By name: it is resolved, in a worker process too.
        let address = format!("Address={}", erp.address().replace("127.0.0.1", "localhost"));
        let (user, password) = (format!("User={USER}"), format!("Password={PASSWORD}"));
        let url = host.address().to_string();
        let settings = ["--set", &address, "--set", &user, "--set", &password];
        let output =
            host.command(&[&["verify", &url, "--connector", "DemoErp", "-q"], &settings[..]].concat());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{isolation}{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(text.contains(" 0 failed, "), "{isolation}{text}");
        assert!(!host.log().contains(PASSWORD));
    }
}

#[test]
fn http_connector_with_a_wrong_password_does_not_lock_the_user() {
    for isolation in ISOLATIONS {
        let erp = DemoErp::start().unwrap();
        let host = Setup::new().plugin(HTTP).configuration(isolation).start();
        save(&host, &[("Address", &erp.address())]);
        client(&host).ok(Request::GetSupportedActorTypes);
        erp.control("password?value=other");
        for _ in 0..8 {
            let answer = client(&host).call(Request::GetList { list_name: Some("Categories".into()) });
            assert_eq!(
                (answer.state, answer.code.as_str()),
                (State::Error, "SETTINGS_INVALID"),
                "{answer:?}"
            );
        }
        assert_eq!(erp.logins(), 2, "{isolation}");
    }
}

#[test]
fn http_connector_in_a_worker_trusts_certificates_that_it_may_read() {
    // Any server with TLS will do; it is no ERP system, which shows after the handshake.
    let mut other = Setup::new()
        .plugin(HELLO)
        .configuration("[tls]\ncertificate = \"server.pem\"\nkey = \"server.key\"\n")
        .prepare();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let authority = other.folder().join("authority.pem");
    for (file, text) in [
        (other.folder().join("server.pem"), made.cert.pem()),
        (authority.clone(), made.cert.pem()),
        (other.folder().join("server.key"), made.signing_key.serialize_pem()),
    ] {
        std::fs::write(&file, text).unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    other.start();
    let address = format!("https://localhost:{}/api", other.address().port());
    let authority = authority.to_str().unwrap();

    let host = Setup::new().plugin(HTTP).configuration("isolation = \"process\"\n").start();
    let answer = save(&host, &[("Address", &address)]);
    assert!(answer.user.contains("is not trusted") && answer.code == "ERP_UNAVAILABLE", "{answer:?}");
    let answer = save(&host, &[("Address", &address), ("Certificates", authority)]);
    assert!(answer.user.contains("authority.pem cannot be read"), "{answer:?}");
    assert_eq!(answer.code, "SETTINGS_INVALID");
    let configuration = format!("isolation = \"process\"\n[worker]\nread = [{authority:?}]\n");
    let host = Setup::new().plugin(HTTP).configuration(&configuration).start();
    let answer = save(&host, &[("Address", &address), ("Certificates", authority)]);
    assert!(answer.tech.contains("POST /api/login: status 404"), "{answer:?}");
}
