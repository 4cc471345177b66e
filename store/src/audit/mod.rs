//! The audit log: a tamper-evident record of who changed what. Each record repeats the hash of the record before it (a
//! hash chain) and is signed with an HMAC.
//!
//! - `event`: what is recorded; `origin`: who did it;
//! - `chain`: records as lines of JSON, chained by hash and signed;
//! - `files`: the append-only files of the log, locked across processes; `lines_from_end`: reads them from their end;
//! - `verify`: checks the chain and the signatures of all files.
//!
//! A record is first written to the store, in the transaction of the change that it records, and then to the files. That
//! part (a transactional outbox) is in `repository::audit_log`.

mod chain;
mod event;
mod files;
mod lines_from_end;
mod origin;
mod verify;

#[cfg(test)]
mod interleaving_tests;
#[cfg(test)]
mod tests;

pub use chain::{AuditBatch, AuditKey, Head, Record, Signature, sha256_of_file};
pub use event::{Difference, Event, Names, PluginFile, shortened};
pub use files::{AuditFiles, FOLDER};
pub use lines_from_end::MAX_LINE;
pub use origin::Origin;
pub use verify::{Break, Report, verify};
