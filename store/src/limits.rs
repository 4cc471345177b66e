//! Limits of what is stored: the size of a setting, of all settings of a connection, and the number of connections.

use values::Guid;

use crate::store::{SealedConnection, SealedSetting, SealedValue, StoreError};

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
}

impl Default for StoreLimits {
    fn default() -> Self {
        StoreLimits { setting: 64 << 10, settings: 256 << 10, connections: 10_000 }
    }
}

impl StoreLimits {
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
        SealedValue::Secret(secret) => {
            secret.as_ref().map_or(0, |secret| secret.bytes.len().saturating_sub(SEAL_BYTES))
        }
    }
}
