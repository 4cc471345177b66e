//! `erp-host reload`.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::cli::output::stdout;
use crate::config::{Config, Flags};
use crate::control::{self, ReloadReport, ReloadRequest};
use erp_host_terminal::printable;

/// How long a running host may take to accept a request; usually a second.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(15);

/// How long the reload may take. The host goes on with it after that.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(120);

/// Time between two looks for the report.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Makes the running host reload its plugins folder, keys and certificates, and shows the result.
///
/// The host finds new, changed and removed plugin files by itself within a few seconds. This command waits until it
/// has, tries files again that could not be loaded, and says what serves now. It finds the host by its data folder, so
/// give it the flags, or the configuration file, that the host has. Run it as the host's user, or as root.
///
/// Exit code: 0 when every file is loaded, 1 when one is not, or when no host answers.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    #[command(flatten)]
    flags: Flags,
}

pub(super) fn run(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    let data = Config::load(&args.flags)?.data;
    let shown = data.display();
    let is_running = control::is_host_running(&data).map_err(|error| {
        format!(
            "cannot see whether a host runs on the data folder {shown}: {error}; run this as the host's user"
        )
    })?;
    if !is_running {
        return Err(format!(
            "no host runs on the data folder {shown}; start it, or name its data folder with --data"
        )
        .into());
    }
    let request = ReloadRequest::send(&data).map_err(|error| {
        format!("cannot write to the data folder {shown}: {error}; run this as the host's user")
    })?;
    let started = Instant::now();
    let report = loop {
        if let Some(report) =
            request.report().map_err(|error| format!("the host's answer cannot be read: {error}"))?
        {
            break report;
        }
        let waited = started.elapsed();
        if waited > ACCEPT_TIMEOUT && !request.is_taken() {
            let why = "it may still be busy with a plugin file from before, or be stopping";
            return Err(
                format!("the host on the data folder {shown} does not answer: {why}; see its log").into()
            );
        }
        if waited > RELOAD_TIMEOUT {
            let why = "it goes on; a connector may hang as it is made";
            return Err(format!(
                "the host was not done within {} seconds: {why}; see its log",
                RELOAD_TIMEOUT.as_secs()
            )
            .into());
        }
        sleep(POLL_INTERVAL);
    };
    print(&report, &mut stdout())?;
    Ok(if report.has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn print(report: &ReloadReport, output: &mut impl Write) -> io::Result<()> {
    for line in &report.changes {
        writeln!(output, "{}", printable(line))?;
    }
    if report.changes.is_empty() {
        writeln!(output, "nothing has changed")?;
    }
    for line in &report.serving {
        writeln!(output, "serving: {}", printable(line))?;
    }
    if report.serving.is_empty() {
        writeln!(output, "serving: no connector")?;
    }
    output.flush()
}
