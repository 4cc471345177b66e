//! The audit chain, a hash chain: a record is a line of JSON that repeats the SHA-256 of the line before it, and is signed with an HMAC.
//!
//! The last two members of a line are `prev`, the SHA-256 of the line before it (without its line feed; empty in the first
//! record), and `mac`, the HMAC-SHA-256 of the line without `,"mac":"..."`. Any tool that hashes lines can check the
//! chain. Checking the signature needs the key, which is in the store, encrypted.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use aws_lc_rs::hmac;
use plugin_api::DateTime;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Event, Origin};

/// Bytes of an audit key.
pub(super) const KEY_BYTES: usize = 32;
/// The beginning of the last member.
const MAC: &str = ",\"mac\":\"";

/// The head of a chain: the number of its newest record, and the SHA-256 of that line in hexadecimal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// The number; 0 before the first record.
    pub number: i64,
    /// The hash; empty before the first record.
    pub sha256: String,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, self.sha256)
    }
}

/// A record of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its number, counted from 1.
    pub number: i64,
    /// Its line of JSON, without the line feed.
    pub line: String,
}

/// The HMAC key that signs records. Wiped from memory when dropped; `Debug` shows only its id.
pub struct AuditKey {
    id: String,
    bytes: Zeroizing<[u8; KEY_BYTES]>,
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "audit key {}", self.id)
    }
}

/// The result of checking the signature of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// Signed with this key.
    Good,
    /// The record names this key, but the signature does not match: the line was changed or forged.
    Bad,
    /// The record names another key.
    OtherKey,
}

impl AuditKey {
    /// The key with these bytes.
    pub fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let digest = Sha256::new().chain_update(b"erp-host audit key id 1").chain_update(bytes.as_ref());
        AuditKey { id: hex::encode(&digest.finalize()[..8]), bytes }
    }

    /// The id of the key: the beginning of a hash, which does not reveal the key.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn sign(&self, text: &[u8]) -> hmac::Tag {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, self.bytes.as_ref()), text)
    }

    /// Checks the signature of a line; `key_id` is the key that the line names.
    pub fn check(&self, line: &str, key_id: &str) -> Signature {
        if key_id != self.id {
            return Signature::OtherKey;
        }
        let Some((body, mac)) = line.rsplit_once(MAC) else { return Signature::Bad };
        let expected = hex::encode(self.sign(format!("{body}}}").as_bytes()));
        let is_same = mac.strip_suffix("\"}").is_some_and(|mac| {
            aws_lc_rs::constant_time::verify_slices_are_equal(mac.as_bytes(), expected.as_bytes()).is_ok()
        });
        if is_same { Signature::Good } else { Signature::Bad }
    }
}

/// The events of one change, to be written in its transaction: the store chains them to its newest record there.
#[derive(Debug, Clone)]
pub struct AuditBatch {
    key: Arc<AuditKey>,
    by: Origin,
    events: Vec<Event>,
    flushed: i64,
}

/// A record before it is signed. The order of the members is the order in the line.
#[derive(Serialize)]
struct Body<'a> {
    number: i64,
    at: String,
    #[serde(flatten)]
    event: &'a Event,
    by: &'a Origin,
    audit_key: &'a str,
    prev: &'a str,
}

/// The members of a record that place it in the chain.
#[derive(Debug, Deserialize)]
pub(super) struct ChainFields {
    pub(super) number: i64,
    pub(super) audit_key: String,
    pub(super) prev: String,
}

impl AuditBatch {
    /// A batch of events, one record each. Records up to the number `flushed` are durable in the files already.
    pub fn new(key: Arc<AuditKey>, by: Origin, events: Vec<Event>, flushed: i64) -> Self {
        AuditBatch { key, by, events, flushed }
    }

    /// The number of the newest record that is durable in the files. The store can delete its copies up to this one.
    pub fn flushed(&self) -> i64 {
        self.flushed
    }

    /// The records, chained to `head`, and the new head of the chain.
    ///
    /// # Errors
    /// An event cannot be written as JSON.
    pub fn chain_to(&self, head: Head) -> Result<(Vec<Record>, Head), serde_json::Error> {
        let mut head = head;
        let mut records = Vec::with_capacity(self.events.len());
        for event in &self.events {
            let number = head.number + 1;
            let body = Body {
                number,
                at: DateTime::from_system_time(SystemTime::now()).to_sortable() + "Z",
                event,
                by: &self.by,
                audit_key: self.key.id(),
                prev: &head.sha256,
            };
            let body = serde_json::to_string(&body)?;
            let mac = hex::encode(self.key.sign(body.as_bytes()));
            let line = format!("{}{MAC}{mac}\"}}", body.strip_suffix('}').unwrap_or(&body));
            head = Head { number, sha256: sha256_of(line.as_bytes()) };
            records.push(Record { number, line });
        }
        Ok((records, head))
    }
}

/// The SHA-256 of these bytes, in hexadecimal.
pub(super) fn sha256_of(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// It cannot be read.
pub fn sha256_of_file(path: &Path) -> io::Result<String> {
    let (mut file, mut digest) = (File::open(path)?, Sha256::new());
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(digest.finalize())),
            length => digest.update(&buffer[..length]),
        }
    }
}
