//! `erp-host connections`: the stored connections, for operators. Every command works while the host runs. The host applies
//! the changes within about a second.

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;
use values::Guid;

use crate::cli::output::{print_error, stdout};
use crate::cli::store_flags::{StoreFlags, close, existing_repository, existing_store};
use crate::cli::text::{ask_yes_or_no, utc};
use crate::cli::{UsageError, block_on};
use erp_host_store::audit::Origin;
use erp_host_store::{ConnectionStore, SealedConnection, SealedValue, StateSize};
use erp_host_terminal::printable;

mod export;
mod import;
mod rekey;

/// Printed instead of a secret.
const MASK: &str = "********";

#[derive(Debug, clap::Args)]
#[command(
    after_help = "All of them work while the host runs; it applies changes within a second or so. Run them as the \
                  host's own user (on Linux for example: sudo -u erp-host erp-host connections list).\n\n\
                  A GUID may be given in any of its forms and in any case: 3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf, \
                  {3AEF3AF6-8642-4FC1-8DC9-4E08BD76A6BF}, 3aef3af686424fc18dc94e08bd76a6bf.\n\n\
                  Exit codes: 0 done, 1 error (also: no such connection), 2 wrong usage."
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List all connections: GUID, connector, number of settings, when saved
    #[command(after_help = "Examples:\n  \
        erp-host connections list\n  \
        erp-host connections list --data /var/lib/erp-host --json")]
    List {
        /// Write JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        store_flags: StoreFlags,
    },
    /// Show the settings of a connection, secrets masked
    #[command(after_help = "Example:\n  \
        erp-host connections show 3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf")]
    Show {
        /// The connection
        guid: Guid,
        /// Write JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        store_flags: StoreFlags,
    },
    /// Delete a connection; the host closes it
    #[command(after_help = "Example:\n  \
        erp-host connections delete 3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf --yes\n\n\
        SuperOffice still has the connection: at its next call it gets the reply that the connection is unknown, and sends \
        the settings again. To remove a connection for good, delete it in SuperOffice.")]
    Delete {
        /// The connection
        guid: Guid,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        store_flags: StoreFlags,
    },
    /// Write all connections to a file, encrypted with a passphrase or with secrets masked
    Export(export::Args),
    /// Read connections from a file, all or nothing
    Import(import::Args),
    /// Rotate the key that encrypts the secrets, while the host runs
    Rekey(rekey::Args),
}

pub(super) fn run(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    let result = block_on(async {
        match args.command {
            Command::List { json, store_flags } => list(json, &store_flags).await,
            Command::Show { guid, json, store_flags } => show(guid, json, &store_flags).await,
            Command::Delete { guid, yes, store_flags } => delete(guid, yes, &store_flags).await,
            Command::Export(args) => export::run(args).await,
            Command::Import(args) => import::run(args).await,
            Command::Rekey(args) => rekey::run(args).await,
        }
    })?;
    match result {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) if error.is::<UsageError>() => {
            print_error(&error);
            Ok(ExitCode::from(2))
        }
        // The reader of our output has closed the pipe (`| head`).
        Err(error) if broken_pipe(error.as_ref()) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error),
    }
}

fn broken_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

async fn list(json: bool, store_flags: &StoreFlags) -> Result<(), Box<dyn Error>> {
    let (store, path) = existing_store(store_flags).await?;
    let connections = store.list().await?;
    store.close().await?;
    let mut out = io::BufWriter::new(stdout());
    if json {
        let connections: Vec<_> = connections
            .iter()
            .map(|connection| {
                json!({
                    "guid": connection.guid.to_string(),
                    "connector": connection.connector,
                    "settings": connection.settings,
                    "saved_at": utc(connection.saved_at),
                })
            })
            .collect();
        serde_json::to_writer_pretty(&mut out, &connections).map_err(io::Error::from)?;
        writeln!(out)?;
    } else if connections.is_empty() {
        writeln!(out, "no connections in {}", path.display())?;
    } else {
        let names: Vec<_> = connections.iter().map(|connection| printable(&connection.connector)).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default().max(9);
        writeln!(out, "{:<36}  {:<width$}  SETTINGS  SAVED AT (UTC)", "GUID", "CONNECTOR")?;
        for (connection, name) in connections.iter().zip(names) {
            let saved_at = utc(connection.saved_at);
            writeln!(out, "{}  {name:<width$}  {:>8}  {saved_at}", connection.guid, connection.settings)?;
        }
    }
    out.flush()?;
    Ok(())
}

async fn show(guid: Guid, json: bool, store_flags: &StoreFlags) -> Result<(), Box<dyn Error>> {
    let (store, path) = existing_store(store_flags).await?;
    let (connection, state) = (store.get(guid).await?, store.state_size(guid).await?);
    store.close().await?;
    let connection = connection.ok_or_else(|| not_found(guid, &path))?;
    let mut out = io::BufWriter::new(stdout());
    if json {
        serde_json::to_writer_pretty(&mut out, &shown_as_json(&connection, state))
            .map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        writeln!(out, "GUID       {}", connection.guid)?;
        writeln!(out, "connector  {}", printable(&connection.connector))?;
        writeln!(out, "saved at   {}", utc(connection.saved_at))?;
        writeln!(out, "state      {} entries, {} bytes", state.entries, state.bytes)?;
        writeln!(out, "settings   {}", connection.settings.len())?;
        let keys: Vec<_> = connection.settings.iter().map(|setting| printable(&setting.key)).collect();
        let width = keys.iter().map(|key| key.chars().count()).max().unwrap_or_default();
        for (setting, key) in connection.settings.iter().zip(keys) {
            let value = match &setting.value {
                SealedValue::Secret(Some(_)) => MASK.to_owned(),
                SealedValue::Plain(Some(_)) if setting.is_shown_masked() => MASK.to_owned(),
                SealedValue::Plain(Some(value)) => printable(value),
                SealedValue::Plain(None) | SealedValue::Secret(None) => "(null)".to_owned(),
            };
            writeln!(out, "  {key:<width$}  {value}")?;
        }
    }
    out.flush()?;
    Ok(())
}

fn shown_as_json(connection: &SealedConnection, state: StateSize) -> serde_json::Value {
    let settings: Vec<_> = connection
        .settings
        .iter()
        .map(|setting| match &setting.value {
            SealedValue::Plain(Some(_)) if setting.is_shown_masked() => {
                json!({ "key": setting.key, "value": MASK, "secret": true })
            }
            SealedValue::Plain(value) => json!({ "key": setting.key, "value": value, "secret": false }),
            SealedValue::Secret(None) => json!({ "key": setting.key, "value": null, "secret": true }),
            SealedValue::Secret(Some(_)) => json!({ "key": setting.key, "value": MASK, "secret": true }),
        })
        .collect();
    json!({
        "guid": connection.guid.to_string(),
        "connector": connection.connector,
        "saved_at": utc(connection.saved_at),
        "state": { "entries": state.entries, "bytes": state.bytes },
        "settings": settings,
    })
}

async fn delete(guid: Guid, yes: bool, store_flags: &StoreFlags) -> Result<(), Box<dyn Error>> {
    let (repository, path) = existing_repository(store_flags).await?;
    let deleted = match repository.store().get(guid).await? {
        Some(connection) => match confirm(&connection, yes) {
            Ok(()) => Ok(repository.delete(guid, &Origin::command("connections delete")).await?),
            Err(error) => Err(error),
        },
        None => Ok(None),
    };
    close(repository).await?;
    deleted?.ok_or_else(|| not_found(guid, &path))?;
    writeln!(stdout(), "deleted {guid}")?;
    Ok(())
}

/// Asks whether to delete the connection, unless it was said already.
fn confirm(connection: &SealedConnection, yes: bool) -> Result<(), Box<dyn Error>> {
    if yes {
        return Ok(());
    }
    let guid = connection.guid;
    if !io::stdin().is_terminal() {
        return Err(
            UsageError(format!("nobody is there to confirm that {guid} is deleted: add --yes")).into()
        );
    }
    let question = format!(
        "delete the connection {guid} of {} ({} settings, saved at {})?",
        printable(&connection.connector),
        connection.settings.len(),
        utc(connection.saved_at)
    );
    if ask_yes_or_no(&question)? { Ok(()) } else { Err("nothing was deleted".into()) }
}

fn not_found(guid: Guid, store: &std::path::Path) -> String {
    format!("there is no connection {guid} in {}", store.display())
}
