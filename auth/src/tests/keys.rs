//! Key files, good and bad.

use std::fmt::Write;

use super::*;

/// A number of DER, and what follows it.
fn take_number(der: &[u8]) -> (&[u8], &[u8]) {
    let (body, rest) = take(der, 0x02);
    (body, rest)
}

/// The content of an element of DER, and what follows it.
fn take(der: &[u8], tag: u8) -> (&[u8], &[u8]) {
    assert_eq!(der[0], tag);
    let (length, start) = match der[1] {
        short @ ..0x80 => (usize::from(short), 2),
        long => {
            let bytes = usize::from(long & 0x7f);
            let length = der[2..2 + bytes].iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
            (length, 2 + bytes)
        }
    };
    der[start..].split_at(length)
}

/// The RSAPrivateKey (PKCS#1) inside a PKCS#8 document.
fn pkcs1(pkcs8: &[u8]) -> &[u8] {
    let (document, _) = take(pkcs8, 0x30);
    let (_version, rest) = take_number(document);
    let (_algorithm, rest) = take(rest, 0x30);
    take(rest, 0x04).0
}

/// As .NET writes it: numbers without a leading zero, in the order of ToXmlString.
fn rsa_key_value(key: &TestKey, members: &[&str]) -> String {
    let (mut rest, _) = take(pkcs1(&key.pkcs8), 0x30);
    let mut numbers = Vec::new();
    while !rest.is_empty() {
        let (number, after) = take_number(rest);
        numbers.push(number.strip_prefix(&[0]).unwrap_or(number));
        rest = after;
    }
    // PKCS#1: version, n, e, d, p, q, dP, dQ, qInv.
    let order = ["", "Modulus", "Exponent", "D", "P", "Q", "DP", "DQ", "InverseQ"];
    let mut xml = "<RSAKeyValue>".to_owned();
    for member in members {
        let place = order.iter().position(|other| other == member).unwrap();
        write!(xml, "<{member}>{}</{member}>", STANDARD.encode(numbers[place])).unwrap();
    }
    xml + "</RSAKeyValue>"
}

const ALL: [&str; 8] = ["Modulus", "Exponent", "P", "Q", "DP", "DQ", "InverseQ", "D"];

const WITH: &str = r#"
    [online.clients.ab12cd]
    certificates = ["FOLDER/superoffice.pem"]
    private_key = "FOLDER/key"
"#;

#[tokio::test]
async fn partner_key_is_read_in_every_format() {
    let scene = Scene::new();
    let xml = rsa_key_value(&scene.partner, &ALL);
    let lines = xml.replace("</Modulus>", "\n  </Modulus>").replace('<', "\n<");
    let utf16: Vec<u8> =
        std::iter::once(0xfeff).chain(xml.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    for (form, content) in [
        ("XML", xml.clone().into_bytes()),
        ("XML with a declaration", format!("<?xml version=\"1.0\"?>\n{xml}").into_bytes()),
        ("XML with BOM and line ends", format!("\u{feff}{lines}").into_bytes()),
        ("XML in UTF-16", utf16),
        ("PKCS#8", scene.partner.pem().into_bytes()),
        ("PKCS#1", pem("RSA PRIVATE KEY", pkcs1(&scene.partner.pkcs8)).into_bytes()),
    ] {
        scene.put("key", content);
        let online = scene.online(WITH).unwrap_or_else(|error| panic!("{form}: {error}"));
        let accepted = online.authenticate(&scene.superoffice.sign(&claims()), "Excel").await.unwrap();
        let (signed, signature) = accepted.answer.0.rsplit_once('.').unwrap();
        aws_lc_rs::signature::UnparsedPublicKey::new(
            &aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256,
            scene.partner.pair.public_key().as_ref(),
        )
        .verify(signed.as_bytes(), &STANDARD.decode(signature).unwrap())
        .expect(form);
    }
}

#[tokio::test]
async fn partner_key_errors_name_the_file_and_do_not_quote_it() {
    let scene = Scene::new();
    let xml = rsa_key_value(&scene.partner, &ALL);
    let secret = &xml[xml.find("<D>").unwrap() + 3..][..40];
    let other = TestKey::other(0);
    let elsewhere = rsa_key_value(&other, &["D"]);
    let mixed = rsa_key_value(&scene.partner, &ALL[..7]).replace("</RSAKeyValue>", "")
        + &elsewhere["<RSAKeyValue>".len()..];
    let ec = rcgen::KeyPair::generate().unwrap().serialize_pem();
    for (content, expected) in [
        (rsa_key_value(&scene.partner, &ALL[..2]), "<P> is missing; this is a public key"),
        (rsa_key_value(&scene.partner, &ALL[1..]), "<Modulus> is missing"),
        (xml.replace("<D>", "<D>*"), "<D> is no Base64"),
        (xml.replace("</RSAKeyValue>", &format!("<D>{secret}</D></RSAKeyValue>")), "twice"),
        (xml.replace("RSAKeyValue", "DSAKeyValue"), "expected <RSAKeyValue>"),
        (mixed, "do not fit together"),
        (format!("<!DOCTYPE x>{xml}"), "no XML"),
        (xml[..xml.len() - 20].to_owned(), "no XML"),
        (String::new(), "no private key"),
        ("ssh-rsa AAAA".to_owned(), "no private key"),
        (scene.superoffice.certificate(2020, 2099), "no private key"),
        (pem("ENCRYPTED PRIVATE KEY", b"x"), "encrypted"),
        (pem("PRIVATE KEY", b"x"), "no RSA key"),
        (ec, "no RSA key"),
        ("x".repeat(70_000), "larger than"),
    ] {
        scene.put("key", &content);
        let error = scene.online(WITH).err().unwrap();
        assert!(error.contains(expected), "{expected}: {error}");
        assert!(error.contains("online.clients.ab12cd") && error.contains("/key"), "{error}");
        assert!(!error.contains(secret), "{error}");
    }
    let missing = scene.online(&WITH.replace("/key", "/absent")).err().unwrap();
    assert!(missing.contains("absent") && missing.contains("cannot be read"), "{missing}");
}

#[cfg(unix)]
#[tokio::test]
async fn partner_key_file_must_not_be_readable_by_others() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new();
    let path = scene.put("key", scene.partner.pem());
    for (mode, is_fine) in
        [(0o600, true), (0o400, true), (0o640, true), (0o644, false), (0o660, false), (0o604, false)]
    {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let error = scene.online(WITH).err();
        assert_eq!(error.is_none(), is_fine, "{mode:o}: {error:?}");
        assert!(error.is_none_or(|error| error.contains("others may read it") && error.contains("0600")));
    }
}

#[tokio::test]
async fn verification_key_errors_name_the_file() {
    let scene = Scene::new();
    let ec = rcgen::generate_simple_self_signed(vec!["x.test".to_owned()]).unwrap().cert.pem();
    let good = scene.superoffice.certificate(2020, 2099);
    let set = |keys: Value| json!({ "keys": keys }).to_string();
    let mut short = scene.superoffice.jwk("short");
    short["n"] = json!(URL_SAFE_NO_PAD.encode([0xff; 128]));
    let mut for_encryption = scene.superoffice.jwk("enc");
    for_encryption["use"] = json!("enc");
    let mut weak = scene.superoffice.jwk("weak");
    weak["e"] = json!(URL_SAFE_NO_PAD.encode([1]));
    for (member, content, expected) in [
        ("certificates", String::new(), "no X.509 certificate"),
        ("certificates", scene.partner.pem(), "holds no certificate"),
        ("certificates", good[..good.len() - 40].to_owned(), "PEM"),
        ("certificates", good.replace("MII", "AAA"), "no X.509 certificate"),
        ("certificates", ec, "no RSA key"),
        ("jwks", String::new(), "no JSON Web Key Set"),
        ("jwks", "[]".to_owned(), "no JSON Web Key Set"),
        ("jwks", set(json!([])), "has no keys"),
        ("jwks", set(json!([{ "kty": "EC", "crv": "P-256" }])), "type \"EC\""),
        ("jwks", set(json!([{ "kty": "oct", "k": "c2VjcmV0" }])), "type \"oct\""),
        ("jwks", set(json!([{ "kty": "RSA", "n": "AQ" }])), "incomplete"),
        ("jwks", set(json!([short])), "1024 bits"),
        ("jwks", set(json!([weak])), "exponent"),
        ("jwks", set(json!([for_encryption])), "not for signatures"),
        (
            "jwks",
            set(Value::Array((0..33).map(|id| scene.superoffice.jwk(&id.to_string())).collect())),
            "33 keys",
        ),
        ("jwks", " ".repeat(300_000), "larger than 262144 bytes"),
    ] {
        scene.put("keys", &content);
        let value = if member == "jwks" { "\"FOLDER/keys\"" } else { "[\"FOLDER/keys\"]" };
        let toml =
            format!("[online.clients.ab12cd]\n{member} = {value}\nprivate_key = \"FOLDER/partner.pem\"");
        let error = scene.online(&toml).err().unwrap();
        assert!(error.contains(expected) && error.contains("/keys"), "{expected}: {error}");
    }
    for (toml, expected) in [
        ("[online.clients.a]\nprivate_key = \"FOLDER/partner.pem\"", "certificates or jwks"),
        ("[online.clients.\"a b\"]\nprivate_key = \"FOLDER/partner.pem\"", "letters, digits"),
    ] {
        let error = scene.online(toml).err().unwrap();
        assert!(error.contains(expected), "{error}");
    }
    let client = "certificates = [\"FOLDER/superoffice.pem\"]\nprivate_key = \"FOLDER/partner.pem\"\n";
    let twice =
        scene.online(&format!("[online.clients.AB]\n{client}[online.clients.ab]\n{client}")).err().unwrap();
    assert!(twice.contains("twice"), "{twice}");
}

#[tokio::test]
async fn key_set_file_verifies_tokens_with_and_without_a_key_id() {
    let scene = Scene::new();
    let other = TestKey::other(0);
    let mut nameless = other.jwk("x");
    nameless.as_object_mut().unwrap().remove("kid");
    let set = json!({ "keys": [{ "kty": "EC" }, scene.superoffice.jwk("first"), nameless] });
    scene.put("keys.json", set.to_string());
    let online = scene
        .online("[online.clients.ab12cd]\njwks = \"FOLDER/keys.json\"\nprivate_key = \"FOLDER/partner.pem\"")
        .unwrap();
    let named = |key: &TestKey, id: &str| key.sign_with(&json!({ "alg": "RS256", "kid": id }), &claims());
    for token in [
        named(&scene.superoffice, "first"),
        named(&scene.superoffice, "unknown"),
        scene.superoffice.sign(&claims()),
        named(&other, "first"),
        other.sign(&claims()),
    ] {
        assert!(online.authenticate(&token, "Excel").await.is_ok());
    }
}

#[tokio::test]
async fn online_keys_are_reloaded_when_their_files_change() {
    let scene = Scene::new();
    let online = scene.usual();
    let files = online.files();
    let reload = || files.iter().filter_map(|file| file.reload(true)).collect::<Vec<_>>();
    let next = TestKey::other(0);
    let token = next.sign(&claims());
    assert!(online.authenticate(&token, "Excel").await.is_err());
    assert!(reload().is_empty());
    scene.put("superoffice.pem", next.certificate(2020, 2099));
    let reloaded = reload();
    assert!(
        reloaded.len() == 1 && reloaded[0].as_ref().is_ok_and(|message| message.contains("AB12cd")),
        "{reloaded:?}"
    );
    assert!(online.authenticate(&token, "Excel").await.is_ok());
    // A broken file changes nothing.
    scene.put("superoffice.pem", "nonsense");
    scene.put("partner.pem", "nonsense");
    let reloaded = reload();
    assert!(reloaded.len() == 2 && reloaded.iter().all(Result::is_err), "{reloaded:?}");
    assert!(online.authenticate(&token, "Excel").await.is_ok());
}
