//! What a store of connections does, whatever keeps it (SQLite today, PostgreSQL for several hosts).
//!
//! A store never sees a secret: what reaches it is sealed already (`secrets.rs`).

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::SystemTime;

use values::Guid;

use super::secrets::{KeyCheck, SealedSecret};
use crate::audit::{Head, Record, Recording};

/// What the methods of a [`ConnectionStore`] return. Boxed, because the store is chosen at run time; a store is asked
/// when a connection is opened or saved, not on every call.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Counts the changes of a store: each save and each delete takes the next number, which is never given again. Of two
/// revisions of a connection the higher one is the newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub(super) i64);

impl Revision {
    /// Before the first change.
    pub const NONE: Revision = Revision(0);

    /// Its number: 0 before the first change.
    pub fn number(self) -> u64 {
        u64::try_from(self.0).unwrap_or(0)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A connection as it lies in the store, its secrets sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedConnection {
    /// Its GUID.
    pub guid: Guid,
    /// The name of the connector it belongs to.
    pub connector: String,
    /// Its settings, in the order they came.
    pub settings: Vec<SealedSetting>,
    /// The change that saved it.
    pub revision: Revision,
    /// When that was, in milliseconds.
    pub saved_at: SystemTime,
}

/// A setting as it lies in the store. Its `Debug` shows no value, for a plain one may be a secret in the wrong field.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSetting {
    /// The key of the setting.
    pub key: String,
    /// Its value.
    pub value: SealedValue,
}

/// The value of a stored setting; `None` is null.
#[derive(Clone, PartialEq, Eq)]
pub enum SealedValue {
    /// Readable for everybody who can read the store.
    Plain(Option<String>),
    /// Encrypted.
    Secret(Option<SealedSecret>),
}

impl SealedSetting {
    /// Whether it was saved as a secret.
    pub fn is_secret(&self) -> bool {
        matches!(self.value, SealedValue::Secret(_))
    }
}

impl fmt::Debug for SealedSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_secret() { "secret" } else { "plain" };
        write!(f, "{} ({kind})", self.key)
    }
}

/// A connection in the list of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionSummary {
    /// Its GUID.
    pub guid: Guid,
    /// The name of the connector it belongs to.
    pub connector: String,
    /// How many settings it has.
    pub settings: usize,
    /// The change that saved it.
    pub revision: Revision,
    /// When that was, in milliseconds.
    pub saved_at: SystemTime,
}

/// A connection to be saved.
#[derive(Debug, Clone)]
pub struct ConnectionSave {
    /// Its GUID.
    pub guid: Guid,
    /// The name of the connector it belongs to.
    pub connector: String,
    /// All its settings: those that it had before and that are missing here are gone afterwards.
    pub settings: Vec<SealedSetting>,
    /// What must be stored under the GUID for the save to take place.
    pub expected: Expected,
}

/// What must be stored before a save.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// It does not matter.
    Anything,
    /// Nothing.
    Nothing,
    /// This revision of the connection.
    Revision(Revision),
}

/// A connection that was saved or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The connection.
    pub guid: Guid,
    /// The newest change of it.
    pub revision: Revision,
}

/// Keeps connections. Everything that returned without error is durable: it survives the end of the process and of the
/// machine. A save or delete happens as a whole, together with what is recorded of it, or not at all, and revisions become
/// visible in their order.
pub trait ConnectionStore: fmt::Debug + Send + Sync + 'static {
    /// The connection, or `None` when it is not stored.
    fn get(&self, guid: Guid) -> StoreFuture<'_, Option<SealedConnection>>;

    /// All connections by GUID, without their settings.
    fn list(&self) -> StoreFuture<'_, Vec<ConnectionSummary>>;

    /// All connections by GUID, as they were at one moment.
    fn all(&self) -> StoreFuture<'_, Vec<SealedConnection>>;

    /// Saves all of them, or none when one fails or does not find what it [expects](Expected), or is sealed with a key
    /// that the store does not have (any more). `saved` is told now and then how many are done.
    fn save<'a>(
        &'a self,
        connections: &'a [ConnectionSave],
        recording: &'a Recording,
        saved: &'a (dyn Fn(usize) + Sync),
    ) -> StoreFuture<'a, Revision>;

    /// Deletes the connection; `None` when it was not stored, and then nothing is recorded.
    fn delete<'a>(&'a self, guid: Guid, recording: &'a Recording) -> StoreFuture<'a, Option<Revision>>;

    /// Fails when nothing could be saved: a store that can only be read is none for a host.
    fn check_writable(&self) -> StoreFuture<'_, ()>;

    /// The newest change of all.
    fn latest_revision(&self) -> StoreFuture<'_, Revision>;

    /// Which connections were saved or deleted after that revision, by whichever process, oldest first. Asked every
    /// second: it costs nothing worth naming while nothing changed.
    fn changes_since(&self, revision: Revision) -> StoreFuture<'_, Vec<Change>>;

    /// The proofs of the keys that this store's secrets are sealed with, the newest first: what is sealed from now on is
    /// sealed with that one. More than one while the key is being rotated, none in a new store.
    fn keys(&self) -> StoreFuture<'_, Vec<KeyCheck>>;

    /// Stores the proof of the first key, unless there is one already; returns the one that is there afterwards.
    fn add_first_key(&self, check: KeyCheck) -> StoreFuture<'_, KeyCheck>;

    /// Makes this key the newest, if it is not known yet.
    fn add_key(&self, check: KeyCheck) -> StoreFuture<'_, ()>;

    /// Seals some secrets anew that are not sealed with the newest key, in one transaction. Settings stay as they are, so
    /// this is no change of a connection.
    fn seal_anew<'a>(&'a self, seal: &'a SealAnew<'a>) -> StoreFuture<'a, Progress>;

    /// Forgets all keys but the newest, if nothing is sealed with them any more; otherwise nothing happens.
    fn forget_former_keys<'a>(&'a self, recording: &'a Recording) -> StoreFuture<'a, bool>;

    /// A secret of the store's own.
    fn own_secret<'a>(&'a self, name: &'a str) -> StoreFuture<'a, Option<SealedSecret>>;

    /// Stores a secret of the store's own, unless there is one of that name; returns the one that is there afterwards.
    fn add_own_secret<'a>(
        &'a self,
        name: &'a str,
        secret: SealedSecret,
    ) -> StoreFuture<'a, Option<SealedSecret>>;

    /// Records something that is no change of the store.
    fn record<'a>(&'a self, recording: &'a Recording) -> StoreFuture<'a, ()>;

    /// The end of the audit log, and those records that may not be in its files yet.
    fn audit_end(&self) -> StoreFuture<'_, AuditEnd>;

    /// Lets the chain of the audit log go on after this record, because the files know it and this store, which is older
    /// than they are, does not.
    fn go_on_after<'a>(&'a self, head: &'a Head, recording: &'a Recording) -> StoreFuture<'a, ()>;

    /// Waits for what runs and lets go of the store. Calls afterwards fail.
    fn close(&self) -> StoreFuture<'_, ()>;
}

/// Opens a secret and seals it with the newest key.
pub type SealAnew<'a> =
    dyn Fn(SecretPlace<'_>, &SealedSecret) -> Result<SealedSecret, StoreError> + Send + Sync + 'a;

/// How far sealing anew is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// How many secrets were sealed anew.
    pub sealed: usize,
    /// How many are still to be.
    pub left: usize,
}

/// Where a secret belongs.
#[derive(Debug, Clone, Copy)]
pub enum SecretPlace<'a> {
    /// A setting of a connection.
    Setting(Guid, &'a str),
    /// The store itself.
    Own(&'a str),
}

/// The end of the audit log as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEnd {
    /// The newest record.
    pub head: Head,
    /// Those that may not be in the files yet, oldest first.
    pub unwritten: Vec<Record>,
}

/// Why a store could not do what it was asked. No text of it holds a setting's value.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be used as it is; nothing in it was changed.
    #[error("the connection store {} {problem}; {remedy}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What the operator can do.
        remedy: String,
    },
    /// Another program holds the store for longer than we wait.
    #[error(
        "the connection store {} is locked by another program (waited {waited_s} s); end the program that holds it, or \
         try again",
        path.display()
    )]
    Locked {
        /// The file.
        path: PathBuf,
        /// How long we waited, in seconds.
        waited_s: u64,
    },
    /// The connection is not as the save [expected](Expected) it.
    #[error("the connection {guid} was changed by somebody else meanwhile; nothing was saved, try again")]
    Changed {
        /// The connection.
        guid: Guid,
    },
    /// A connection belongs to one connector, and this is another one's.
    #[error("the connection {guid} belongs to the connector '{own}'")]
    OtherConnector {
        /// The connection.
        guid: Guid,
        /// The connector it belongs to.
        own: String,
    },
    /// What was to be saved is sealed with a key that was rotated out meanwhile.
    #[error("the key of the connection store was changed meanwhile; nothing was saved, try again")]
    KeyChanged,
    /// Another process goes on sealing with a key that is being rotated out.
    #[error(
        "the key {} is still being used: something saves connections with it all the time; end it, or try again",
        former.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    FormerKeyInUse {
        /// The key.
        former: Vec<super::secrets::KeyId>,
    },
    /// The key that seals the secrets.
    #[error(transparent)]
    Key(#[from] super::secrets::KeyError),
    /// A secret of the store itself that cannot be read back.
    #[error(
        "the {name} in the connection store cannot be decrypted: it was changed; restore the store from a backup"
    )]
    OwnSecret {
        /// Which.
        name: &'static str,
    },
    /// A secret that cannot be read back.
    #[error(
        "the secret {key:?} of the connection {guid} cannot be decrypted: {problem}; save the connection again"
    )]
    Secret {
        /// The connection.
        guid: Guid,
        /// The key of the setting.
        key: String,
        /// Why.
        problem: &'static str,
    },
    /// Anything else that the store reports.
    #[error("the connection store {} failed: {cause}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What it said.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}
