//! Key rotation: replaces the key that encrypts the secrets, while hosts run.
//!
//! The order of the steps makes it safe to crash between any two of them:
//!
//! 1. The new key is added to the key file.
//! 2. The new key is added to the store: from now on every process seals with it.
//! 3. Every secret is re-encrypted, in small transactions.
//! 4. The old key is removed from the store, which refuses that while a secret is sealed with it.
//! 5. The old key is removed from the key file.
//!
//! So the key file can decrypt everything at every moment, and running the rotation again finishes an interrupted one.

use super::ConnectionRepository;
use crate::audit::{Event, Origin};
use crate::keys::{KeyId, SecretKey};
use crate::store::{Progress, StoreError};

/// How often to re-encrypt what another process has sealed with the old key in the meantime. A running host uses the new
/// key within a second.
const MAX_ROUNDS: u32 = 50;

/// The result of a key rotation.
#[derive(Debug)]
pub struct KeyRotation {
    /// The new key.
    pub key: KeyId,
    /// The old keys.
    pub former: Vec<KeyId>,
    /// How many secrets were re-encrypted.
    pub secrets: usize,
    /// Whether it has finished a rotation that was interrupted.
    pub is_resumed: bool,
}

impl ConnectionRepository {
    /// Rotates the key, or finishes a rotation that was interrupted. `progress` is called after each batch. The caller must
    /// hold the [exclusive lock](crate::KeyLock::exclusive) of the keys.
    ///
    /// # Errors
    /// The key file cannot be replaced, a secret cannot be decrypted, or the store fails. Everything can still be
    /// decrypted then, and another attempt continues where this one ended.
    pub async fn rotate_key(
        &self,
        by: &Origin,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<KeyRotation, StoreError> {
        let store = self.store();
        let before = store.keys().await?;
        let is_resumed = before.len() > 1;
        if !is_resumed {
            let new = SecretKey::random()?;
            let in_file = self.key_file().read()?.unwrap_or_default();
            // Keys that the store does not have are left over from a rotation that was interrupted after step 1.
            let known = in_file.iter().filter(|key| before.iter().any(|check| key.passes(check)));
            self.key_file().replace(known.chain([&new]))?;
            store.add_key(new.check()?).await?;
        }
        self.keys.reload(store).await?;
        let keys = store.keys().await?;
        let (key, former) = match keys.split_first() {
            Some((newest, former)) => {
                (newest.key_id.clone(), former.iter().map(|check| check.key_id.clone()).collect::<Vec<_>>())
            }
            None => return Err(StoreError::KeyChanged),
        };

        let mut secrets = 0;
        let mut rounds_left = MAX_ROUNDS;
        loop {
            let batch = store.reencrypt_batch(&|owner, sealed| self.reencrypt(owner, sealed)).await?;
            secrets += batch.done;
            progress(Progress { done: secrets, ..batch });
            if batch.left > 0 {
                continue;
            }
            let event = Event::KeyRotated {
                key: key.to_string(),
                former: former.iter().map(ToString::to_string).collect(),
                secrets,
            };
            if store.remove_old_keys(&self.audit_batch(by, vec![event])).await? {
                break;
            }
            rounds_left -= 1;
            if rounds_left == 0 {
                return Err(StoreError::OldKeyInUse { former });
            }
        }
        self.keys.reload(store).await?;
        let in_file = self.key_file().read()?.unwrap_or_default();
        self.key_file().replace(in_file.iter().filter(|in_file| in_file.id() == &key))?;
        self.audit.flush(store).await;
        Ok(KeyRotation { key, former, secrets, is_resumed })
    }
}
