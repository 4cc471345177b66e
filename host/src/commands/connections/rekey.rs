//! `erp-host connections rekey`.

use std::error::Error;
use std::io::{self, IsTerminal, Write};

use crate::cli::store_flags::{StoreFlags, close, existing_connections};
use erp_host_store::KeysHeld;
use erp_host_store::audit::Origin;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Makes a new key, seals every secret with it, and takes the former key out of the key file. A running \
    host goes on and uses the new key within a second; no call is refused. Give it the configuration of the host: it \
    must find the same data folder and key file.\n\n\
    It may be interrupted at any moment, by Ctrl-C, a crash or a power cut: everything still opens, and running it again \
    finishes what was begun.\n\n\
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
    let (stored, _) = existing_connections(&args.store_flags).await?;
    let held = KeysHeld::to_change(&data)
        .map_err(|error| format!("the data folder {} cannot be written to: {error}", data.display()))?
        .ok_or("another rekey or a backup is running on this data folder; try again when it is done")?;
    let is_watched = io::stderr().is_terminal();
    let rotated = stored
        .rekey(&Origin::command("connections rekey"), &|progress| {
            if is_watched {
                let all = progress.sealed + progress.left;
                eprint!("\r{} of {all} secrets sealed anew", progress.sealed);
            }
        })
        .await;
    if is_watched {
        eprintln!();
    }
    drop(held);
    let key_file = stored.key_file().path().display().to_string();
    close(stored).await?;
    let rotated = rotated?;
    let former: Vec<_> = rotated.former.iter().map(ToString::to_string).collect();
    let former = former.join(", ");
    let mut out = io::stdout().lock();
    if rotated.is_resumed {
        writeln!(out, "finished a rotation that was interrupted")?;
    }
    writeln!(
        out,
        "sealed {} secrets with the new key {}, which is in {key_file}",
        rotated.secrets, rotated.key
    )?;
    writeln!(
        out,
        "the former key {former} opens nothing here any more; backups made before need it: make a new one now"
    )?;
    Ok(())
}
