//! JSON Web Key Sets (RFC 7517).
//!
//! Own structs instead of `jsonwebtoken::jwk`, which takes an RSA key without a modulus for a key of an unknown type and
//! checks neither size nor exponent.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use serde::Deserialize;

use super::verification_key::{MOST_KEYS, VerificationKey};
use erp_host_files::read_trusted;

/// The largest document that is read.
pub(super) const MOST_BYTES: usize = 256 * 1024;

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Key {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    kid: Option<String>,
    n: String,
    e: String,
}

/// The keys of a document that can verify tokens; others are skipped. `source` names the document in messages.
///
/// # Errors
/// It is not a key set, or none of its keys can be used.
pub(super) fn parse(json: &[u8], source: &str) -> Result<Vec<VerificationKey>, String> {
    let set: KeySet = serde_json::from_slice(json)
        .map_err(|error| format!("it is no JSON Web Key Set (an object with keys): {error}"))?;
    let mut skipped = Vec::new();
    let mut keys = Vec::new();
    for value in set.keys {
        match key(value, source) {
            Ok(key) => keys.push(key),
            Err(why) => skipped.push(why),
        }
    }
    if keys.is_empty() {
        let why = if skipped.is_empty() { "it has no keys".to_owned() } else { skipped.join("; ") };
        return Err(format!("it holds no RSA key for signatures with RS256: {why}"));
    }
    if keys.len() > MOST_KEYS {
        return Err(format!("it holds {} keys, at most {MOST_KEYS} are used", keys.len()));
    }
    Ok(keys)
}

fn key(value: serde_json::Value, source: &str) -> Result<VerificationKey, String> {
    let kind = value.get("kty").and_then(serde_json::Value::as_str).unwrap_or("nothing");
    if kind != "RSA" {
        return Err(format!("a key is of type {kind:?}"));
    }
    let key = Key::deserialize(value).map_err(|error| format!("an RSA key is incomplete: {error}"))?;
    debug_assert_eq!(key.kty, "RSA");
    if key.usage.as_deref().is_some_and(|usage| usage != "sig") {
        return Err("an RSA key is not for signatures".to_owned());
    }
    if key.alg.as_deref().is_some_and(|alg| alg != "RS256") {
        return Err("an RSA key is for another algorithm".to_owned());
    }
    let number = |text: &str| URL_SAFE_NO_PAD.decode(text).or_else(|_| URL_SAFE.decode(text));
    let (Ok(modulus), Ok(exponent)) = (number(&key.n), number(&key.e)) else {
        return Err("an RSA key is not in base64url".to_owned());
    };
    let label = format!("the key {:?} of {source}", key.kid.as_deref().unwrap_or("without a kid"));
    VerificationKey::new(&modulus, &exponent, key.kid, label)
}

/// Reads the keys of a file.
///
/// # Errors
/// It cannot be read, or none of its keys can be used.
pub(super) fn read(path: &Path) -> Result<Vec<VerificationKey>, String> {
    let source = path.display().to_string();
    let error = |reason: String| format!("the key set file {source}: {reason}");
    let json = read_trusted(path, MOST_BYTES as u64).map_err(|cause| error(cause.to_string()))?;
    parse(&json, &source).map_err(error)
}
