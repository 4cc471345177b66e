//! The keys of a store in use: the one that seals, and those that still open while the key is being rotated.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use values::Guid;

use super::key_file::KeyFile;
use super::secrets::{KeyCheck, KeyError, KeyId, SealedSecret, SecretKey};
use super::store::{ConnectionStore, SealedConnection, SealedValue, StoreError};

/// The keys of a store, the newest first: that one seals.
#[derive(Debug)]
struct Ring(Vec<SecretKey>);

/// The keys of a store, read again when something is sealed with one that is not among them.
#[derive(Debug)]
pub(super) struct KeyRing {
    file: KeyFile,
    /// The store's file, for messages.
    store: PathBuf,
    ring: ArcSwap<Ring>,
}

impl KeyRing {
    /// The keys of a store: those of the key file, which must be the ones that the store has proofs of. A store without a
    /// key takes the file's, or a new one.
    pub(super) async fn open(
        store: &dyn ConnectionStore,
        path: PathBuf,
        file: KeyFile,
    ) -> Result<Self, StoreError> {
        if store.keys().await?.is_empty() {
            let key = match first(file.read()?) {
                Some(key) => key,
                None => create(&file)?,
            };
            // Another process may have been faster: then its key must be ours, too.
            store.add_first_key(key.check()?).await?;
        }
        let ring = read(store, &path, &file).await?;
        Ok(KeyRing { file, store: path, ring: ArcSwap::from_pointee(ring) })
    }

    /// The key file.
    pub(super) fn file(&self) -> &KeyFile {
        &self.file
    }

    /// Reads the keys again.
    pub(super) async fn reload(&self, store: &dyn ConnectionStore) -> Result<(), StoreError> {
        let ring = read(store, &self.store, &self.file).await?;
        self.ring.store(Arc::new(ring));
        Ok(())
    }

    /// Whether the key that seals is the store's newest.
    pub(super) fn is_newest(&self, keys: &[KeyCheck]) -> bool {
        let ring = self.ring.load();
        ring.0.first().map(SecretKey::id) == keys.first().map(|check| &check.key_id)
            && ring.0.len() == keys.len()
    }

    /// Whether every secret is sealed with a key that is here.
    pub(super) fn opens(&self, connections: &[SealedConnection]) -> bool {
        let ring = self.ring.load();
        let settings = connections.iter().flat_map(|connection| &connection.settings);
        settings.into_iter().all(|setting| match &setting.value {
            SealedValue::Secret(Some(sealed)) => ring.find(&sealed.key_id).is_some(),
            SealedValue::Secret(None) | SealedValue::Plain(_) => true,
        })
    }

    /// Seals with the newest key.
    pub(super) fn seal(&self, guid: Guid, setting: &str, secret: &str) -> Result<SealedSecret, StoreError> {
        Ok(self.ring.load().newest()?.seal(guid, setting, secret)?)
    }

    /// Opens with the key that it was sealed with; the error says why it does not open.
    pub(super) fn open_secret(
        &self,
        guid: Guid,
        setting: &str,
        sealed: &SealedSecret,
    ) -> Result<String, &'static str> {
        match self.ring.load().find(&sealed.key_id) {
            Some(key) => key.open(guid, setting, sealed),
            None => Err("it is sealed with another key than that of the key file"),
        }
    }

    /// Seals a secret of the store's own with the newest key.
    pub(super) fn seal_own(&self, name: &str, secret: &[u8]) -> Result<SealedSecret, StoreError> {
        Ok(self.ring.load().newest()?.seal_own(name, secret)?)
    }

    /// Opens a secret of the store's own.
    pub(super) fn open_own(&self, name: &str, sealed: &SealedSecret) -> Option<zeroize::Zeroizing<Vec<u8>>> {
        self.ring.load().find(&sealed.key_id)?.open_own(name, sealed)
    }
}

impl Ring {
    fn newest(&self) -> Result<&SecretKey, StoreError> {
        self.0.first().ok_or(StoreError::KeyChanged)
    }

    fn find(&self, id: &KeyId) -> Option<&SecretKey> {
        self.0.iter().find(|key| key.id() == id)
    }
}

/// The keys that the store has proofs of, from the key file. It may hold more: a rotation that was interrupted before
/// its first or after its last step.
async fn read(store: &dyn ConnectionStore, path: &Path, file: &KeyFile) -> Result<Ring, StoreError> {
    // In this order: a key is in the file before the store knows it, and is taken out of the file after the store has
    // forgotten it.
    let mut attempts_left = 3;
    loop {
        let checks = store.keys().await?;
        let mut keys = file.read()?.unwrap_or_default();
        let found = keys.first().map(|key| key.id().clone());
        let mut ring = Vec::with_capacity(checks.len());
        let mut missing = None;
        for check in &checks {
            match keys.iter().position(|key| key.passes(check)) {
                Some(place) => ring.push(keys.swap_remove(place)),
                None => missing = Some(check.key_id.clone()),
            }
        }
        let Some(expected) = missing else { return Ok(Ring(ring)) };
        attempts_left -= 1;
        // Between our two looks the rotation may have ended.
        if attempts_left > 0 && store.keys().await? != checks {
            continue;
        }
        let at = file.path().to_owned();
        return Err(match found {
            Some(found) => KeyError::Wrong { path: at, store: path.to_owned(), found, expected }.into(),
            None => KeyError::Missing { path: at, expected }.into(),
        });
    }
}

fn first(keys: Option<Vec<SecretKey>>) -> Option<SecretKey> {
    keys?.into_iter().next()
}

/// Makes the key file. Of two processes that start at the same time one makes it, and both use it.
fn create(file: &KeyFile) -> Result<SecretKey, StoreError> {
    let key = SecretKey::random()?;
    match file.create(&key) {
        Ok(()) => Ok(key),
        Err(error) => Ok(first(file.read()?).ok_or(error)?),
    }
}
