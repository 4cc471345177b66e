//! `erp-host connections export`.

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::cli::output::stdout;
use crate::cli::passphrase_flags::PassphraseFlags;
use crate::cli::store_flags::{StoreFlags, close, existing_repository, existing_store};
use crate::cli::text::connection_count;
use erp_host_store::audit::{Event, Origin, shortened};
use erp_host_store::private_file::{self, IfPresent};
use erp_host_store::{Archive, ConnectionStore};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The file is readable by its owner only (mode 0600), and is written as a whole or not at all. An \
    encrypted file (Argon2id, ChaCha20-Poly1305) has everything, also the secrets. Nobody can read it without the \
    passphrase.\n\n\
    Examples:\n  \
    erp-host connections export connections.erpx\n  \
    erp-host connections export nightly.erpx --force --passphrase-file /run/secrets/backup\n  \
    erp-host connections export connections.json --masked"
)]
pub(super) struct Args {
    /// The file to write
    file: PathBuf,
    /// Leave the secrets out and write readable JSON
    #[arg(long, conflicts_with = "passphrase_file")]
    masked: bool,
    /// Overwrite the file if it exists
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    passphrase: PassphraseFlags,
    #[command(flatten)]
    store_flags: StoreFlags,
}

pub(super) async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let Args { file, masked, force, passphrase, store_flags } = args;
    // Before asking for a passphrase.
    if !force && file.symlink_metadata().is_ok() {
        return Err(exists(&file).into());
    }
    let (text, count) = if masked {
        let (store, _) = existing_store(&store_flags).await?;
        let archive = Archive::masked(store.all().await?);
        store.close().await?;
        (archive.to_text()?, archive.connections.len())
    } else {
        let (repository, _) = existing_repository(&store_flags).await?;
        let passphrase = passphrase.new_passphrase()?;
        let archive = Archive::readable(&repository, repository.all().await?).await?;
        let exported = Event::Exported {
            file: shortened(&file.display().to_string()),
            connections: archive.connections.len(),
            with_secrets: true,
        };
        // Recorded before the file is written: a record without an export is better than an export without a record.
        repository.record(vec![exported], &Origin::command("connections export")).await?;
        close(repository).await?;
        (archive.to_encrypted_text(&passphrase)?.into(), archive.connections.len())
    };
    let present = if force { IfPresent::Replace } else { IfPresent::Keep };
    private_file::write(&file, text.as_bytes(), present).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(&file),
        _ => format!("the file {} cannot be written: {error}", file.display()),
    })?;
    let how = if masked { "secrets masked" } else { "encrypted" };
    writeln!(stdout(), "wrote {} to {}, {how}", connection_count(count), file.display())?;
    Ok(())
}

fn exists(file: &Path) -> String {
    format!("the file {} exists; name another, or add --force to overwrite it", file.display())
}
