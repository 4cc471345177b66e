//! Flags of commands that work on the store of connections, and how such a command opens and closes it.

use std::error::Error;
use std::path::PathBuf;

use erp_host_store::{ConnectionRepository, IfMissing, STORE_FILE, SqliteStore};

use crate::config::{Config, ConfigError, Flags};

/// The flags of `serve` that say where the store is.
#[derive(Debug, clap::Args)]
pub(crate) struct StoreFlags {
    /// Configuration file of the host [default: erp-host.toml, if it exists]
    #[arg(long, value_name = "FILE", env = "ERP_HOST_CONFIG")]
    config: Option<PathBuf>,
    /// Data folder of the host [default: ./data]
    #[arg(long, value_name = "DIR", env = "ERP_HOST_DATA")]
    data: Option<PathBuf>,
    /// File with the key that encrypts stored secrets [default: erp-host.key in the data folder]
    #[arg(long, value_name = "FILE", env = "ERP_HOST_KEY_FILE")]
    key_file: Option<PathBuf>,
}

impl StoreFlags {
    pub(crate) fn config(&self) -> Result<Config, ConfigError> {
        let StoreFlags { config, data, key_file } = self;
        Config::load(&Flags {
            config: config.clone(),
            data: data.clone(),
            key_file: key_file.clone(),
            ..Flags::default()
        })
    }
}

/// Opens the existing store in the configured data folder only to look, without its key: nothing is created or changed. Also
/// returns the path of its file, for messages.
pub(crate) async fn existing_store(store: &StoreFlags) -> Result<(SqliteStore, PathBuf), Box<dyn Error>> {
    let path = store.config()?.data.join(STORE_FILE);
    Ok((SqliteStore::open_to_look(&path).await?, path))
}

/// Opens the same store with its key and its audit log, for commands that show a secret or change something.
pub(crate) async fn existing_repository(
    store: &StoreFlags,
) -> Result<(ConnectionRepository, PathBuf), Box<dyn Error>> {
    let config = store.config()?;
    let repository =
        ConnectionRepository::open(&config.data, config.key_file.as_deref(), IfMissing::Refuse).await?;
    Ok((repository, config.data.join(STORE_FILE)))
}

/// Closes a store, with a warning if the audit log could not be written.
pub(crate) async fn close(repository: ConnectionRepository) -> Result<(), Box<dyn Error>> {
    if repository.is_audit_log_failing() {
        eprintln!(
            "erp-host: warning: the audit log cannot be written; the record of this is in the store, and is written when \
             the host or the next command can"
        );
    }
    Ok(repository.store().close().await?)
}
