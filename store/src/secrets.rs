//! Secrets at rest: the key, and what is sealed with it.
//!
//! A secret is encrypted with ChaCha20-Poly1305 under a random nonce. The connection's GUID and the setting's key are
//! bound to it, so that a sealed secret moved to another connection or setting does not open there.

use std::fmt;
use std::io;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use sha2::{Digest, Sha256};
use values::Guid;
use zeroize::Zeroizing;

/// How a line of a key file begins; the key follows in Base64. A later form gets another number.
pub(super) const HEADER: &str = "erp-host-key-1:";
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
/// What a key check seals.
const CHECK_TEXT: &[u8] = b"erp-host key check 1";

/// Says which key sealed a secret: 16 hexadecimal digits made from the key, which give nothing of it away.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyId(pub(super) String);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An encrypted secret: nonce and ciphertext, and the key that opens it.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// The key.
    pub key_id: KeyId,
    /// Nonce (12 bytes), ciphertext, tag (16 bytes).
    pub bytes: Vec<u8>,
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sealed with key {}", self.key_id)
    }
}

/// Proof of a key: a known text sealed with it. Lies in the store beside the secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCheck {
    /// The key.
    pub key_id: KeyId,
    /// Nonce, ciphertext, tag.
    pub bytes: Vec<u8>,
}

/// Why the key that seals the secrets cannot be used. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The store holds secrets, and the key file is gone.
    #[error(
        "the key file {} is missing, and the stored secrets cannot be read without it; put back the file (key \
         {expected}) from your backup, or name its place with --key-file",
        path.display()
    )]
    Missing {
        /// Where it should be.
        path: PathBuf,
        /// The key that the store needs.
        expected: KeyId,
    },
    /// The key file is not the one of this store.
    #[error(
        "the key file {} holds key {found}, but the secrets of {} are sealed with key {expected}; put back the key \
         file that belongs to this store",
        path.display(),
        store.display()
    )]
    Wrong {
        /// The key file.
        path: PathBuf,
        /// The store.
        store: PathBuf,
        /// The key in the file.
        found: KeyId,
        /// The key that the store needs.
        expected: KeyId,
    },
    /// Others than the owner can read the key file.
    #[error(
        "the key file {} is open to other users (mode {mode:04o}, expected 0600); run: chmod 600 {}",
        path.display(),
        path.display()
    )]
    Loose {
        /// The key file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file is there and is no key file.
    #[error(
        "the key file {} is damaged: expected one line {HEADER}<32 bytes in Base64> for each key; put it back from your backup",
        path.display()
    )]
    Damaged {
        /// The key file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("the key file {} cannot be {attempt}: {cause}", path.display())]
    Io {
        /// The key file.
        path: PathBuf,
        /// `read`, `created` or `replaced`.
        attempt: &'static str,
        /// What it said.
        cause: io::Error,
    },
    /// There are no random numbers to be had.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// A text too long to encrypt (256 GiB).
    #[error("the value is too long to encrypt")]
    TooLong,
}

/// The key that seals secrets. Wiped from memory when dropped; its `Debug` shows the id only.
pub struct SecretKey {
    id: KeyId,
    bytes: Zeroizing<[u8; KEY_BYTES]>,
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {}", self.id)
    }
}

impl SecretKey {
    /// A new random key.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn random() -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(bytes.as_mut()).map_err(KeyError::Random)?;
        Ok(SecretKey::new(bytes))
    }

    fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let digest = Sha256::new().chain_update(b"erp-host key id 1").chain_update(bytes.as_ref()).finalize();
        let id = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        SecretKey { id: KeyId(id), bytes }
    }

    /// Which key it is.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// The key as a line of a key file says it.
    pub(super) fn to_line(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{HEADER}{}\n", *Zeroizing::new(BASE64.encode(self.bytes.as_ref()))))
    }

    /// The key that a line says.
    pub(super) fn from_line(line: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        match BASE64.decode_slice(line.strip_prefix(HEADER)?, bytes.as_mut()) {
            Ok(KEY_BYTES) => Some(SecretKey::new(bytes)),
            _ => None,
        }
    }

    /// Seals the secret of a setting.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn seal(&self, guid: Guid, setting: &str, secret: &str) -> Result<SealedSecret, KeyError> {
        let bytes = self.encrypt(secret.as_bytes(), &bound_to(guid, setting))?;
        Ok(SealedSecret { key_id: self.id.clone(), bytes })
    }

    /// Opens a sealed secret; the error says why it does not open.
    ///
    /// # Errors
    /// It was sealed with another key, for another connection or setting, or is damaged.
    pub fn open(&self, guid: Guid, setting: &str, sealed: &SealedSecret) -> Result<String, &'static str> {
        if sealed.key_id != self.id {
            return Err("it is sealed with another key than that of the key file");
        }
        let bytes = self.decrypt(&sealed.bytes, &bound_to(guid, setting)).ok_or("it is damaged")?;
        String::from_utf8(bytes).map_err(|error| {
            drop(Zeroizing::new(error.into_bytes()));
            "it is no text"
        })
    }

    /// Seals a secret of the store's own, by its name.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn seal_own(&self, name: &str, secret: &[u8]) -> Result<SealedSecret, KeyError> {
        let bytes = self.encrypt(secret, &bound_to_store(name))?;
        Ok(SealedSecret { key_id: self.id.clone(), bytes })
    }

    /// Opens a secret of the store's own; `None` when it was sealed with another key or under another name, or is
    /// damaged.
    pub fn open_own(&self, name: &str, sealed: &SealedSecret) -> Option<Zeroizing<Vec<u8>>> {
        self.decrypt(&sealed.bytes, &bound_to_store(name)).map(Zeroizing::new)
    }

    /// The proof of this key.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn check(&self) -> Result<KeyCheck, KeyError> {
        Ok(KeyCheck { key_id: self.id.clone(), bytes: self.encrypt(CHECK_TEXT, b"")? })
    }

    /// Whether the proof is of this key.
    pub fn passes(&self, check: &KeyCheck) -> bool {
        check.key_id == self.id && self.decrypt(&check.bytes, b"").as_deref() == Some(CHECK_TEXT)
    }

    fn encrypt(&self, plain: &[u8], bound_to: &[u8]) -> Result<Vec<u8>, KeyError> {
        seal_bytes(&self.bytes, plain, bound_to)
    }

    fn decrypt(&self, sealed: &[u8], bound_to: &[u8]) -> Option<Vec<u8>> {
        open_bytes(&self.bytes, sealed, bound_to)
    }
}

/// Encrypts under a random nonce, which stands first in the result.
pub(super) fn seal_bytes(key: &[u8; KEY_BYTES], plain: &[u8], bound_to: &[u8]) -> Result<Vec<u8>, KeyError> {
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(KeyError::Random)?;
    let payload = Payload { msg: plain, aad: bound_to };
    let cipher = ChaCha20Poly1305::new(key.into());
    let sealed = cipher.encrypt(&Nonce::from(nonce), payload).map_err(|_| KeyError::TooLong)?;
    Ok([&nonce[..], &sealed].concat())
}

/// Decrypts what [`seal_bytes`] made; `None` when the key, the binding, or a single bit is another.
pub(super) fn open_bytes(key: &[u8; KEY_BYTES], sealed: &[u8], bound_to: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    let payload = Payload { msg: sealed, aad: bound_to };
    ChaCha20Poly1305::new(key.into()).decrypt(&Nonce::from(*nonce), payload).ok()
}

/// What a secret of the store's own is bound to.
fn bound_to_store(name: &str) -> Vec<u8> {
    [b"erp-host own secret 1:", name.as_bytes()].concat()
}

/// What a sealed secret is bound to: its place.
fn bound_to(guid: Guid, setting: &str) -> Vec<u8> {
    // The GUID has a fixed length, so two places never give the same bytes.
    [b"erp-host setting 1:", &guid.as_u128().to_be_bytes()[..], setting.as_bytes()].concat()
}
