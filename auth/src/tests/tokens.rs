//! What becomes of tokens.

use std::time::Duration;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::KeyPair as _;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

use super::*;

const CLIENT: &str = r#"
    [online.clients.ab12cd]
    certificates = ["FOLDER/superoffice.pem"]
    private_key = "FOLDER/partner.pem"
"#;

#[tokio::test]
async fn token_is_answered_with_its_signed_nonce() {
    let scene = Scene::new();
    let online = scene.usual();
    for audience in [json!("spn:ab12cd"), json!("SPN:AB12CD"), json!(["spn:other", "spn:Ab12Cd"])] {
        let mut claims = claims();
        claims["aud"] = audience;
        let token = scene.superoffice.sign(&claims);
        let accepted = online.authenticate(&token, "Excel").await.unwrap();
        assert_eq!((accepted.client.as_str(), accepted.context.as_str()), ("AB12cd", "Cust12345"));
        assert!(!format!("{accepted:?}").contains("0123456789ABCDEF"), "{accepted:?}");

        let answer = accepted.answer.0;
        let parts: Vec<_> = answer.splitn(3, '.').collect();
        let [nonce, stamp, signature] = parts[..] else { panic!("{answer}") };
        assert_eq!(nonce, claims["nonce"]);
        assert!(
            stamp.len() == 12 && stamp.starts_with("20") && stamp.bytes().all(|byte| byte.is_ascii_digit())
        );
        let signed = format!("{nonce}.{stamp}");
        let public = scene.partner.pair.public_key().as_ref();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
            .verify(signed.as_bytes(), &STANDARD.decode(signature).unwrap())
            .expect("signed with the partner's key");
    }
}

#[tokio::test]
async fn token_times_may_differ_by_the_clock_skew() {
    let scene = Scene::new();
    let mut config = scene.config(CLIENT);
    config.clock_skew = Duration::from_secs(120);
    let online = Arc::new(Online::new(&config).unwrap());
    let expired = Some(Denied::Expired { client: "ab12cd".into() });
    let early = Some(Denied::NotYetValid { client: "ab12cd".into() });
    // Far enough from the borders that a slow machine does not matter.
    for (claim, offset, expected) in [
        ("exp", -60, None),
        ("exp", -180, expired),
        ("nbf", 60, None),
        ("nbf", 240, early.clone()),
        ("iat", 60, None),
        ("iat", 240, early),
    ] {
        let mut claims = claims();
        claims[claim] = json!(seconds(offset));
        let answered = online.authenticate(&scene.superoffice.sign(&claims), "Excel").await;
        assert_eq!(answered.err(), expected, "{claim} {offset}");
    }
}

#[tokio::test]
async fn token_that_is_valid_for_too_long_is_denied() {
    const HOUR: i64 = 3600;
    let scene = Scene::new();
    let with_lifetime = |seconds: u64| {
        let token_lifetime = Duration::from_secs(seconds);
        Online::new(&OnlineConfig { token_lifetime, ..scene.config(CLIENT) }).map(Arc::new)
    };
    let usual = scene.online(CLIENT).unwrap();
    let long = with_lifetime(12 * 3600).unwrap();
    for (exp, iat, nbf, is_accepted, is_accepted_by_long) in [
        (360, Some(0), Some(0), true, true),
        (HOUR - 60, Some(-30), None, true, true),
        (360, Some(-2 * HOUR), None, false, true),
        (360, None, Some(-2 * HOUR), false, true),
        (2 * HOUR, None, None, false, true),
        (13 * HOUR, None, None, false, false),
        (10 * 365 * 24 * HOUR, Some(0), Some(0), false, false),
        (10 * 365 * 24 * HOUR, None, None, false, false),
    ] {
        let mut claims = claims();
        let object = claims.as_object_mut().unwrap();
        for (claim, offset) in [("exp", Some(exp)), ("iat", iat), ("nbf", nbf)] {
            match offset {
                Some(offset) => object.insert(claim.to_owned(), json!(seconds(offset))),
                None => object.remove(claim),
            };
        }
        let token = scene.superoffice.sign(&claims);
        for (online, expected) in [(&usual, is_accepted), (&long, is_accepted_by_long)] {
            let answered = online.authenticate(&token, "Excel").await;
            assert_eq!(answered.is_ok(), expected, "{claims}");
            assert!(expected || matches!(answered, Err(Denied::Lifetime { .. })), "{answered:?}");
        }
    }
    for refused in [30, 25 * 3600] {
        let error = with_lifetime(refused).err().unwrap();
        assert!(error.contains("online.token_lifetime") && error.contains("1m to 24h"), "{error}");
    }
}

#[tokio::test]
async fn token_claims_are_verified() {
    let scene = Scene::new();
    let online = scene.usual();
    let client = || "AB12cd".to_owned();
    let without = |claim: &'static str| (claim, Value::Null, Denied::MissingClaim(claim));
    let context = "http://schemes.superoffice.net/identity/ctx";
    let mut cases = vec![
        ("iss", json!("SuperOffice"), Denied::Issuer { client: client() }),
        ("iss", json!("superoffice as"), Denied::Issuer { client: client() }),
        ("iss", json!(1), Denied::MissingClaim("iss")),
        ("aud", json!("spn:other"), Denied::Audience("spn:other".into())),
        ("aud", json!("ab12cd"), Denied::Audience("ab12cd".into())),
        ("aud", json!("spn:ab12cd2"), Denied::Audience("spn:ab12cd2".into())),
        ("aud", json!("spn:\n\u{e9}x"), Denied::Audience("spn:x".into())),
        ("aud", json!([]), Denied::Audience(String::new())),
        ("aud", json!(5), Denied::Malformed("its claims cannot be read")),
        // A claim of another type counts as missing.
        ("exp", json!("tomorrow"), Denied::MissingClaim("exp")),
        (
            "nonce",
            json!(7),
            Denied::Malformed("a claim or a member of its header has another type than it must have"),
        ),
        ("sub", json!("Cust99999"), Denied::Context { client: client() }),
        (context, json!(""), Denied::Context { client: client() }),
        (context, json!("Cust\n12345"), Denied::Context { client: client() }),
        without("iss"),
        without("aud"),
        without("nonce"),
        without(context),
    ];
    for odd in ["", "a.b", "a b", "a\nb", "<a>", "\u{e9}", "a\u{0}", &"x".repeat(129)] {
        cases.push(("nonce", json!(odd), Denied::Nonce { client: client() }));
    }
    for (claim, value, expected) in cases {
        let mut claims = claims();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(claim);
        } else {
            claims[claim] = value.clone();
        }
        // The sub would name another customer.
        if claim == context && value.is_null() {
            claims.as_object_mut().unwrap().remove("sub");
        }
        assert_eq!(denied(&online, &scene.superoffice.sign(&claims)).await, expected, "{claim} {value}");
    }
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove("exp");
    let answer = denied(&online, &scene.superoffice.sign(&claims)).await;
    assert_eq!(answer, Denied::MissingClaim("exp"));
}

#[tokio::test]
async fn token_signature_must_be_rs256_with_a_configured_key() {
    let scene = Scene::new();
    let online = scene.usual();
    let claims = claims();
    let good = scene.superoffice.sign(&claims);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let stranger = TestKey::other(0);
    let signature_does_not_fit =
        |key: Option<&str>| Denied::Signature { client: "AB12cd".into(), keys: 1, key: key.map(Into::into) };

    // Somebody else's key, the partner's own, a changed text, a changed or missing signature.
    assert_eq!(denied(&online, &stranger.sign(&claims)).await, signature_does_not_fit(None));
    assert_eq!(denied(&online, &scene.partner.sign(&claims)).await, signature_does_not_fit(None));
    let header = json!({ "alg": "RS256", "kid": "k\n1" });
    assert_eq!(
        denied(&online, &stranger.sign_with(&header, &claims)).await,
        signature_does_not_fit(Some("k1"))
    );
    let mut changed = claims.clone();
    changed["sub"] = json!("Cust1");
    let other_message = scene.superoffice.sign(&changed);
    let spliced = format!("{}.{signature}", other_message.rsplit_once('.').unwrap().0);
    assert_eq!(denied(&online, &spliced).await, signature_does_not_fit(None));
    assert_eq!(denied(&online, &format!("{message}.")).await, signature_does_not_fit(None));

    // A key that comes along in the header is nobody's.
    let header = json!({ "alg": "RS256", "jwk": stranger.jwk("k"), "x5u": "http://127.0.0.1:1/" });
    assert_eq!(denied(&online, &stranger.sign_with(&header, &claims)).await, signature_does_not_fit(None));

    // No signature at all, and the public key as the secret of an HMAC: in every form that it can be had in.
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    for alg in ["none", "None", "NONE", "", "HS256", "hs256", "rs256", "RS512", "PS256", "ES256"] {
        let message = format!("{}.{}", encode(&json!({ "alg": alg })), encode(&claims));
        for secret in [
            scene.superoffice.certificate(2020, 2099).into_bytes(),
            std::fs::read(scene.path("superoffice.pem")).unwrap(),
            scene.superoffice.pair.public_key().as_ref().to_vec(),
            scene.superoffice.public().n,
            Vec::new(),
        ] {
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message.as_bytes());
            let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag));
            assert_eq!(denied(&online, &token).await, Denied::Algorithm(alg.into()));
        }
        assert_eq!(denied(&online, &format!("{message}.")).await, Denied::Algorithm(alg.into()));
    }
    let header = json!({ "alg": "RS256", "crit": ["b64"], "b64": false });
    assert_eq!(denied(&online, &scene.superoffice.sign_with(&header, &claims)).await, Denied::Critical);
}

#[tokio::test]
async fn token_must_be_well_formed() {
    let scene = Scene::new();
    let online = scene.usual();
    let good = scene.superoffice.sign(&claims());
    let header = good.split('.').next().unwrap();
    let parts = Denied::Malformed("it has not three parts");
    for (token, expected) in [
        (String::new(), Denied::NoToken),
        (" \r\n ".into(), Denied::NoToken),
        ("x".into(), parts.clone()),
        ("x.y".into(), parts.clone()),
        (format!("{good}.x"), parts),
        ("..".into(), Denied::Malformed("its header cannot be read")),
        ("eyJ.e30.x".into(), Denied::Malformed("its header cannot be read")),
        (format!("{header}.\u{1f511}.x"), Denied::Malformed("its claims cannot be read")),
        (format!("{header}.W10.x"), Denied::Malformed("its claims cannot be read")),
        (format!("{header}.e30.x"), Denied::MissingClaim("aud")),
        ("x".repeat(16 * 1024 + 1), Denied::Oversized(16 * 1024 + 1)),
        (
            format!("{header}.{}.x", URL_SAFE_NO_PAD.encode("[".repeat(10_000))),
            Denied::Malformed("its claims cannot be read"),
        ),
    ] {
        assert_eq!(denied(&online, &token).await, expected, "{:.60}", token);
    }
    // White space that XML brings along is no part of it.
    assert!(online.authenticate(&format!("\n  {good}\n"), "Excel").await.is_ok());
    // A token that is larger than most, and honest.
    let mut large = claims();
    large["padding"] = json!("x".repeat(8000));
    assert!(online.authenticate(&scene.superoffice.sign(&large), "Excel").await.is_ok());
}

#[tokio::test]
async fn client_ids_have_their_own_connectors_and_keys() {
    let scene = Scene::new();
    let (other_superoffice, other_partner) = (TestKey::other(0), TestKey::other(1));
    scene.put("other.pem", other_superoffice.certificate(2020, 2099));
    scene.put("other-key.pem", other_partner.pem());
    let online = scene
        .online(
            r#"
            [online.clients.first]
            certificates = ["FOLDER/superoffice.pem"]
            private_key = "FOLDER/partner.pem"
            connectors = ["Excel"]
            [online.clients.second]
            certificates = ["FOLDER/other.pem"]
            private_key = "FOLDER/other-key.pem"
            connectors = ["Visma", "Excel"]
            "#,
        )
        .unwrap();
    let token = |key: &TestKey, client: &str| {
        let mut claims = claims();
        claims["aud"] = json!(format!("spn:{client}"));
        key.sign(&claims)
    };
    let first = token(&scene.superoffice, "first");
    let second = token(&other_superoffice, "second");
    assert_eq!(online.authenticate(&first, "excel").await.unwrap().client, "first");
    assert_eq!(online.authenticate(&second, "VISMA").await.unwrap().client, "second");
    assert_eq!(online.authenticate(&second, "Excel").await.unwrap().client, "second");
    assert_eq!(
        online.authenticate(&first, "Visma").await.unwrap_err(),
        Denied::Connector { client: "first".into(), connector: "Visma".into() }
    );
    // The key of one is not a key of the other.
    let crossed = token(&scene.superoffice, "second");
    assert!(
        matches!(denied(&online, &crossed).await, Denied::Signature { client, .. } if client == "second")
    );
}

#[tokio::test]
async fn online_authentication_without_clients_denies_everybody() {
    let scene = Scene::new();
    let online = scene.online("").unwrap();
    assert_eq!(denied(&online, &scene.superoffice.sign(&claims())).await, Denied::NotConfigured);
}

#[tokio::test]
async fn certificates_of_a_roll_over_are_used_together_while_they_are_valid() {
    let scene = Scene::new();
    let (old, new, retired, future) =
        (TestKey::other(0), TestKey::other(1), TestKey::other(2), TestKey::other(3));
    // Two in one file, one in DER.
    scene
        .put("both.pem", format!("text\n{}{}", old.certificate(2020, 2099), retired.certificate(2000, 2001)));
    let der = rustls::pki_types::pem::PemObject::from_pem_slice(new.certificate(2020, 2099).as_bytes());
    let der: rustls::pki_types::CertificateDer<'_> = der.unwrap();
    scene.put("new.cer", &der);
    scene.put("future.pem", future.certificate(2098, 2099));
    let online = scene
        .online(
            r#"
            [online.clients.ab12cd]
            certificates = ["FOLDER/both.pem", "FOLDER/new.cer", "FOLDER/future.pem"]
            private_key = "FOLDER/partner.pem"
            "#,
        )
        .unwrap();
    for key in [&old, &new] {
        assert!(online.authenticate(&key.sign(&claims()), "Excel").await.is_ok());
    }
    for key in [&retired, &future] {
        let denied = denied(&online, &key.sign(&claims())).await;
        assert!(matches!(denied, Denied::OutdatedKey { .. }), "{denied}");
    }
}
