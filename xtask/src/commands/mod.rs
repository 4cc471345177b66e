//! The tasks, one file each.

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub mod bench;
pub mod compare;
pub mod demo;
pub mod overload;
pub mod sample_workbook;
pub mod soak;
pub mod test;

/// Tasks for people who work on erp-host, or want to see it run.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    after_help = "Begin with `cargo xtask demo`: it needs nothing but Rust and a C compiler."
)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

// Without comments of their own: the help is that of the arguments.
#[derive(Debug, Subcommand)]
enum Task {
    Demo(demo::Args),
    Bench(bench::Args),
    Compare(compare::Args),
    Overload(overload::Args),
    SampleWorkbook(sample_workbook::Args),
    Test(test::Args),
    Soak(soak::Args),
}

/// Reads the command line and runs the task. Errors go to standard error, in one line.
pub fn run() -> ExitCode {
    let result: Result<ExitCode, Box<dyn Error>> = match Cli::parse().task {
        Task::Demo(args) => demo::run(&args),
        Task::Bench(args) => bench::run(&args),
        Task::Compare(args) => compare::run(&args),
        Task::Overload(args) => overload::run(&args),
        Task::SampleWorkbook(args) => sample_workbook::run(&args),
        Task::Test(args) => test::run(&args),
        Task::Soak(args) => soak::run(&args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
