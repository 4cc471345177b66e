//! The flags that every command has.

use std::path::PathBuf;

use clap::Args;

use crate::logging::LogFormat;

/// The flags that every command has. Each one is also an environment variable; a flag counts over its variable.
#[derive(Debug, Clone, Default, Args)]
pub struct Flags {
    /// Configuration file (TOML) [default: erp-host.toml, if it exists]
    #[arg(long, value_name = "FILE", env = "ERP_HOST_CONFIG")]
    pub config: Option<PathBuf>,
    /// Folder with the plugin files [default: ./plugins]
    #[arg(long, value_name = "DIR", env = "ERP_HOST_PLUGINS")]
    pub plugins: Option<PathBuf>,
    /// Folder for what the host and its connectors keep [default: ./data]
    #[arg(long, value_name = "DIR", env = "ERP_HOST_DATA")]
    pub data: Option<PathBuf>,
    /// File with the key that encrypts stored secrets [default: made in the data folder at the first start]
    #[arg(long, value_name = "FILE", env = "ERP_HOST_KEY_FILE")]
    pub key_file: Option<PathBuf>,
    /// What goes to the log: error, warn, info, debug, trace, or a filter like info,erp_host::server=debug
    /// [default: info]
    #[arg(long = "log", value_name = "LEVEL", env = "ERP_HOST_LOG")]
    pub log_level: Option<String>,
    /// How the log is written [default: text]
    #[arg(long, value_name = "FORMAT", env = "ERP_HOST_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
}
