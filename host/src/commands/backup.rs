//! `erp-host backup`.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::block_on;
use crate::cli::output::stdout;
use crate::cli::passphrase_flags::PassphraseFlags;
use crate::cli::store_flags::{StoreFlags, close, existing_repository};
use crate::cli::text::connection_count;
use erp_host_store::{BackupError, IfMissing, KeyLock, SqliteStore, back_up};

/// Copy the store of connections into a file, while the host runs
///
/// The backup is a consistent snapshot, checked, and readable by its owner only. Its secrets are encrypted as they are in
/// the store: without the key file they cannot be read. The key is not in the backup, unless --with-key adds it, encrypted
/// with a passphrase. Keep a copy of the key file in another place, or the passphrase.
///
/// The plugin files, the configuration, the folders of connectors and the audit log are not in it.
#[derive(Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  \
    erp-host backup /backup/erp-host-$(date +%F).sqlite\n  \
    erp-host backup /backup/nightly.sqlite --force --with-key --passphrase-file /run/secrets/backup\n\n\
    Restore it with: erp-host restore FILE"
)]
pub(super) struct Args {
    /// The file to write
    file: PathBuf,
    /// Add the encryption key, encrypted with a passphrase
    #[arg(long)]
    with_key: bool,
    /// Overwrite the file if it exists
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    passphrase: PassphraseFlags,
    #[command(flatten)]
    store_flags: StoreFlags,
}

pub(super) fn run(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    block_on(make(args))??;
    Ok(ExitCode::SUCCESS)
}

async fn make(args: Args) -> Result<(), Box<dyn Error>> {
    let Args { file, with_key, force, passphrase, store_flags } = args;
    // Before asking for a passphrase.
    if !force && file.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(file).into());
    }
    let data = store_flags.config()?.data;
    let (repository, path) = existing_repository(&store_flags).await?;
    let passphrase = if with_key { Some(passphrase.new_passphrase()?) } else { None };
    let lock = KeyLock::shared(&data)
        .map_err(|error| format!("the data folder {} cannot be written to: {error}", data.display()))?
        .ok_or("the key is being rotated at the moment; try again when that is done")?;
    let store = SqliteStore::open(&path, IfMissing::Refuse).await?;
    let passphrase = passphrase.as_ref().map(|passphrase| passphrase.as_str());
    let made = back_up(&repository, &store, &file, passphrase, force).await;
    drop(lock);
    let key_file = repository.key_file().path().display().to_string();
    erp_host_store::ConnectionStore::close(&store).await?;
    close(repository).await?;
    let made = made?;
    let mut out = stdout();
    writeln!(
        out,
        "wrote {} to {} (sha256 {})",
        connection_count(made.connections),
        file.display(),
        made.sha256
    )?;
    if with_key {
        writeln!(out, "the key is in it, encrypted: anybody who has the passphrase can decrypt the secrets")?;
    } else {
        writeln!(
            out,
            "its secrets open with the key file only, which is not in it: keep a copy of {key_file} elsewhere"
        )?;
    }
    Ok(())
}
