//! `erp-host serve`.

use std::error::Error;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_args: Args) -> Result<ExitCode, Box<dyn Error>> {
    Err("not built yet".into())
}
