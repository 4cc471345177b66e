//! Encryption at rest: secrets are encrypted ("sealed") one by one with ChaCha20-Poly1305 under a random nonce.
//!
//! The GUID of the connection and the key of the setting, or of the entry of its state, are the associated data, so a sealed
//! secret that is copied to another connection, setting or entry cannot be decrypted there.

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

/// The beginning of a line in a key file; the key follows in Base64. The number is the version of the format.
const HEADER: &str = "erp-host-key-1:";
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
/// The text that a key check value encrypts.
const CHECK_TEXT: &[u8] = b"erp-host key check 1";

/// The id of a key: 16 hexadecimal digits of a hash of the key, which do not reveal it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyId(pub(crate) String);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An encrypted secret, and the id of its key.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// The id of the key that it is encrypted with.
    pub key_id: KeyId,
    /// Nonce (12 bytes), ciphertext, tag (16 bytes).
    pub bytes: Vec<u8>,
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sealed with key {}", self.key_id)
    }
}

/// A key check value: a known text encrypted with the key. It is in the store beside the secrets, and shows whether a key
/// file belongs to the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCheck {
    /// The id of the key.
    pub key_id: KeyId,
    /// Nonce, ciphertext, tag.
    pub bytes: Vec<u8>,
}

/// Why the encryption key cannot be used. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the message names each field")]
pub enum KeyError {
    /// The store has secrets, and the key file is missing.
    #[error(
        "the key file {} is missing, and the stored secrets cannot be read without it; put back the file (key \
         {expected}) from your backup, or name its place with --key-file",
        path.display()
    )]
    Missing { path: PathBuf, expected: KeyId },
    /// The key file belongs to another store.
    #[error(
        "the key file {} holds key {found}, but the secrets of {} are sealed with key {expected}; put back the key \
         file that belongs to this store",
        path.display(),
        store.display()
    )]
    Wrong { path: PathBuf, store: PathBuf, found: KeyId, expected: KeyId },
    /// Other users can read the key file.
    #[error(
        "the key file {} is open to other users (mode {mode:04o}, expected 0600); run: chmod 600 {}",
        path.display(),
        path.display()
    )]
    Loose { path: PathBuf, mode: u32 },
    /// The file is not a key file.
    #[error(
        "the key file {} is damaged: expected one line {HEADER}<32 bytes in Base64> for each key; put it back from your backup",
        path.display()
    )]
    Damaged { path: PathBuf },
    /// The file cannot be read, created or replaced.
    #[error("the key file {} cannot be {attempt}: {cause}", path.display())]
    Io { path: PathBuf, attempt: &'static str, cause: io::Error },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// The text is too long to encrypt (256 GiB).
    #[error("the value is too long to encrypt")]
    TooLong,
}

/// The key that encrypts secrets. Wiped from memory when dropped; `Debug` shows only its id.
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
        SecretKey { id: KeyId(hex::encode(&digest[..8])), bytes }
    }

    /// The id of the key.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// The key as a line of a key file.
    pub(super) fn to_line(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{HEADER}{}\n", *Zeroizing::new(BASE64.encode(self.bytes.as_ref()))))
    }

    /// The key in a line of a key file; `None` if the line is not in the format.
    pub(super) fn from_line(line: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        match BASE64.decode_slice(line.strip_prefix(HEADER)?, bytes.as_mut()) {
            Ok(KEY_BYTES) => Some(SecretKey::new(bytes)),
            _ => None,
        }
    }

    /// Encrypts the secret of a setting.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn seal(&self, guid: Guid, setting: &str, secret: &str) -> Result<SealedSecret, KeyError> {
        let bytes = self.encrypt(secret.as_bytes(), &setting_context(guid, setting))?;
        Ok(SealedSecret { key_id: self.id.clone(), bytes })
    }

    /// Encrypts the value of an entry of a connection's state.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn seal_state(&self, guid: Guid, key: &str, value: &str) -> Result<SealedSecret, KeyError> {
        let bytes = self.encrypt(value.as_bytes(), &state_context(guid, key))?;
        Ok(SealedSecret { key_id: self.id.clone(), bytes })
    }

    /// Decrypts the secret of a setting.
    ///
    /// # Errors
    /// It was encrypted with another key, or for another connection or setting, or it is damaged. The text names the
    /// reason.
    pub fn open(&self, guid: Guid, setting: &str, sealed: &SealedSecret) -> Result<String, &'static str> {
        self.open_text(&setting_context(guid, setting), sealed)
    }

    /// Decrypts the value of an entry of a connection's state.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_state(&self, guid: Guid, key: &str, sealed: &SealedSecret) -> Result<String, &'static str> {
        self.open_text(&state_context(guid, key), sealed)
    }

    fn open_text(&self, context: &[u8], sealed: &SealedSecret) -> Result<String, &'static str> {
        if sealed.key_id != self.id {
            return Err("it is sealed with another key than that of the key file");
        }
        let bytes = self.decrypt(&sealed.bytes, context).ok_or("it is damaged")?;
        String::from_utf8(bytes).map_err(|error| {
            drop(Zeroizing::new(error.into_bytes()));
            "it is no text"
        })
    }

    /// Encrypts an internal secret of the store, which is bound to its name.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn seal_internal(&self, name: &str, secret: &[u8]) -> Result<SealedSecret, KeyError> {
        let bytes = self.encrypt(secret, &internal_context(name))?;
        Ok(SealedSecret { key_id: self.id.clone(), bytes })
    }

    /// Decrypts an internal secret of the store; `None` if it was encrypted with another key or for another name, or is
    /// damaged.
    pub fn open_internal(&self, name: &str, sealed: &SealedSecret) -> Option<Zeroizing<Vec<u8>>> {
        self.decrypt(&sealed.bytes, &internal_context(name)).map(Zeroizing::new)
    }

    /// A key check value for this key.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn check(&self) -> Result<KeyCheck, KeyError> {
        Ok(KeyCheck { key_id: self.id.clone(), bytes: self.encrypt(CHECK_TEXT, b"")? })
    }

    /// Whether the key check value was made with this key.
    pub fn passes(&self, check: &KeyCheck) -> bool {
        check.key_id == self.id && self.decrypt(&check.bytes, b"").as_deref() == Some(CHECK_TEXT)
    }

    fn encrypt(&self, plain: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, KeyError> {
        seal_bytes(&self.bytes, plain, associated_data)
    }

    fn decrypt(&self, sealed: &[u8], associated_data: &[u8]) -> Option<Vec<u8>> {
        open_bytes(&self.bytes, sealed, associated_data)
    }
}

/// Encrypts under a random nonce, which comes first in the result.
pub(crate) fn seal_bytes(
    key: &[u8; KEY_BYTES],
    plain: &[u8],
    associated_data: &[u8],
) -> Result<Vec<u8>, KeyError> {
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(KeyError::Random)?;
    let payload = Payload { msg: plain, aad: associated_data };
    let cipher = ChaCha20Poly1305::new(key.into());
    let sealed = cipher.encrypt(&Nonce::from(nonce), payload).map_err(|_| KeyError::TooLong)?;
    Ok([&nonce[..], &sealed].concat())
}

/// Decrypts the result of [`seal_bytes`]; `None` if the key, the associated data, or a single bit differs.
pub(crate) fn open_bytes(key: &[u8; KEY_BYTES], sealed: &[u8], associated_data: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    let payload = Payload { msg: sealed, aad: associated_data };
    ChaCha20Poly1305::new(key.into()).decrypt(&Nonce::from(*nonce), payload).ok()
}

/// The associated data of an internal secret.
fn internal_context(name: &str) -> Vec<u8> {
    [b"erp-host own secret 1:", name.as_bytes()].concat()
}

/// The associated data of the secret of a setting.
fn setting_context(guid: Guid, setting: &str) -> Vec<u8> {
    // The GUID has a fixed length, so no two settings have the same bytes.
    [b"erp-host setting 1:", &guid.as_u128().to_be_bytes()[..], setting.as_bytes()].concat()
}

/// The associated data of a value of a connection's state.
fn state_context(guid: Guid, key: &str) -> Vec<u8> {
    [b"erp-host state 1:", &guid.as_u128().to_be_bytes()[..], key.as_bytes()].concat()
}
