//! State in memory, for tests and for settings that are only tried out.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::entry::{
    MAX_STATE, MAX_STATE_VALUE, STATE_ENTRY_BYTES, StateCondition, StateEntry, StateVersion, StateWritten,
    check_state_key,
};
use super::store::{StateAccess, StateStore};
use crate::{Error, Result};

/// State in memory, with the limits that a host has by default. A test passes it to the contexts of all calls of a connection
/// ([`Context::with_state`](crate::Context::with_state)). Clones share the entries.
#[derive(Clone, Default)]
pub struct MemoryState(Arc<Mutex<Entries>>);

#[derive(Default)]
struct Entries {
    by_key: BTreeMap<String, StateEntry>,
    last_version: u64,
}

impl Entries {
    fn bytes(&self) -> u64 {
        self.by_key.iter().map(|(key, entry)| bytes(key, entry.value())).sum()
    }
}

impl MemoryState {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        // Nothing that runs under the lock leaves it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For how many bytes an entry counts.
fn bytes(key: &str, value: &str) -> u64 {
    (key.len() + value.len()) as u64 + STATE_ENTRY_BYTES
}

impl MemoryState {
    pub(super) fn get(&self, key: &str) -> Result<Option<StateEntry>> {
        check_state_key(key)?;
        Ok(self.entries().by_key.get(key).cloned())
    }

    pub(super) fn set(
        &self,
        key: &str,
        value: Option<&str>,
        condition: StateCondition,
    ) -> Result<StateWritten> {
        check_state_key(key)?;
        let mut entries = self.entries();
        let stored = entries.by_key.get(key);
        let holds = match condition {
            StateCondition::Anything => true,
            StateCondition::Absent => stored.is_none(),
            StateCondition::Version(version) => stored.is_some_and(|stored| stored.version() == version),
        };
        if !holds {
            return Ok(StateWritten::Changed);
        }
        let Some(value) = value else {
            entries.by_key.remove(key);
            return Ok(StateWritten::Deleted);
        };
        let before = stored.map_or(0, |stored| bytes(key, stored.value()));
        let total = entries.bytes() - before + bytes(key, value);
        if value.len() > MAX_STATE_VALUE || total > MAX_STATE {
            let tech = format!(
                "the value of {key:?} has {} bytes, expected {MAX_STATE_VALUE} at most; the state of the connection would have \
                 {total} bytes, expected {MAX_STATE} at most",
                value.len()
            );
            return Err(Error::user("the connector cannot keep its state").tech(tech));
        }
        entries.last_version += 1;
        let version = StateVersion::new(entries.last_version);
        entries.by_key.insert(key.to_owned(), StateEntry::new(value, version));
        Ok(StateWritten::Set(version))
    }

    pub(super) fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let entries = self.entries();
        let from = entries.by_key.range(prefix.to_owned()..);
        Ok(from.map(|(key, _)| key).take_while(|key| key.starts_with(prefix)).cloned().collect())
    }
}

/// As the state of whatever connection is called.
impl StateStore for MemoryState {
    fn get(&self, _: StateAccess, key: &str) -> Result<Option<StateEntry>> {
        self.get(key)
    }

    fn set(
        &self,
        _: StateAccess,
        key: &str,
        value: Option<&str>,
        condition: StateCondition,
    ) -> Result<StateWritten> {
        self.set(key, value, condition)
    }

    fn keys(&self, _: StateAccess, prefix: &str) -> Result<Vec<String>> {
        self.keys(prefix)
    }
}

impl fmt::Debug for MemoryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "state of {} entries", self.entries().by_key.len())
    }
}
