//! The state of connections, decrypted and encrypted.

use plugin_api::StateEntry;
use plugin_api::abi::{StateCondition, StateWritten};
use values::Guid;

use super::ConnectionRepository;
use crate::keys::SealedSecret;
use crate::limits;
use crate::store::{SealedState, StateWrite, StoreError};

/// How often a read or a write is tried when other processes rotate the key.
const ATTEMPTS: u32 = 5;

impl ConnectionRepository {
    /// The entry of a key of a connection's state.
    ///
    /// # Errors
    /// The store fails, or the value cannot be decrypted.
    pub async fn state(&self, guid: Guid, key: &str) -> Result<Option<StateEntry>, StoreError> {
        let mut attempts_left = ATTEMPTS;
        loop {
            let Some(sealed) = self.store().state(guid, key).await? else { return Ok(None) };
            attempts_left -= 1;
            if attempts_left == 0 || self.keys.has(&sealed.value.key_id) {
                return self.unseal_state(guid, &sealed).map(Some);
            }
            self.keys.reload(self.store()).await?;
        }
    }

    /// Writes or deletes an entry of a connection's state, if the condition holds. Not recorded in the audit log: it is no
    /// change that a person makes, and there may be one in every call.
    ///
    /// # Errors
    /// The connection is not stored, a [limit](crate::StoreLimits) is exceeded, or the store fails. Then nothing changed.
    pub async fn set_state(
        &self,
        guid: Guid,
        key: &str,
        value: Option<&str>,
        condition: StateCondition,
    ) -> Result<StateWritten, StoreError> {
        self.limits.check_state_entry(guid, key, value.map_or(0, str::len))?;
        let mut attempts_left = ATTEMPTS;
        loop {
            let value = value.map(|value| self.keys.seal_state(guid, key, value)).transpose()?;
            let write = StateWrite {
                guid,
                key: key.to_owned(),
                value,
                condition,
                limit: self.limits.state_per_connection,
            };
            attempts_left -= 1;
            match self.store().set_state(&write).await {
                Err(StoreError::KeyChanged) if attempts_left > 0 => self.keys.reload(self.store()).await?,
                written => return written,
            }
        }
    }

    /// The keys of a connection's state that begin with this text, in order.
    ///
    /// # Errors
    /// The store fails.
    pub async fn state_keys(&self, guid: Guid, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.store().state_keys(guid, prefix).await
    }

    /// All entries of a connection's state, ordered by key.
    ///
    /// # Errors
    /// The store fails, or a value cannot be decrypted.
    pub async fn all_state(&self, guid: Guid) -> Result<Vec<(String, StateEntry)>, StoreError> {
        let mut attempts_left = ATTEMPTS;
        loop {
            let sealed = self.store().all_state(guid).await?;
            attempts_left -= 1;
            if attempts_left > 0 && !sealed.iter().all(|entry| self.keys.has(&entry.value.key_id)) {
                self.keys.reload(self.store()).await?;
                continue;
            }
            let unseal = |entry: SealedState| Ok((entry.key.clone(), self.unseal_state(guid, &entry)?));
            return sealed.into_iter().map(unseal).collect();
        }
    }

    /// Encrypts an entry for a [save](crate::ConnectionSave).
    pub(crate) fn seal_state(
        &self,
        guid: Guid,
        key: &str,
        value: &str,
    ) -> Result<(String, SealedSecret), StoreError> {
        limits::check_state_key(guid, key)?;
        Ok((key.to_owned(), self.keys.seal_state(guid, key, value)?))
    }

    fn unseal_state(&self, guid: Guid, sealed: &SealedState) -> Result<StateEntry, StoreError> {
        let SealedState { key, version, value } = sealed;
        match self.keys.open_state(guid, key, value) {
            Ok(value) => Ok(StateEntry::new(value, *version)),
            Err(problem) => Err(StoreError::State { guid, key: key.clone(), problem }),
        }
    }
}
