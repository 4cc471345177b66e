//! `erp-host restore`.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::block_on;
use crate::cli::output::stdout;
use crate::cli::passphrase_flags::PassphraseFlags;
use crate::cli::store_flags::StoreFlags;
use crate::cli::text::{connection_count, utc};
use crate::control;
use erp_host_store::audit::Origin;
use erp_host_store::{KeyLock, Restore, private_file};

/// Replace the store of connections by a backup, while the host does not run
///
/// The backup is checked first: that it is complete, and that its secrets can be decrypted with the key file or with the
/// keys in the backup. An existing store is kept beside it, as erp-host.sqlite.replaced-..., and so is a key file that is
/// replaced. If the restore is interrupted, the host does not start until you run it again.
#[derive(Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  \
    erp-host restore /backup/erp-host-2026-11-22.sqlite --replace\n  \
    erp-host restore nightly.sqlite --data /var/lib/new-host --passphrase-file /run/secrets/backup"
)]
pub(super) struct Args {
    /// The backup
    file: PathBuf,
    /// Replace the store that is there
    #[arg(long)]
    replace: bool,
    /// Ask for the passphrase of the keys in the backup
    #[arg(long)]
    ask_passphrase: bool,
    #[command(flatten)]
    passphrase: PassphraseFlags,
    #[command(flatten)]
    store_flags: StoreFlags,
}

pub(super) fn run(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    block_on(restore(args))??;
    Ok(ExitCode::SUCCESS)
}

async fn restore(args: Args) -> Result<(), Box<dyn Error>> {
    let Args { file, replace, ask_passphrase, passphrase, store_flags } = args;
    let config = store_flags.config()?;
    let data = &config.data;
    let passphrase =
        if ask_passphrase { Some(passphrase.passphrase()?) } else { passphrase.given_passphrase()? };
    private_file::make_folder(data)
        .map_err(|error| format!("the data folder {} cannot be made: {error}", data.display()))?;
    // A host that is started from now on refuses to start while the marker file of the restore is there.
    let _running = control::lock_out_hosts(data)
        .map_err(|error| {
            format!("cannot see whether a host runs on the data folder {}: {error}", data.display())
        })?
        .ok_or_else(|| format!("a host runs on the data folder {}; stop it first", data.display()))?;
    let _lock = KeyLock::exclusive(data)
        .map_err(|error| format!("the data folder {} cannot be written to: {error}", data.display()))?
        .ok_or("a rekey or a backup is running on this data folder; try again when it is done")?;
    let restored = Restore {
        backup: &file,
        data,
        key_file: config.key_file.as_deref(),
        passphrase: passphrase.as_ref().map(|passphrase| passphrase.as_str()),
        replace,
        limits: config.router.store.clone(),
    };
    let restored = restored.run(&Origin::command("restore")).await?;
    let mut out = stdout();
    let made = restored.made_at.map(|at| format!(", made at {}", utc(at))).unwrap_or_default();
    writeln!(out, "restored {} from {}{made}", connection_count(restored.connections), file.display())?;
    if restored.unreadable > 0 {
        let of = connection_count(restored.unreadable);
        writeln!(
            out,
            "a secret of {of} was damaged before the backup was made; save it in SuperOffice again"
        )?;
    }
    for former in [&restored.former_store, &restored.former_key_file].into_iter().flatten() {
        writeln!(out, "the former file is kept as {}", former.display())?;
    }
    Ok(())
}
