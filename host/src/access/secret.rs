//! Shared secrets: random, and stored as hashes.
//!
//! A slow password hash (Argon2) protects short passwords that people choose. It would cost every call some 50
//! milliseconds, and anybody could keep the host busy with wrong guesses. So secrets here are long and random: they cannot
//! be guessed, and one round of SHA-256 is as safe. `erp-host access` makes them.

use std::fmt;

use aws_lc_rs::constant_time;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserialize, Deserializer, Error as _};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const PREFIX: &str = "sha256:";

/// The least number of characters, and of different ones, of a secret that an operator chooses.
const MIN_CHARS: usize = 32;
const MIN_DIFFERENT: usize = 12;

/// The hash of a secret. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretHash([u8; 32]);

/// Why a secret that an operator chose is refused.
#[allow(missing_docs, reason = "the message names each field")]
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NewSecretError {
    /// It can be guessed.
    #[error(
        "the secret has {chars} characters, {different} of them different; expected at least {MIN_CHARS} and \
         {MIN_DIFFERENT}: it is hashed fast, so it must be too long to be guessed. Let this command make one"
    )]
    Short { chars: usize, different: usize },
    /// It cannot be sent in a header.
    #[error(
        "the secret has characters that cannot stand in a header; expected printable ASCII without spaces"
    )]
    Unprintable,
}

impl SecretHash {
    /// The hash of these bytes.
    pub(super) fn of(secret: &[u8]) -> Self {
        SecretHash(Sha256::digest(secret).into())
    }

    /// The hash of a secret that an operator chose.
    ///
    /// # Errors
    /// It is too short, or cannot be sent.
    pub fn of_own(secret: &str) -> Result<Self, NewSecretError> {
        if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(NewSecretError::Unprintable);
        }
        let different: std::collections::BTreeSet<_> = secret.bytes().collect();
        let (chars, different) = (secret.len(), different.len());
        if chars < MIN_CHARS || different < MIN_DIFFERENT {
            return Err(NewSecretError::Short { chars, different });
        }
        Ok(SecretHash::of(secret.as_bytes()))
    }

    /// Whether they are the same, in constant time.
    pub(super) fn is(&self, other: &SecretHash) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }

    /// As in the configuration: `sha256:` and hexadecimal digits.
    pub fn to_text(&self) -> String {
        let hex: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{PREFIX}{hex}")
    }

    fn parse(text: &str) -> Option<Self> {
        let hex = text.trim().strip_prefix(PREFIX)?.as_bytes();
        let mut bytes = [0; 32];
        if hex.len() != 64 {
            return None;
        }
        for (byte, digits) in bytes.iter_mut().zip(hex.chunks(2)) {
            let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            *byte = digit(digits[0])? << 4 | digit(digits[1])?;
        }
        Some(SecretHash(bytes))
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

impl<'de> Deserialize<'de> for SecretHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        // Not quoted: it may be the secret itself.
        SecretHash::parse(&text).ok_or_else(|| {
            D::Error::custom("this is no hash of a secret, expected sha256: and 64 hexadecimal digits; see erp-host access")
        })
    }
}

/// A new secret of 256 random bits, in characters that can stand anywhere, and its hash.
///
/// # Errors
/// The system gives no random numbers.
pub fn new_secret() -> Result<(Zeroizing<String>, SecretHash), getrandom::Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut())?;
    let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_ref()));
    let hash = SecretHash::of(secret.as_bytes());
    Ok((secret, hash))
}
