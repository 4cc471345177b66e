//! What state consists of: entries with versions.

use std::fmt;

use zeroize::Zeroize;

use crate::{Error, Result};

/// Bytes of a key at most.
pub const MAX_STATE_KEY: usize = 256;

/// Bytes of a value at most, unless the operator has set another limit.
pub const MAX_STATE_VALUE: usize = 64 << 10;

/// Bytes of a value at most that an operator can allow.
pub const LARGEST_STATE_VALUE: usize = 16 << 20;

/// Bytes of all entries of a connection at most, unless the operator has set another limit.
pub const MAX_STATE: u64 = 64 << 20;

/// An entry counts for so many bytes more than its key and its value.
pub const STATE_ENTRY_BYTES: u64 = 100;

/// The version of an entry. Every write gives the entry another one, which no entry of the connection has had before, also
/// after it was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateVersion(u64);

impl StateVersion {
    /// The version of this number. For hosts.
    pub fn new(number: u64) -> Self {
        StateVersion(number)
    }

    /// Its number.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// An entry of the state of a connection. Its `Debug` hides the value, which is overwritten in memory when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct StateEntry {
    value: String,
    version: StateVersion,
}

impl StateEntry {
    /// An entry with this value. For hosts.
    pub fn new(value: impl Into<String>, version: StateVersion) -> Self {
        StateEntry { value: value.into(), version }
    }

    /// The value. Keep a secret out of logs and errors.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The version, for [`compare_and_set`](super::ConnectionState::compare_and_set).
    pub fn version(&self) -> StateVersion {
        self.version
    }
}

impl fmt::Debug for StateEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateEntry").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Drop for StateEntry {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

/// The result of a [`compare_and_set`](super::ConnectionState::compare_and_set).
#[must_use = "somebody else may have changed the entry"]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompareAndSet {
    /// The value is stored, with this version.
    Set(StateVersion),
    /// Nothing was stored: the entry has another version than the expected one, or is there although none was expected.
    Changed,
}

/// What must hold for a write to a [`StateStore`](super::StateStore).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateCondition {
    /// Anything.
    Anything,
    /// There is no entry of the key.
    Absent,
    /// The entry has this version.
    Version(StateVersion),
}

/// The result of a write to a [`StateStore`](super::StateStore).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateWritten {
    /// The value is stored, with this version.
    Set(StateVersion),
    /// There is no entry of the key any more.
    Deleted,
    /// Nothing was changed: the condition does not hold.
    Changed,
}

/// Checks a key.
///
/// # Errors
/// It is empty, too long, or has a control character.
pub fn check_state_key(key: &str) -> Result<()> {
    let problem = if key.is_empty() {
        "is empty".to_owned()
    } else if key.len() > MAX_STATE_KEY {
        format!("has {} bytes, expected {MAX_STATE_KEY} at most", key.len())
    } else if key.contains(char::is_control) {
        format!("has a control character: {key:?}")
    } else {
        return Ok(());
    };
    Err(Error::user("the connector cannot keep its state").tech(format!("a key of the state {problem}")))
}
