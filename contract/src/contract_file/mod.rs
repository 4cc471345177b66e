//! Contract files: a profile as TOML, with the WSDL that it was learned from. A file is written by `erp-host contract learn`,
//! may be edited by hand, and is read by the host and the client.
//!
//! ```
//! use contract::{ContractFile, Dialect, MemberOrder, Profile};
//!
//! let mut layout = Profile::builtin(Dialect::Message, MemberOrder::Name).layout().clone();
//! layout.name = "of-our-service".to_owned();
//! let file = ContractFile { layout, source: None, documents: Vec::new() };
//! let read = ContractFile::parse(&file.to_toml()).unwrap();
//! assert_eq!(read, file);
//! assert_eq!(read.profile().unwrap().name(), "of-our-service");
//! ```

mod read;
mod secrets;
mod write;

use std::sync::Arc;

use thiserror::Error;

use crate::learn::{LearnError, WsdlDocument};
use crate::profile::{Layout, Profile, ProfileError};

/// The largest contract file in bytes, for whoever reads one: a WSDL with all schemas has a tenth of it.
pub const MAX_CONTRACT_FILE: u64 = 8 << 20;

/// The content of a contract file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractFile {
    /// The profile.
    pub layout: Layout,
    /// Where its WSDL came from: the URL, or the path of a file.
    pub source: Option<String>,
    /// The WSDL, and what it imports; the first one imports the others. Empty for a profile that was written by hand.
    pub documents: Vec<WsdlDocument>,
}

/// Why a text is no contract file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ContractFileError {
    /// It is no TOML, or has a key or value that does not belong there.
    #[error("line {line}: {problem}")]
    Form {
        /// The line, from 1.
        line: usize,
        /// What was found and expected.
        problem: String,
    },
    /// Its profile contradicts itself.
    #[error(transparent)]
    Profile(#[from] ProfileError),
}

impl ContractFile {
    /// Reads the text of a contract file.
    ///
    /// # Errors
    /// It has another form, or its profile contradicts itself.
    pub fn parse(text: &str) -> Result<Self, ContractFileError> {
        let file = read::parse(text)?;
        file.profile()?;
        Ok(file)
    }

    /// The same without secrets: in the source, the URLs of the documents and the addresses in them, query parameters with the
    /// [name](crate::is_secret_name) of a secret have another value. Imports still lead to the same documents.
    ///
    /// # Errors
    /// A document is no XML.
    pub fn without_secrets(self) -> Result<Self, LearnError> {
        secrets::without(self)
    }

    /// The text of the file.
    pub fn to_toml(&self) -> String {
        write::to_toml(self)
    }

    /// The profile, ready to be used.
    ///
    /// # Errors
    /// It contradicts itself.
    pub fn profile(&self) -> Result<Arc<Profile>, ProfileError> {
        Profile::new(self.layout.clone())
    }
}
