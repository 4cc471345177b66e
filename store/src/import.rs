//! What a file of connections would do to a store.

use std::collections::HashMap;

use values::Guid;

use super::archive::{Archive, ArchivedConnection, ArchivedValue};
use super::store::{ConnectionSave, Expected, SealedConnection, SealedSetting, StoreError};
use super::stored::StoredConnections;

/// What an import would do.
#[derive(Debug)]
pub struct Import {
    /// What is to be saved, all or nothing.
    pub saves: Vec<ConnectionSave>,
    /// The connections of the store that it replaces.
    pub replaced: Vec<Guid>,
    /// The masked secrets for which there is no value: connection and key of the setting. With any of these the import
    /// must not be done.
    pub lacking: Vec<(Guid, String)>,
}

impl Import {
    /// Lays an archive beside what is stored. A masked secret keeps the value that the same setting of the same
    /// connection and connector has in the store.
    ///
    /// # Errors
    /// The store fails.
    pub async fn prepare(stored: &StoredConnections, archive: &Archive) -> Result<Self, StoreError> {
        let present: HashMap<Guid, SealedConnection> =
            stored.store().all().await?.into_iter().map(|connection| (connection.guid, connection)).collect();
        let mut import = Import { saves: Vec::new(), replaced: Vec::new(), lacking: Vec::new() };
        for connection in &archive.connections {
            let guid = connection.guid;
            let present = present.get(&guid);
            let mut settings = Vec::with_capacity(connection.settings.len());
            for setting in &connection.settings {
                settings.push(match &setting.value {
                    ArchivedValue::Plain(value) => {
                        stored.seal(guid, &setting.key, value.as_deref(), false)?
                    }
                    ArchivedValue::Secret(value) => {
                        stored.seal(guid, &setting.key, value.as_deref(), true)?
                    }
                    ArchivedValue::Masked => match kept_secret(present, connection, &setting.key) {
                        Some(kept) => kept,
                        None => {
                            import.lacking.push((guid, setting.key.clone()));
                            continue;
                        }
                    },
                });
            }
            if present.is_some() {
                import.replaced.push(guid);
            }
            import.saves.push(ConnectionSave {
                guid,
                connector: connection.connector.clone(),
                settings,
                // What was seen here is what is replaced, even if somebody saves in the meantime.
                expected: present.map_or(Expected::Nothing, |present| Expected::Revision(present.revision)),
            });
        }
        Ok(import)
    }
}

fn kept_secret(
    present: Option<&SealedConnection>,
    connection: &ArchivedConnection,
    key: &str,
) -> Option<SealedSetting> {
    let present = present.filter(|present| present.connector == connection.connector)?;
    present.settings.iter().find(|setting| setting.key == key && setting.is_secret()).cloned()
}
