//! `cargo xtask compare`: throughput and latency side by side with a gSOAP server and nginx.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use test_support::build::{self, Profile};
use test_support::host_process::HostProcess;

/// The connector that is measured.
const PLUGIN: &str = "rows-connector";

/// Programs that the comparison needs, with their Debian packages.
const PROGRAMS: &[(&str, &str)] = &[
    ("python3", "python3"),
    ("wrk", "wrk"),
    ("g++", "g++"),
    ("wsdl2h", "gsoap"),
    ("soapcpp2", "gsoap"),
    ("nginx", "nginx-light"),
];

/// Compares the host with a gSOAP server of the same contract and rows, and with nginx that serves the same bytes from
/// a file, in alternating rounds of one run. Then measures the host alone: its start with ten plugins, its memory under
/// large replies, and 10,000 connections against one.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo xtask compare                         five rounds of four seconds each: about seven minutes
  cargo xtask compare --rounds 3 --seconds 2  a first impression
  cargo xtask compare --only get1,all1000     only these of config, test, get1, get100, all1000

Needs Debian's gsoap libgsoap-dev g++ wrk nginx-light python3. What is compared: benches/peers/compare.py.
Absolute figures depend on the machine; the ratios are comparable.")]
pub struct Args {
    /// Number of rounds; the medians are printed
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Seconds for which each server is called in a round
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,

    /// Number of concurrent HTTP connections
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,

    /// Only these requests, separated by commas
    #[arg(long, value_name = "NAMES")]
    only: Option<String>,

    /// The level of the host's log, which is written to a file
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log: String,

    /// Measure this program instead of the one that is built
    #[arg(long, value_name = "FILE")]
    host: Option<PathBuf>,

    /// Also write the figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs the task.
///
/// # Errors
/// A program is missing, something cannot be built, or a server does not answer as it should.
pub fn run(args: &Args) -> Result<ExitCode, Box<dyn Error>> {
    check_programs()?;
    eprintln!("building the host for release (the first time this takes several minutes) ...");
    let built = build::build(Profile::Release, &[PLUGIN])?;

    let folder = tempfile::TempDir::new()?;
    build::install(&built, &[PLUGIN], &folder.path().join("plugins"))?;
    let host = start(args.host.as_deref().unwrap_or(&built.host), folder.path(), &args.log)?;

    let mut compare = Command::new("python3");
    compare.arg(build::workspace().join("benches/peers/compare.py")).arg(host.url());
    compare.args(["--pid", &host.id().to_string()]);
    for (name, value) in
        [("--rounds", args.rounds), ("--seconds", args.seconds), ("--conns", args.connections)]
    {
        compare.args([name, &value.to_string()]);
    }
    if let Some(only) = &args.only {
        compare.args(["--only", only]);
    }
    if let Some(json) = &args.json {
        compare.arg("--json").arg(json);
    }
    let compared = compare.stdin(Stdio::null()).status()?;
    host.stop()?;
    if !compared.success() || args.only.is_some() {
        return Ok(if compared.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let mut bounds = Command::new("python3");
    bounds.arg(build::workspace().join("benches/peers/bounds.py"));
    bounds.arg(args.host.as_deref().unwrap_or(&built.host));
    bounds.arg(built.plugin(PLUGIN).ok_or("the rows connector was not built")?);
    bounds.args(["--rounds", &args.rounds.to_string(), "--seconds", &args.seconds.to_string()]);
    let bounded = bounds.stdin(Stdio::null()).status()?;
    Ok(if bounded.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Starts the host with its default configuration. Its log is written to a file, as most operators do; a pipe would need
/// processor time of this task, too.
fn start(program: &Path, folder: &Path, level: &str) -> Result<HostProcess, Box<dyn Error>> {
    let mut command = Command::new(program);
    command.current_dir(folder).args(["serve", "--listen", "127.0.0.1:0", "--plugins", "plugins"]);
    command.args(["--data", "data", "--log", level]);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ERP_HOST_")) {
        command.env_remove(name);
    }
    HostProcess::start_with_log(command, File::create(folder.join("log"))?)
}

/// Fails with the packages to install if a program is missing.
fn check_programs() -> Result<(), Box<dyn Error>> {
    let folders: Vec<_> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    // Debian installs nginx in /usr/sbin, which is not on every user's path.
    let is_installed = |program: &str| {
        folders.iter().any(|folder| folder.join(program).is_file())
            || Path::new("/usr/sbin").join(program).is_file()
    };
    let mut missing: Vec<_> =
        PROGRAMS.iter().filter(|(program, _)| !is_installed(program)).map(|(_, package)| *package).collect();
    if !Path::new("/usr/include/stdsoap2.h").exists() {
        missing.push("libgsoap-dev");
    }
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("the comparison needs more programs: apt-get install {}", missing.join(" ")).into())
}
