//! The trait of a connection store, for any database (SQLite today, PostgreSQL for several hosts).
//!
//! A store never has a readable secret: what it gets is sealed already (`keys::encryption`).

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::SystemTime;

use plugin_api::StateVersion;
use plugin_api::abi::{StateCondition, StateWritten};
use values::Guid;

use crate::audit::{AuditBatch, Head, Record};
use crate::keys::{KeyCheck, KeyError, KeyId, SealedSecret};

/// The future of a [`ConnectionStore`] method. Boxed, because the store is chosen at run time. The cost does not matter:
/// the store is used when a connection is opened or saved, not on every call.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// The number of a change. Each save and each delete of a store takes the next number, which is never used again. Of two
/// revisions of a connection, the higher one is newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub(crate) i64);

impl Revision {
    /// Before the first change.
    pub const NONE: Revision = Revision(0);

    /// The number; 0 before the first change.
    pub fn number(self) -> u64 {
        u64::try_from(self.0).unwrap_or(0)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A connection as it is stored, its secrets sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedConnection {
    /// The GUID.
    pub guid: Guid,
    /// The name of the connector it belongs to.
    pub connector: String,
    /// The settings, in the order in which they were sent.
    pub settings: Vec<SealedSetting>,
    /// The revision of its last save.
    pub revision: Revision,
    /// The time of its last save, to the millisecond.
    pub saved_at: SystemTime,
}

/// A setting as it is stored. `Debug` shows no value, because even a plain one may be a secret in the wrong field.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSetting {
    /// The key of the setting.
    pub key: String,
    /// The value.
    pub value: SealedValue,
}

/// The value of a stored setting; `None` is null.
#[derive(Clone, PartialEq, Eq)]
pub enum SealedValue {
    /// Not a secret: stored as it is.
    Plain(Option<String>),
    /// Encrypted.
    Secret(Option<SealedSecret>),
}

impl SealedSetting {
    /// Whether it is a secret.
    pub fn is_secret(&self) -> bool {
        matches!(self.value, SealedValue::Secret(_))
    }

    /// Whether its value is shown masked: it is a secret, or has the [name](values::is_secret_name) of one. An earlier version
    /// of the host may have stored it as it is.
    pub fn is_shown_masked(&self) -> bool {
        self.is_secret() || values::is_secret_name(&self.key)
    }
}

impl fmt::Debug for SealedSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_secret() { "secret" } else { "plain" };
        write!(f, "{} ({kind})", self.key)
    }
}

/// A connection in a list: everything but its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionSummary {
    /// The GUID.
    pub guid: Guid,
    /// The name of the connector it belongs to.
    pub connector: String,
    /// The number of its settings.
    pub settings: usize,
    /// The revision of its last save.
    pub revision: Revision,
    /// The time of its last save, to the millisecond.
    pub saved_at: SystemTime,
}

/// A connection to be saved.
#[derive(Debug, Clone)]
pub struct ConnectionSave {
    /// The GUID.
    pub guid: Guid,
    /// The name of the connector it belongs to.
    pub connector: String,
    /// All its settings. They replace the stored ones as a whole.
    pub settings: Vec<SealedSetting>,
    /// The precondition of the save.
    pub expected: Expected,
    /// Keys and values of its state, which replace the stored one as a whole. `None`: the stored one stays, unless the
    /// connection gets another connector.
    pub state: Option<Vec<(String, SealedSecret)>>,
}

/// An entry of the state of a connection as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedState {
    /// The key.
    pub key: String,
    /// The version.
    pub version: StateVersion,
    /// The value, encrypted.
    pub value: SealedSecret,
}

/// A write to the state of a connection.
#[derive(Debug, Clone)]
pub struct StateWrite {
    /// The connection.
    pub guid: Guid,
    /// The key.
    pub key: String,
    /// The value, encrypted; `None` deletes the entry.
    pub value: Option<SealedSecret>,
    /// What must hold.
    pub condition: StateCondition,
    /// For how many bytes the state of the connection may count.
    pub limit: u64,
}

/// The size of the state of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StateSize {
    /// The number of entries.
    pub entries: u64,
    /// For how many bytes they count.
    pub bytes: u64,
}

/// The precondition of a save (optimistic concurrency control): what must be stored under the GUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Anything.
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
    /// The revision of its newest change.
    pub revision: Revision,
    /// Whether it was deleted.
    pub is_deleted: bool,
}

/// The order of members that requests to a connector address have shown. Replies to this address are written in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressOrder {
    /// The connector that the address names, in lower case; empty for an address that names none.
    pub connector: String,
    /// The order, as the router names it.
    pub order: String,
    /// The connection whose request showed it.
    pub connection: Guid,
}

/// A store of connections. A change is durable when its method returns: it survives a crash of the process and of the
/// machine. A save or delete is one transaction, together with its audit records, and revisions become visible in order.
pub trait ConnectionStore: fmt::Debug + Send + Sync + 'static {
    /// The connection; `None` if it is not stored.
    fn get(&self, guid: Guid) -> StoreFuture<'_, Option<SealedConnection>>;

    /// The name of the connector that the connection belongs to; `None` if it is not stored. Reads no setting.
    fn connector_of(&self, guid: Guid) -> StoreFuture<'_, Option<String>>;

    /// The names of the connection's settings, and whether each is a secret. Reads no value.
    fn setting_names(&self, guid: Guid) -> StoreFuture<'_, Vec<(String, bool)>>;

    /// The number of connections.
    fn count(&self) -> StoreFuture<'_, usize>;

    /// All connections, ordered by GUID, without their settings.
    fn list(&self) -> StoreFuture<'_, Vec<ConnectionSummary>>;

    /// All connections, ordered by GUID: a consistent snapshot.
    fn all(&self) -> StoreFuture<'_, Vec<SealedConnection>>;

    /// Saves all of the connections in one transaction. Saves none if a precondition ([`Expected`]) does not hold, or a
    /// secret is sealed with a key that the store does not have (any more). `progress` is called with the number of
    /// connections written so far.
    fn save<'a>(
        &'a self,
        connections: &'a [ConnectionSave],
        audit: &'a AuditBatch,
        progress: &'a (dyn Fn(usize) + Sync),
    ) -> StoreFuture<'a, Revision>;

    /// Deletes the connection; `None` if it was not stored, and then nothing is recorded.
    fn delete<'a>(&'a self, guid: Guid, audit: &'a AuditBatch) -> StoreFuture<'a, Option<Revision>>;

    /// The entry of a key of a connection's state.
    fn state<'a>(&'a self, guid: Guid, key: &'a str) -> StoreFuture<'a, Option<SealedState>>;

    /// Writes or deletes an entry of a connection's state, if its condition holds: of several writes with the same version as
    /// their condition, also of several processes, exactly one is done. No version is given out twice. Not a change of the
    /// connection: it takes no revision. Fails if the connection is not stored, or the value is sealed with a key that the store
    /// does not have (any more).
    fn set_state<'a>(&'a self, write: &'a StateWrite) -> StoreFuture<'a, StateWritten>;

    /// The keys of a connection's state that begin with this text, in order.
    fn state_keys<'a>(&'a self, guid: Guid, prefix: &'a str) -> StoreFuture<'a, Vec<String>>;

    /// All entries of a connection's state, ordered by key.
    fn all_state(&self, guid: Guid) -> StoreFuture<'_, Vec<SealedState>>;

    /// The size of a connection's state.
    fn state_size(&self, guid: Guid) -> StoreFuture<'_, StateSize>;

    /// Fails if the store is read-only: a host needs to save.
    fn check_writable(&self) -> StoreFuture<'_, ()>;

    /// Whether the disk is full, as far as the last change or the last [`check_disk`](Self::check_disk) has shown.
    fn is_disk_full(&self) -> bool;

    /// Whether the store was opened for reading only, because the disk was full. It is opened for writing by the next
    /// change, or the next [`check_disk`](Self::check_disk), that finds room on the disk.
    fn is_read_only(&self) -> bool;

    /// Finds out whether the disk is full, and opens the store for writing if it was opened for reading only and there is
    /// room now. The host calls it every few seconds.
    fn check_disk(&self) -> StoreFuture<'_, ()>;

    /// The revision of the newest change.
    fn latest_revision(&self) -> StoreFuture<'_, Revision>;

    /// The connections that any process has saved or deleted after this revision, oldest change first. The host calls it
    /// every second, so it must be cheap while nothing changes. `None` if a deletion after this revision may be forgotten
    /// already, because the caller was suspended for long: then every connection may have changed.
    fn changes_since(&self, revision: Revision) -> StoreFuture<'_, Option<Vec<Change>>>;

    /// Maintenance, off the path of calls: forgets deletions that every running host has seen, and gives the space of deleted
    /// settings back to the file system. The host calls it every few seconds, so it must be cheap while there is nothing to
    /// do.
    fn maintain(&self) -> StoreFuture<'_, ()>;

    /// The key check values of the keys in use, the newest first: new secrets are sealed with that one. More than one while
    /// the key is rotated; none in a new store.
    fn keys(&self) -> StoreFuture<'_, Vec<KeyCheck>>;

    /// Adds the first key, unless there is one already. Returns the key check value that is stored afterwards.
    fn add_first_key(&self, check: KeyCheck) -> StoreFuture<'_, KeyCheck>;

    /// Adds this key as the newest, unless the store has it already.
    fn add_key(&self, check: KeyCheck) -> StoreFuture<'_, ()>;

    /// Re-encrypts a batch of the secrets that are not sealed with the newest key, in one transaction. The values stay the
    /// same, so this is not a change of a connection and takes no revision.
    fn reencrypt_batch<'a>(&'a self, reencrypt: &'a Reencrypt<'a>) -> StoreFuture<'a, Progress>;

    /// Removes all keys but the newest. Does nothing, and returns `false`, while a secret is still sealed with one of them.
    fn remove_old_keys<'a>(&'a self, audit: &'a AuditBatch) -> StoreFuture<'a, bool>;

    /// An internal secret of the store, such as the audit key.
    fn internal_secret<'a>(&'a self, name: &'a str) -> StoreFuture<'a, Option<SealedSecret>>;

    /// Adds an internal secret, unless there is one of that name. Returns the one that is stored afterwards; `None` if its
    /// key was rotated out.
    fn add_internal_secret<'a>(
        &'a self,
        name: &'a str,
        secret: SealedSecret,
    ) -> StoreFuture<'a, Option<SealedSecret>>;

    /// Writes audit records of something that is not a change of the store.
    fn record<'a>(&'a self, audit: &'a AuditBatch) -> StoreFuture<'a, ()>;

    /// The head of the audit log's hash chain, and the records that may not be in the files yet.
    fn audit_outbox(&self) -> StoreFuture<'_, AuditOutbox>;

    /// Continues the hash chain after this record. Needed when the store is older than the files of the audit log, so that
    /// they have newer records than the store.
    fn continue_chain_after<'a>(&'a self, head: &'a Head, audit: &'a AuditBatch) -> StoreFuture<'a, ()>;

    /// The orders of all connector addresses that have shown one. The host calls it every second.
    fn address_orders(&self) -> StoreFuture<'_, Vec<AddressOrder>>;

    /// Saves the order of a connector address. This is not a change of a connection and takes no revision.
    fn save_address_order<'a>(&'a self, order: &'a AddressOrder) -> StoreFuture<'a, ()>;

    /// Waits for running calls and closes the store. Later calls fail.
    fn close(&self) -> StoreFuture<'_, ()>;
}

/// Decrypts a secret and encrypts it with the newest key.
pub type Reencrypt<'a> =
    dyn Fn(SecretOwner<'_>, &SealedSecret) -> Result<SealedSecret, StoreError> + Send + Sync + 'a;

/// The progress of a key rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// How many secrets were re-encrypted.
    pub done: usize,
    /// How many are left.
    pub left: usize,
}

/// What a secret belongs to.
#[derive(Debug, Clone, Copy)]
pub enum SecretOwner<'a> {
    /// A setting: the connection, and the key of the setting.
    Setting(Guid, &'a str),
    /// An entry of the state of a connection: the connection, and the key of the entry.
    State(Guid, &'a str),
    /// The store itself: the name of the secret.
    Internal(&'a str),
}

/// The audit log as the store has it: a transactional outbox. Records are written here in the transaction of their change,
/// and deleted when they are durable in the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditOutbox {
    /// The head of the hash chain.
    pub head: Head,
    /// The records that may not be in the files yet, oldest first.
    pub pending: Vec<Record>,
}

/// Whether a store may be created where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfMissing {
    /// Create an empty one.
    Create,
    /// Refuse: a mistyped folder should not look like a store without connections.
    Refuse,
}

impl StoreError {
    /// The error for a caller over the network, who learns no paths of this machine.
    pub fn without_paths(&self) -> String {
        match self {
            StoreError::Unusable { problem, .. } => format!("the connection store {problem}"),
            StoreError::Full { .. } => "the disk with the connection store is full".to_owned(),
            StoreError::Locked { waited_s, .. } => {
                format!("the connection store is locked by another program (waited {waited_s} s)")
            }
            StoreError::Key(_) => "the key of the connection store cannot be used".to_owned(),
            StoreError::Failed { .. } => "the connection store failed".to_owned(),
            StoreError::TooLarge { .. }
            | StoreError::NameTooLong { .. }
            | StoreError::TooManyConnections { .. }
            | StoreError::Stopping
            | StoreError::Changed { .. }
            | StoreError::OtherConnector { .. }
            | StoreError::KeyChanged
            | StoreError::NotStored { .. }
            | StoreError::StateKey { .. }
            | StoreError::State { .. }
            | StoreError::OldKeyInUse { .. }
            | StoreError::InternalSecret { .. }
            | StoreError::Secret { .. } => self.to_string(),
        }
    }
}

/// Why a store failed. No message has the value of a setting.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the message names each field")]
pub enum StoreError {
    /// The store cannot be used. Nothing in it was changed.
    #[error("the connection store {} {problem}; {remedy}", path.display())]
    Unusable { path: PathBuf, problem: String, remedy: String },
    /// The disk is full. What is stored can be read.
    #[error(
        "the disk with the connection store {} is full: nothing can be stored; make room on it",
        path.display()
    )]
    Full { path: PathBuf },
    /// A setting, or all settings of a connection, are larger than the limit.
    #[error(
        "{what} of the connection {guid} has {size} bytes, expected {limit} at most ({key} in the configuration of the \
         host); nothing was changed"
    )]
    TooLarge { guid: Guid, what: String, size: usize, key: &'static str, limit: usize },
    /// The name of a setting is too long.
    #[error(
        "the name of a setting of the connection {guid} has {size} bytes, expected {limit} at most; nothing was \
         changed"
    )]
    NameTooLong { guid: Guid, size: usize, limit: usize },
    /// There would be more connections than the limit.
    #[error(
        "there would be {connections} connections, expected {limit} at most (limits.stored_connections in the \
         configuration of the host): delete those that nobody uses, or raise the limit; nothing was changed"
    )]
    TooManyConnections { limit: usize, connections: usize },
    /// The host is stopping.
    #[error("the host is stopping; it is not certain whether this was changed")]
    Stopping,
    /// Another program has locked the store for longer than the busy timeout.
    #[error(
        "the connection store {} is locked by another program (waited {waited_s} s); end the program that holds it, or \
         try again",
        path.display()
    )]
    Locked { path: PathBuf, waited_s: u64 },
    /// A write conflict: the precondition ([`Expected`]) of a save does not hold.
    #[error("the connection {guid} was changed by somebody else meanwhile; nothing was saved, try again")]
    Changed { guid: Guid },
    /// The connection belongs to another connector than the save names.
    #[error("the connection {guid} belongs to the connector '{own}'")]
    OtherConnector { guid: Guid, own: String },
    /// A secret is sealed with a key that was rotated out in the meantime.
    #[error("the key of the connection store was changed meanwhile; nothing was saved, try again")]
    KeyChanged,
    /// Another process keeps sealing with a key that is being rotated out.
    #[error(
        "the key {} is still being used: something saves connections with it all the time; end it, or try again",
        former.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    OldKeyInUse { former: Vec<KeyId> },
    /// The encryption key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// An internal secret of the store cannot be decrypted.
    #[error(
        "the {name} in the connection store cannot be decrypted: it was changed; restore the store from a backup"
    )]
    InternalSecret { name: &'static str },
    /// The secret of a setting cannot be decrypted.
    #[error(
        "the secret {key:?} of the connection {guid} cannot be decrypted: {problem}; save the connection again"
    )]
    Secret { guid: Guid, key: String, problem: &'static str },
    /// The connection whose state is written is not stored.
    #[error("the connection {guid} is not stored (any more), so it has no state")]
    NotStored { guid: Guid },
    /// The key of an entry of a connection's state cannot be used.
    #[error("the state of the connection {guid} cannot have this key: {problem}")]
    StateKey { guid: Guid, problem: String },
    /// The value of an entry of a connection's state cannot be decrypted.
    #[error(
        "the state {key:?} of the connection {guid} cannot be decrypted: {problem}; restore the store from a backup, or delete the \
         connection and set it up anew"
    )]
    State { guid: Guid, key: String, problem: &'static str },
    /// Any other error of the database.
    #[error("the connection store {} failed: {cause}", path.display())]
    Failed { path: PathBuf, cause: Box<dyn std::error::Error + Send + Sync> },
}
