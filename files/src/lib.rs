//! How the host reads and writes files: up to a size, with an explicit mode, and for the right owner. Values that are made from
//! files are made again when the files change (hot reload).
//!
//! ```
//! use erp_host_files::private_file::{self, IfPresent};
//! use erp_host_files::read_secret;
//!
//! let folder = tempfile::tempdir()?;
//! let file = folder.path().join("key");
//! // Mode 0600, whatever the umask is.
//! private_file::write(&file, b"secret", IfPresent::Keep)?;
//! // Refused if others may read it, or if it is larger than 1 KiB.
//! assert_eq!(read_secret(&file, 1024)?.as_slice(), b"secret");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`hot_reload`]: values that are made from files, and the thread that makes them again;
//! - `input`: reads whole files, up to a size, and refuses those that others can read or change;
//! - [`permissions`]: who else may read or write a file or folder;
//! - [`private_file`]: files and folders that only their owner can use; lock files;
//! - [`replace`]: replaces a file atomically.

pub mod hot_reload;
mod input;
pub mod permissions;
pub mod private_file;
pub mod replace;

pub use input::{ReadError, read, read_secret, read_secret_text, read_text, read_trusted, read_trusted_text};

#[cfg(test)]
#[cfg(unix)]
mod tests;
