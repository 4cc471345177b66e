//! Importing connections from an archive: the plan, and carrying it out.

use std::collections::HashMap;
use std::path::Path;

use values::Guid;

use super::archive::{Archive, ArchivedConnection, ArchivedState, ArchivedValue};
use crate::audit::{Event, Origin, shortened};
use crate::repository::ConnectionRepository;
use crate::store::{ConnectionSave, Expected, Revision, SealedConnection, SealedSetting, StoreError};

/// What an import would change.
#[derive(Debug)]
pub struct ImportPlan {
    /// The connections to save, in one transaction.
    pub saves: Vec<ConnectionSave>,
    /// The stored connections that it replaces.
    pub replaced: Vec<Guid>,
    /// The masked secrets that have no value in the store either: the connection, and the key of the setting. If there are
    /// any, the import must not be done.
    pub missing_secrets: Vec<(Guid, String)>,
}

impl ImportPlan {
    /// Compares an archive with the store. A masked secret keeps the value that the same setting has in the store, if the
    /// connection belongs to the same connector there.
    ///
    /// # Errors
    /// The store fails.
    pub async fn new(repository: &ConnectionRepository, archive: &Archive) -> Result<Self, StoreError> {
        let present: HashMap<Guid, SealedConnection> = repository
            .store()
            .all()
            .await?
            .into_iter()
            .map(|connection| (connection.guid, connection))
            .collect();
        let mut plan = ImportPlan { saves: Vec::new(), replaced: Vec::new(), missing_secrets: Vec::new() };
        for connection in &archive.connections {
            let guid = connection.guid;
            let present = present.get(&guid);
            let mut settings = Vec::with_capacity(connection.settings.len());
            for setting in &connection.settings {
                settings.push(match &setting.value {
                    ArchivedValue::Plain(value) => {
                        let secret = values::is_secret_name(&setting.key);
                        repository.seal(guid, &setting.key, value.as_deref(), secret)?
                    }
                    ArchivedValue::Secret(value) => {
                        repository.seal(guid, &setting.key, value.as_deref(), true)?
                    }
                    ArchivedValue::Masked => match stored_secret(present, connection, &setting.key) {
                        Some(kept) => kept,
                        None => {
                            plan.missing_secrets.push((guid, setting.key.clone()));
                            continue;
                        }
                    },
                });
            }
            if present.is_some() {
                plan.replaced.push(guid);
            }
            let seal = |entry: &ArchivedState| repository.seal_state(guid, &entry.key, &entry.value);
            let state =
                connection.state.as_ref().map(|state| state.iter().map(seal).collect()).transpose()?;
            plan.saves.push(ConnectionSave {
                guid,
                connector: connection.connector.clone(),
                settings,
                // Fails if somebody saves the connection in the meantime.
                expected: present.map_or(Expected::Nothing, |present| Expected::Revision(present.revision)),
                state,
            });
        }
        Ok(plan)
    }

    /// Saves the connections in one transaction. `file` is recorded in the audit log; `progress` is called with the number
    /// of connections written so far.
    ///
    /// # Errors
    /// A connection was changed since the plan was made, or the store fails. Then nothing is saved.
    pub async fn run(
        &self,
        repository: &ConnectionRepository,
        file: &Path,
        by: &Origin,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Revision, StoreError> {
        let event = Event::Imported {
            file: shortened(&file.display().to_string()),
            added: self.saves.len() - self.replaced.len(),
            replaced: self.replaced.len(),
        };
        repository.save_all(&self.saves, event, by, progress).await
    }
}

fn stored_secret(
    present: Option<&SealedConnection>,
    connection: &ArchivedConnection,
    key: &str,
) -> Option<SealedSetting> {
    let present = present.filter(|present| present.connector == connection.connector)?;
    present.settings.iter().find(|setting| setting.key == key && setting.is_secret()).cloned()
}
