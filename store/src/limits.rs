//! Limits of what is stored: the size of a setting, of all settings of a connection, of its state, and the number of
//! connections.

use plugin_api::abi::{self, LARGEST_STATE_VALUE, MAX_STATE, MAX_STATE_VALUE, STATE_ENTRY_BYTES};
use values::Guid;

use crate::keys::SealedSecret;
use crate::store::{SealedConnection, SealedSetting, SealedValue, StateSize, StoreError};

/// Bytes that sealing adds to a secret: a nonce and a tag.
const SEAL_BYTES: usize = 12 + 16;

/// Bytes of a setting's name at most.
const MAX_NAME: usize = 256;

/// Limits of what is stored. A change beyond them is refused; what is stored already can be read, and deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreLimits {
    /// Bytes of a setting's value.
    pub setting: usize,
    /// Bytes of all settings of a connection, names and values.
    pub settings: usize,
    /// The number of connections.
    pub connections: usize,
    /// Bytes of a value of a connection's state.
    pub state_value: usize,
    /// Bytes that all entries of a connection's state may count for.
    pub state_per_connection: u64,
}

impl Default for StoreLimits {
    fn default() -> Self {
        StoreLimits {
            setting: 64 << 10,
            settings: 256 << 10,
            connections: 10_000,
            state_value: MAX_STATE_VALUE,
            state_per_connection: MAX_STATE,
        }
    }
}

impl StoreLimits {
    /// The most that [`state_value`](Self::state_value) can be: more does not cross the plugin boundary.
    pub const LARGEST_STATE_VALUE: usize = LARGEST_STATE_VALUE;

    /// Checks the settings of a connection that is to be saved.
    pub(crate) fn check(&self, guid: Guid, settings: &[SealedSetting]) -> Result<(), StoreError> {
        let too_large = |what: String, size: usize, key: &'static str, limit: usize| StoreError::TooLarge {
            guid,
            what,
            size,
            key,
            limit,
        };
        let mut all = 0;
        for setting in settings {
            let (name, value) = (setting.key.len(), size(&setting.value));
            if name > MAX_NAME {
                return Err(StoreError::NameTooLong { guid, size: name, limit: MAX_NAME });
            }
            if value > self.setting {
                let what = format!("the setting {:?}", setting.key);
                return Err(too_large(what, value, "limits.setting", self.setting));
            }
            all += name + value;
        }
        if all > self.settings {
            let what = format!("all {} settings", settings.len());
            return Err(too_large(what, all, "limits.settings_per_connection", self.settings));
        }
        Ok(())
    }

    /// Checks an entry of a connection's state, with a value of so many bytes.
    pub(crate) fn check_state_entry(&self, guid: Guid, key: &str, size: usize) -> Result<(), StoreError> {
        check_state_key(guid, key)?;
        if size > self.state_value {
            let (what, limit) = (format!("the value {key:?} of the state"), self.state_value);
            return Err(StoreError::TooLarge { guid, what, size, key: "limits.state_value", limit });
        }
        Ok(())
    }

    /// Checks the size that the state of a connection would have.
    pub(crate) fn check_state_size(guid: Guid, size: StateSize, limit: u64) -> Result<(), StoreError> {
        if size.bytes > limit {
            let number = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
            return Err(StoreError::TooLarge {
                guid,
                what: format!("the state of {} entries", size.entries),
                size: number(size.bytes),
                key: "limits.state_per_connection",
                limit: number(limit),
            });
        }
        Ok(())
    }

    /// Checks the whole state of a connection that is to be saved.
    pub(crate) fn check_state(
        &self,
        guid: Guid,
        entries: &[(String, SealedSecret)],
    ) -> Result<(), StoreError> {
        for (key, value) in entries {
            self.check_state_entry(guid, key, unsealed_size(value.bytes.len()))?;
        }
        StoreLimits::check_state_size(guid, size_of_all_state(entries), self.state_per_connection)
    }

    /// Checks the number of connections that there would be.
    pub(crate) fn check_count(&self, connections: usize) -> Result<(), StoreError> {
        if connections > self.connections {
            return Err(StoreError::TooManyConnections { limit: self.connections, connections });
        }
        Ok(())
    }

    /// Checks a whole store, such as a backup.
    pub(crate) fn check_all(&self, connections: &[SealedConnection]) -> Result<(), StoreError> {
        self.check_count(connections.len())?;
        connections.iter().try_for_each(|connection| self.check(connection.guid, &connection.settings))
    }
}

/// Bytes of a value, as it was before it was sealed.
fn size(value: &SealedValue) -> usize {
    match value {
        SealedValue::Plain(value) => value.as_ref().map_or(0, String::len),
        SealedValue::Secret(secret) => secret.as_ref().map_or(0, |secret| unsealed_size(secret.bytes.len())),
    }
}

/// Bytes of a secret, as it was before it was sealed.
fn unsealed_size(sealed: usize) -> usize {
    sealed.saturating_sub(SEAL_BYTES)
}

/// Checks the key of an entry of a connection's state.
pub(crate) fn check_state_key(guid: Guid, key: &str) -> Result<(), StoreError> {
    abi::check_state_key(key).map_err(|error| StoreError::StateKey { guid, problem: error.tech_text() })
}

/// What an entry with a sealed value of so many bytes counts for.
pub(crate) fn size_of_state(key: &str, sealed: usize) -> StateSize {
    StateSize { entries: 1, bytes: (key.len() + unsealed_size(sealed)) as u64 + STATE_ENTRY_BYTES }
}

/// What all entries of a connection count for.
pub(crate) fn size_of_all_state(entries: &[(String, SealedSecret)]) -> StateSize {
    let sizes = entries.iter().map(|(key, value)| size_of_state(key, value.bytes.len()));
    sizes.fold(StateSize::default(), |all, one| StateSize {
        entries: all.entries + one.entries,
        bytes: all.bytes + one.bytes,
    })
}
