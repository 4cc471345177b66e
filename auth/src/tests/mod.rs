//! Tokens as SuperOffice makes them, and as it does not.

mod keys;
mod remote;
mod tokens;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use erp_host_files::private_file::{self, IfPresent};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Authenticated, Denied, Online, OnlineClient, OnlineConfig};

/// A key pair made for a test, in every form.
pub(super) struct TestKey {
    pair: KeyPair,
    pub(super) pkcs8: Vec<u8>,
}

/// Making a key takes long, so all tests share these, in PKCS#8.
static KEYS: [LazyLock<Vec<u8>>; 6] = [const {
    LazyLock::new(|| {
        let pkcs8: Pkcs8V1Der<'_> = KeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap();
        pkcs8.as_ref().to_vec()
    })
}; 6];

impl TestKey {
    /// One of the keys that are neither the usual SuperOffice's nor the usual partner's; 0 to 3.
    pub(super) fn other(number: usize) -> Self {
        TestKey::new(2 + number)
    }

    fn new(number: usize) -> Self {
        let pkcs8 = KEYS[number].clone();
        TestKey { pair: KeyPair::from_pkcs8(&pkcs8).unwrap(), pkcs8 }
    }

    pub(super) fn pem(&self) -> String {
        pem("PRIVATE KEY", &self.pkcs8)
    }

    fn public(&self) -> PublicKeyComponents<Vec<u8>> {
        self.pair.public_key().into()
    }

    /// The public key as an element of a key set.
    pub(super) fn jwk(&self, id: &str) -> Value {
        let PublicKeyComponents { n, e } = self.public();
        json!({
            "kty": "RSA", "use": "sig", "kid": id, "n": URL_SAFE_NO_PAD.encode(n), "e": URL_SAFE_NO_PAD.encode(e),
        })
    }

    /// A certificate in PEM, valid from the beginning of one year to that of another.
    pub(super) fn certificate(&self, from: i32, to: i32) -> String {
        let pair = rcgen::KeyPair::try_from(self.pkcs8.as_slice()).unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["federated.test".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(to, 1, 1);
        params.self_signed(&pair).unwrap().pem()
    }

    pub(super) fn sign(&self, claims: &Value) -> String {
        self.sign_with(&json!({ "alg": "RS256", "typ": "JWT" }), claims)
    }

    /// A token with this header, signed with RS256 whatever that says.
    pub(super) fn sign_with(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                &aws_lc_rs::signature::RSA_PKCS1_SHA256,
                &aws_lc_rs::rand::SystemRandom::new(),
                message.as_bytes(),
                &mut signature,
            )
            .unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

pub(super) fn pem(label: &str, der: &[u8]) -> String {
    let lines: Vec<_> = STANDARD
        .encode(der)
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Seconds since 1970, `offset` from now.
pub(super) fn seconds(offset: i64) -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap() + offset
}

/// What an honest token for the client `ab12cd` says.
pub(super) fn claims() -> Value {
    json!({
        "iss": "SuperOffice AS",
        "aud": "spn:ab12cd",
        "sub": "Cust12345",
        "http://schemes.superoffice.net/identity/ctx": "Cust12345",
        "nonce": "0123456789ABCDEF0123456789ABCDEF",
        "iat": seconds(0),
        "nbf": seconds(0),
        "exp": seconds(360),
    })
}

/// The clients of a configuration file.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ConfigFile {
    online: OnlineSection,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct OnlineSection {
    clients: BTreeMap<String, OnlineClient>,
}

/// Files for a configuration.
pub(super) struct Scene {
    folder: TempDir,
    pub(super) superoffice: TestKey,
    pub(super) partner: TestKey,
}

impl Scene {
    /// A certificate of SuperOffice's and a partner's key.
    pub(super) fn new() -> Self {
        let scene = Scene {
            folder: tempfile::tempdir().unwrap(),
            superoffice: TestKey::new(0),
            partner: TestKey::new(1),
        };
        scene.put("superoffice.pem", scene.superoffice.certificate(2020, 2099));
        scene.put("partner.pem", scene.partner.pem());
        scene
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file that only its owner may read.
    pub(super) fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        private_file::write(&path, content.as_ref(), IfPresent::Replace).unwrap();
        path
    }

    /// The configuration with these `[online.clients]`; `FOLDER` stands for the folder of the files.
    pub(super) fn config(&self, toml: &str) -> OnlineConfig {
        let folder = self.folder.path().display().to_string();
        let file: ConfigFile = toml::from_str(&toml.replace("FOLDER", &folder)).unwrap();
        OnlineConfig { clients: file.online.clients, ..OnlineConfig::default() }
    }

    /// Sets up what [`Scene::config`] reads.
    pub(super) fn online(&self, toml: &str) -> Result<Arc<Online>, String> {
        Online::new(&self.config(toml)).map(Arc::new)
    }

    /// The usual one.
    pub(super) fn usual(&self) -> Arc<Online> {
        self.online(
            r#"
            [online.clients.AB12cd]
            certificates = ["FOLDER/superoffice.pem"]
            private_key = "FOLDER/partner.pem"
            "#,
        )
        .unwrap()
    }
}

pub(super) async fn denied(online: &Arc<Online>, token: &str) -> Denied {
    online.authenticate(token, "Excel").await.map(|accepted: Authenticated| accepted.client).unwrap_err()
}
