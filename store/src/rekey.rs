//! Rotating the key that seals the secrets, while everybody goes on.
//!
//! The order is what makes it safe: a key is durably in the key file before the store knows it, the store knows it before
//! anything is sealed with it, and a key is taken out of the file only after the store has forgotten it, which it refuses
//! while anything is sealed with it. So at every moment the key file opens everything, wherever a crash comes between; and
//! running the rotation again finishes one that was interrupted.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::private_file;
use super::secrets::{KeyId, SecretKey};
use super::store::{Progress, StoreError};
use super::stored::StoredConnections;
use crate::audit::{Event, Origin};

/// What is locked while the keys are rotated, or while a backup must find them as they are.
const LOCK: &str = "erp-host.keys.lock";

/// How often to seal anew what another process still seals with the former key. A running host learns of the new one
/// within a second.
const ROUNDS: u32 = 50;

/// What a rotation has done.
#[derive(Debug)]
pub struct Rotation {
    /// The key that seals now.
    pub key: KeyId,
    /// The keys before.
    pub former: Vec<KeyId>,
    /// How many secrets were sealed anew.
    pub secrets: usize,
    /// Whether it has finished one that was interrupted.
    pub is_resumed: bool,
}

/// Keeps the keys of a data folder as they are, or from anybody else who would change them. Free when dropped, or when the
/// process ends.
#[derive(Debug)]
pub struct KeysHeld(#[expect(dead_code, reason = "held, not used")] File);

impl KeysHeld {
    /// To rotate them: nobody else may rotate or copy them meanwhile. `None` when somebody does.
    ///
    /// # Errors
    /// The data folder cannot be written to.
    pub fn to_change(data: &Path) -> io::Result<Option<Self>> {
        let file = lock_file(data)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(KeysHeld(file))),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    /// To copy them: nobody may rotate them meanwhile. `None` when somebody does.
    ///
    /// # Errors
    /// The data folder cannot be written to.
    pub fn to_copy(data: &Path) -> io::Result<Option<Self>> {
        let file = lock_file(data)?;
        match file.try_lock_shared() {
            Ok(()) => Ok(Some(KeysHeld(file))),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }
}

fn lock_file(data: &Path) -> io::Result<File> {
    private_file::lock_file(&data.join(LOCK))
}

impl StoredConnections {
    /// Seals all secrets with a new key, and forgets the former one; or finishes that, if it was interrupted. `progress` is
    /// told how far it is. Whoever calls it holds the keys [to change](KeysHeld::to_change).
    ///
    /// # Errors
    /// The key file cannot be replaced, a secret cannot be decrypted, or the store fails. Everything still opens then, and
    /// another attempt goes on where this one ended.
    pub async fn rekey(
        &self,
        by: &Origin,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Rotation, StoreError> {
        let store = self.store();
        let before = store.keys().await?;
        let is_resumed = before.len() > 1;
        if !is_resumed {
            let new = SecretKey::random()?;
            let in_file = self.key_file().read()?.unwrap_or_default();
            // What nothing is sealed with is left over from an interrupted rotation.
            let known = in_file.iter().filter(|key| before.iter().any(|check| key.passes(check)));
            self.key_file().replace(known.chain([&new]))?;
            store.add_key(new.check()?).await?;
            // Gone from memory; from now on it is read from its file, as everybody does.
            drop(new);
        }
        self.reload_keys().await?;
        let keys = store.keys().await?;
        let (key, former) = match keys.split_first() {
            Some((newest, former)) => {
                (newest.key_id.clone(), former.iter().map(|check| check.key_id.clone()).collect::<Vec<_>>())
            }
            None => return Err(StoreError::KeyChanged),
        };

        let mut secrets = 0;
        let mut rounds_left = ROUNDS;
        loop {
            let done = store.seal_anew(&|place, sealed| self.seal_anew(place, sealed)).await?;
            secrets += done.sealed;
            progress(Progress { sealed: secrets, ..done });
            if done.left > 0 {
                continue;
            }
            let event = Event::KeyRotated {
                key: key.to_string(),
                former: former.iter().map(ToString::to_string).collect(),
                secrets,
            };
            if store.forget_former_keys(&self.recording(by, vec![event])).await? {
                break;
            }
            rounds_left -= 1;
            if rounds_left == 0 {
                return Err(StoreError::FormerKeyInUse { former });
            }
        }
        self.reload_keys().await?;
        let in_file = self.key_file().read()?.unwrap_or_default();
        self.key_file().replace(in_file.iter().filter(|in_file| in_file.id() == &key))?;
        self.write_audit_log().await;
        Ok(Rotation { key, former, secrets, is_resumed })
    }
}
