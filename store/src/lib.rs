//! The connection store of erp-host: settings stored durably, secrets encrypted at rest, every change in an audit log.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let data = folder.path();
//! use erp_host_store::audit::Origin;
//! use erp_host_store::{ConnectionRepository, IfMissing};
//! use plugin_api::Settings;
//!
//! let repository = ConnectionRepository::open(data, None, IfMissing::Create).await?;
//! let guid = "3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf".parse()?;
//! let settings = Settings::from([("Server", "erp.example.com"), ("Password", "secret")]);
//! let by = Origin::Host { host: "an example" };
//! repository.save(guid, "Visma", &settings, &["Password"], &by).await?;
//!
//! let found = repository.find(guid).await?.expect("it is stored");
//! assert_eq!(found.settings.get("Password"), Some("secret"));
//! # Ok(())
//! # }
//! ```
//!
//! The modules, from the bottom up. A module uses only modules above it in this list:
//!
//! - [`private_file`] (of the crate `files`): files with mode 0600, written atomically; lock files;
//! - [`audit`]: the audit log (a hash chain, signed) and its files;
//! - `keys`: encryption at rest, the key file, the lock of the keys;
//! - `store`: the trait of a store, [`ConnectionStore`];
//! - `limits`: limits of what is stored, [`StoreLimits`];
//! - `sqlite`: the store of a single machine, an SQLite database in WAL mode;
//! - `repository`: store, keys and audit log as one, [`ConnectionRepository`]; key rotation;
//! - `envelope`: texts encrypted with a passphrase;
//! - `export`: connections in a file, and importing them;
//! - `backup`: backup of the whole store, and restore;
//! - `address_orders`: the orders of members that requests have shown, in memory and in the store;
//! - `open_connections`: the cache of open connections, with single flight;
//! - `connections`: what a running host uses, [`Connections`].

mod address_orders;
pub mod audit;
mod backup;
mod connections;
mod envelope;
mod export;
mod keys;
mod limits;
mod open_connections;
mod repository;
mod sqlite;
mod store;

pub use erp_host_files::private_file;

#[cfg(test)]
mod tests;

pub use backup::{Backup, BackupError, Restore, Restored, back_up};
pub use connections::Connections;
pub use envelope::EnvelopeError;
pub use export::{
    Archive, ArchiveError, ArchiveFile, ArchivedConnection, ArchivedSetting, ArchivedState, ArchivedValue,
    EncryptedArchive, ImportPlan,
};
pub use keys::{KeyCheck, KeyError, KeyFile, KeyId, KeyLock, SealedSecret, SecretKey};
pub use limits::StoreLimits;
pub use open_connections::{
    Backoff, DueRefresh, Lifetime, Live, OpenConnection, OpenConnections, OpenError, OpeningFailure, Retry,
    RetryPolicy,
};
pub use repository::{
    ConnectionRepository, KEY_FILE, KeyRotation, STORE_FILE, StoredConnection, read_audit_key,
};
pub use sqlite::SqliteStore;
pub use store::{
    AddressOrder, AuditOutbox, Change, ConnectionSave, ConnectionStore, ConnectionSummary, Expected,
    IfMissing, Progress, Reencrypt, Revision, SealedConnection, SealedSetting, SealedState, SealedValue,
    SecretOwner, StateSize, StateWrite, StoreError, StoreFuture,
};
