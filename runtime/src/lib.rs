//! The connectors of a host: plugin files of a folder, loaded, replaced and retired while the host runs. Their code stays for as
//! long as the process runs.
//!
//! - `look`: which files are there, and whether one has changed; `watched`: what becomes of the connectors then;
//! - `config`: what the operator configures for plugins and worker processes;
//! - `trust`: which files are loaded at all, by their permissions, hashes and `signature`s;
//! - `load`: one file, from its bytes to its connector: `image`, `library`, and `log` for what it logs; `copies`: what is
//!   left of it in the data folder;
//! - `isolation`: a connector in a process of its own.
//! - `on_call`: whose call a thread works on, for whatever a connector logs.

mod config;
mod copies;
mod image;
pub mod isolation;
mod library;
mod load;
mod log;
mod look;
mod on_call;
mod plugins;
mod rules;
mod signature;
mod trust;
mod watched;

pub use config::{ConnectorConfig, Isolation, Options, RuntimeConfig, WorkerConfig};
pub use load::{LoadError, is_name as is_connector_name};
pub use on_call::OnCall;
pub use plugins::{FolderError, Plugin, PluginFile, Plugins, UnknownConnector};
pub use rules::Rules;
pub use signature::{KeyError, PublicKey, Signature, SigningKey};
pub use trust::{Trust, Untrusted, signature_of};
pub use watched::{Change, Watched};
