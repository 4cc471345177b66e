//! Registers a connector with SuperOffice through NetServer's ErpSync agent: what an administrator does by hand (add a
//! Sync Connector, add a connection, fill in its form, test, save, activate).
//!
//! A [`Registration`] is the desired state. [`Registration::apply`] reads the current state and changes only what differs,
//! so it can be repeated. [`NetServerClient`] calls the services: `soap` has the envelopes, `messages` the data contracts.

mod client;
mod error;
mod messages;
mod soap;

use std::collections::BTreeMap;
use std::io::Write;

pub use client::{Credentials, NetServerClient, NetServerOptions, TimeZone};
pub use error::{NetServerError, RegisterError};
use messages::{Connection, Connector};

use crate::form::{FilledForm, Form, FormInput};

/// The desired state in SuperOffice.
#[derive(Debug)]
pub struct Registration {
    /// The name of the Sync Connector, by which an existing one is found.
    pub name: String,
    /// The address of the connector service.
    pub url: String,
    /// The ID of the Sync Connector, 0 for a new one. `None`: it is found by its name.
    pub connector_id: Option<i32>,
    /// The connection; `None` to register only the Sync Connector.
    pub connection: Option<DesiredConnection>,
    /// The language of labels in the output.
    pub language: String,
    /// Change nothing, only print what would change.
    pub dry_run: bool,
    /// Continue even if NetServer cannot reach the address.
    pub skip_url_test: bool,
}

/// The desired state of a connection.
#[derive(Debug)]
pub struct DesiredConnection {
    /// Its name, by which an existing one is found.
    pub name: String,
    /// A description; `None` keeps the existing one.
    pub description: Option<String>,
    /// The input for the settings form.
    pub settings: FormInput,
    /// Whether to activate it.
    pub active: bool,
    /// IDs of user groups that may use it. Without user groups and associates everybody may.
    pub user_groups: Vec<i32>,
    /// IDs of associates who may use it.
    pub associates: Vec<i32>,
}

impl Registration {
    /// Brings SuperOffice into the desired state, and writes a line for each step.
    ///
    /// # Errors
    /// NetServer refuses or cannot be reached, the settings do not fit the form, or the output cannot be written. Steps
    /// that are done stay done; the next run continues from there.
    pub async fn apply(&self, server: &NetServerClient, out: &mut impl Write) -> Result<(), RegisterError> {
        self.test_url(server, out).await?;
        let existing = self.find_connector(server).await?;
        let changed = existing.as_ref().is_none_or(|found| !self.is_up_to_date(found));
        let connector = self.ensure_connector(server, existing, out).await?;
        let mut nothing_changed = !changed;
        if let Some(wanted) = &self.connection {
            match connector {
                Some(connector) => {
                    nothing_changed &= !self.ensure_connection(server, &connector, wanted, out).await?;
                }
                None => writeln!(
                    out,
                    "would then fetch the form of the new Sync Connector, fill it in, test and save the connection \
                     {:?}{}",
                    wanted.name,
                    if wanted.active { ", and activate it" } else { "" }
                )?,
            }
        }
        if self.dry_run {
            writeln!(out, "dry run: nothing was changed")?;
        } else if nothing_changed {
            writeln!(out, "everything is as wanted: nothing was changed")?;
        } else {
            writeln!(out, "registered")?;
        }
        Ok(())
    }

    async fn test_url(&self, server: &NetServerClient, out: &mut impl Write) -> Result<(), RegisterError> {
        let answer = server.test_connector_url(&self.url).await?;
        if answer == "NoError" {
            writeln!(out, "NetServer reaches {}", self.url)?;
            return Ok(());
        }
        if self.skip_url_test {
            writeln!(out, "NetServer does not reach {} ({answer}): going on, as asked", self.url)?;
            return Ok(());
        }
        Err(RegisterError::Url { url: self.url.clone(), answer })
    }

    async fn find_connector(&self, server: &NetServerClient) -> Result<Option<Connector>, RegisterError> {
        match self.connector_id {
            Some(0) => return Ok(None),
            Some(id) => {
                return Ok(Some(Connector { id, name: String::new(), url: String::new(), deleted: false }));
            }
            None => {}
        }
        let named: Vec<Connector> = server
            .connectors()
            .await?
            .into_iter()
            .filter(|connector| connector.name == self.name && !connector.deleted)
            .collect();
        match named.len() {
            0 | 1 => Ok(named.into_iter().next()),
            _ => Err(RegisterError::ManyConnectors {
                name: self.name.clone(),
                ids: named.iter().map(|connector| connector.id).collect(),
            }),
        }
    }

    fn is_up_to_date(&self, found: &Connector) -> bool {
        found.name == self.name && found.url == self.url
    }

    /// Creates or changes the Sync Connector, and returns it; `None` in a dry run that would create it.
    async fn ensure_connector(
        &self,
        server: &NetServerClient,
        existing: Option<Connector>,
        out: &mut impl Write,
    ) -> Result<Option<Connector>, RegisterError> {
        let wanted = Connector {
            id: existing.as_ref().map_or(0, |found| found.id),
            name: self.name.clone(),
            url: self.url.clone(),
            deleted: false,
        };
        match &existing {
            Some(found) if self.is_up_to_date(found) => {
                writeln!(out, "the Sync Connector {:?} is there already (ID {})", self.name, found.id)?;
                return Ok(existing);
            }
            Some(found) if self.dry_run => {
                writeln!(out, "would change the Sync Connector {:?} (ID {}):", self.name, found.id)?;
                writeln!(out, "  URL {:?} -> {:?}", found.url, self.url)?;
                return Ok(existing);
            }
            None if self.dry_run => {
                writeln!(out, "would create the Sync Connector {:?} with the URL {}", self.name, self.url)?;
                return Ok(None);
            }
            _ => {}
        }
        let saved = server.save_connector(&wanted).await?;
        if saved.id == 0 {
            return Err(RegisterError::NotSaved { what: format!("the Sync Connector {:?}", self.name) });
        }
        let done = if existing.is_some() { "changed" } else { "created" };
        writeln!(out, "{done} the Sync Connector {:?} (ID {}): {}", self.name, saved.id, self.url)?;
        Ok(Some(saved))
    }

    /// Creates, changes and activates the connection. Returns whether anything was changed.
    async fn ensure_connection(
        &self,
        server: &NetServerClient,
        connector: &Connector,
        wanted: &DesiredConnection,
        out: &mut impl Write,
    ) -> Result<bool, RegisterError> {
        let existing = self.find_connection(server, connector, wanted).await?;
        let form = server.configuration_fields(connector.id).await?;
        let filled = self.fill(&form, wanted, existing.as_ref(), out)?;
        let target = desired_connection(connector, wanted, &form, filled, existing.as_ref());
        let same = existing.as_ref().is_some_and(|found| found.is_equivalent(&target));
        let active = existing.as_ref().is_some_and(|found| found.active);
        let activate = wanted.active && !active;

        if same {
            writeln!(out, "the connection {:?} is there already (ID {})", wanted.name, target.id)?;
        } else {
            self.test_connection(server, connector, &target, out).await?;
        }
        if self.dry_run {
            if !same {
                let what = if existing.is_some() { "change" } else { "create" };
                writeln!(out, "would {what} the connection {:?}", wanted.name)?;
            }
            if activate {
                writeln!(out, "would activate it")?;
            }
            return Ok(!same || activate);
        }
        let id = if same {
            target.id
        } else {
            let saved = server.save_connection(&target).await?;
            if saved.id == 0 {
                return Err(RegisterError::NotSaved { what: format!("the connection {:?}", wanted.name) });
            }
            let done = if existing.is_some() { "changed" } else { "created" };
            writeln!(out, "{done} the connection {:?} (ID {}) {}", wanted.name, saved.id, saved.guid)?;
            // NetServer may already have activated it. Toggling would then deactivate it.
            if saved.active && activate {
                writeln!(out, "it is active")?;
                return Ok(true);
            }
            saved.id
        };
        if activate {
            let reasons = server.toggle_active(id).await?;
            if !reasons.is_empty() {
                return Err(RegisterError::NotActivated { name: wanted.name.clone(), reasons });
            }
            writeln!(out, "activated the connection {:?}", wanted.name)?;
        } else if active {
            writeln!(out, "it is active")?;
        }
        Ok(!same || activate)
    }

    async fn find_connection(
        &self,
        server: &NetServerClient,
        connector: &Connector,
        wanted: &DesiredConnection,
    ) -> Result<Option<Connection>, RegisterError> {
        let named: Vec<Connection> = server
            .connections()
            .await?
            .into_iter()
            .filter(|found| found.connector_id == connector.id && found.name == wanted.name && !found.deleted)
            .collect();
        match named.len() {
            0 | 1 => Ok(named.into_iter().next()),
            _ => Err(RegisterError::ManyConnections {
                name: wanted.name.clone(),
                ids: named.iter().map(|connection| connection.id).collect(),
            }),
        }
    }

    fn fill(
        &self,
        form: &Form,
        wanted: &DesiredConnection,
        existing: Option<&Connection>,
        out: &mut impl Write,
    ) -> Result<FilledForm, RegisterError> {
        let stored: BTreeMap<String, String> =
            existing.map(|found| found.settings.iter().cloned().collect()).unwrap_or_default();
        let filled = form.fill(&wanted.settings, &stored);
        writeln!(out, "the form of the connection {:?} (* mandatory):", wanted.name)?;
        write!(out, "{}", form.show(&self.language, filled.as_ref().ok()))?;
        Ok(filled?)
    }

    async fn test_connection(
        &self,
        server: &NetServerClient,
        connector: &Connector,
        target: &Connection,
        out: &mut impl Write,
    ) -> Result<(), RegisterError> {
        if !server.test_connection(connector.id, &target.settings).await? {
            return Err(RegisterError::TestFailed { name: target.name.clone(), url: self.url.clone() });
        }
        writeln!(out, "the test of the connection passed")?;
        Ok(())
    }
}

/// The connection to save: the desired values over the existing ones.
fn desired_connection(
    connector: &Connector,
    wanted: &DesiredConnection,
    form: &Form,
    filled: FilledForm,
    existing: Option<&Connection>,
) -> Connection {
    let restricted = !wanted.user_groups.is_empty() || !wanted.associates.is_empty();
    let base = existing.cloned().unwrap_or_else(|| Connection { all_access: true, ..Connection::default() });
    let settings = filled
        .values
        .into_iter()
        .filter(|(key, _)| form.fields().iter().any(|field| &field.key == key))
        .map(|(key, value)| (key, value.unwrap_or_default()))
        .collect();
    Connection {
        connector_id: connector.id,
        name: wanted.name.clone(),
        description: wanted.description.clone().unwrap_or(base.description.clone()),
        settings,
        all_access: if restricted { false } else { base.all_access },
        user_groups: if restricted { wanted.user_groups.clone() } else { base.user_groups.clone() },
        associates: if restricted { wanted.associates.clone() } else { base.associates.clone() },
        ..base
    }
}
