//! Flags of the profile that a service is called in.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use contract::{ContractFile, Dialect, MAX_CONTRACT_FILE, Profiles};
use erp_host_client::{ProfileChoice, ProfileSource};
use erp_host_files::read_text;

use crate::cli::output::print_error;
use crate::config::Target;

/// The profile of calls.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ProfileFlags {
    /// How calls are wrapped: auto (as the service's WSDL has it, or else in the dialect that the service answers in),
    /// or without reading the WSDL message, message-by-operation, data, plain, each also with -declared [default: auto]
    #[arg(long, value_name = "DIALECT")]
    dialect: Option<DialectChoice>,
    /// Wrap calls as this contract file of `erp-host contract learn` has it, without reading the service's WSDL
    #[arg(long, value_name = "FILE", conflicts_with = "dialect")]
    contract: Option<PathBuf>,
}

#[derive(Debug, Clone)]
struct DialectChoice(ProfileChoice);

impl FromStr for DialectChoice {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        if name.eq_ignore_ascii_case("auto") {
            return Ok(DialectChoice(ProfileChoice::Service));
        }
        let known = || Dialect::ALL.iter().map(|dialect| dialect.as_str()).collect::<Vec<_>>().join(", ");
        let profile = Profiles::builtin().find(name);
        let profile =
            profile.ok_or_else(|| format!("unknown dialect {name:?}, expected one of {}, auto", known()))?;
        Ok(DialectChoice(ProfileChoice::Given(profile.clone())))
    }
}

impl ProfileFlags {
    /// The profile that was chosen, or else that of the target.
    ///
    /// # Errors
    /// The contract file cannot be used, or the dialect of the target is none.
    pub(crate) fn choice(&self, target: Option<&Target>) -> Result<ProfileChoice, String> {
        match (&self.dialect, &self.contract, target) {
            (Some(dialect), _, _) => Ok(dialect.0.clone()),
            (None, Some(path), _) => of_file(path),
            (None, None, Some(Target { contract: Some(path), .. })) => of_file(path),
            (None, None, Some(Target { dialect: Some(name), .. })) => {
                name.parse().map(|dialect: DialectChoice| dialect.0)
            }
            _ => Ok(ProfileChoice::Service),
        }
    }
}

fn of_file(path: &Path) -> Result<ProfileChoice, String> {
    let profile = read_contract_file(path)?.profile();
    profile.map(ProfileChoice::Given).map_err(|error| format!("{}: {error}", path.display()))
}

/// Reads a contract file.
///
/// # Errors
/// It cannot be read, or is none.
pub(crate) fn read_contract_file(path: &Path) -> Result<ContractFile, String> {
    let text = read_text(path, MAX_CONTRACT_FILE).map_err(|error| format!("{}: {error}", path.display()))?;
    ContractFile::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Prints why the WSDL of a service is not used, if that is so.
pub(crate) fn print_source(source: &ProfileSource) {
    if let ProfileSource::Detected(why) = source {
        print_error(&format!(
            "note: {why}; the calls are in a dialect that the service answers in (--dialect)"
        ));
    }
}
