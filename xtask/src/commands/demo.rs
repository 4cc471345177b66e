//! `cargo xtask demo`.

use std::error::Error;
use std::process::ExitCode;

/// Builds everything, starts the host on a sample workbook, and shows calls to try.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the task.
///
/// # Errors
/// Always, for now.
pub fn run(_args: &Args) -> Result<ExitCode, Box<dyn Error>> {
    Err("not built yet".into())
}
