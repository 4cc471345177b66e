//! `erp-host audit`: reads the audit log, and checks that it is whole and as it was written.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Map, Value};

use crate::cli::block_on;
use crate::cli::store_flags::StoreFlags;
use erp_host_client::terminal::printable;
use erp_host_store::audit::{self, AuditFiles, Head, Report};
use erp_host_store::{IfMissing, StoredConnections};

/// Breaks that are told one by one.
const BREAKS_SHOWN: usize = 20;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The log is in the folder erp-host.audit of the data folder, a JSON object a line. It tells which \
    connections were saved, changed and deleted, by whom, what became of plugins, and what commands did with keys and \
    copies; never a setting's value.\n\n\
    Exit codes: 0 done, 1 error (also: the log is not as it was written), 2 wrong usage."
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the newest records
    #[command(after_help = "Examples:\n  \
        erp-host audit show\n  \
        erp-host audit show -n 1000 --json")]
    Show {
        /// How many
        #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 50)]
        newest: usize,
        /// Write the lines as they are, in JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        store_flags: StoreFlags,
    },
    /// Check that the log is whole, as it was written, and as long as the store knows it to be
    #[command(
        after_help = "Every record repeats the hash of the one before it and is signed with a key that lies in the \
        store, encrypted. So a record that was changed, taken out, put in or moved is seen, and so are records cut off \
        at the end, because the store knows the newest one.\n\n\
        Who can write the store, the key file and the log can make a log that passes. Against that, note the newest \
        record elsewhere, as this command tells it, and ask for it with --head; or ship the lines to another machine and \
        compare.\n\n\
        Examples:\n  \
        erp-host audit verify\n  \
        erp-host audit verify --head 120:5d0c...\n  \
        erp-host audit verify /mnt/log-archive --chain-only"
    )]
    Verify {
        /// Folder with the files, if not the data folder's own
        folder: Option<PathBuf>,
        /// A record that must be there, as an earlier run told it
        #[arg(long, value_name = "NUMBER:SHA256", value_parser = head)]
        head: Option<Head>,
        /// Check the chain of hashes alone, without the store and its key
        #[arg(long)]
        chain_only: bool,
        #[command(flatten)]
        store_flags: StoreFlags,
    },
}

fn head(text: &str) -> Result<Head, String> {
    let expected = "expected the number of a record, a colon and its SHA-256 in 64 hexadecimal digits";
    let (number, sha256) = text.split_once(':').ok_or(expected)?;
    let is_hash = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
    match number.parse() {
        Ok(number) if is_hash => Ok(Head { number, sha256: sha256.to_ascii_lowercase() }),
        _ => Err(expected.to_owned()),
    }
}

pub(super) fn run(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    match args.command {
        Command::Show { newest, json, store_flags } => show(newest, json, &store_flags),
        Command::Verify { folder, head, chain_only, store_flags } => {
            block_on(verify(folder, head, chain_only, &store_flags))?
        }
    }
}

fn show(newest: usize, json: bool, store_flags: &StoreFlags) -> Result<ExitCode, Box<dyn Error>> {
    let files = AuditFiles::new(store_flags.config()?.data.join(audit::FOLDER));
    let mut lines = std::collections::VecDeque::new();
    for path in files.list().map_err(|error| unreadable(&files, &error))? {
        let file = File::open(&path).map_err(|error| unreadable(&files, &error))?;
        for line in BufReader::new(file).split(b'\n') {
            lines.push_back(line?);
            if lines.len() > newest {
                lines.pop_front();
            }
        }
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written = if lines.is_empty() {
        writeln!(out, "no records in {}", files.folder().display())
    } else {
        lines.iter().try_for_each(|line| {
            let line = String::from_utf8_lossy(line);
            if json { writeln!(out, "{line}") } else { writeln!(out, "{}", told(&line)) }
        })
    };
    match written.and_then(|()| out.flush()) {
        // Whoever reads our output has read enough (`| head`).
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// A record for people: number, time, event, what it is about, by whom.
fn told(line: &str) -> String {
    let Ok(Value::Object(mut record)) = serde_json::from_str(line) else {
        return format!("(no record) {}", printable(line));
    };
    let mut take = |name: &str| record.remove(name).map(|value| words(&value)).unwrap_or_default();
    let (number, at, event, by) = (take("number"), take("at"), take("event"), take("by"));
    ["audit_key", "prev", "mac"].iter().for_each(|name| drop(take(name)));
    let at = at.split('.').next().unwrap_or_default().to_owned();
    let about = members(&record);
    printable(&format!("{number:>6}  {at}Z  {event:<18}  {about}  by {by}"))
}

fn members(record: &Map<String, Value>) -> String {
    record.iter().map(|(name, value)| format!("{name}={}", words(value))).collect::<Vec<_>>().join(" ")
}

fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join(","),
        Value::Object(record) => format!("({})", members(record)),
        other => other.to_string(),
    }
}

fn unreadable(files: &AuditFiles, error: &io::Error) -> String {
    format!("the audit log in {} cannot be read: {error}", files.folder().display())
}

async fn verify(
    folder: Option<PathBuf>,
    expected: Option<Head>,
    chain_only: bool,
    store_flags: &StoreFlags,
) -> Result<ExitCode, Box<dyn Error>> {
    let config = store_flags.config()?;
    let is_own = folder.is_none();
    let files = AuditFiles::new(folder.unwrap_or_else(|| config.data.join(audit::FOLDER)));
    if !files.folder().is_dir() {
        return Err(format!("there is no audit log in {}", files.folder().display()).into());
    }
    let stored = if chain_only {
        None
    } else {
        let key_file = config.key_file.as_deref();
        // Also writes out what a crash has left in the store.
        Some(StoredConnections::open(&config.data, key_file, IfMissing::Refuse).await?)
    };
    // Before the files are read: the host may be writing on.
    let end = match &stored {
        Some(stored) => Some(stored.store().audit_end().await?),
        None => None,
    };
    let key = stored.as_ref().map(StoredConnections::audit_key);
    let report = audit::verify(&files, key, expected.as_ref()).map_err(|error| unreadable(&files, &error))?;
    let mut out = io::stdout().lock();
    for found in report.breaks.iter().take(BREAKS_SHOWN) {
        writeln!(out, "{found}")?;
    }
    let mut is_sound = report.breaks.is_empty();
    if report.breaks.len() > BREAKS_SHOWN {
        writeln!(out, "and {} more", report.breaks.len() - BREAKS_SHOWN)?;
    }
    if let Some(end) = end.filter(|_| is_own) {
        let waiting = end.unwritten.iter().filter(|record| record.number > report.head.number).count();
        // Records that wait in the store are not lost, and records that came since are none of the store's as it was.
        if report.head.number + i64::try_from(waiting)? < end.head.number {
            let missing = report.head.number + 1;
            writeln!(out, "records {missing} to {} are missing at the end", end.head.number)?;
            is_sound = false;
        } else if report.head.number == end.head.number && report.head != end.head {
            writeln!(out, "the newest record is not the one that the store knows")?;
            is_sound = false;
        }
        if waiting > 0 {
            writeln!(out, "{waiting} of the records still wait in the store: the log could not be written")?;
        }
    }
    if let (Some(expected), Some(false)) = (&expected, report.is_expected_there) {
        writeln!(out, "record {expected} is not there")?;
        is_sound = false;
    }
    tell(&report, key.is_some(), &mut out)?;
    if let Some(stored) = &stored {
        stored.store().close().await?;
    }
    if is_sound {
        Ok(ExitCode::SUCCESS)
    } else {
        Err(format!("the audit log in {} is not as it was written", files.folder().display()).into())
    }
}

fn tell(report: &Report, is_signature_checked: bool, out: &mut impl Write) -> io::Result<()> {
    let Report { files, records, first, head, of_other_keys, .. } = report;
    let plural = |is_one: bool| if is_one { "" } else { "s" };
    writeln!(out, "{records} record{} in {files} file{}", plural(*records == 1), plural(*files == 1))?;
    if let Some(first) = first.filter(|first| *first > 1) {
        writeln!(out, "they begin with record {first}; those before it were archived, or are gone")?;
    }
    if !is_signature_checked {
        writeln!(out, "signatures were not checked")?;
    }
    if *of_other_keys > 0 {
        writeln!(
            out,
            "{of_other_keys} of them were signed by another store, and only their chain was checked"
        )?;
    }
    if *records > 0 {
        writeln!(out, "the newest is {head}")?;
    }
    Ok(())
}
