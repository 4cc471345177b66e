//! `cargo xtask demo`.

use std::error::Error;
use std::process::ExitCode;

/// x
#[derive(Debug, clap::Args)]
pub struct Args {}

/// x
///
/// # Errors
/// x
pub fn run(_args: &Args) -> Result<ExitCode, Box<dyn Error>> {
    Err("x".into())
}
