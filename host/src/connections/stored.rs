//! The stored connections with their secrets readable: a store joined with the key that seals them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use plugin_api::Settings;
use values::Guid;

use super::secrets::{KeyError, SecretKey};
use super::sqlite::SqliteStore;
use super::store::{
    ConnectionSave, ConnectionStore, Expected, Revision, SealedConnection, SealedSetting, SealedValue,
    StoreError,
};

/// The file of the SQLite store in the data folder.
pub const STORE_FILE: &str = "erp-host.sqlite";
/// The key file in the data folder, unless configured elsewhere.
pub const KEY_FILE: &str = "erp-host.key";

/// A stored connection, its secrets readable. `Debug` shows no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredConnection {
    /// Its GUID.
    pub guid: Guid,
    /// The name of the connector it belongs to.
    pub connector: String,
    /// Its settings, in the order they came.
    pub settings: Settings,
    /// The change that saved it.
    pub revision: Revision,
    /// When that was, in milliseconds.
    pub saved_at: SystemTime,
}

/// Whether a store may be made where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfMissing {
    /// Make an empty one.
    Create,
    /// Refuse: a mistyped folder should not look like a store without connections.
    Refuse,
}

/// A store and the key that seals its secrets.
#[derive(Debug, Clone)]
pub struct StoredConnections {
    store: Arc<dyn ConnectionStore>,
    key: Arc<SecretKey>,
}

impl StoredConnections {
    /// Opens the store in the data folder, and the key file there or at the given path. On the first start both are
    /// made; a key is never made for a store that has one already.
    ///
    /// # Errors
    /// The store cannot be used (damaged, locked, of a newer version, not ours, read-only), or the key is missing or
    /// not the one of this store. Nothing is overwritten then.
    pub async fn open(data: &Path, key_file: Option<&Path>, missing: IfMissing) -> Result<Self, StoreError> {
        let path = data.join(STORE_FILE);
        let store: Arc<dyn ConnectionStore> = Arc::new(SqliteStore::open(&path, missing).await?);
        let key_file = key_file.map_or_else(|| data.join(KEY_FILE), Path::to_owned);
        match key_of(store.as_ref(), path, key_file).await {
            Ok(key) => Ok(StoredConnections { store, key: Arc::new(key) }),
            Err(error) => {
                store.close().await?;
                Err(error)
            }
        }
    }

    /// The store underneath.
    pub fn store(&self) -> &dyn ConnectionStore {
        self.store.as_ref()
    }

    /// The connection, or `None` when it is not stored.
    ///
    /// # Errors
    /// The store fails, or a secret cannot be decrypted.
    pub async fn find(&self, guid: Guid) -> Result<Option<StoredConnection>, StoreError> {
        self.store.get(guid).await?.map(|sealed| self.unseal(sealed)).transpose()
    }

    /// Saves the connection, replacing one with the same GUID as a whole. Settings named by `secret_keys` are sealed.
    ///
    /// # Errors
    /// The store fails: then what was stored before is stored still.
    pub async fn save(
        &self,
        guid: Guid,
        connector: &str,
        settings: &Settings,
        secret_keys: &[&str],
    ) -> Result<Revision, StoreError> {
        let settings = settings
            .iter()
            .map(|(key, value)| self.seal(guid, key, value, secret_keys.contains(&key)))
            .collect::<Result<_, _>>()?;
        let save =
            ConnectionSave { guid, connector: connector.to_owned(), settings, expected: Expected::Anything };
        self.store.save(&[save], &|_| ()).await
    }

    /// Deletes the connection; `None` when it was not stored.
    ///
    /// # Errors
    /// The store fails.
    pub async fn delete(&self, guid: Guid) -> Result<Option<Revision>, StoreError> {
        self.store.delete(guid).await
    }

    /// A setting as it goes into the store.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn seal(
        &self,
        guid: Guid,
        key: &str,
        value: Option<&str>,
        secret: bool,
    ) -> Result<SealedSetting, StoreError> {
        let value = if secret {
            SealedValue::Secret(value.map(|text| self.key.seal(guid, key, text)).transpose()?)
        } else {
            SealedValue::Plain(value.map(str::to_owned))
        };
        Ok(SealedSetting { key: key.to_owned(), value })
    }

    /// The connection with its secrets readable.
    ///
    /// # Errors
    /// A secret cannot be decrypted.
    pub fn unseal(&self, sealed: SealedConnection) -> Result<StoredConnection, StoreError> {
        let SealedConnection { guid, connector, settings, revision, saved_at } = sealed;
        let settings = settings
            .into_iter()
            .map(|SealedSetting { key, value }| {
                let value = match value {
                    SealedValue::Plain(value) => value,
                    SealedValue::Secret(None) => None,
                    SealedValue::Secret(Some(secret)) => match self.key.open(guid, &key, &secret) {
                        Ok(text) => Some(text),
                        Err(problem) => return Err(StoreError::Secret { guid, key, problem }),
                    },
                };
                Ok((key, value))
            })
            .collect::<Result<_, _>>()?;
        Ok(StoredConnection { guid, connector, settings, revision, saved_at })
    }
}

/// The key of a store: that of the key file, which must be the one that the store is proof of. A store without a key
/// takes the file's, or a new one.
async fn key_of(
    store: &dyn ConnectionStore,
    path: PathBuf,
    key_file: PathBuf,
) -> Result<SecretKey, StoreError> {
    let check = match store.key_check().await? {
        Some(check) => check,
        None => {
            let key = match SecretKey::read(&key_file)? {
                Some(key) => key,
                None => create_key(&key_file)?,
            };
            // Another process may have been faster: then its key must be ours, too.
            store.add_first_key(key.check()?).await?
        }
    };
    match SecretKey::read(&key_file)? {
        Some(key) if key.passes(&check) => Ok(key),
        Some(key) => {
            let found = key.id().clone();
            Err(KeyError::Wrong { path: key_file, store: path, found, expected: check.key_id }.into())
        }
        None => Err(KeyError::Missing { path: key_file, expected: check.key_id }.into()),
    }
}

/// Makes the key file. Of two processes that start at the same time one makes it, and both use it.
fn create_key(path: &Path) -> Result<SecretKey, StoreError> {
    let key = SecretKey::random()?;
    match key.create(path) {
        Ok(()) => Ok(key),
        Err(error) => Ok(SecretKey::read(path)?.ok_or(error)?),
    }
}
