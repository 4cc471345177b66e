//! The envelope: a text encrypted with a passphrase, as a JSON object. For exports, and for the keys in a backup.
//!
//! The key is derived from the passphrase with Argon2id, and the text is encrypted with ChaCha20-Poly1305. The parameters
//! are in the envelope, and are associated data of the encryption.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::keys::{KeyError, open_bytes, seal_bytes};

const VERSION: u32 = 1;

/// The second recommended option of RFC 9106: 64 MiB, 3 passes, 4 lanes.
const DERIVATION: Derivation = Derivation { memory_kib: 64 << 10, passes: 3, lanes: 4 };
/// The most work that an envelope may demand. A forged one must not exhaust the memory of the machine.
const MAX_DERIVATION: Derivation = Derivation { memory_kib: 1 << 20, passes: 16, lanes: 16 };
const SALT_BYTES: usize = 16;
const KEY_BYTES: usize = 32;

/// An encrypted text. `format` names what it is.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Envelope {
    format: String,
    version: u32,
    argon2id: Derivation,
    salt: String,
    content: String,
}

/// The parameters of the key derivation.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Derivation {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// Why an envelope cannot be written or opened. No message has a value of it.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the message names each field")]
pub enum EnvelopeError {
    /// It is damaged, or was edited in a wrong way.
    #[error("line {line}, column {column}: not in the form of an encrypted file of erp-host")]
    Form { line: usize, column: usize },
    /// The passphrase is wrong, or the text was changed.
    #[error("the passphrase is wrong, or the file was changed after it was written")]
    WrongPassphrase,
    /// It demands more work than any envelope of ours.
    #[error("it asks for more work to make its key than any export of erp-host does: the file was changed")]
    TooMuchWork,
    /// The system gives no random numbers.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// There is not enough memory, or the parameters are impossible.
    #[error("no key can be made from the passphrase: {0}")]
    Derivation(argon2::Error),
    /// The JSON cannot be written.
    #[error("the encrypted text cannot be written as JSON: {0}")]
    Write(serde_json::Error),
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "envelope: {}", self.format)
    }
}

impl Envelope {
    /// Encrypts a text with a passphrase.
    ///
    /// # Errors
    /// There are no random numbers, or not enough memory to derive the key.
    pub(crate) fn seal(format: &str, text: &[u8], passphrase: &str) -> Result<Self, EnvelopeError> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(KeyError::Random)?;
        let salt = BASE64.encode(salt);
        let key = derive_key(passphrase, &salt, DERIVATION)?;
        let sealed = seal_bytes(&key, text, &associated_data(format, &salt, DERIVATION))?;
        Ok(Envelope {
            format: format.to_owned(),
            version: VERSION,
            argon2id: DERIVATION,
            salt,
            content: BASE64.encode(sealed),
        })
    }

    /// Decrypts the text.
    ///
    /// # Errors
    /// The passphrase is wrong, the envelope was changed, or it is for another format.
    pub(crate) fn open(&self, format: &str, passphrase: &str) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        let content = BASE64.decode(&self.content).map_err(|_| EnvelopeError::WrongPassphrase)?;
        let key = derive_key(passphrase, &self.salt, self.argon2id)?;
        let text = open_bytes(&key, &content, &associated_data(format, &self.salt, self.argon2id));
        text.map(Zeroizing::new).ok_or(EnvelopeError::WrongPassphrase)
    }

    /// Parses the JSON of an envelope.
    ///
    /// # Errors
    /// It is not in the format, or demands too much work.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, EnvelopeError> {
        let envelope: Envelope = serde_json::from_slice(json)
            .map_err(|error| EnvelopeError::Form { line: error.line(), column: error.column() })?;
        let Derivation { memory_kib, passes, lanes } = envelope.argon2id;
        let max = MAX_DERIVATION;
        if memory_kib > max.memory_kib || passes > max.passes || lanes > max.lanes {
            return Err(EnvelopeError::TooMuchWork);
        }
        Ok(envelope)
    }

    /// The JSON of the envelope.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub(crate) fn to_text(&self) -> Result<String, EnvelopeError> {
        Ok(serde_json::to_string_pretty(self).map_err(EnvelopeError::Write)? + "\n")
    }
}

fn derive_key(
    passphrase: &str,
    salt: &str,
    derivation: Derivation,
) -> Result<Zeroizing<[u8; KEY_BYTES]>, EnvelopeError> {
    let Derivation { memory_kib, passes, lanes } = derivation;
    let params =
        Params::new(memory_kib, passes, lanes, Some(KEY_BYTES)).map_err(EnvelopeError::Derivation)?;
    let salt = BASE64.decode(salt).map_err(|_| EnvelopeError::WrongPassphrase)?;
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), &salt, key.as_mut())
        .map_err(EnvelopeError::Derivation)?;
    Ok(key)
}

/// The associated data: everything in the envelope but its content.
fn associated_data(format: &str, salt: &str, derivation: Derivation) -> Vec<u8> {
    let Derivation { memory_kib, passes, lanes } = derivation;
    format!("{format} {VERSION}:{memory_kib}:{passes}:{lanes}:{salt}").into_bytes()
}
