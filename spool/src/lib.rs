//! Spool files, and budgets that peers share: request bodies and replies that do not stay in memory.
//!
//! ```
//! use erp_host_spool::SpoolFiles;
//!
//! let folder = tempfile::tempdir()?;
//! // Together up to 1 MiB, of which one peer may hold as much as it leaves free.
//! let files = SpoolFiles::new(folder.path(), 1 << 20);
//! # let _ = files;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - `shared_budget`: a budget of bytes, of memory or of disk, that peers share;
//! - `spool_file`: temporary files with a limit of their bytes and of their number.

mod shared_budget;
mod spool_file;

pub use shared_budget::{NoRoom, Share, SharedBudget};
pub use spool_file::{MAX_FILES, SpoolError, SpoolFile, SpoolFiles, SpoolReader};
