//! `erp-host audit`: shows the audit log, and verifies its hash chain and signatures.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Map, Value};

use crate::cli::block_on;
use crate::cli::output::stdout;
use crate::cli::store_flags::StoreFlags;
use erp_host_store::audit::{self, AuditFiles, Head, Report};
use erp_host_store::{ConnectionStore, STORE_FILE, SqliteStore, read_audit_key};
use erp_host_terminal::printable;

/// How many breaks are listed. The rest is counted.
const BREAKS_SHOWN: usize = 20;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The log is in the folder erp-host.audit of the data folder, one JSON object per line. It shows which \
    connections were saved, changed and deleted, and by whom; which plugins were loaded, replaced and refused; and which \
    commands rotated keys or copied the store. It never has the value of a setting.\n\n\
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
    /// Verify that no record was changed, removed, inserted or moved
    #[command(
        after_help = "Every record repeats the hash of the record before it (a hash chain), and is signed with a key that \
        is in the store, encrypted. So this command detects a record that was changed, removed, inserted or moved. It also \
        detects records that were cut off at the end, because the store has the hash of the newest one.\n\n\
        A person who can write the store, the key file and the log can forge a log that passes. To detect that, note the \
        newest record in another place, as this command prints it, and check for it with --head; or ship the lines to \
        another machine and compare.\n\n\
        Examples:\n  \
        erp-host audit verify\n  \
        erp-host audit verify --head 120:5d0c...\n  \
        erp-host audit verify /mnt/log-archive --chain-only"
    )]
    Verify {
        /// Folder with the files [default: erp-host.audit in the data folder]
        folder: Option<PathBuf>,
        /// A record that must be there, as an earlier run printed it
        #[arg(long, value_name = "NUMBER:SHA256", value_parser = head)]
        head: Option<Head>,
        /// Verify only the hash chain, without the store and its key
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
        let mut file = BufReader::new(File::open(&path).map_err(|error| unreadable(&files, &error))?);
        loop {
            let mut line = Vec::new();
            if file.by_ref().take(audit::MAX_LINE as u64).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if line.pop_if(|last| *last == b'\n').is_none() && line.len() == audit::MAX_LINE {
                return Err(format!("{} holds a line that is too long for a record", path.display()).into());
            }
            lines.push_back(line);
            if lines.len() > newest {
                lines.pop_front();
            }
        }
    }
    let mut out = io::BufWriter::new(stdout());
    let written = if lines.is_empty() {
        writeln!(out, "no records in {}", files.folder().display())
    } else {
        lines.iter().try_for_each(|line| {
            let line = String::from_utf8_lossy(line);
            if json { writeln!(out, "{line}") } else { writeln!(out, "{}", readable(&line)) }
        })
    };
    match written.and_then(|()| out.flush()) {
        // The reader of our output has closed the pipe (`| head`).
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// A record as readable text: number, time, event, members, origin.
fn readable(line: &str) -> String {
    let Ok(Value::Object(mut record)) = serde_json::from_str(line) else {
        return format!("(no record) {}", printable(line));
    };
    let mut take = |name: &str| record.remove(name).map(|value| text_of(&value)).unwrap_or_default();
    let (number, at, event, by) = (take("number"), take("at"), take("event"), take("by"));
    ["audit_key", "prev", "mac"].iter().for_each(|name| drop(take(name)));
    let at = at.split('.').next().unwrap_or_default().to_owned();
    let about = members(&record);
    printable(&format!("{number:>6}  {at}Z  {event:<18}  {about}  by {by}"))
}

fn members(record: &Map<String, Value>) -> String {
    record.iter().map(|(name, value)| format!("{name}={}", text_of(value))).collect::<Vec<_>>().join(" ")
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text_of).collect::<Vec<_>>().join(","),
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
    // Read before the files, because the host may write in the meantime. Nothing is changed: the records that a crash has left
    // in the store are written when the host starts.
    let (key, outbox) = if chain_only {
        (None, None)
    } else {
        let store = SqliteStore::open_to_look(&config.data.join(STORE_FILE)).await?;
        let key = read_audit_key(&store, &config.data, config.key_file.as_deref()).await;
        let outbox = store.audit_outbox().await;
        store.close().await?;
        (Some(key?), Some(outbox?))
    };
    let report =
        audit::verify(&files, key.as_ref(), expected.as_ref()).map_err(|error| unreadable(&files, &error))?;
    let mut out = stdout();
    for found in report.breaks.iter().take(BREAKS_SHOWN) {
        writeln!(out, "{found}")?;
    }
    let mut is_sound = report.breaks.is_empty();
    if report.breaks.len() > BREAKS_SHOWN {
        writeln!(out, "and {} more", report.breaks.len() - BREAKS_SHOWN)?;
    }
    if let Some(outbox) = outbox.filter(|_| is_own) {
        let waiting = outbox.pending.iter().filter(|record| record.number > report.head.number).count();
        // Pending records are not lost. The files may also have records that are newer than what was read from the store.
        if report.head.number + i64::try_from(waiting)? < outbox.head.number {
            let missing = report.head.number + 1;
            writeln!(out, "records {missing} to {} are missing at the end", outbox.head.number)?;
            is_sound = false;
        } else if report.head.number == outbox.head.number && report.head != outbox.head {
            writeln!(out, "the newest record is not the one in the store")?;
            is_sound = false;
        }
        if waiting > 0 {
            writeln!(
                out,
                "{waiting} of the records still wait in the store: the host writes them when it starts, or when it can"
            )?;
        }
    }
    if let (Some(expected), Some(false)) = (&expected, report.is_expected_there) {
        writeln!(out, "record {expected} is not there")?;
        is_sound = false;
    }
    print_summary(&report, key.is_some(), &mut out)?;
    if is_sound {
        Ok(ExitCode::SUCCESS)
    } else {
        Err(format!("the audit log in {} is not as it was written", files.folder().display()).into())
    }
}

fn print_summary(report: &Report, is_signature_checked: bool, out: &mut impl Write) -> io::Result<()> {
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
