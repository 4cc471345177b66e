//! The encryption keys, and encryption at rest with them.
//!
//! - `encryption`: a key, and secrets encrypted with it;
//! - `key_file`: the file that has the keys;
//! - `key_lock`: keeps a backup from copying the keys while they are rotated.
//!
//! The keys of an open store are in `repository::key_ring`; key rotation is in `repository::key_rotation`.

mod encryption;
mod key_file;
mod key_lock;

pub use encryption::{KeyCheck, KeyError, KeyId, SealedSecret, SecretKey};
pub(crate) use encryption::{open_bytes, seal_bytes};
pub use key_file::KeyFile;
pub use key_lock::KeyLock;
