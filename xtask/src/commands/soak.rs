//! `cargo xtask soak`.

use std::error::Error;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use test_support::build::{self, PLUGINS, Profile, TEST_PLUGINS};
use test_support::scale::SOAK;

/// Tests that repeat one thing in large numbers.
struct Part {
    name: &'static str,
    about: &'static str,
    /// Where they are: arguments of `cargo test`. Names of tests stand behind `--`.
    tests: &'static [&'static str],
    /// Cases of each property test that names no number of its own; proptest's default is 256.
    property_cases: Option<&'static str>,
}

const PARTS: &[Part] = &[
    Part {
        name: "crash",
        about: "hosts are killed 200 times, and no acknowledged change is lost",
        tests: &["--workspace", "--test=end_to_end", "--", "crash::"],
        property_cases: None,
    },
    Part {
        name: "mutations",
        about: "the reader gets 200,000 broken messages, and 5,000 from radamsa",
        tests: &["--workspace", "--test=hostile_input", "--", "mutations::"],
        property_cases: None,
    },
    Part {
        name: "attack",
        about: "a host gets 10,000 broken requests, and goes on serving",
        tests: &["--workspace", "--test=hostile_input", "--", "live::"],
        property_cases: None,
    },
    Part {
        name: "replace",
        about: "connectors are replaced 120 times under load, and no call is lost",
        tests: &["--workspace", "--test=end_to_end", "--", "replacing::"],
        property_cases: None,
    },
    Part {
        name: "state",
        about: "two hosts change the state of one connection 200 times each, and no change is lost",
        tests: &["--workspace", "--test=end_to_end", "--", "state::"],
        property_cases: None,
    },
    Part {
        name: "tryton",
        about: "Tryton is killed, slow and gets another password ten times while it is synchronised",
        tests: &["--workspace", "--test=end_to_end", "--", "tryton::"],
        property_cases: None,
    },
    Part {
        name: "store",
        about: "a process that saves connections is killed 60 times, and 640 odd connections are stored",
        tests: &["--package=erp-host-store", "--lib"],
        property_cases: None,
    },
    Part {
        name: "workbooks",
        about: "the Excel connector reads and writes thousands of odd workbooks",
        tests: &["--package=excel-connector", "--lib"],
        property_cases: None,
    },
    Part {
        name: "properties",
        about: "the property tests of all other packages, 5,120 cases each",
        tests: &[
            "--package=erp-host-values",
            "--package=erp-host-contract",
            "--package=erp-host-plugin-api",
            "--package=erp-host-runtime",
            "--package=erp-host",
            "--lib",
        ],
        property_cases: Some("5120"),
    },
];

/// Runs every test that repeats one thing in large numbers, with all its repetitions.
///
/// `cargo xtask test` makes a twentieth of them. A part takes up to several minutes: run a soak before a release, and after
/// a change of the reader, the store, the plugins' replacement or the Excel connector. The parts run one after the other;
/// Ctrl-C ends the one that runs, and what the tests left in temporary folders is removed. The exit code is 0 when every
/// part passed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo xtask soak                    all parts
  cargo xtask soak --list             what there is
  cargo xtask soak crash mutations    these two
  ERP_HOST_TEST_SEED=7 cargo xtask soak crash    with the seed that a failure printed")]
pub struct Args {
    /// Run only these parts (--list names them)
    #[arg(value_name = "PART", value_parser = clap::builder::PossibleValuesParser::new(PARTS.iter().map(|part| part.name)))]
    parts: Vec<String>,

    /// List the parts, and run none
    #[arg(long)]
    list: bool,
}

/// Runs the task.
///
/// # Errors
/// Something cannot be built or run. A part that fails, or Ctrl-C, is an exit code.
pub fn run(args: &Args) -> Result<ExitCode, Box<dyn Error>> {
    let is_wanted = |part: &&Part| args.parts.is_empty() || args.parts.iter().any(|name| name == part.name);
    let parts: Vec<&Part> = PARTS.iter().filter(is_wanted).collect();
    if args.list {
        parts.iter().for_each(|part| println!("{:<12}{}", part.name, part.about));
        return Ok(ExitCode::SUCCESS);
    }
    let plugins: Vec<&str> = PLUGINS.iter().chain(TEST_PLUGINS).copied().collect();
    let (name, built) = build::build(Profile::Dev, &plugins)?.variable();

    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    // A test that is ended removes nothing.
    let temporary = tempfile::tempdir()?;
    let mut failed = Vec::new();
    for (number, part) in (1..).zip(&parts) {
        println!("\n[{number} of {}] {}: {}", parts.len(), part.name, part.about);
        let started = Instant::now();
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(build::workspace()).args(["test", "--locked"]).args(part.tests);
        if !part.tests.contains(&"--") {
            cargo.arg("--");
        }
        // Tests print how far they are.
        cargo.arg("--nocapture").stdin(Stdio::null());
        cargo.env(SOAK, "1").env("TMPDIR", temporary.path()).env(name, &built);
        cargo.envs(part.property_cases.map(|cases| ("PROPTEST_CASES", cases)));
        // Ctrl-C is for us: the tests and the hosts that they started are then ended together.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut cargo, 0);
        let status =
            wait(cargo.spawn().map_err(|error| format!("cannot run cargo: {error}"))?, &interrupted)?;
        if interrupted.load(Ordering::Relaxed) {
            println!("\nstopped in {}, after {} of {} parts", part.name, number - 1, parts.len());
            return Ok(ExitCode::from(130));
        }
        let verdict = if status.success() { "passed" } else { "FAILED" };
        println!(
            "[{number} of {}] {}: {verdict} after {} s",
            parts.len(),
            part.name,
            started.elapsed().as_secs()
        );
        if !status.success() {
            failed.push(part.name);
        }
    }
    if failed.is_empty() {
        println!("\nall {} parts passed", parts.len());
        return Ok(ExitCode::SUCCESS);
    }
    println!("\n{} of {} parts failed: {}", failed.len(), parts.len(), failed.join(", "));
    Ok(ExitCode::FAILURE)
}

/// Waits for the tests; ends them when this process is interrupted.
fn wait(mut cargo: Child, interrupted: &AtomicBool) -> Result<ExitStatus, Box<dyn Error>> {
    loop {
        if let Some(status) = cargo.try_wait()? {
            return Ok(status);
        }
        if interrupted.load(Ordering::Relaxed) {
            end(&mut cargo)?;
            return Ok(cargo.wait()?);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Ends cargo and all that it started.
#[cfg(unix)]
fn end(cargo: &mut Child) -> Result<(), Box<dyn Error>> {
    use rustix::process::{Pid, Signal, kill_process_group};
    let group = Pid::from_raw(i32::try_from(cargo.id())?).ok_or("no process ID")?;
    Ok(kill_process_group(group, Signal::TERM)?)
}

#[cfg(not(unix))]
fn end(cargo: &mut Child) -> Result<(), Box<dyn Error>> {
    Ok(cargo.kill()?)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// The packages whose tests call `scale` or `cases`, by their folders.
    fn scaled(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") && !path.ends_with(".git") {
                scaled(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let imports = text.lines().filter(|line| line.trim_start().starts_with("use test_support"));
                if imports.clone().any(|line| line.contains("scale")) {
                    found.push(path.strip_prefix(build::workspace()).unwrap().display().to_string());
                }
            }
        }
    }

    #[test]
    fn every_scaled_test_belongs_to_a_part() {
        let mut found = Vec::new();
        scaled(&build::workspace(), &mut found);
        assert!(found.len() > 3, "{found:?}");
        let is_known = |file: &&String| {
            ["store/", "plugins/excel/", "xtask/"].iter().any(|folder| file.starts_with(folder))
                || ["crash", "mutations", "live", "replacing", "state", "tryton"]
                    .iter()
                    .any(|name| file.ends_with(&format!("/{name}.rs")))
        };
        found.retain(|file| !is_known(&file));
        assert!(found.is_empty(), "no part of `cargo xtask soak` runs {found:?}");
    }
}
