//! The key ring: the keys of an open store. The newest key encrypts; while the key is rotated, older keys still decrypt.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use values::Guid;

use crate::keys::{KeyCheck, KeyError, KeyFile, KeyId, SealedSecret, SecretKey};
use crate::store::{ConnectionStore, SealedConnection, SealedValue, StoreError};

/// The keys of a store, the newest first.
#[derive(Debug)]
struct Keys(Vec<SecretKey>);

/// The keys of an open store. They are read again when another process has rotated them.
#[derive(Debug)]
pub(super) struct KeyRing {
    file: KeyFile,
    /// The file of the store, for messages.
    store: PathBuf,
    keys: ArcSwap<Keys>,
}

impl KeyRing {
    /// Reads the keys of a store from the key file and checks them against the key check values in the store. A new store
    /// takes the first key of the file; if there is no file, a key is created.
    pub(super) async fn open(
        store: &dyn ConnectionStore,
        path: PathBuf,
        file: KeyFile,
    ) -> Result<Self, StoreError> {
        if store.keys().await?.is_empty() {
            let key = match first(read_file(&file).await?) {
                Some(key) => key,
                None => create(&file, &path).await?,
            };
            // If another process was faster, the store has its key; the key file has it, too.
            store.add_first_key(key.check()?).await?;
        }
        let keys = read(store, &path, &file).await?;
        Ok(KeyRing { file, store: path, keys: ArcSwap::from_pointee(keys) })
    }

    /// The same for a store that has its keys already; nothing is created.
    pub(super) async fn open_existing(
        store: &dyn ConnectionStore,
        path: PathBuf,
        file: KeyFile,
    ) -> Result<Self, StoreError> {
        let keys = read(store, &path, &file).await?;
        Ok(KeyRing { file, store: path, keys: ArcSwap::from_pointee(keys) })
    }

    /// The key file.
    pub(super) fn file(&self) -> &KeyFile {
        &self.file
    }

    /// Reads the keys again.
    pub(super) async fn reload(&self, store: &dyn ConnectionStore) -> Result<(), StoreError> {
        let keys = read(store, &self.store, &self.file).await?;
        self.keys.store(Arc::new(keys));
        Ok(())
    }

    /// Whether the key ring has the keys with these key check values, with the same newest one.
    pub(super) fn is_current(&self, checks: &[KeyCheck]) -> bool {
        let keys = self.keys.load();
        keys.0.first().map(SecretKey::id) == checks.first().map(|check| &check.key_id)
            && keys.0.len() == checks.len()
    }

    /// Whether the key ring has the key of every secret.
    pub(super) fn has_keys_of(&self, connections: &[SealedConnection]) -> bool {
        let keys = self.keys.load();
        let settings = connections.iter().flat_map(|connection| &connection.settings);
        settings.into_iter().all(|setting| match &setting.value {
            SealedValue::Secret(Some(sealed)) => keys.find(&sealed.key_id).is_some(),
            SealedValue::Secret(None) | SealedValue::Plain(_) => true,
        })
    }

    /// Encrypts the secret of a setting with the newest key.
    pub(super) fn seal(&self, guid: Guid, setting: &str, secret: &str) -> Result<SealedSecret, StoreError> {
        Ok(self.keys.load().newest()?.seal(guid, setting, secret)?)
    }

    /// Decrypts the secret of a setting with the key that it was encrypted with. The error names the reason.
    pub(super) fn open_secret(
        &self,
        guid: Guid,
        setting: &str,
        sealed: &SealedSecret,
    ) -> Result<String, &'static str> {
        match self.keys.load().find(&sealed.key_id) {
            Some(key) => key.open(guid, setting, sealed),
            None => Err("it is sealed with another key than that of the key file"),
        }
    }

    /// Whether the key ring has this key.
    pub(super) fn has(&self, key: &KeyId) -> bool {
        self.keys.load().find(key).is_some()
    }

    /// Encrypts a value of a connection's state with the newest key.
    pub(super) fn seal_state(&self, guid: Guid, key: &str, value: &str) -> Result<SealedSecret, StoreError> {
        Ok(self.keys.load().newest()?.seal_state(guid, key, value)?)
    }

    /// Decrypts a value of a connection's state with the key that it was encrypted with. The error names the reason.
    pub(super) fn open_state(
        &self,
        guid: Guid,
        key: &str,
        sealed: &SealedSecret,
    ) -> Result<String, &'static str> {
        match self.keys.load().find(&sealed.key_id) {
            Some(secret_key) => secret_key.open_state(guid, key, sealed),
            None => Err("it is sealed with another key than that of the key file"),
        }
    }

    /// Encrypts an internal secret of the store with the newest key.
    pub(super) fn seal_internal(&self, name: &str, secret: &[u8]) -> Result<SealedSecret, StoreError> {
        Ok(self.keys.load().newest()?.seal_internal(name, secret)?)
    }

    /// Decrypts an internal secret of the store.
    pub(super) fn open_internal(
        &self,
        name: &str,
        sealed: &SealedSecret,
    ) -> Option<zeroize::Zeroizing<Vec<u8>>> {
        self.keys.load().find(&sealed.key_id)?.open_internal(name, sealed)
    }
}

impl Keys {
    fn newest(&self) -> Result<&SecretKey, StoreError> {
        self.0.first().ok_or(StoreError::KeyChanged)
    }

    fn find(&self, id: &KeyId) -> Option<&SecretKey> {
        self.0.iter().find(|key| key.id() == id)
    }
}

/// Reads the keys that the store has key check values of. The key file may have more: of a rotation that was interrupted
/// before its first step in the store, or after its last.
async fn read(store: &dyn ConnectionStore, path: &Path, file: &KeyFile) -> Result<Keys, StoreError> {
    // The store first, then the file: a rotation adds a key to the file before it adds it to the store, and removes it from
    // the file after it has removed it from the store.
    let mut attempts_left = 3;
    loop {
        let checks = store.keys().await?;
        let mut in_file = read_file(file).await?.unwrap_or_default();
        let found = in_file.first().map(|key| key.id().clone());
        let mut keys = Vec::with_capacity(checks.len());
        let mut missing = None;
        for check in &checks {
            match in_file.iter().position(|key| key.passes(check)) {
                Some(index) => keys.push(in_file.swap_remove(index)),
                None => missing = Some(check.key_id.clone()),
            }
        }
        let Some(expected) = missing else { return Ok(Keys(keys)) };
        attempts_left -= 1;
        // A rotation may have ended between the two reads.
        if attempts_left > 0 && store.keys().await? != checks {
            continue;
        }
        let key_file = file.path().to_owned();
        return Err(match found {
            Some(found) => KeyError::Wrong { path: key_file, store: path.to_owned(), found, expected }.into(),
            None => KeyError::Missing { path: key_file, expected }.into(),
        });
    }
}

fn first(keys: Option<Vec<SecretKey>>) -> Option<SecretKey> {
    keys?.into_iter().next()
}

/// Creates the key file. If two processes start at the same time, one of them creates it, and both use it.
async fn create(file: &KeyFile, store: &Path) -> Result<SecretKey, StoreError> {
    let created = {
        let (file, store) = (file.clone(), store.to_owned());
        blocking(move || {
            let key = SecretKey::random()?;
            file.create(&key, &store).map(|()| key)
        })
        .await
    };
    match created {
        Ok(key) => Ok(key),
        Err(error) => Ok(first(read_file(file).await?).ok_or(error)?),
    }
}

async fn read_file(file: &KeyFile) -> Result<Option<Vec<SecretKey>>, KeyError> {
    let file = file.clone();
    blocking(move || file.read()).await
}

/// Runs what waits for a disk on a thread for blocking work: the key file may be on a slow one, and other calls must go on.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down, and drops all tasks.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::Command;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn key_file_is_not_read_on_the_thread_of_the_runtime() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::at(folder.path().join("key"));
        let made = Command::new("mkfifo").args(["-m", "600"]).arg(file.path()).status().unwrap();
        assert!(made.success());
        let key = SecretKey::random().unwrap();
        let (text, path) = (KeyFile::text([&key]), file.path().to_owned());
        let (going_on, goes_on) = mpsc::channel();
        // The reader waits until this has written.
        let writer = std::thread::spawn(move || {
            let other_tasks_run = goes_on.recv_timeout(Duration::from_secs(10)).is_ok();
            std::fs::write(path, text.as_bytes()).unwrap();
            other_tasks_run
        });
        let (read, sent) = tokio::join!(read_file(&file), async move { going_on.send(()) });
        assert_eq!(read.unwrap().unwrap()[0].id(), key.id());
        assert!(sent.is_ok() && writer.join().unwrap(), "other tasks run while the file is read");
    }
}
