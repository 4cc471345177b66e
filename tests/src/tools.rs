//! Tools that are not ours: nginx, and a Python SOAP client. Without them a test says loudly that it skips; in CI it
//! fails.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

/// The zeep release that the tests were written with.
const ZEEP: &str = "zeep==4.3.3";

/// nginx, where it is installed.
pub fn nginx() -> Option<PathBuf> {
    let places = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx", "/opt/homebrew/bin/nginx"];
    let found = places.iter().map(PathBuf::from).find(|place| place.exists());
    found.or_else(|| skip("nginx is not installed (Debian: apt-get install nginx-light)"))
}

/// curl, where it is installed.
pub fn curl() -> Option<PathBuf> {
    match run(Command::new("curl").arg("--version")) {
        Ok(()) => Some(PathBuf::from("curl")),
        Err(reason) => skip(&format!("curl is not installed: {reason}")),
    }
}

/// A Python with zeep, in a virtual environment below the target folder that is made when it is missing.
pub fn zeep() -> Option<PathBuf> {
    static PYTHON: LazyLock<Result<PathBuf, String>> = LazyLock::new(python_with_zeep);
    match &*PYTHON {
        Ok(python) => Some(python.clone()),
        Err(reason) => skip(reason),
    }
}

fn python_with_zeep() -> Result<PathBuf, String> {
    let folder = xtask::build::target().join("zeep");
    let python = folder.join("bin").join("python");
    if run(Command::new(&python).args(["-c", "import zeep"])).is_ok() {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder)).map_err(|reason| {
        format!("no virtual environment (Debian: apt-get install python3-venv): {reason}")
    })?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ZEEP]))
        .map_err(|reason| format!("pip cannot install {ZEEP}: {reason}"))?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

fn skip<T>(reason: &str) -> Option<T> {
    assert!(
        std::env::var_os("CI").is_none_or(|value| value != "true"),
        "no test may be skipped in CI: {reason}"
    );
    // Past the test runner, which shows what a test prints only when it fails.
    let _ = writeln!(std::io::stderr(), "\n!!!! SKIPPED: {reason}\n");
    None
}
