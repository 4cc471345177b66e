//! The connections of a host: their settings stored durably, secrets encrypted, changes recorded in an audit log.
//!
//! - `store`: the trait of a store; `sqlite`: the store of a single machine. Neither ever sees a secret.
//! - `secrets`: encryption and decryption; `key_file`, `key_ring`: the keys, also while they are rotated (`rekey`).
//! - [`audit`]: the audit log; `recorded`: the audit log of a store.
//! - `stored`: store, keys and audit log together. All that the commands need.
//! - `backup`: a copy of the whole store, and restoring one.
//! - `archive`, `import`: connections in a file, for moves, or to read.
//! - `open`: the cache of open connections: opened once, closed when their settings change.
//! - `connections`: all of it joined, as the host uses it.
//! - [`private_file`]: files that only the host's user may read.

mod archive;
pub mod audit;
mod backup;
mod connections;
mod import;
mod key_file;
mod key_ring;
mod open;
pub mod private_file;
mod recorded;
mod rekey;
mod secrets;
mod sqlite;
mod store;
mod stored;

#[cfg(test)]
mod tests;

pub use archive::{
    Archive, ArchiveError, ArchiveFile, ArchivedConnection, ArchivedSetting, ArchivedValue, SealedArchive,
};
pub use backup::{Backup, BackupError, Restore, Restored, back_up};
pub use connections::Connections;
pub use import::Import;
pub use key_file::KeyFile;
pub use open::{OpenConnection, OpenConnections, OpenError};
pub use rekey::{KeysHeld, Rotation};
pub use secrets::{KeyCheck, KeyError, KeyId, SealedSecret, SecretKey};
pub use sqlite::SqliteStore;
pub use store::{
    AuditEnd, Change, ConnectionSave, ConnectionStore, ConnectionSummary, Expected, Progress, Revision,
    SealAnew, SealedConnection, SealedSetting, SealedValue, SecretPlace, StoreError, StoreFuture,
};
pub use stored::{IfMissing, KEY_FILE, STORE_FILE, StoredConnection, StoredConnections};
