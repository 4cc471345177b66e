//! Ed25519 signatures of plugin files, and the keys for them: PEM files as OpenSSL reads and writes them (PKCS#8 and SPKI,
//! RFC 8410).

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use thiserror::Error;
use zeroize::Zeroizing;

/// What stands before the 32 bytes of a public key in its SPKI form.
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Who signs files.
pub struct SigningKey(Ed25519KeyPair);

/// Whose signatures are believed.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

/// A signature of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature([u8; 64]);

/// A text is not the key or the signature that it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyError {
    /// It is no private key.
    #[error(
        "it is no ed25519 private key, expected a PEM file that begins with -----BEGIN PRIVATE KEY-----, as `erp-host plugins keygen` makes it"
    )]
    Private,
    /// It is no public key.
    #[error(
        "it is no ed25519 public key, expected PEM (-----BEGIN PUBLIC KEY-----), or the one line of base64 in it, as `erp-host plugins keygen` makes it"
    )]
    Public,
    /// It is a private key where a public one belongs.
    #[error("it is a private key, which only the signer has; give the public key that belongs to it")]
    NotPublic,
    /// It is no signature.
    #[error("it is no ed25519 signature")]
    Signature,
    /// The system gives no random numbers.
    #[error("no key can be made: the system gives no random numbers")]
    NoRandom,
}

impl SigningKey {
    /// A new key.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn generate() -> Result<Self, KeyError> {
        Ed25519KeyPair::generate().map(SigningKey).map_err(|_| KeyError::NoRandom)
    }

    /// Reads a PEM file.
    ///
    /// # Errors
    /// It is no such key.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let bytes = Zeroizing::new(from_pem(text, "PRIVATE KEY").ok_or(KeyError::Private)?);
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&bytes).map(SigningKey).map_err(|_| KeyError::Private)
    }

    /// The key as a PEM file.
    ///
    /// # Errors
    /// It cannot be written as one.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        let bytes = self.0.to_pkcs8v1().map_err(|_| KeyError::Private)?;
        Ok(Zeroizing::new(to_pem(bytes.as_ref(), "PRIVATE KEY")))
    }

    /// The public key that belongs to it.
    pub fn public(&self) -> PublicKey {
        let mut key = [0; 32];
        // Always as long.
        self.0.public_key().as_ref().iter().zip(&mut key).for_each(|(&byte, place)| *place = byte);
        PublicKey(key)
    }

    /// Signs what a file holds.
    ///
    /// # Errors
    /// The key does not sign.
    pub fn sign(&self, bytes: &[u8]) -> Result<Signature, KeyError> {
        let signature = self.0.try_sign(bytes).map_err(|_| KeyError::Private)?;
        signature.as_ref().try_into().map(Signature).map_err(|_| KeyError::Private)
    }
}

impl PublicKey {
    /// Reads PEM, or the base64 in it.
    ///
    /// # Errors
    /// It is no such key.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if text.contains("PRIVATE KEY-----") {
            return Err(KeyError::NotPublic);
        }
        let bytes = if text.contains("-----BEGIN") {
            from_pem(text, "PUBLIC KEY")
        } else {
            BASE64_STANDARD.decode(text.trim()).ok()
        };
        let key = bytes.as_deref().and_then(|bytes| bytes.strip_prefix(&SPKI));
        key.and_then(|key| key.try_into().ok()).map(PublicKey).ok_or(KeyError::Public)
    }

    /// The key as a PEM file.
    pub fn to_pem(&self) -> String {
        to_pem(&self.to_spki(), "PUBLIC KEY")
    }

    /// Whether it signed this.
    pub fn verifies(&self, bytes: &[u8], signature: &Signature) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(bytes, &signature.0).is_ok()
    }

    fn to_spki(&self) -> Vec<u8> {
        [SPKI.as_slice(), self.0.as_slice()].concat()
    }
}

/// The one line that a configuration has.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_STANDARD.encode(self.to_spki()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public()).finish()
    }
}

impl Signature {
    /// Reads a signature file: the signature's 64 bytes, as `openssl pkeyutl -sign -rawin` writes them, or their base64.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(file: &[u8]) -> Result<Self, KeyError> {
        if let Ok(bytes) = file.try_into() {
            return Ok(Signature(bytes));
        }
        let text = str::from_utf8(file).map_err(|_| KeyError::Signature)?;
        let bytes = BASE64_STANDARD.decode(text.trim()).map_err(|_| KeyError::Signature)?;
        bytes.try_into().map(Signature).map_err(|_| KeyError::Signature)
    }
}

/// One line of base64.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_STANDARD.encode(self.0))
    }
}

fn to_pem(bytes: &[u8], label: &str) -> String {
    // Short enough for a line or two of 64 characters.
    let text = BASE64_STANDARD.encode(bytes);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for (index, character) in text.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem.push_str(&format!("\n-----END {label}-----\n"));
    pem
}

/// What stands between the lines of this label.
fn from_pem(text: &str, label: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let body = Zeroizing::new(body.split_whitespace().collect::<String>());
    BASE64_STANDARD.decode(body.as_bytes()).ok()
}

#[cfg(test)]
mod tests;
