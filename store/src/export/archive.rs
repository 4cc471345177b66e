//! The file format of an export: an [`Archive`] in JSON, readable with its secrets masked, or encrypted as a whole with a
//! passphrase.

use std::collections::HashSet;
use std::fmt;
use std::io;

use serde::{Deserialize, Deserializer, Serialize};
use values::Guid;
use zeroize::{Zeroize, Zeroizing};

use crate::envelope::{Envelope, EnvelopeError};
use crate::repository::ConnectionRepository;
use crate::store::{SealedConnection, SealedSetting, SealedValue, StoreError};

const FORMAT: &str = "erp-host connections";
const ENCRYPTED_FORMAT: &str = "erp-host connections, encrypted";
const VERSION: u32 = 1;

/// Exported connections. `Debug` shows no value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    format: String,
    version: u32,
    /// The connections. Each GUID occurs once.
    pub connections: Vec<ArchivedConnection>,
}

/// An exported connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchivedConnection {
    /// The GUID.
    #[serde(serialize_with = "write_guid", deserialize_with = "read_guid")]
    pub guid: Guid,
    /// The name of the connector it belongs to.
    pub connector: String,
    /// Its settings, in order.
    pub settings: Vec<ArchivedSetting>,
    /// Its state, by key. `None`: it is not in the export.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Vec<ArchivedState>>,
}

/// An exported entry of a connection's state, decrypted. `Debug` shows only the key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchivedState {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

/// An exported setting. `Debug` shows only the key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "SettingRecord", into = "SettingRecord")]
pub struct ArchivedSetting {
    /// The key.
    pub key: String,
    /// The value.
    pub value: ArchivedValue,
}

/// The value of an exported setting; `None` is null.
#[derive(Clone, PartialEq, Eq)]
pub enum ArchivedValue {
    /// Not a secret.
    Plain(Option<String>),
    /// A secret, decrypted.
    Secret(Option<String>),
    /// A secret whose value is not in the export.
    Masked,
}

/// A setting in JSON: it has one of `value`, `secret` and `masked`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingRecord {
    key: String,
    // An option of an option: missing, null, or text.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    value: Option<Option<String>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    secret: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    masked: bool,
}

/// The members that identify the format of a file.
#[derive(Deserialize)]
struct Heading {
    format: Option<String>,
    version: Option<u32>,
}

/// Why an export cannot be written or read. No message has a value of the file.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the message names each field")]
pub enum ArchiveError {
    /// The file is something else.
    #[error("it is no file of exported connections, expected JSON with \"format\": \"{FORMAT}\"")]
    NotAnArchive,
    /// The file has a later version of the format.
    #[error("it was written by a newer erp-host (form {0}, this one knows {VERSION})")]
    Newer(u32),
    /// The file is damaged, or was edited in a wrong way.
    #[error("line {line}, column {column}: not in the form of exported connections")]
    Form { line: usize, column: usize },
    /// A key occurs twice in the state of a connection.
    #[error("the state of the connection {0} has the same key twice")]
    StateTwice(Guid),
    /// The same connection occurs twice.
    #[error("the connection {0} is in it twice")]
    Twice(Guid),
    /// The file cannot be encrypted or decrypted.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The JSON cannot be written.
    #[error("the connections cannot be written as JSON: {0}")]
    Write(serde_json::Error),
}

/// The content of an export file.
#[derive(Debug)]
pub enum ArchiveFile {
    /// Not encrypted.
    Readable(Archive),
    /// Encrypted with a passphrase.
    Encrypted(EncryptedArchive),
}

/// An archive that is encrypted with a passphrase.
#[derive(Debug)]
pub struct EncryptedArchive(Envelope);

impl fmt::Debug for ArchivedSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)
    }
}

impl fmt::Debug for ArchivedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)
    }
}

impl Archive {
    /// An archive of these connections.
    pub fn new(connections: Vec<ArchivedConnection>) -> Self {
        Archive { format: FORMAT.to_owned(), version: VERSION, connections }
    }

    /// An archive of these connections of a store, secrets masked and without their state. Needs no key.
    pub fn masked(connections: Vec<SealedConnection>) -> Self {
        let masked = |setting: SealedSetting| {
            let value = match setting.value {
                SealedValue::Secret(Some(_)) => ArchivedValue::Masked,
                SealedValue::Secret(None) => ArchivedValue::Secret(None),
                SealedValue::Plain(Some(_)) if values::is_secret_name(&setting.key) => ArchivedValue::Masked,
                SealedValue::Plain(value) => ArchivedValue::Plain(value),
            };
            ArchivedSetting { key: setting.key, value }
        };
        let connections = connections.into_iter().map(|connection| ArchivedConnection {
            guid: connection.guid,
            connector: connection.connector,
            settings: connection.settings.into_iter().map(masked).collect(),
            state: None,
        });
        Archive::new(connections.collect())
    }

    /// An archive of these connections of a store, secrets and state decrypted.
    ///
    /// # Errors
    /// A secret cannot be decrypted, or the store fails.
    pub async fn readable(
        repository: &ConnectionRepository,
        connections: Vec<SealedConnection>,
    ) -> Result<Self, StoreError> {
        let mut archived = Vec::with_capacity(connections.len());
        for connection in connections {
            let secret: Vec<bool> = connection.settings.iter().map(SealedSetting::is_secret).collect();
            let connection = repository.unseal(connection)?;
            let settings = connection.settings.iter().zip(secret).map(|((key, value), secret)| {
                let value = value.map(str::to_owned);
                let value = if secret { ArchivedValue::Secret(value) } else { ArchivedValue::Plain(value) };
                ArchivedSetting { key: key.to_owned(), value }
            });
            let settings = settings.collect();
            let state = repository.all_state(connection.guid).await?;
            let state = state
                .into_iter()
                .map(|(key, entry)| ArchivedState { key, value: entry.value().to_owned() })
                .collect();
            archived.push(ArchivedConnection {
                guid: connection.guid,
                settings,
                connector: connection.connector,
                state: Some(state),
            });
        }
        Ok(Archive::new(archived))
    }

    /// The archive as JSON.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn to_text(&self) -> Result<Zeroizing<String>, ArchiveError> {
        // Enough capacity that the buffer never moves: that would leave copies of secrets in memory.
        let mut length = CountingWriter(1);
        serde_json::to_writer_pretty(&mut length, self).map_err(ArchiveError::Write)?;
        let mut text = Zeroizing::new(Vec::with_capacity(length.0));
        serde_json::to_writer_pretty(&mut *text, self).map_err(ArchiveError::Write)?;
        text.push(b'\n');
        // JSON is UTF-8.
        let text = String::from_utf8(std::mem::take(&mut *text)).unwrap_or_default();
        Ok(Zeroizing::new(text))
    }

    /// The archive as JSON, encrypted with a passphrase.
    ///
    /// # Errors
    /// There are no random numbers, or not enough memory to derive the key.
    pub fn to_encrypted_text(&self, passphrase: &str) -> Result<String, ArchiveError> {
        Ok(Envelope::seal(ENCRYPTED_FORMAT, self.to_text()?.as_bytes(), passphrase)?.to_text()?)
    }

    fn parse(text: &[u8]) -> Result<Self, ArchiveError> {
        let archive: Archive = serde_json::from_slice(text).map_err(wrong_form)?;
        let has_twice = |connection: &&ArchivedConnection| {
            let mut keys = HashSet::new();
            connection.state.iter().flatten().any(|entry| !keys.insert(entry.key.as_str()))
        };
        if let Some(connection) = archive.connections.iter().find(has_twice) {
            return Err(ArchiveError::StateTwice(connection.guid));
        }
        let mut seen = HashSet::new();
        match archive.connections.iter().find(|connection| !seen.insert(connection.guid)) {
            Some(twice) => Err(ArchiveError::Twice(twice.guid)),
            None => Ok(archive),
        }
    }
}

impl ArchiveFile {
    /// Parses a file.
    ///
    /// # Errors
    /// The file is not an export, or is damaged.
    pub fn parse(bytes: &[u8]) -> Result<Self, ArchiveError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let heading: Heading = serde_json::from_slice(bytes).map_err(|error| {
            // An error after the first line: probably an export that is damaged or cut off, not another kind of file.
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
        Ok(ArchiveFile::Encrypted(EncryptedArchive(Envelope::parse(bytes)?)))
    }
}

impl EncryptedArchive {
    /// Decrypts the archive.
    ///
    /// # Errors
    /// The passphrase is wrong, or the file was changed.
    pub fn open(&self, passphrase: &str) -> Result<Archive, ArchiveError> {
        Archive::parse(&self.0.open(ENCRYPTED_FORMAT, passphrase)?)
    }
}

/// The position of the error. The message of the parser is left out, because it may repeat a value of the file.
#[allow(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn wrong_form(error: serde_json::Error) -> ArchiveError {
    ArchiveError::Form { line: error.line(), column: error.column() }
}

/// Counts the bytes that are written to it.
struct CountingWriter(usize);

impl io::Write for CountingWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Wipes secrets from memory.
impl Drop for ArchivedValue {
    fn drop(&mut self) {
        match self {
            ArchivedValue::Plain(value) | ArchivedValue::Secret(value) => value.zeroize(),
            ArchivedValue::Masked => {}
        }
    }
}

impl Drop for ArchivedState {
    fn drop(&mut self) {
        self.value.zeroize();
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
