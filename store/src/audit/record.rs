//! A record: a line of JSON that repeats the hash of the line before it, and is signed.
//!
//! The last two members are `prev`, the SHA-256 of the line before (without its line feed; empty in the first record),
//! and `mac`, the HMAC-SHA-256 of the line without ` ,"mac":"..."`. So the chain can be checked with any tool that
//! hashes lines, and the signature with the key in the store.

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

/// Bytes of a key.
pub(super) const KEY_BYTES: usize = 32;
/// How the last member begins.
const MAC: &str = ",\"mac\":\"";

/// The end of a chain: the number of its newest record, and the SHA-256 of that line in hexadecimal.
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

/// A record as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its number, from 1.
    pub number: i64,
    /// Its line, without the line feed.
    pub line: String,
}

/// The key that signs records. Wiped from memory when dropped; its `Debug` shows the id only.
pub struct AuditKey {
    id: String,
    bytes: Zeroizing<[u8; KEY_BYTES]>,
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "audit key {}", self.id)
    }
}

/// Whether a line is signed by a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// By this one.
    Good,
    /// It says so, but is not.
    Bad,
    /// By another one, as it says.
    OtherKey,
}

impl AuditKey {
    /// The key of these bytes.
    pub fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let digest = Sha256::new().chain_update(b"erp-host audit key id 1").chain_update(bytes.as_ref());
        AuditKey { id: hexadecimal(&digest.finalize()[..8]), bytes }
    }

    /// Says which key it is, and gives nothing of it away.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn sign(&self, text: &[u8]) -> hmac::Tag {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, self.bytes.as_ref()), text)
    }

    /// Whether it signed this line, which says that the key of this id did.
    pub fn check(&self, line: &str, key_id: &str) -> Signature {
        if key_id != self.id {
            return Signature::OtherKey;
        }
        let Some((body, mac)) = line.rsplit_once(MAC) else { return Signature::Bad };
        let expected = hexadecimal(self.sign(format!("{body}}}").as_bytes()).as_ref());
        let is_same = mac.strip_suffix("\"}").is_some_and(|mac| {
            aws_lc_rs::constant_time::verify_slices_are_equal(mac.as_bytes(), expected.as_bytes()).is_ok()
        });
        if is_same { Signature::Good } else { Signature::Bad }
    }
}

/// What is to be recorded of a change, to be written in its transaction.
#[derive(Debug, Clone)]
pub struct Recording {
    key: Arc<AuditKey>,
    by: Origin,
    events: Vec<Event>,
    written: i64,
}

/// A line before it is signed.
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

/// What a line says of itself.
#[derive(Debug, Deserialize)]
pub(super) struct Told {
    pub(super) number: i64,
    pub(super) audit_key: String,
    pub(super) prev: String,
}

impl Recording {
    /// These events, one record each. Records up to `written` are durable in files already.
    pub fn new(key: Arc<AuditKey>, by: Origin, events: Vec<Event>, written: i64) -> Self {
        Recording { key, by, events, written }
    }

    /// Up to which record the files have them, so that the store need not.
    pub fn written(&self) -> i64 {
        self.written
    }

    /// The records, chained to the newest one there is, and the new end of the chain.
    ///
    /// # Errors
    /// An event cannot be written as JSON.
    pub fn link(&self, head: Head) -> Result<(Vec<Record>, Head), serde_json::Error> {
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
            let mac = hexadecimal(self.key.sign(body.as_bytes()).as_ref());
            let line = format!("{}{MAC}{mac}\"}}", body.strip_suffix('}').unwrap_or(&body));
            head = Head { number, sha256: hash_of(line.as_bytes()) };
            records.push(Record { number, line });
        }
        Ok((records, head))
    }
}

/// SHA-256 in hexadecimal.
pub(crate) fn hash_of(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// It cannot be read.
pub fn hash_of_file(path: &Path) -> io::Result<String> {
    let (mut file, mut digest) = (File::open(path)?, Sha256::new());
    let mut piece = vec![0; 64 << 10];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hexadecimal(&digest.finalize())),
            length => digest.update(&piece[..length]),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
