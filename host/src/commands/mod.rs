//! The commands of the `erp-host` program, one file each. They do not use each other: see `cli` for what they share.

use crate::cli::output::print_error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod access;
mod audit;
mod backup;
mod call;
mod connections;
mod contract;
mod plugins;
mod register;
mod reload;
mod restore;
mod serve;
mod simulate;
mod verify;
mod worker;

/// A reference host for SuperOffice ERP Sync connectors.
///
/// It serves the SOAP contract, keeps the settings of every connection, and passes each call to the connector plugin
/// that the connection belongs to.
#[derive(Debug, Parser)]
#[command(name = "erp-host", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  erp-host serve                  serve what is in ./plugins, at 127.0.0.1:8080
  erp-host serve --listen 0.0.0.0:80 --plugins /opt/erp-host/plugins --data /var/lib/erp-host
  erp-host plugins                what is in ./plugins, and why a file is not loaded
  erp-host reload                 what the running host makes of ./plugins now
  erp-host connections list       which connections are stored
  erp-host call localhost:8080 getconfigdata    what any connector service answers
  erp-host verify localhost:8080                whether it keeps the rules of SuperOffice
  erp-host contract learn localhost:8080        how its messages are wrapped and ordered
  erp-host simulate --demo                      the life of a connection, without SuperOffice

Flags are environment variables, too (ERP_HOST_PLUGINS for --plugins), and lines of
erp-host.toml. A flag counts over its variable, the variable over the file.

The address to give to SuperOffice ends in /Services/ErpConnectorWS.svc; open it in a
browser to see what runs here.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the connector contract, with every plugin of the plugins folder.
    Serve(serve::Args),
    /// List the plugin files and what is in them, or why one cannot be loaded.
    Plugins(plugins::Args),
    /// Make the running host reload its plugins folder, and show the result.
    Reload(reload::Args),
    Call(Box<call::Args>),
    Verify(Box<verify::Args>),
    /// List, show, delete, export and import the stored connections; rotate their key.
    Connections(connections::Args),
    Contract(contract::Args),
    Backup(backup::Args),
    Restore(restore::Args),
    /// Show the audit log, or check that it is whole and as it was written.
    Audit(audit::Args),
    /// Make a secret that callers must show, and the hash of it for the configuration.
    Access(access::Args),
    Register(register::Args),
    Simulate(simulate::Args),
    #[command(hide = true)]
    Worker(worker::Args),
}

/// Reads the command line and runs the command. Errors go to standard error, in one line.
pub fn run() -> ExitCode {
    if let Err(error) = erp_host_runtime::isolation::hide_process() {
        eprintln!("erp-host: other processes of this user may read its memory: {error}");
    }
    let result = match Cli::parse().command {
        Command::Serve(args) => serve::run(args),
        Command::Plugins(args) => plugins::run(args),
        Command::Reload(args) => reload::run(args),
        Command::Call(args) => call::run(*args),
        Command::Verify(args) => verify::run(*args),
        Command::Connections(args) => connections::run(args),
        Command::Contract(args) => contract::run(args),
        Command::Backup(args) => backup::run(args),
        Command::Restore(args) => restore::run(args),
        Command::Access(args) => access::run(&args),
        Command::Audit(args) => audit::run(args),
        Command::Register(args) => register::run(args),
        Command::Simulate(args) => simulate::run(args),
        Command::Worker(args) => worker::run(args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            print_error(&error);
            ExitCode::FAILURE
        }
    }
}
