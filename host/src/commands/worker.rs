//! `erp-host worker`: what `serve` starts for a connector that runs in a process of its own.

use std::error::Error;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use crate::logging;
use erp_host_runtime::isolation::{self, Limits};

/// Runs a connector for a host. It is of no use without one.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What log records are filtered by.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log: String,
    /// Bytes of memory that it may write to.
    #[arg(long, value_name = "BYTES")]
    memory: Option<u64>,
    /// Seconds of processor time that it may use from the beginning of its latest call on.
    #[arg(long, value_name = "SECONDS")]
    cpu_seconds: Option<u64>,
    /// Files and sockets that it may have open.
    #[arg(long, value_name = "NUMBER")]
    open_files: Option<u64>,
    /// The connector, shown in the list of processes.
    connector: String,
}

pub(super) fn run(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    if io::stdin().is_terminal() {
        return Err(
            "a worker is started by `erp-host serve`, for a connector with isolation = \"process\"".into()
        );
    }
    logging::filter_only(&args.log)?;
    let Args { log: _, memory, cpu_seconds, open_files, connector } = args;
    isolation::run_worker(&Limits { memory, cpu_seconds, open_files })
        .map_err(|error| format!("the worker of {connector} cannot go on: {error}"))?;
    Ok(ExitCode::SUCCESS)
}
