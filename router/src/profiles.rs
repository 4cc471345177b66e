//! The contract profiles that calls are read with: those of the configuration, whose files are read again when they change,
//! and the built-in ones.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use contract::{
    ContractFile, ContractFileError, LearnedWsdl, MAX_CONTRACT_FILE, MemberOrder, Profile, Profiles,
};
use erp_host_files::hot_reload::Reloadable;
use erp_host_files::read_trusted_text;

/// The profiles at one moment. A call keeps those that it began with.
#[derive(Debug)]
pub struct ServedProfiles {
    configured: Vec<ConfiguredProfile>,
    /// The same profiles with each order of members first, as [`MemberOrder::ALL`] has them.
    in_order: Vec<OrderedProfiles>,
}

/// All profiles, of which the built-in ones with one order of members come first.
#[derive(Debug)]
pub struct OrderedProfiles {
    profiles: Profiles,
    /// Whether a client of each profile has to name it in its address.
    needs_name: Vec<bool>,
}

/// A profile of the configuration.
pub struct ConfiguredProfile {
    /// The contract file.
    pub file: PathBuf,
    /// The profile in it.
    pub profile: Arc<Profile>,
    wsdl: LearnedWsdl,
}

impl ServedProfiles {
    /// The same, and again when the files change.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(super) fn reloadable(files: &[PathBuf]) -> Result<Reloadable<Self>, String> {
        let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
        let owned = files.to_vec();
        let label = format!("the contract profiles of {}", names.join(", "));
        Reloadable::new(label, files, move || Self::read(&owned))
    }

    /// The profiles of these contract files.
    ///
    /// # Errors
    /// A file cannot be used. The text names it, with the line.
    pub fn read(files: &[PathBuf]) -> Result<Self, String> {
        let mut configured: Vec<ConfiguredProfile> = Vec::with_capacity(files.len());
        for file in files {
            let read = ConfiguredProfile::read(file)?;
            let name = read.profile.name();
            let is_same = |other: &&ConfiguredProfile| other.profile.name().eq_ignore_ascii_case(name);
            if let Some(other) = configured.iter().find(is_same) {
                return Err(format!(
                    "the contract file {}: the name {name:?} is also that of {}, expected a name of its own",
                    file.display(),
                    other.file.display()
                ));
            }
            configured.push(read);
        }
        let in_order = |&order: &MemberOrder| {
            let profiles = configured.iter().map(|configured| Arc::clone(&configured.profile)).collect();
            OrderedProfiles::new(Profiles::new(profiles, order))
        };
        let in_order = MemberOrder::ALL.iter().map(in_order).collect();
        Ok(ServedProfiles { configured, in_order })
    }

    /// The profiles with those of this order of members first.
    pub fn in_order(&self, order: MemberOrder) -> &OrderedProfiles {
        &self.in_order[order as usize]
    }

    /// The profiles of the configuration, in its order.
    pub fn configured(&self) -> &[ConfiguredProfile] {
        &self.configured
    }

    /// The contract file of a profile; `None` for a built-in one.
    pub fn configured_as(&self, profile: &Arc<Profile>) -> Option<&ConfiguredProfile> {
        self.configured.iter().find(|configured| Arc::ptr_eq(&configured.profile, profile))
    }
}

impl OrderedProfiles {
    fn new(profiles: Profiles) -> Self {
        let needs_name = profiles.all().iter().map(|profile| profiles.needs_name(profile)).collect();
        OrderedProfiles { profiles, needs_name }
    }

    /// The profiles, as a reader needs them.
    pub fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// The one whose WSDL is served where none is named: the first one of the configuration, or else that of the dialect
    /// `message`.
    pub fn default_profile(&self) -> &Arc<Profile> {
        &self.profiles.all()[0]
    }

    /// Whether a client of this profile has to name it in its address, because a message alone does not always show it.
    pub fn needs_name(&self, profile: &Arc<Profile>) -> bool {
        let place = self.profiles.all().iter().position(|other| Arc::ptr_eq(other, profile));
        place.is_none_or(|place| self.needs_name[place])
    }
}

impl ConfiguredProfile {
    fn read(file: &Path) -> Result<Self, String> {
        let shown = file.display();
        let text = read_trusted_text(file, MAX_CONTRACT_FILE)
            .map_err(|error| format!("the contract file {shown}: {error}"))?;
        let read = ContractFile::parse(&text).map_err(|error| match error {
            ContractFileError::Form { .. } => format!("the contract file {shown}, {error}"),
            ContractFileError::Profile(_) => format!("the contract file {shown}: {error}"),
        })?;
        let profile = read.profile().map_err(|error| format!("the contract file {shown}: {error}"))?;
        let wsdl = LearnedWsdl::new(&read.documents)
            .map_err(|error| format!("the contract file {shown}: its WSDL cannot be served: {error}"))?;
        Ok(ConfiguredProfile { file: file.to_owned(), profile, wsdl })
    }

    /// The WSDL that the profile was learned from, or a part of it, for a service at this address. `part` is the value of the
    /// query, such as `wsdl0` or `xsd0`; empty for the document that imports the others. `None`: the file has no such document.
    pub fn wsdl(&self, part: &str, address: &str) -> Option<String> {
        self.wsdl.document(part, address)
    }
}

impl fmt::Debug for ConfiguredProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {}", self.profile, self.file.display())
    }
}
