//! Registers a connector with SuperOffice through NetServer's ErpSync agent: what an administrator does by hand (add a
//! Sync Connector, add a connection, fill in its form, test, save, activate).
//!
//! [`NetServer`] speaks the services (`soap` is how their messages are wrapped, `carriers` what they carry);
//! [`Registration`] is what is wanted, and [`Registration::run`] makes it so: it looks first, and changes what differs.

mod carriers;
mod error;
mod netserver;
mod soap;

use std::collections::BTreeMap;
use std::io::Write;

use carriers::{Connection, Connector};
pub use error::{NetServerError, RegisterError};
pub use netserver::{Access, NetServer, SignIn, TimeZone};

use crate::form::{Filled, Form, Given};

/// What is to be in SuperOffice in the end.
#[derive(Debug)]
pub struct Registration {
    /// The name of the Sync Connector; it is found again by it.
    pub name: String,
    /// The address of the connector service.
    pub url: String,
    /// The Sync Connector's ID, where it is known; 0 for a new one. `None`: found by name.
    pub connector_id: Option<i32>,
    /// The connection, where one is wanted.
    pub connection: Option<WantedConnection>,
    /// The language that texts are shown in.
    pub language: String,
    /// Only say what would be done.
    pub dry_run: bool,
    /// Go on although NetServer does not reach the address.
    pub skip_url_test: bool,
}

/// A connection that is to be in SuperOffice.
#[derive(Debug)]
pub struct WantedConnection {
    /// Its name; it is found again by it.
    pub name: String,
    /// A description; `None` leaves the one that is there.
    pub description: Option<String>,
    /// What is filled in.
    pub settings: Given,
    /// Whether it is to run.
    pub active: bool,
    /// IDs of user groups that may use it; with no associates either: everybody.
    pub user_groups: Vec<i32>,
    /// IDs of associates who may use it.
    pub associates: Vec<i32>,
}

impl Registration {
    /// Makes it so, and tells each step.
    ///
    /// # Errors
    /// NetServer refuses or cannot be reached; what is wanted does not fit to what is there; the output is gone. What
    /// was done before stays done: the next run goes on from there.
    pub async fn run(&self, server: &NetServer, out: &mut impl Write) -> Result<(), RegisterError> {
        self.test_url(server, out).await?;
        let existing = self.find_connector(server).await?;
        let changed = existing.as_ref().is_none_or(|found| !self.is_as_wanted(found));
        let connector = self.put_connector(server, existing, out).await?;
        let mut nothing_changed = !changed;
        if let Some(wanted) = &self.connection {
            match connector {
                Some(connector) => {
                    nothing_changed &= !self.put_connection(server, &connector, wanted, out).await?;
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

    async fn test_url(&self, server: &NetServer, out: &mut impl Write) -> Result<(), RegisterError> {
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

    async fn find_connector(&self, server: &NetServer) -> Result<Option<Connector>, RegisterError> {
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

    fn is_as_wanted(&self, found: &Connector) -> bool {
        found.name == self.name && found.url == self.url
    }

    /// The connector as it is in SuperOffice afterwards; `None` in a dry run that would make it.
    async fn put_connector(
        &self,
        server: &NetServer,
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
            Some(found) if self.is_as_wanted(found) => {
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

    /// Whether anything was changed.
    async fn put_connection(
        &self,
        server: &NetServer,
        connector: &Connector,
        wanted: &WantedConnection,
        out: &mut impl Write,
    ) -> Result<bool, RegisterError> {
        let existing = self.find_connection(server, connector, wanted).await?;
        let form = server.configuration_fields(connector.id).await?;
        let filled = self.fill(&form, wanted, existing.as_ref(), out)?;
        let target = target(connector, wanted, &form, filled, existing.as_ref());
        let same = existing.as_ref().is_some_and(|found| found.same_as(&target));
        let active = existing.as_ref().is_some_and(|found| found.active);
        let switch = wanted.active && !active;

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
            if switch {
                writeln!(out, "would activate it")?;
            }
            return Ok(!same || switch);
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
            // What was saved may say that it is active: it is then not toggled, for that would stop it.
            if saved.active && switch {
                writeln!(out, "it is active")?;
                return Ok(true);
            }
            saved.id
        };
        if switch {
            let reasons = server.toggle_active(id).await?;
            if !reasons.is_empty() {
                return Err(RegisterError::NotActivated { name: wanted.name.clone(), reasons });
            }
            writeln!(out, "activated the connection {:?}", wanted.name)?;
        } else if active {
            writeln!(out, "it is active")?;
        }
        Ok(!same || switch)
    }

    async fn find_connection(
        &self,
        server: &NetServer,
        connector: &Connector,
        wanted: &WantedConnection,
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
        wanted: &WantedConnection,
        existing: Option<&Connection>,
        out: &mut impl Write,
    ) -> Result<Filled, RegisterError> {
        let stored: BTreeMap<String, String> =
            existing.map(|found| found.settings.iter().cloned().collect()).unwrap_or_default();
        let filled = form.fill(&wanted.settings, &stored);
        writeln!(out, "the form of the connection {:?} (* mandatory):", wanted.name)?;
        write!(out, "{}", form.show(&self.language, filled.as_ref().ok()))?;
        Ok(filled?)
    }

    async fn test_connection(
        &self,
        server: &NetServer,
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

/// The connection as it is to be.
fn target(
    connector: &Connector,
    wanted: &WantedConnection,
    form: &Form,
    filled: Filled,
    existing: Option<&Connection>,
) -> Connection {
    let limited = !wanted.user_groups.is_empty() || !wanted.associates.is_empty();
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
        all_access: if limited { false } else { base.all_access },
        user_groups: if limited { wanted.user_groups.clone() } else { base.user_groups.clone() },
        associates: if limited { wanted.associates.clone() } else { base.associates.clone() },
        ..base
    }
}
