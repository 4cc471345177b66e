//! The trait of what keeps the state of connections, on the host's side.

use std::time::Duration;

use values::Guid;

use super::entry::{StateCondition, StateEntry, StateWritten};
use crate::Result;

/// Whose state it is, and how long an access may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateAccess {
    /// The connection that the host calls. A plugin has no part in this.
    pub connection: Guid,
    /// A method gives up after this time.
    pub within: Duration,
}

/// Keeps the state of connections.
pub trait StateStore: Send + Sync {
    /// The entry of a key.
    ///
    /// # Errors
    /// The state cannot be read.
    fn get(&self, access: StateAccess, key: &str) -> Result<Option<StateEntry>>;

    /// Sets the value of a key, or deletes its entry, if the condition holds: atomically, and durably when it returns.
    ///
    /// # Errors
    /// The state cannot be written, or a limit is exceeded. After an error of the kind
    /// [`UnknownOutcome`](crate::ErrorKind::UnknownOutcome) it may have been written.
    fn set(
        &self,
        access: StateAccess,
        key: &str,
        value: Option<&str>,
        condition: StateCondition,
    ) -> Result<StateWritten>;

    /// The keys with this prefix, in order.
    ///
    /// # Errors
    /// The state cannot be read.
    fn keys(&self, access: StateAccess, prefix: &str) -> Result<Vec<String>>;
}
