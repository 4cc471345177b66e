//! What several commands share: flags, signals, output, questions at the terminal. Commands use this module and not each other.

use std::error::Error;
use std::fmt;
use std::io;

pub(crate) mod address_parser;
pub(crate) mod colours;
pub(crate) mod host_reload;
pub(crate) mod output;
pub(crate) mod own_output;
pub(crate) mod passphrase_flags;
pub(crate) mod place;
pub(crate) mod profile_flags;
pub(crate) mod scratch_folder;
pub(crate) mod service;
pub(crate) mod service_flags;
pub(crate) mod settings_flags;
pub(crate) mod signals;
pub(crate) mod store_flags;

pub(crate) mod text;

/// The command line is wrong in a way that its parser does not see: exit code 2.
#[derive(Debug)]
pub(crate) struct UsageError(pub(crate) String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for UsageError {}

/// Runs a future on the current thread.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> io::Result<T> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future))
}
