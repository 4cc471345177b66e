//! The service that a command calls: what its flags say, above what `[targets.NAME]` of the configuration says.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use erp_host_client::{Client, ProfileChoice};

use super::place::Place;
use super::profile_flags::ProfileFlags;
use super::service_flags::ServiceFlags;
use super::settings_flags::{Entries, SettingsFlags};
use crate::config::{Config, DEFAULT_FILE, Flags, Target};

/// A service, ready to be called.
#[derive(Debug)]
pub(crate) struct Service {
    /// A client of it.
    pub(crate) client: Client,
    /// The profile to call it in.
    pub(crate) profile: ProfileChoice,
    /// The target, if it is one.
    target: Option<Target>,
}

impl Service {
    /// The service of these flags.
    ///
    /// # Errors
    /// There is no such target, or a file cannot be used.
    pub(crate) fn new(service: &ServiceFlags, profile: &ProfileFlags) -> Result<Self, Box<dyn Error>> {
        let target = match &service.place {
            Place::Address(_) => None,
            Place::Target(name) => Some(find(service.config.as_deref(), name)?),
        };
        let address = match (&service.place, &target) {
            (Place::Address(address), _) => address.clone(),
            (Place::Target(name), Some(target)) => {
                target.url.parse().map_err(|error| format!("the url of [targets.{name}]: {error}"))?
            }
            (Place::Target(_), None) => return Err("the target has no address".into()),
        };
        let connector =
            service.connector.as_ref().or(target.as_ref().and_then(|target| target.connector.as_ref()));
        let address = match connector {
            Some(name) => address.connector(name),
            None => address,
        };
        let client = Client::new(address, &service.transport.options(target.as_ref())?)?;
        Ok(Service { client, profile: profile.choice(target.as_ref())?, target })
    }

    /// The settings of a connection.
    ///
    /// # Errors
    /// A file cannot be read, or nobody is there to be asked.
    pub(crate) fn settings(&self, flags: &SettingsFlags) -> Result<Entries, Box<dyn Error>> {
        let (file, table) = match &self.target {
            Some(target) => (target.settings_file.as_deref(), &target.settings),
            None => (None, &BTreeMap::new()),
        };
        flags.entries_over(file, table)
    }
}

/// Finds a target in the configuration.
fn find(config: Option<&Path>, name: &str) -> Result<Target, Box<dyn Error>> {
    let flags = Flags { config: config.map(Path::to_owned), ..Flags::default() };
    let mut targets = Config::load(&flags)?.targets;
    let Some(target) = targets.remove(name) else {
        let file = config.unwrap_or(Path::new(DEFAULT_FILE)).display();
        let known: Vec<String> = targets.keys().map(|known| format!("@{known}")).collect();
        return Err(match known.as_slice() {
            [] => format!(
                "there is no target @{name}: {file} has no section [targets.{name}], and no other one"
            ),
            known => format!("there is no target @{name} in {file}, only {}", known.join(", ")),
        }
        .into());
    };
    if target.dialect.is_some() && target.contract.is_some() {
        return Err(format!("[targets.{name}] has both dialect and contract, expected one of them").into());
    }
    Ok(target)
}
