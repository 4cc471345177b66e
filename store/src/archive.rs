//! Connections in a file: for a backup that people can read (secrets masked), or to move them to another host
//! (encrypted as a whole with a passphrase).
//!
//! The file is JSON. Masked, it is an [`Archive`]; encrypted, an envelope whose content is one. Keys for the envelope
//! come from the passphrase by Argon2id; what the envelope says of itself is bound to its content.

use std::collections::HashSet;
use std::fmt;
use std::io;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Deserializer, Serialize};
use values::Guid;
use zeroize::{Zeroize, Zeroizing};

use super::secrets::{KeyError, open_bytes, seal_bytes};
use super::store::{SealedConnection, SealedSetting, SealedValue, StoreError};
use super::stored::StoredConnections;

const FORMAT: &str = "erp-host connections";
const ENCRYPTED_FORMAT: &str = "erp-host connections, encrypted";
const VERSION: u32 = 1;

/// The second recommended choice of RFC 9106: 64 MiB, 3 passes, 4 lanes.
const DERIVATION: Derivation = Derivation { memory_kib: 64 << 10, passes: 3, lanes: 4 };
/// What a file may ask for at most: a tampered one must not take the machine's memory.
const MOST: Derivation = Derivation { memory_kib: 1 << 20, passes: 16, lanes: 16 };
const SALT_BYTES: usize = 16;
const KEY_BYTES: usize = 32;

/// Connections outside a store. Its `Debug` shows no value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    format: String,
    version: u32,
    /// The connections, each GUID once.
    pub connections: Vec<ArchivedConnection>,
}

/// A connection outside a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchivedConnection {
    /// Its GUID.
    #[serde(serialize_with = "write_guid", deserialize_with = "read_guid")]
    pub guid: Guid,
    /// The name of the connector it belongs to.
    pub connector: String,
    /// Its settings, in their order.
    pub settings: Vec<ArchivedSetting>,
}

/// A setting outside a store. Its `Debug` shows the key only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "SettingRecord", into = "SettingRecord")]
pub struct ArchivedSetting {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: ArchivedValue,
}

/// The value of a setting outside a store; `None` is null.
#[derive(Clone, PartialEq, Eq)]
pub enum ArchivedValue {
    /// No secret.
    Plain(Option<String>),
    /// A secret, readable.
    Secret(Option<String>),
    /// A secret that was left out.
    Masked,
}

/// A setting as JSON says it: `value`, or `secret`, or `masked`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingRecord {
    key: String,
    // Twice an option: missing, null, or a text.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    value: Option<Option<String>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    secret: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    masked: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    format: String,
    version: u32,
    argon2id: Derivation,
    salt: String,
    content: String,
}

/// How much work it is to make a key from a passphrase.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Derivation {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// Just enough of a file to tell what it is.
#[derive(Deserialize)]
struct Heading {
    format: Option<String>,
    version: Option<u32>,
}

/// Why a file of connections cannot be written or read. No text holds a value of the file.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It is something else.
    #[error("it is no file of exported connections, expected JSON with \"format\": \"{FORMAT}\"")]
    NotAnArchive,
    /// A later version of the form.
    #[error("it was written by a newer erp-host (form {0}, this one knows {VERSION})")]
    Newer(u32),
    /// The form is right, but not all of it.
    #[error("line {line}, column {column}: not in the form of exported connections")]
    Form {
        /// Where, from 1.
        line: usize,
        /// Where, from 1.
        column: usize,
    },
    /// The same connection stands there twice.
    #[error("the connection {0} is in it twice")]
    Twice(Guid),
    /// Encrypted with another passphrase, or changed since.
    #[error("the passphrase is wrong, or the file was changed after it was written")]
    WrongPassphrase,
    /// It asks for more than any file of ours.
    #[error("it asks for more work to make its key than any export of erp-host does: the file was changed")]
    TooMuchWork,
    /// No random numbers.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No memory, or an impossible passphrase.
    #[error("no key can be made from the passphrase: {0}")]
    Derivation(argon2::Error),
    /// JSON cannot be written.
    #[error("the connections cannot be written as JSON: {0}")]
    Write(serde_json::Error),
}

/// What a file holds.
#[derive(Debug)]
pub enum ArchiveFile {
    /// Connections that anybody can read.
    Readable(Archive),
    /// Connections that a passphrase opens.
    Encrypted(SealedArchive),
}

/// An archive that its passphrase opens.
pub struct SealedArchive {
    derivation: Derivation,
    salt: String,
    content: Vec<u8>,
}

impl fmt::Debug for SealedArchive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("encrypted connections")
    }
}

impl fmt::Debug for ArchivedSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)
    }
}

impl Archive {
    /// An archive of these connections.
    pub fn new(connections: Vec<ArchivedConnection>) -> Self {
        Archive { format: FORMAT.to_owned(), version: VERSION, connections }
    }

    /// An archive of everything in the store, secrets masked. Needs no key.
    pub fn masked(connections: Vec<SealedConnection>) -> Self {
        let masked = |setting: SealedSetting| ArchivedSetting {
            key: setting.key,
            value: match setting.value {
                SealedValue::Plain(value) => ArchivedValue::Plain(value),
                SealedValue::Secret(None) => ArchivedValue::Secret(None),
                SealedValue::Secret(Some(_)) => ArchivedValue::Masked,
            },
        };
        let connections = connections.into_iter().map(|connection| ArchivedConnection {
            guid: connection.guid,
            connector: connection.connector,
            settings: connection.settings.into_iter().map(masked).collect(),
        });
        Archive::new(connections.collect())
    }

    /// An archive of these connections of the store, secrets readable.
    ///
    /// # Errors
    /// A secret cannot be decrypted.
    pub fn readable(
        stored: &StoredConnections,
        connections: Vec<SealedConnection>,
    ) -> Result<Self, StoreError> {
        let readable = |connection: SealedConnection| -> Result<_, StoreError> {
            let secret: Vec<bool> = connection.settings.iter().map(SealedSetting::is_secret).collect();
            let connection = stored.unseal(connection)?;
            let settings = connection.settings.iter().zip(secret).map(|((key, value), secret)| {
                let value = value.map(str::to_owned);
                let value = if secret { ArchivedValue::Secret(value) } else { ArchivedValue::Plain(value) };
                ArchivedSetting { key: key.to_owned(), value }
            });
            Ok(ArchivedConnection {
                guid: connection.guid,
                settings: settings.collect(),
                connector: connection.connector,
            })
        };
        Ok(Archive::new(connections.into_iter().map(readable).collect::<Result<_, _>>()?))
    }

    /// The text of the file.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn to_text(&self) -> Result<Zeroizing<String>, ArchiveError> {
        // Room enough for the text never to move as it grows, which would leave copies behind.
        let mut length = Length(1);
        serde_json::to_writer_pretty(&mut length, self).map_err(ArchiveError::Write)?;
        let mut text = Zeroizing::new(Vec::with_capacity(length.0));
        serde_json::to_writer_pretty(&mut *text, self).map_err(ArchiveError::Write)?;
        text.push(b'\n');
        // JSON is UTF-8.
        let text = String::from_utf8(std::mem::take(&mut *text)).unwrap_or_default();
        Ok(Zeroizing::new(text))
    }

    /// The text of the file, encrypted as a whole.
    ///
    /// # Errors
    /// There are no random numbers or not enough memory for the key.
    pub fn to_encrypted_text(&self, passphrase: &str) -> Result<String, ArchiveError> {
        seal_text(ENCRYPTED_FORMAT, self.to_text()?.as_bytes(), passphrase)
    }

    fn parse(text: &[u8]) -> Result<Self, ArchiveError> {
        let archive: Archive = serde_json::from_slice(text).map_err(wrong_form)?;
        let mut seen = HashSet::new();
        match archive.connections.iter().find(|connection| !seen.insert(connection.guid)) {
            Some(twice) => Err(ArchiveError::Twice(twice.guid)),
            None => Ok(archive),
        }
    }
}

impl ArchiveFile {
    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// It is no archive, or not as one should be.
    pub fn parse(bytes: &[u8]) -> Result<Self, ArchiveError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let heading: Heading = serde_json::from_slice(bytes).map_err(|error| {
            // A file that begins as one of ours and ends in the middle is told from something else.
            if error.line() > 1 { wrong_form(error) } else { ArchiveError::NotAnArchive }
        })?;
        let encrypted = match heading.format.as_deref() {
            Some(FORMAT) => false,
            Some(ENCRYPTED_FORMAT) => true,
            _ => return Err(ArchiveError::NotAnArchive),
        };
        match heading.version {
            Some(VERSION) => {}
            Some(newer) if newer > VERSION => return Err(ArchiveError::Newer(newer)),
            _ => return Err(ArchiveError::NotAnArchive),
        }
        if !encrypted {
            return Archive::parse(bytes).map(ArchiveFile::Readable);
        }
        let envelope: Envelope = serde_json::from_slice(bytes).map_err(wrong_form)?;
        envelope.unpack().map(ArchiveFile::Encrypted)
    }
}

impl SealedArchive {
    /// Opens it.
    ///
    /// # Errors
    /// The passphrase is another, or the file was changed.
    pub fn open(&self, passphrase: &str) -> Result<Archive, ArchiveError> {
        Archive::parse(&self.open_as(ENCRYPTED_FORMAT, passphrase)?)
    }

    fn open_as(&self, format: &str, passphrase: &str) -> Result<Zeroizing<Vec<u8>>, ArchiveError> {
        let key = key_from(passphrase, &self.salt, self.derivation)?;
        let text = open_bytes(&key, &self.content, &bound_to(format, &self.salt, self.derivation));
        text.map(Zeroizing::new).ok_or(ArchiveError::WrongPassphrase)
    }
}

impl Envelope {
    fn unpack(self) -> Result<SealedArchive, ArchiveError> {
        let Derivation { memory_kib, passes, lanes } = self.argon2id;
        if memory_kib > MOST.memory_kib || passes > MOST.passes || lanes > MOST.lanes {
            return Err(ArchiveError::TooMuchWork);
        }
        let content = BASE64.decode(&self.content).map_err(|_| ArchiveError::WrongPassphrase)?;
        Ok(SealedArchive { derivation: self.argon2id, salt: self.salt, content })
    }
}

/// Encrypts a text with a passphrase; `format` says what it is.
///
/// # Errors
/// There are no random numbers or not enough memory for the key.
pub(super) fn seal_text(format: &str, text: &[u8], passphrase: &str) -> Result<String, ArchiveError> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(KeyError::Random)?;
    let salt = BASE64.encode(salt);
    let key = key_from(passphrase, &salt, DERIVATION)?;
    let sealed = seal_bytes(&key, text, &bound_to(format, &salt, DERIVATION))?;
    let envelope = Envelope {
        format: format.to_owned(),
        version: VERSION,
        argon2id: DERIVATION,
        salt,
        content: BASE64.encode(sealed),
    };
    let text = serde_json::to_string_pretty(&envelope).map_err(ArchiveError::Write)?;
    Ok(text + "\n")
}

/// Decrypts what [`seal_text`] made for the same format.
///
/// # Errors
/// The passphrase is another, or the text was changed.
pub(super) fn open_text(
    format: &str,
    sealed: &str,
    passphrase: &str,
) -> Result<Zeroizing<Vec<u8>>, ArchiveError> {
    let envelope: Envelope = serde_json::from_str(sealed).map_err(wrong_form)?;
    envelope.unpack()?.open_as(format, passphrase)
}

fn key_from(
    passphrase: &str,
    salt: &str,
    derivation: Derivation,
) -> Result<Zeroizing<[u8; KEY_BYTES]>, ArchiveError> {
    let Derivation { memory_kib, passes, lanes } = derivation;
    let params = Params::new(memory_kib, passes, lanes, Some(KEY_BYTES)).map_err(ArchiveError::Derivation)?;
    let salt = BASE64.decode(salt).map_err(|_| ArchiveError::WrongPassphrase)?;
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), &salt, key.as_mut())
        .map_err(ArchiveError::Derivation)?;
    Ok(key)
}

/// What the envelope says of itself, bound to its content.
fn bound_to(format: &str, salt: &str, derivation: Derivation) -> Vec<u8> {
    let Derivation { memory_kib, passes, lanes } = derivation;
    format!("{format} {VERSION}:{memory_kib}:{passes}:{lanes}:{salt}").into_bytes()
}

/// Where the form is wrong. The reader's own words may repeat a value of the file, so they are left out.
#[allow(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn wrong_form(error: serde_json::Error) -> ArchiveError {
    ArchiveError::Form { line: error.line(), column: error.column() }
}

/// Counts what is written.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Secrets do not stay behind in memory.
impl Drop for ArchivedValue {
    fn drop(&mut self) {
        match self {
            ArchivedValue::Plain(value) | ArchivedValue::Secret(value) => value.zeroize(),
            ArchivedValue::Masked => {}
        }
    }
}

impl Drop for SettingRecord {
    fn drop(&mut self) {
        self.value.zeroize();
        self.secret.zeroize();
    }
}

impl TryFrom<SettingRecord> for ArchivedSetting {
    type Error = &'static str;

    fn try_from(mut record: SettingRecord) -> Result<Self, Self::Error> {
        let value = match (record.value.take(), record.secret.take(), record.masked) {
            (Some(value), None, false) => ArchivedValue::Plain(value),
            (None, Some(secret), false) => ArchivedValue::Secret(secret),
            (None, None, true) => ArchivedValue::Masked,
            _ => return Err("expected either value, secret, or masked"),
        };
        Ok(ArchivedSetting { key: std::mem::take(&mut record.key), value })
    }
}

impl From<ArchivedSetting> for SettingRecord {
    fn from(setting: ArchivedSetting) -> Self {
        let mut record = SettingRecord { key: setting.key.clone(), value: None, secret: None, masked: false };
        match &setting.value {
            ArchivedValue::Plain(value) => record.value = Some(value.clone()),
            ArchivedValue::Secret(value) => record.secret = Some(value.clone()),
            ArchivedValue::Masked => record.masked = true,
        }
        record
    }
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

fn write_guid<S: serde::Serializer>(guid: &Guid, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(guid)
}

fn read_guid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Guid, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}
