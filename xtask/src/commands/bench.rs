//! `cargo xtask bench`.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::process::{Command, ExitCode};

use test_support::build;

/// The name of the baseline in criterion's folders.
const BASELINE: &str = "saved";
/// What moves by less is noise.
const NOISE: f64 = 0.05;

/// Runs the benches of reader, writer, plugin boundary, search and store, and shows what moved by more than 5 % since a
/// baseline was saved. Figures of different machines cannot be compared: save a baseline on yours first.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo xtask bench --save          save the figures before a change
  cargo xtask bench                 run again, and show what moved
  cargo xtask bench --only write/   only benches with this in their names")]
pub struct Args {
    /// Save the figures as the baseline
    #[arg(long)]
    save: bool,

    /// Run only benches with this in their names
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

/// Runs the task.
///
/// # Errors
/// A bench fails, or leaves no figures.
pub fn run(args: &Args) -> Result<ExitCode, Box<dyn Error>> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(build::workspace()).args(["bench", "--locked", "--package", "benches", "--"]);
    cargo.args(args.only.as_deref());
    if args.save {
        cargo.args(["--save-baseline", BASELINE]);
    }
    if !cargo.status().map_err(|error| format!("cannot run cargo: {error}"))?.success() {
        return Ok(ExitCode::FAILURE);
    }
    if args.save {
        println!("\nsaved as the baseline of this machine; cargo xtask bench compares with it");
        return Ok(ExitCode::SUCCESS);
    }
    let mut all = Vec::new();
    collect(&build::target().join("criterion"), &mut all)?;
    all.retain(|moved| args.only.as_deref().is_none_or(|only| moved.name.contains(only)));
    if all.is_empty() {
        return Err("there is no baseline to compare with: cargo xtask bench --save, before a change".into());
    }
    println!("\nagainst the baseline, {} benches:", all.len());
    all.retain(|moved| moved.change().abs() > NOISE);
    all.sort_by(|a, b| b.change().total_cmp(&a.change()));
    all.iter().for_each(|moved| println!("{moved}"));
    if all.is_empty() {
        println!("  nothing moved by more than 5 %");
    }
    Ok(ExitCode::SUCCESS)
}

/// A bench with its medians in nanoseconds.
#[derive(Debug, PartialEq)]
struct Moved {
    name: String,
    before: f64,
    now: f64,
}

impl Moved {
    fn change(&self) -> f64 {
        self.now / self.before - 1.0
    }
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (change, before, now) = (100.0 * self.change(), time(self.before), time(self.now));
        let word = if change > 0.0 { "slower" } else { "faster" };
        write!(f, "  {:+6.1} % {word}  {}: {before} -> {now}", change, self.name)
    }
}

fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        n if n < 1e3 => format!("{n:.1} ns"),
        n if n < 1e6 => format!("{:.2} us", n / 1e3),
        n => format!("{:.2} ms", n / 1e6),
    }
}

/// Finds every bench below a folder of criterion's that has both a baseline and new figures.
fn collect(folder: &Path, all: &mut Vec<Moved>) -> Result<(), Box<dyn Error>> {
    let (before, now) = (folder.join(BASELINE), folder.join("new"));
    if before.is_dir() && now.is_dir() {
        let name = json(&now.join("benchmark.json"))?["full_id"].as_str().unwrap_or_default().to_owned();
        all.push(Moved { name, before: median(&before)?, now: median(&now)? });
        return Ok(());
    }
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), all)?;
        }
    }
    Ok(())
}

fn median(folder: &Path) -> Result<f64, Box<dyn Error>> {
    let file = folder.join("estimates.json");
    let median = json(&file)?["median"]["point_estimate"].as_f64();
    Ok(median.ok_or_else(|| format!("{} holds no median", file.display()))?)
}

fn json(file: &Path) -> Result<serde_json::Value, Box<dyn Error>> {
    let text = std::fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    Ok(serde_json::from_slice(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn benches_are_compared_with_their_baselines() {
        let criterion = tempfile::tempdir().unwrap();
        let write = |bench: &str, kind: &str, median: f64| {
            let folder = criterion.path().join(bench).join(kind);
            std::fs::create_dir_all(&folder).unwrap();
            let estimates = format!(r#"{{"median":{{"point_estimate":{median}}}}}"#);
            std::fs::write(folder.join("estimates.json"), estimates).unwrap();
            let about = format!(r#"{{"full_id":"{bench}"}}"#);
            std::fs::write(folder.join("benchmark.json"), about).unwrap();
        };
        write("read/small", "saved", 1000.0);
        write("read/small", "new", 1100.0);
        write("write", "new", 5.0);
        let mut all = Vec::new();
        collect(criterion.path(), &mut all).unwrap();
        assert_eq!(all, [Moved { name: "read/small".to_owned(), before: 1000.0, now: 1100.0 }]);
        assert_eq!(all[0].to_string(), "   +10.0 % slower  read/small: 1.00 us -> 1.10 us");
    }
}
