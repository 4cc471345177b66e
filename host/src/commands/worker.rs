//! `erp-host worker`: what `serve` starts for a connector that runs in a process of its own.

use std::error::Error;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::logging;
use erp_host_runtime::isolation::{self, FileAccess, Limits, WorkerOptions};

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
    /// Processes and threads that it and the processes that it starts may have.
    #[arg(long, value_name = "NUMBER")]
    tasks: Option<u64>,
    /// A file or folder that it may read.
    #[arg(long, value_name = "PATH")]
    read: Vec<PathBuf>,
    /// A file or folder that it may write to.
    #[arg(long, value_name = "PATH")]
    write: Vec<PathBuf>,
    /// The user and group that it runs as, by number.
    #[arg(long, value_name = "USER:GROUP", value_parser = user_and_group)]
    user: Option<(u32, u32)>,
    /// Do not run where the system cannot restrict files and system calls.
    #[arg(long)]
    require_sandbox: bool,
    /// The control group that holds the groups of workers.
    #[arg(long, value_name = "PATH")]
    cgroup: Option<PathBuf>,
    /// Run as the worker process itself; without it, as the subreaper that starts it.
    #[arg(long)]
    confined: bool,
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
    let Args { log: _, memory, cpu_seconds, open_files, tasks, connector, .. } = args;
    let options = WorkerOptions {
        limits: Limits { memory, cpu_seconds, open_files, tasks },
        files: FileAccess { read: args.read, write: args.write },
        user: args.user,
        requires_sandbox: args.require_sandbox,
        cgroup: args.cgroup,
        is_confined: args.confined,
    };
    isolation::run_worker(&options)
        .map_err(|error| format!("the worker of {connector} cannot go on: {error}"))?;
    Ok(ExitCode::SUCCESS)
}

fn user_and_group(text: &str) -> Result<(u32, u32), String> {
    let (user, group) = text.split_once(':').ok_or("expected two numbers with a colon between them")?;
    let number = |text: &str| text.parse().map_err(|_| format!("{text:?} is no number"));
    Ok((number(user)?, number(group)?))
}
