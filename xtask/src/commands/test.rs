//! `cargo xtask test`.

use std::error::Error;
use std::process::{Command, ExitCode};

use test_support::build::{self, PLUGINS, Profile, TEST_PLUGINS};

/// Builds the host and the plugin files, and runs every test of the workspace.
///
/// The end-to-end tests start the real program with the real plugin files. Some use nginx, LibreOffice and SOAP clients of
/// other languages, whose packages are in .ci/run; where one is missing the test prints that it skips, and with CI=true it
/// fails. Tests that repeat one thing in large numbers make a twentieth of them: cargo xtask soak makes all.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo xtask test                                    everything
  cargo xtask test --package erp-host-contract                 one package
  cargo xtask test --package end-to-end -- bad_input  the tests of a name")]
pub struct Args {
    /// Passed on to `cargo test`; without a `--package` all packages are tested.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS OF CARGO TEST")]
    arguments: Vec<String>,
}

/// Runs the task.
///
/// # Errors
/// Cargo cannot be run, or the build fails. Failing tests end with cargo's own exit code.
pub fn run(args: &Args) -> Result<ExitCode, Box<dyn Error>> {
    let plugins: Vec<&str> = PLUGINS.iter().chain(TEST_PLUGINS).copied().collect();
    let (name, built) = build::build(Profile::Dev, &plugins)?.variable();

    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(build::workspace()).args(["test", "--locked"]).env(name, built);
    if !names_a_package(&args.arguments) {
        cargo.arg("--workspace");
    }
    let status =
        cargo.args(&args.arguments).status().map_err(|error| format!("cannot run cargo: {error}"))?;
    Ok(match status.code() {
        Some(0) => ExitCode::SUCCESS,
        Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        None => ExitCode::FAILURE,
    })
}

fn names_a_package(arguments: &[String]) -> bool {
    arguments.iter().take_while(|argument| *argument != "--").any(|argument| {
        argument.starts_with("--package") || argument.starts_with("-p") || argument == "--workspace"
    })
}
