//! The state of a connection: what a connector keeps between calls, such as a refresh token or a mark of progress.
//!
//! - `entry`: entries, versions, limits; `store`: the trait of what keeps them;
//! - `memory`: state in memory; `messages`: how state crosses the boundary;
//! - here: the handle that an author uses.

mod entry;
mod memory;
mod messages;
mod store;

use std::fmt;
use std::sync::Arc;

pub use self::entry::{
    CompareAndSet, LARGEST_STATE_VALUE, MAX_STATE, MAX_STATE_KEY, MAX_STATE_VALUE, STATE_ENTRY_BYTES,
    StateCondition, StateEntry, StateVersion, StateWritten, check_state_key,
};
pub use self::memory::MemoryState;
pub(crate) use self::messages::serve;
pub use self::store::{StateAccess, StateStore};
use crate::caller::Caller;
use crate::{Error, Result};

/// The state of the connection that is called: a durable key-value store, in the host's store. Values are encrypted there;
/// keys are not, so they are no secrets.
///
/// A write has reached the disk when its method returns. What is kept survives restarts of the host and later saves of the
/// settings; it is in backups and exports, and is deleted with its connection. Several hosts that share a store share the
/// state too, and each sees what the others have written at once.
///
/// Values are texts, to 64 KiB each; an operator may set other limits. A method takes about a millisecond, and writing longer:
/// keep what each call needs in memory, too.
///
/// ```
/// use plugin_api::{CompareAndSet, Context, Result};
///
/// /// Counts the imports of a connection, whatever other calls do meanwhile.
/// fn count_import(cx: &Context) -> Result<u64> {
///     let state = cx.state();
///     loop {
///         let entry = state.get("imports")?;
///         let count = entry.as_ref().map_or(Ok(0), |entry| entry.value().parse::<u64>())? + 1;
///         let version = entry.map(|entry| entry.version());
///         match state.compare_and_set("imports", version, &count.to_string())? {
///             CompareAndSet::Set(_) => return Ok(count),
///             CompareAndSet::Changed => {} // Another call was faster: again, with its value.
///         }
///     }
/// }
///
/// let cx = Context::default();
/// assert_eq!((count_import(&cx)?, count_import(&cx)?), (1, 2));
/// # Ok::<(), plugin_api::Error>(())
/// ```
///
/// While settings are only tried out there is no connection yet: the state is empty, in memory, and ends with the call. In a
/// test it is in memory as well, and lives as long as the context; [`MemoryState`] is for a test of several calls.
#[derive(Clone)]
pub struct ConnectionState(Place);

#[derive(Clone)]
enum Place {
    /// In the host.
    Host(Arc<dyn Caller>),
    Memory(MemoryState),
}

impl ConnectionState {
    pub(crate) fn of_host(caller: Arc<dyn Caller>) -> Self {
        ConnectionState(Place::Host(caller))
    }

    /// The entry of a key; `None` when there is none.
    ///
    /// # Errors
    /// The state cannot be read, or the call has ended.
    pub fn get(&self, key: &str) -> Result<Option<StateEntry>> {
        check_state_key(key)?;
        match &self.0 {
            Place::Host(caller) => messages::get(caller.as_ref(), key),
            Place::Memory(memory) => memory.get(key),
        }
    }

    /// Stores a value, whatever the key had before.
    ///
    /// # Errors
    /// Key or value is too long, the state of the connection too large, or it cannot be written; or the call has ended. The
    /// kind [`UnknownOutcome`](crate::ErrorKind::UnknownOutcome): it may have been written.
    pub fn put(&self, key: &str, value: &str) -> Result<StateVersion> {
        match self.set(key, Some(value), StateCondition::Anything)? {
            StateWritten::Set(version) => Ok(version),
            StateWritten::Deleted | StateWritten::Changed => Err(contradiction()),
        }
    }

    /// Stores a value if the entry has this version, or with `None` if there is no entry: of several calls, threads or hosts
    /// that change the same version, exactly one succeeds.
    ///
    /// # Errors
    /// As for [`put`](Self::put).
    pub fn compare_and_set(
        &self,
        key: &str,
        expected: Option<StateVersion>,
        value: &str,
    ) -> Result<CompareAndSet> {
        let condition = expected.map_or(StateCondition::Absent, StateCondition::Version);
        match self.set(key, Some(value), condition)? {
            StateWritten::Set(version) => Ok(CompareAndSet::Set(version)),
            StateWritten::Changed => Ok(CompareAndSet::Changed),
            StateWritten::Deleted => Err(contradiction()),
        }
    }

    /// Deletes the entry of a key, if there is one.
    ///
    /// # Errors
    /// As for [`put`](Self::put).
    pub fn delete(&self, key: &str) -> Result<()> {
        self.set(key, None, StateCondition::Anything).map(|_| ())
    }

    /// Deletes the entry of a key if it has this version. False: it has another one, or there is none.
    ///
    /// # Errors
    /// As for [`put`](Self::put).
    pub fn delete_if(&self, key: &str, version: StateVersion) -> Result<bool> {
        Ok(self.set(key, None, StateCondition::Version(version))? == StateWritten::Deleted)
    }

    /// The keys that begin with this text, in order; with an empty text all.
    ///
    /// # Errors
    /// The state cannot be read, or the call has ended.
    pub fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        match &self.0 {
            Place::Host(caller) => messages::keys(caller.as_ref(), prefix),
            Place::Memory(memory) => memory.keys(prefix),
        }
    }

    fn set(&self, key: &str, value: Option<&str>, condition: StateCondition) -> Result<StateWritten> {
        check_state_key(key)?;
        // The operator's limit is the host's matter; this is what crosses the boundary at all.
        if value.is_some_and(|value| value.len() > LARGEST_STATE_VALUE) {
            let tech = format!("the value of {key:?} has more than {LARGEST_STATE_VALUE} bytes");
            return Err(Error::user("the connector cannot keep its state").tech(tech));
        }
        match &self.0 {
            Place::Host(caller) => messages::set(caller.as_ref(), key, value, condition),
            Place::Memory(memory) => memory.set(key, value, condition),
        }
    }
}

fn contradiction() -> Error {
    Error::user("the connector cannot keep its state").tech("the host's answer contradicts the request")
}

impl From<MemoryState> for ConnectionState {
    fn from(memory: MemoryState) -> Self {
        ConnectionState(Place::Memory(memory))
    }
}

impl fmt::Debug for ConnectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Place::Host(_) => "state in the host",
            Place::Memory(_) => "state in memory",
        })
    }
}
