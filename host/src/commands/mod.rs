//! The commands of the `erp-host` program, one file each.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod connections;
mod plugins;
mod serve;

/// A reference host for SuperOffice ERP Sync connectors.
#[derive(Debug, Parser)]
#[command(name = "erp-host", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the connector contract, with every plugin of the plugins folder.
    Serve(serve::Args),
    /// List the plugin files and what is in them, or why one cannot be loaded.
    Plugins(plugins::Args),
    /// List, show, delete, export and import the stored connections.
    Connections(connections::Args),
}

/// Reads the command line and runs the command. Errors go to standard error, in one line.
pub fn run() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(args) => serve::run(args),
        Command::Plugins(args) => plugins::run(args),
        Command::Connections(args) => connections::run(args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("erp-host: {error}");
            ExitCode::FAILURE
        }
    }
}
