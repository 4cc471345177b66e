//! Reads the section `[trust]` of the configuration.

use serde::Deserialize;
use serde::de::Deserializer;

use super::Trust;
use crate::signature::PublicKey;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Section {
    sha256: Vec<Hash>,
    signers: Vec<Signer>,
    check_permissions: Option<bool>,
}

/// A SHA-256 hash in lower-case hexadecimal.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Hash(String);

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Signer(PublicKey);

impl TryFrom<String> for Hash {
    type Error = String;

    fn try_from(hash: String) -> Result<Self, String> {
        if hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Ok(Hash(hash.to_ascii_lowercase()))
        } else {
            Err(format!(
                "{hash:?} is no SHA-256 hash, expected 64 hexadecimal digits, as sha256sum prints them"
            ))
        }
    }
}

impl TryFrom<String> for Signer {
    type Error = String;

    fn try_from(key: String) -> Result<Self, String> {
        PublicKey::parse(&key).map(Signer).map_err(|error| format!("a signer of plugins: {error}"))
    }
}

impl<'de> Deserialize<'de> for Trust {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Section { sha256, signers, check_permissions } = Section::deserialize(deserializer)?;
        Ok(Trust {
            sha256: sha256.into_iter().map(|Hash(hash)| hash).collect(),
            signers: signers.into_iter().map(|Signer(key)| key).collect(),
            checks_permissions: check_permissions.unwrap_or(true),
        })
    }
}
