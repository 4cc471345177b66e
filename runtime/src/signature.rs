//! Ed25519 signatures of plugin files, and their keys: PEM files as OpenSSL reads and writes them (PKCS#8 and
//! SubjectPublicKeyInfo, RFC 8410).

use std::fmt;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{
    ED25519, ED25519_PUBLIC_KEY_LEN, Ed25519KeyPair, KeyPair, ParsedPublicKey, UnparsedPublicKey,
};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use pem::{EncodeConfig, LineEnding, Pem};
use thiserror::Error;
use zeroize::Zeroizing;

/// The PEM label of a PKCS#8 private key.
const PRIVATE_KEY: &str = "PRIVATE KEY";
/// The PEM label of a SubjectPublicKeyInfo.
const PUBLIC_KEY: &str = "PUBLIC KEY";

/// A private key that signs plugin files.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

/// A public key that verifies signatures, as the DER of its SubjectPublicKeyInfo.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(Vec<u8>);

/// A signature of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature([u8; 64]);

/// A key or a signature cannot be read or made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyError {
    /// It is not an Ed25519 private key.
    #[error(
        "it is no ed25519 private key, expected a PEM file that begins with -----BEGIN PRIVATE KEY-----, as `erp-host plugins keygen` makes it"
    )]
    Private,
    /// It is not an Ed25519 public key.
    #[error(
        "it is no ed25519 public key, expected PEM (-----BEGIN PUBLIC KEY-----), or the one line of base64 in it, as `erp-host plugins keygen` makes it"
    )]
    Public,
    /// It is a private key, where a public key is expected.
    #[error("it is a private key, which only the signer has; give the public key that belongs to it")]
    NotPublic,
    /// It is not an Ed25519 signature.
    #[error("it is no ed25519 signature")]
    Signature,
    /// The system's random number generator fails.
    #[error("no key can be made: the system gives no random numbers")]
    NoRandom,
}

impl SigningKey {
    /// A new key.
    ///
    /// # Errors
    /// The system's random number generator fails.
    pub fn generate() -> Result<Self, KeyError> {
        Ed25519KeyPair::generate().map_err(|_| KeyError::NoRandom).and_then(SigningKey::new)
    }

    /// Reads a PEM file with a PKCS#8 private key, version 1 or 2.
    ///
    /// # Errors
    /// It has no such key.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let der = Zeroizing::new(from_pem(text, PRIVATE_KEY).ok_or(KeyError::Private)?);
        Ed25519KeyPair::from_pkcs8(&der).map_err(|_| KeyError::Private).and_then(SigningKey::new)
    }

    fn new(pair: Ed25519KeyPair) -> Result<Self, KeyError> {
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| KeyError::Private)?;
        let public = PublicKey(der.as_ref().to_vec());
        Ok(SigningKey { pair, public })
    }

    /// The key as a PEM file (PKCS#8 version 1, as OpenSSL writes it).
    ///
    /// # Errors
    /// It cannot be encoded.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        let der = self.pair.to_pkcs8v1().map_err(|_| KeyError::Private)?;
        Ok(Zeroizing::new(to_pem(der.as_ref(), PRIVATE_KEY)))
    }

    /// Its public key.
    pub fn public(&self) -> PublicKey {
        self.public.clone()
    }

    /// Signs the content of a file.
    ///
    /// # Errors
    /// The key cannot sign.
    pub fn sign(&self, bytes: &[u8]) -> Result<Signature, KeyError> {
        let signature = self.pair.try_sign(bytes).map_err(|_| KeyError::Private)?;
        signature.as_ref().try_into().map(Signature).map_err(|_| KeyError::Private)
    }
}

impl PublicKey {
    /// Reads a PEM file, or the base64 in it alone.
    ///
    /// # Errors
    /// It is not such a key.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if text.contains("PRIVATE KEY-----") {
            return Err(KeyError::NotPublic);
        }
        let der = if text.contains("-----BEGIN") {
            from_pem(text, PUBLIC_KEY)
        } else {
            BASE64_STANDARD.decode(text.trim()).ok()
        };
        // The library also takes the bare 32 bytes of a key, which no file of ours has.
        let der = der.filter(|der| der.len() != ED25519_PUBLIC_KEY_LEN).ok_or(KeyError::Public)?;
        ParsedPublicKey::new(&ED25519, &der).map_err(|_| KeyError::Public)?;
        Ok(PublicKey(der))
    }

    /// The key as a PEM file.
    pub fn to_pem(&self) -> String {
        to_pem(&self.0, PUBLIC_KEY)
    }

    /// Whether this key signed these bytes.
    pub fn verifies(&self, bytes: &[u8], signature: &Signature) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(bytes, &signature.0).is_ok()
    }
}

/// The line of base64 that the configuration has (`[trust] signers`).
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_STANDARD.encode(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Shows the public key only.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public).finish()
    }
}

impl Signature {
    /// Reads a signature file: the signature's 64 bytes, as `openssl pkeyutl -sign -rawin` writes them, or their base64.
    ///
    /// # Errors
    /// It is neither.
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

fn to_pem(der: &[u8], label: &str) -> String {
    pem::encode_config(&Pem::new(label, der), EncodeConfig::new().set_line_ending(LineEnding::LF))
}

/// The content of the first section of this label.
fn from_pem(text: &str, label: &str) -> Option<Vec<u8>> {
    let sections = pem::parse_many(text).ok()?;
    sections.into_iter().find(|section| section.tag() == label).map(Pem::into_contents)
}

#[cfg(test)]
mod tests;
