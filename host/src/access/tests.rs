//! Tests of access control.

use std::collections::BTreeMap;

use super::*;

fn access(toml: &str) -> Result<Access, String> {
    let file: BTreeMap<String, AccessConfig> =
        toml::from_str(toml).map_err(|error: toml::de::Error| error.message().to_owned())?;
    Access::new(&file.get("access").cloned().unwrap_or_default(), None)
}

fn from(address: &str) -> Caller {
    Caller { client: address.parse().ok(), ..Caller::direct("10.0.0.1:1".parse().unwrap()) }
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let line = |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    lines.iter().map(line).collect()
}

#[test]
fn access_networks_allow_ipv4_and_ipv6() {
    let access = access(
        "[access]\nnetworks = [\"192.0.2.0/24\", \"2001:db8::/32\", \"198.51.100.7\"]\nhealth_networks = [\"10.0.0.0/8\"]",
    )
    .unwrap();
    for (address, is_in) in [
        ("192.0.2.255", true),
        ("192.0.3.0", false),
        ("198.51.100.7", true),
        ("198.51.100.8", false),
        ("2001:db8:ffff::1", true),
        ("2001:db9::1", false),
        ("::1", false),
        ("10.1.1.1", false),
    ] {
        let admitted = access.admit(&from(address), &HeaderMap::new(), None);
        let expected = if is_in { Ok(None) } else { Err(AccessDenied::Network("access.networks")) };
        assert_eq!(admitted, expected, "{address}");
        let sees_health = access.admit_to_health(&from(address)).is_ok();
        assert_eq!(sees_health, address.starts_with("10."), "{address}");
    }
    // An IPv4 address that came over an IPv6 socket.
    let mapped = Caller::direct("[::ffff:192.0.2.9]:5".parse().unwrap());
    assert_eq!(access.admit(&mapped, &HeaderMap::new(), None), Ok(None));
    // The client address is unknown.
    assert_eq!(access.admit(&from("unknown"), &HeaderMap::new(), None), Err(AccessDenied::UnknownAddress));
}

#[test]
fn access_is_open_without_rules() {
    let access = access("").unwrap();
    assert!(access.is_open());
    assert_eq!(access.admit(&from("unknown"), &HeaderMap::new(), None), Ok(None));
    assert_eq!(access.admit_to_health(&from("192.0.2.1")), Ok(()));
}

#[test]
fn access_requires_one_of_the_credentials() {
    let (old, old_hash) = new_secret().unwrap();
    let (new, new_hash) = new_secret().unwrap();
    let (password, password_hash) = new_secret().unwrap();
    let access = access(&format!(
        "[access]\nsecret_header = \"X-Key\"\n[access.secrets]\nold = \"{}\"\nnew = \"{}\"\n[access.users]\neis = \"{}\"",
        old_hash.to_text(),
        new_hash.to_text(),
        password_hash.to_text()
    ))
    .unwrap();
    assert!(!access.is_open() && access.has_credentials());
    let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
    let right = basic(&format!("eis:{}", *password));
    let admitted = |lines: &[(&str, &str)]| {
        access.admit(&from("192.0.2.1"), &headers(lines), None).map(|name| name.unwrap().to_string())
    };
    assert_eq!(admitted(&[("x-key", &old)]).unwrap(), "secret:old");
    assert_eq!(admitted(&[("X-KEY", &new)]).unwrap(), "secret:new");
    assert_eq!(admitted(&[("authorization", &right)]).unwrap(), "basic:eis");
    assert_eq!(admitted(&[("authorization", &right.replace("Basic", "BASIC"))]).unwrap(), "basic:eis");
    for lines in [
        &[][..],
        &[("x-key", "")],
        &[("x-key", &password)],
        &[("x-key", &old[1..])],
        &[("x-key", &old_hash.to_text())],
        // A right password, or a second header line, does not compensate for a wrong secret.
        &[("x-key", "x"), ("authorization", &right)],
        &[("x-key", &old), ("x-key", &old)],
        &[("authorization", &right), ("authorization", &right)],
        &[("authorization", &basic(&format!("EIS:{}", *password)))],
        &[("authorization", &basic(&format!("eis:{}x", *password)))],
        &[("authorization", &basic(&format!("eis:{}", *old)))],
        &[("authorization", &basic(&password))],
        &[("authorization", &basic("eis:"))],
        &[("authorization", "Basic")],
        &[("authorization", "Basic ====")],
        &[("authorization", "Bearer x")],
    ] {
        let refused = admitted(lines).unwrap_err();
        assert!(
            matches!(refused, AccessDenied::Credential { has_users: true, .. }),
            "{lines:?}: {refused:?}"
        );
        assert!(!refused.to_string().contains(&*password), "{refused}");
    }
    assert!(!format!("{access:?}").contains(&old_hash.to_text()[7..]), "{access:?}");
}

#[test]
fn access_requires_a_client_certificate_with_an_allowed_name() {
    let with = |names: &[&str], common: &str| {
        let key = rcgen::KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, common);
        CertificateNames::of(params.self_signed(&key).unwrap().der())
    };
    let with_names = |names: &[&str]| {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        Access::new(&AccessConfig::default(), Some(&names)).unwrap()
    };
    let any = with_names(&[]);
    let named = with_names(&["eis.example.com", "EIS"]);
    let admit = |access: &Access, names: Option<&CertificateNames>| {
        access.admit(&from("192.0.2.1"), &HeaderMap::new(), names).map(|name| name.unwrap().to_string())
    };
    assert!(!any.is_open());
    let other = with(&["other.example.com"], "other");
    assert_eq!(admit(&any, Some(&other)).unwrap(), "certificate:other.example.com");
    assert_eq!(
        admit(&named, Some(&other)),
        Err(AccessDenied::Certificate("other.example.com, other".into()))
    );
    assert_eq!(
        admit(&named, Some(&with(&["a", "EIS.example.com"], "x"))).unwrap(),
        "certificate:EIS.example.com"
    );
    assert_eq!(admit(&named, Some(&with(&[], "eis"))).unwrap(), "certificate:eis");
    assert_eq!(admit(&named, None), Err(AccessDenied::NoCertificate));
    assert_eq!(
        admit(&named, Some(&CertificateNames::of(b"x"))),
        Err(AccessDenied::Certificate("nobody".into()))
    );
    // Monitors ask for health, and have no certificate.
    assert_eq!(named.admit_to_health(&from("192.0.2.1")), Ok(()));
}

#[test]
fn access_config_errors_do_not_quote_secrets() {
    let hash = SecretHash::of(b"x").to_text();
    for (toml, expected) in [
        ("[access]\nnetworks = [\"example.com\"]".to_owned(), "10.0.0.0/8"),
        ("[access]\nnetworks = [\"10.0.0.0/33\"]".to_owned(), "10.0.0.0/8"),
        ("[access]\nsecret_header = \"a b\"".to_owned(), "no name of a header"),
        (
            format!("[access]\nsecret_header = \"authorization\"\n[access.secrets]\na = \"{hash}\""),
            "access.users",
        ),
        (format!("[access.users]\n\"a:b\" = \"{hash}\""), "colon"),
        ("[access.users]\neis = \"hunter2\"".to_owned(), "sha256:"),
        (format!("[access.users]\neis = \"{}\"", &hash[..70]), "sha256:"),
        (format!("[access.users]\neis = \"{}\"", hash.replace(&hash[7..9], "xy")), "sha256:"),
    ] {
        let error = access(&toml).unwrap_err();
        assert!(error.contains(expected) && !error.contains("hunter2"), "{toml}: {error}");
    }
}

#[test]
fn secret_hash_of_own_requires_a_long_secret() {
    let (secret, hash) = new_secret().unwrap();
    assert_eq!(secret.len(), 43);
    assert_eq!(SecretHash::of_own(&secret), Ok(hash));
    for (secret, expected) in [
        ("correct horse battery staple correct", NewSecretError::Unprintable),
        ("hunter2", NewSecretError::Short { chars: 7, different: 7 }),
        ("abcabcabcabcabcabcabcabcabcabcabcabc", NewSecretError::Short { chars: 36, different: 3 }),
    ] {
        assert_eq!(SecretHash::of_own(secret), Err(expected));
    }
}
