//! `erp-host connections`: the stored connections, for operators. Every command works while the host runs, and the host
//! notices what changed.

use std::error::Error;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use clap::Subcommand;
use plugin_api::DateTime;
use serde_json::json;
use values::Guid;

use super::on_this_thread;
use crate::config::{Config, ConfigError, Flags};
use erp_host_store::audit::Origin;
use erp_host_store::{
    ConnectionStore, IfMissing, STORE_FILE, SealedConnection, SealedValue, SqliteStore, StoredConnections,
};

mod export;
mod import;
pub(super) mod passphrase;
mod rekey;

/// What stands for a secret.
const MASK: &str = "********";

#[derive(Debug, clap::Args)]
#[command(
    after_help = "All of them work while the host runs; it notices changes within a second or so. Run them as the \
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
        place: Place,
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
        place: Place,
    },
    /// Delete a connection; the host closes it
    #[command(after_help = "Example:\n  \
        erp-host connections delete 3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf --yes\n\n\
        SuperOffice still knows the connection: when it uses it next, it is told that it is unknown, and sends the \
        settings again. To be rid of it for good, delete it in SuperOffice.")]
    Delete {
        /// The connection
        guid: Guid,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Write all connections to a file, encrypted with a passphrase or with secrets masked
    Export(export::Args),
    /// Read connections from a file, all or nothing
    Import(import::Args),
    /// Rotate the key that encrypts the secrets, while the host runs
    Rekey(rekey::Args),
}

/// Where the store is: the flags of `serve` that matter here.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
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

impl Place {
    pub(super) fn config(&self) -> Result<Config, ConfigError> {
        let Place { config, data, key_file } = self;
        Config::load(&Flags {
            config: config.clone(),
            data: data.clone(),
            key_file: key_file.clone(),
            ..Flags::default()
        })
    }
}

pub(super) fn run(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    let result = on_this_thread(async {
        match args.command {
            Command::List { json, place } => list(json, &place).await,
            Command::Show { guid, json, place } => show(guid, json, &place).await,
            Command::Delete { guid, yes, place } => delete(guid, yes, &place).await,
            Command::Export(args) => export::run(args).await,
            Command::Import(args) => import::run(args).await,
            Command::Rekey(args) => rekey::run(args).await,
        }
    })?;
    match result {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) if error.is::<Usage>() => {
            eprintln!("erp-host: {error}");
            Ok(ExitCode::from(2))
        }
        // Whoever reads our output has read enough (`| head`).
        Err(error) if broken_pipe(error.as_ref()) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error),
    }
}

/// The command line asks for something that cannot be done that way: exit code 2.
#[derive(Debug)]
struct Usage(String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Usage {}

fn broken_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The store in the configured data folder, which must be there; its file for messages. Needs no key.
async fn existing_store(place: &Place) -> Result<(SqliteStore, PathBuf), Box<dyn Error>> {
    let path = place.config()?.data.join(STORE_FILE);
    Ok((SqliteStore::open(&path, IfMissing::Refuse).await?, path))
}

/// The same with its key and its audit log: for whatever shows a secret or changes something.
pub(super) async fn existing_connections(
    place: &Place,
) -> Result<(StoredConnections, PathBuf), Box<dyn Error>> {
    let config = place.config()?;
    let stored = StoredConnections::open(&config.data, config.key_file.as_deref(), IfMissing::Refuse).await?;
    Ok((stored, config.data.join(STORE_FILE)))
}

/// Ends the work with a store; says so if the audit log is behind.
pub(super) async fn close(stored: StoredConnections) -> Result<(), Box<dyn Error>> {
    if stored.is_audit_log_behind() {
        eprintln!(
            "erp-host: warning: the audit log cannot be written; the record of this is in the store, and is written when \
             the host or the next command can"
        );
    }
    Ok(stored.store().close().await?)
}

async fn list(json: bool, place: &Place) -> Result<(), Box<dyn Error>> {
    let (store, path) = existing_store(place).await?;
    let connections = store.list().await?;
    store.close().await?;
    let mut out = io::BufWriter::new(io::stdout().lock());
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

async fn show(guid: Guid, json: bool, place: &Place) -> Result<(), Box<dyn Error>> {
    let (store, path) = existing_store(place).await?;
    let connection = store.get(guid).await?;
    store.close().await?;
    let connection = connection.ok_or_else(|| not_found(guid, &path))?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    if json {
        serde_json::to_writer_pretty(&mut out, &shown_as_json(&connection)).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        writeln!(out, "GUID       {}", connection.guid)?;
        writeln!(out, "connector  {}", printable(&connection.connector))?;
        writeln!(out, "saved at   {}", utc(connection.saved_at))?;
        writeln!(out, "settings   {}", connection.settings.len())?;
        let keys: Vec<_> = connection.settings.iter().map(|setting| printable(&setting.key)).collect();
        let width = keys.iter().map(|key| key.chars().count()).max().unwrap_or_default();
        for (setting, key) in connection.settings.iter().zip(keys) {
            let value = match &setting.value {
                SealedValue::Secret(Some(_)) => MASK.to_owned(),
                SealedValue::Plain(Some(value)) => printable(value),
                SealedValue::Plain(None) | SealedValue::Secret(None) => "(null)".to_owned(),
            };
            writeln!(out, "  {key:<width$}  {value}")?;
        }
    }
    out.flush()?;
    Ok(())
}

fn shown_as_json(connection: &SealedConnection) -> serde_json::Value {
    let settings: Vec<_> = connection
        .settings
        .iter()
        .map(|setting| match &setting.value {
            SealedValue::Plain(value) => json!({ "key": setting.key, "value": value, "secret": false }),
            SealedValue::Secret(None) => json!({ "key": setting.key, "value": null, "secret": true }),
            SealedValue::Secret(Some(_)) => json!({ "key": setting.key, "value": MASK, "secret": true }),
        })
        .collect();
    json!({
        "guid": connection.guid.to_string(),
        "connector": connection.connector,
        "saved_at": utc(connection.saved_at),
        "settings": settings,
    })
}

async fn delete(guid: Guid, yes: bool, place: &Place) -> Result<(), Box<dyn Error>> {
    let (stored, path) = existing_connections(place).await?;
    let deleted = match stored.store().get(guid).await? {
        Some(connection) => match confirm(&connection, yes) {
            Ok(()) => Ok(stored.delete(guid, &Origin::command("connections delete")).await?),
            Err(error) => Err(error),
        },
        None => Ok(None),
    };
    close(stored).await?;
    deleted?.ok_or_else(|| not_found(guid, &path))?;
    writeln!(io::stdout(), "deleted {guid}")?;
    Ok(())
}

/// Asks whether to delete the connection, unless it was said already.
fn confirm(connection: &SealedConnection, yes: bool) -> Result<(), Box<dyn Error>> {
    if yes {
        return Ok(());
    }
    let guid = connection.guid;
    if !io::stdin().is_terminal() {
        return Err(Usage(format!("nobody is there to confirm that {guid} is deleted: add --yes")).into());
    }
    eprint!(
        "delete the connection {guid} of {} ({} settings, saved at {})? [y/N] ",
        printable(&connection.connector),
        connection.settings.len(),
        utc(connection.saved_at)
    );
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    let yes = matches!(answer.trim().to_lowercase().as_str(), "y" | "yes");
    if yes { Ok(()) } else { Err("nothing was deleted".into()) }
}

fn not_found(guid: Guid, store: &std::path::Path) -> String {
    format!("there is no connection {guid} in {}", store.display())
}

/// Date and time to the second, in UTC.
pub(super) fn utc(time: SystemTime) -> String {
    let sortable = DateTime::from_system_time(time).to_sortable();
    format!("{}Z", sortable.split('.').next().unwrap_or_default())
}

/// The text as a terminal may show it: what would move the cursor or turn the writing direction is escaped.
pub(super) fn printable(text: &str) -> String {
    let escaped = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().fold(String::with_capacity(text.len()), |mut shown, c| {
        if escaped(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
        shown
    })
}

/// `1 connection`, `2 connections`.
pub(super) fn connections(count: usize) -> String {
    if count == 1 { "1 connection".to_owned() } else { format!("{count} connections") }
}

/// The first few of many, for a message.
fn some_of<T: ToString>(many: &[T]) -> String {
    const SHOWN: usize = 5;
    let mut text = many.iter().take(SHOWN).map(T::to_string).collect::<Vec<_>>().join(", ");
    if many.len() > SHOWN {
        text.push_str(&format!(" and {} more", many.len() - SHOWN));
    }
    text
}
