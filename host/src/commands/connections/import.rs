//! `erp-host connections import`.

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use crate::cli::output::stdout;
use crate::cli::passphrase_flags::PassphraseFlags;
use crate::cli::store_flags::{StoreFlags, close};
use crate::cli::text::{connection_count, first_few};
use erp_host_store::audit::Origin;
use erp_host_store::{ArchiveFile, ConnectionRepository, IfMissing, ImportPlan};
use erp_host_terminal::printable;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Reads encrypted and masked files. A secret that is masked in the file keeps the value that the \
    same connection has in the store; if it has none, nothing is imported. Without --replace nothing is imported \
    either if one of the connections is stored already: so this shows what an import would replace.\n\n\
    Examples:\n  \
    erp-host connections import connections.erpx\n  \
    erp-host connections import nightly.erpx --replace --passphrase-file /run/secrets/backup"
)]
pub(super) struct Args {
    /// The file to read
    file: PathBuf,
    /// Replace connections that are stored already
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    passphrase: PassphraseFlags,
    #[command(flatten)]
    store_flags: StoreFlags,
}

/// The largest file: many thousands of connections.
const MAX_BYTES: u64 = 256 << 20;

pub(super) async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let Args { file, replace, passphrase, store_flags } = args;
    let refused = |error: &dyn Error| format!("the file {} cannot be imported: {error}", file.display());
    let bytes = erp_host_files::read(&file, MAX_BYTES).map_err(|error| refused(&error))?;
    let archive = match ArchiveFile::parse(&bytes).map_err(|error| refused(&error))? {
        ArchiveFile::Readable(archive) => archive,
        ArchiveFile::Encrypted(encrypted) => {
            encrypted.open(&passphrase.passphrase()?).map_err(|error| refused(&error))?
        }
    };
    let config = store_flags.config()?;
    let repository =
        ConnectionRepository::open(&config.data, config.key_file.as_deref(), IfMissing::Create).await?;
    let repository = repository.with_limits(config.router.store);
    let plan = ImportPlan::new(&repository, &archive).await?;
    let result = carry_out(&plan, &repository, &file, replace).await;
    close(repository).await?;
    result?;
    let (all, replaced) = (plan.saves.len(), plan.replaced.len());
    writeln!(stdout(), "imported {}: {} new, {replaced} replaced", connection_count(all), all - replaced)?;
    Ok(())
}

async fn carry_out(
    plan: &ImportPlan,
    repository: &ConnectionRepository,
    file: &Path,
    replace: bool,
) -> Result<(), Box<dyn Error>> {
    if !plan.missing_secrets.is_empty() {
        let missing: Vec<_> =
            plan.missing_secrets.iter().map(|(guid, key)| format!("{} of {guid}", printable(key))).collect();
        return Err(format!(
            "nothing was imported: these secrets are masked in the file and not stored here either: {}; import an \
             encrypted export instead, or put the values into the file (\"secret\" instead of \"masked\")",
            first_few(&missing)
        )
        .into());
    }
    if !replace && !plan.replaced.is_empty() {
        return Err(format!(
            "nothing was imported: it would replace {}: {}; add --replace if you want that",
            connection_count(plan.replaced.len()),
            first_few(&plan.replaced)
        )
        .into());
    }
    if plan.saves.is_empty() {
        return Ok(());
    }
    let all = plan.saves.len();
    let shows_progress = all >= 1000 && io::stderr().is_terminal();
    let progress = |done| {
        if shows_progress && (done % 500 == 0 || done == all) {
            eprint!("\r{done} of {all}");
        }
    };
    plan.run(repository, file, &Origin::command("connections import"), &progress).await?;
    if shows_progress {
        eprintln!();
    }
    Ok(())
}
