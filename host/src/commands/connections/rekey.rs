//! `erp-host connections rekey`: key rotation.

use std::error::Error;
use std::io::{self, IsTerminal, Write};

use crate::cli::output::stdout;
use crate::cli::store_flags::{StoreFlags, close, existing_repository};
use erp_host_store::KeyLock;
use erp_host_store::audit::Origin;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Creates a new key, encrypts every secret with it, and removes the former key from the key file. A \
    running host uses the new key within a second; no call is refused. Use the configuration of the host, so that the \
    command finds the same data folder and key file.\n\n\
    It may be interrupted at any moment, by Ctrl-C, a crash or a power cut: all secrets can still be decrypted, and \
    running it again finishes the rotation.\n\n\
    A backup made before needs the former key: make a new one afterwards (erp-host backup).\n\n\
    Examples:\n  \
    erp-host connections rekey\n  \
    erp-host connections rekey --config /etc/erp-host/erp-host.toml"
)]
pub(super) struct Args {
    #[command(flatten)]
    store_flags: StoreFlags,
}

pub(super) async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let data = args.store_flags.config()?.data;
    let (repository, _) = existing_repository(&args.store_flags).await?;
    let lock = KeyLock::exclusive(&data)
        .map_err(|error| format!("the data folder {} cannot be written to: {error}", data.display()))?
        .ok_or("another rekey or a backup is running on this data folder; try again when it is done")?;
    let shows_progress = io::stderr().is_terminal();
    let rotation = repository
        .rotate_key(&Origin::command("connections rekey"), &|progress| {
            if shows_progress {
                let all = progress.done + progress.left;
                eprint!("\r{} of {all} secrets re-encrypted", progress.done);
            }
        })
        .await;
    if shows_progress {
        eprintln!();
    }
    drop(lock);
    let key_file = repository.key_file().path().display().to_string();
    close(repository).await?;
    let rotation = rotation?;
    let former: Vec<_> = rotation.former.iter().map(ToString::to_string).collect();
    let former = former.join(", ");
    let mut out = stdout();
    if rotation.is_resumed {
        writeln!(out, "finished a rotation that was interrupted")?;
    }
    writeln!(
        out,
        "sealed {} secrets with the new key {}, which is in {key_file}",
        rotation.secrets, rotation.key
    )?;
    writeln!(
        out,
        "the former key {former} opens nothing here any more; backups made before need it: make a new one now"
    )?;
    Ok(())
}
