//! The configuration: defaults, overridden by the file, the environment and the flags, in this order.
//!
//! Each part of the host owns its configuration struct. Here they are composed from one file:
//! - `file`: the shape of the file, and which part each key configures;
//! - `flags`: flags and environment variables;
//! - `renamed`: keys that had another name.

mod file;
mod flags;
mod renamed;

use std::io;
use std::path::{Path, PathBuf};

use self::file::ConfigFile;
pub use self::flags::Flags;
use crate::access::AccessConfig;
use crate::auth::OnlineConfig;
use crate::logging::LogConfig;
use crate::router::RouterConfig;
use crate::server::ServerConfig;
use erp_host_runtime::RuntimeConfig;

/// The file that is read when it exists and no other one is named.
pub const DEFAULT_FILE: &str = "erp-host.toml";

/// The configuration of the whole host. Relative paths are below the working directory, wherever they were given. `Debug`
/// shows no value of a connector's option, because it may be a secret.
#[derive(Debug, Clone)]
pub struct Config {
    /// Folder with the plugin files.
    pub plugins: PathBuf,
    /// Folder for what the host and its connectors keep.
    pub data: PathBuf,
    /// File with the key that encrypts stored secrets; `None`: the store's own, in the data folder.
    pub key_file: Option<PathBuf>,
    /// Listening, TLS, trusted proxies, limits of HTTP.
    pub server: ServerConfig,
    /// Who may call.
    pub access: AccessConfig,
    /// Online authentication.
    pub online: OnlineConfig,
    /// Deadlines and concurrency limits of connectors, limits of messages and replies.
    pub router: RouterConfig,
    /// Trust, isolation and options of plugins.
    pub runtime: RuntimeConfig,
    /// The log.
    pub log: LogConfig,
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the message names each field")]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read: {cause}", file.display())]
    Read {
        file: PathBuf,
        #[source]
        cause: io::Error,
    },
    /// The file is not valid TOML, or has an unknown key or a value that is not allowed.
    #[error("{}, line {line}: {reason}", file.display())]
    Line { file: PathBuf, line: usize, reason: String },
    /// Two values contradict each other.
    #[error("{}: {reason}", file.display())]
    Contradiction { file: PathBuf, reason: String },
}

impl Default for Config {
    fn default() -> Self {
        ConfigFile::default().into()
    }
}

impl Config {
    /// Reads the file that the flags name, or [`DEFAULT_FILE`] if it exists, and applies the flags.
    ///
    /// # Errors
    /// The file cannot be read, or is not a valid configuration.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let path = flags.config.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
        let mut file = match std::fs::read_to_string(path) {
            Ok(text) => parse(&text, path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound && flags.config.is_none() => {
                ConfigFile::default()
            }
            Err(cause) => return Err(ConfigError::Read { file: path.to_owned(), cause }),
        };
        file.apply(flags);
        compose(file, path)
    }

    /// Reads the text of a file; `file` names it in errors.
    ///
    /// # Errors
    /// It is not a valid configuration.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        compose(parse(text, file)?, file)
    }
}

fn compose(file: ConfigFile, path: &Path) -> Result<Config, ConfigError> {
    let config = Config::from(file);
    match config.router.check() {
        Ok(()) => Ok(config),
        Err(reason) => Err(ConfigError::Contradiction { file: path.to_owned(), reason }),
    }
}

fn parse(text: &str, file: &Path) -> Result<ConfigFile, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = 1 + text.bytes().take(start).filter(|&byte| byte == b'\n').count();
        // The message may list what is expected on a line of its own.
        let reason = error.message().trim().replace('\n', ", ");
        let reason = renamed::hint(&reason).unwrap_or(reason);
        ConfigError::Line { file: file.to_owned(), line, reason }
    })
}

#[cfg(test)]
mod tests;
