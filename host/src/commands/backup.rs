//! `erp-host backup`.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::block_on;
use crate::cli::passphrase_flags::PassphraseFlags;
use crate::cli::store_flags::{StoreFlags, close, existing_connections};
use crate::cli::text::connection_count;
use erp_host_store::{BackupError, IfMissing, KeysHeld, SqliteStore, back_up};

/// Copy the store of connections into a file, while the host runs
///
/// The copy is as the store was at one moment, checked, and made for its owner alone. Its secrets are encrypted as they
/// are in the store: without the key file they cannot be read, and the key file is not in the backup, unless --with-key
/// puts it in, encrypted with a passphrase. Keep a copy of the key file elsewhere, or the passphrase.
///
/// Plugin files, the configuration, the connectors' own folders and the audit log are not in it.
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
    /// Put the key file's content into it, encrypted with a passphrase
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
    // Before anybody has to type a passphrase.
    if !force && file.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(file).into());
    }
    let data = store_flags.config()?.data;
    let (stored, path) = existing_connections(&store_flags).await?;
    let passphrase = if with_key { Some(passphrase.new_passphrase()?) } else { None };
    let held = KeysHeld::to_copy(&data)
        .map_err(|error| format!("the data folder {} cannot be written to: {error}", data.display()))?
        .ok_or("the key is being rotated at the moment; try again when that is done")?;
    let store = SqliteStore::open(&path, IfMissing::Refuse).await?;
    let passphrase = passphrase.as_ref().map(|passphrase| passphrase.as_str());
    let made = back_up(&stored, &store, &file, passphrase, force).await;
    drop(held);
    let key_file = stored.key_file().path().display().to_string();
    erp_host_store::ConnectionStore::close(&store).await?;
    close(stored).await?;
    let made = made?;
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "wrote {} to {} (sha256 {})",
        connection_count(made.connections),
        file.display(),
        made.sha256
    )?;
    if with_key {
        writeln!(out, "the key is in it, encrypted: whoever has the passphrase can read the secrets")?;
    } else {
        writeln!(
            out,
            "its secrets open with the key file only, which is not in it: keep a copy of {key_file} elsewhere"
        )?;
    }
    Ok(())
}
