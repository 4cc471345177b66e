//! `erp-host reload`.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::config::{Config, Flags};

pub(super) mod order;

use order::{Answer, Order};

/// A running host takes an order within a second.
const TAKEN_WITHIN: Duration = Duration::from_secs(15);

/// How long making new connectors may take. The host goes on with it after that.
const DONE_WITHIN: Duration = Duration::from_secs(120);

/// How often to look for the answer.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Lets the running host look into its plugins folder, and tells what came of it.
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
    let is_running = order::is_host_running(&data).map_err(|error| {
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
    let order = Order::place(&data).map_err(|error| {
        format!("cannot write to the data folder {shown}: {error}; run this as the host's user")
    })?;
    let started = Instant::now();
    let answer = loop {
        if let Some(answer) =
            order.answer().map_err(|error| format!("the host's answer cannot be read: {error}"))?
        {
            break answer;
        }
        let waited = started.elapsed();
        if waited > TAKEN_WITHIN && !order.is_taken() {
            let why = "it may still be busy with a plugin file from before, or be stopping";
            return Err(
                format!("the host on the data folder {shown} does not answer: {why}; see its log").into()
            );
        }
        if waited > DONE_WITHIN {
            let why = "it goes on; a connector may hang as it is made";
            return Err(format!(
                "the host was not done within {} seconds: {why}; see its log",
                DONE_WITHIN.as_secs()
            )
            .into());
        }
        sleep(LOOK_EVERY);
    };
    print(&answer, &mut io::stdout().lock())?;
    Ok(if answer.has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn print(answer: &Answer, output: &mut impl Write) -> io::Result<()> {
    for line in &answer.changes {
        writeln!(output, "{line}")?;
    }
    if answer.changes.is_empty() {
        writeln!(output, "nothing has changed")?;
    }
    for line in &answer.serving {
        writeln!(output, "serving: {line}")?;
    }
    if answer.serving.is_empty() {
        writeln!(output, "serving: no connector")?;
    }
    output.flush()
}
