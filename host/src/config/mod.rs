//! The configuration: defaults, overridden by the file, the environment and the flags, in this order.
//!
//! Each part of the host owns its configuration struct. Here they are composed from one file:
//! - `file`: the shape of the file, and which part each key configures;
//! - `flags`: flags and environment variables;
//! - `renamed`: keys that had another name;
//! - `target`: services that commands call.

mod file;
mod flags;
mod renamed;
mod target;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use self::file::ConfigFile;
pub use self::flags::Flags;
pub use self::target::Target;
use crate::access::AccessConfig;
use crate::logging::LogConfig;
use crate::server::ServerConfig;
use erp_host_auth::OnlineConfig;
use erp_host_files::{ReadError, read_trusted_text};
use erp_host_router::RouterConfig;
use erp_host_runtime::RuntimeConfig;

/// The file that is read when it exists and no other one is named.
pub const DEFAULT_FILE: &str = "erp-host.toml";

/// The largest configuration file: room for thousands of trusted hashes.
const MAX_BYTES: u64 = 4 << 20;

/// The configuration of the whole host. [`Config::load`] makes all paths absolute: relative ones are below the working
/// directory, wherever they were given. `Debug` shows no value of a connector's option, because it may be a secret.
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
    /// Deadlines and concurrency limits of connectors, limits of messages and replies, contract files.
    pub router: RouterConfig,
    /// Trust, isolation and options of plugins.
    pub runtime: RuntimeConfig,
    /// The log.
    pub log: LogConfig,
    /// Services that `call`, `verify` and `simulate` reach by a name; `serve` does without.
    pub targets: BTreeMap<String, Target>,
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the message names each field")]
pub enum ConfigError {
    /// The file cannot be read, is too large, or others can change it, who would then decide what this program does.
    #[error("the configuration file {}: {cause}", file.display())]
    Read {
        file: PathBuf,
        #[source]
        cause: ReadError,
    },
    /// The file is not valid TOML, or has an unknown key or a value that is not allowed.
    #[error("{}, line {line}: {reason}", file.display())]
    Line { file: PathBuf, line: usize, reason: String },
    /// Two values contradict each other.
    #[error("{}: {reason}", file.display())]
    Contradiction { file: PathBuf, reason: String },
    /// The working directory cannot be found, which relative paths begin at.
    #[error("the path {} has no absolute form ({cause}); give an absolute path", path.display())]
    Relative {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
}

impl Default for Config {
    fn default() -> Self {
        ConfigFile::default().into()
    }
}

impl Config {
    /// Reads the file that the flags name, or [`DEFAULT_FILE`] if it exists, and applies the flags. All paths are absolute
    /// then: a connector in this process may change the working directory at any time.
    ///
    /// # Errors
    /// The file cannot be read, or is not a valid configuration.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let path = flags.config.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
        let mut file = match read_trusted_text(path, MAX_BYTES) {
            Ok(text) => parse(&text, path)?,
            Err(error) if error.is_not_found() && flags.config.is_none() => ConfigFile::default(),
            Err(cause) => return Err(ConfigError::Read { file: path.to_owned(), cause }),
        };
        file.apply(flags);
        let mut config = compose(file, path)?;
        config.make_paths_absolute()?;
        Ok(config)
    }

    /// Makes all paths absolute: relative ones begin at the working directory.
    ///
    /// # Errors
    /// The working directory cannot be found.
    pub fn make_paths_absolute(&mut self) -> Result<(), ConfigError> {
        for path in self.paths_mut() {
            *path = std::path::absolute(&*path)
                .map_err(|cause| ConfigError::Relative { path: path.clone(), cause })?;
        }
        Ok(())
    }

    /// All paths of the configuration.
    fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let Config { plugins, data, key_file, server, access: _, online, router, runtime, log: _, targets } =
            self;
        let tls = server.tls.iter_mut().flat_map(|tls| tls.paths_mut());
        [plugins, data]
            .into_iter()
            .chain(key_file)
            .chain(tls)
            .chain(online.paths_mut())
            .chain(&mut router.contract.profiles)
            .chain(runtime.paths_mut())
            .chain(targets.values_mut().flat_map(Target::paths_mut))
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
    if let Some(line) = line_with_windows_path(text) {
        let reason = "a path with backslashes goes in single quotes, such as 'C:\\erp-host\\data': in double quotes a backslash \
                      begins an escape";
        return Err(ConfigError::Line { file: file.to_owned(), line, reason: reason.to_owned() });
    }
    toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = 1 + text.bytes().take(start).filter(|&byte| byte == b'\n').count();
        // The message may list what is expected on a line of its own.
        let reason = error.message().trim().replace('\n', ", ");
        let reason = renamed::hint(&reason).unwrap_or(reason);
        ConfigError::Line { file: file.to_owned(), line, reason }
    })
}

/// The first line in which a value in double quotes begins with a drive and a single backslash. TOML refuses such a value with an
/// error about escapes, or reads `\t` in it as a tab.
fn line_with_windows_path(text: &str) -> Option<usize> {
    let has_path = |line: &str| {
        let mut before = line;
        while let Some(quote) = before.rfind('"') {
            let value = &line[quote + 1..];
            before = &before[..quote];
            let is_path = matches!(value.as_bytes(), [drive, b':', b'\\', next, ..] if drive.is_ascii_alphabetic() && *next != b'\\');
            if is_path && before.trim_end().ends_with(['=', '[', ',']) {
                return true;
            }
        }
        false
    };
    let is_comment = |line: &str| line.trim_start().starts_with('#');
    text.lines().position(|line| !is_comment(line) && has_path(line)).map(|index| index + 1)
}

#[cfg(test)]
mod tests;
