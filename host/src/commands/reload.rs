//! `erp-host reload`.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::cli::host_reload::{is_host_running, reload_host};
use crate::cli::output::stdout;
use crate::config::{Config, Flags};
use crate::control::ReloadReport;
use erp_host_terminal::printable;

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
    if !is_host_running(&data)? {
        let shown = data.display();
        return Err(format!(
            "no host runs on the data folder {shown}; start it, or name its data folder with --data"
        )
        .into());
    }
    let report = reload_host(&data)?;
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
    for serving in &report.serving {
        writeln!(output, "serving: {}", printable(&serving.to_string()))?;
    }
    if report.serving.is_empty() {
        writeln!(output, "serving: no connector")?;
    }
    output.flush()
}
