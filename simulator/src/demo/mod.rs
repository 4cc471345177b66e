//! A host of this program to simulate against: in temporary folders, restarted and stripped of its data folder from time to
//! time.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;
use thiserror::Error;

/// Time limit for the start of the host.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// The name of the workbook's file.
const WORKBOOK: &str = "sample.xlsx";
/// The sample workbook, as `cargo xtask sample-workbook` writes it.
const SAMPLE: &[u8] = include_bytes!("sample.xlsx");

/// Why the demo's host does not run.
#[derive(Debug, Error)]
pub enum DemoError {
    /// A file or process operation failed.
    #[error("the demo's host cannot be run: {what}: {error}")]
    System {
        /// The operation.
        what: String,
        /// Its error.
        error: io::Error,
    },
    /// It ended, or did not listen in time.
    #[error("the demo's host does not start: {0}")]
    Start(String),
}

/// A running host. Dropping it stops the process and removes its folders.
#[derive(Debug)]
pub struct DemoHost {
    // Before the folder, so that it is dropped first.
    process: Process,
    folder: TempDir,
    plugins: PathBuf,
    url: String,
    /// Number of rounds between restarts; 0 for none.
    restart_every: u64,
    /// Number of rounds between removals of the data folder; 0 for none.
    remove_data_every: u64,
}

impl DemoHost {
    /// Starts this program as a host of these plugins, with the sample workbook beside it.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(plugins: &Path, restart_every: u64, remove_data_every: u64) -> Result<Self, DemoError> {
        let folder = tempfile::Builder::new()
            .prefix("erp-host-demo-")
            .tempdir()
            .map_err(system("a temporary folder"))?;
        let plugins = std::path::absolute(plugins).map_err(system("the plugins folder"))?;
        let workbooks = folder.path().join("erp");
        std::fs::create_dir(&workbooks).map_err(system("a folder for the workbook"))?;
        std::fs::write(workbooks.join(WORKBOOK), SAMPLE).map_err(system("the sample workbook"))?;
        // Outside the data folder, so that removing that does not remove the data of the ERP system.
        let root = toml::Value::String(workbooks.display().to_string());
        let config = format!("[connectors.Excel.options]\nroots = [{root}]\n");
        std::fs::write(folder.path().join("erp-host.toml"), config).map_err(system("its configuration"))?;
        let (process, url) = Process::start(&plugins, folder.path(), "127.0.0.1:0")?;
        Ok(DemoHost { process, folder, plugins, url, restart_every, remove_data_every })
    }

    /// The address of its service.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The sample workbook.
    pub fn workbook(&self) -> PathBuf {
        self.folder.path().join("erp").join(WORKBOOK)
    }

    /// Restarts the host before a round, if one is due. Returns what was done.
    pub(super) fn restart_if_due(&mut self, round: u64) -> Result<Option<&'static str>, DemoError> {
        let is_due = |every: u64| every > 0 && round.is_multiple_of(every);
        if is_due(self.remove_data_every) {
            self.restart(true)?;
            return Ok(Some(
                "killed, its data folder removed, started again: it knows no connection any more",
            ));
        }
        if is_due(self.restart_every) {
            self.restart(false)?;
            return Ok(Some("killed and started again"));
        }
        Ok(None)
    }

    fn restart(&mut self, remove_data: bool) -> Result<(), DemoError> {
        self.process.kill();
        if remove_data {
            std::fs::remove_dir_all(self.folder.path().join("data")).map_err(system("removing its data"))?;
        }
        let address =
            self.url.strip_prefix("http://").and_then(|rest| rest.split('/').next()).unwrap_or_default();
        let (process, _) = Process::start(&self.plugins, self.folder.path(), address)?;
        self.process = process;
        Ok(())
    }
}

/// The host's process. Dropping it kills it.
#[derive(Debug)]
struct Process(Child);

impl Process {
    /// Starts a host and waits until it listens. Also returns its address.
    fn start(plugins: &Path, folder: &Path, listen: &str) -> Result<(Self, String), DemoError> {
        let program = std::env::current_exe().map_err(system("this program"))?;
        let log_path = folder.join("host.log");
        let log = File::create(&log_path).map_err(system("its log"))?;
        let mut command = Command::new(program);
        command
            .current_dir(folder)
            .args(["serve", "--config", "erp-host.toml", "--listen", listen, "--data", "data", "--plugins"])
            .arg(plugins)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        // Variables that the user has set for another host.
        let is_option = |name: &OsStr| name.to_string_lossy().starts_with("ERP_HOST_");
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_option(name)) {
            command.env_remove(name);
        }
        // Ctrl-C must not reach the host, because the simulation still calls it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(system("starting it"))?;
        let output = child.stdout.take();
        let process = Process(child);
        let (sender, listening) = mpsc::channel();
        std::thread::spawn(move || {
            // Read to the end, so that the host never writes to a closed pipe.
            for line in BufReader::new(output?).lines().map_while(Result::ok) {
                if let Some(url) = line.strip_prefix("listening on ") {
                    let _ = sender.send(url.trim().to_owned());
                }
            }
            Some(())
        });
        match listening.recv_timeout(START_TIMEOUT) {
            Ok(url) => Ok((process, url)),
            Err(_) => {
                let log = std::fs::read_to_string(&log_path).unwrap_or_default();
                Err(DemoError::Start(log.lines().last().unwrap_or("it says nothing").to_owned()))
            }
        }
    }

    fn kill(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn system(what: &str) -> impl FnOnce(io::Error) -> DemoError {
    let what = what.to_owned();
    |error| DemoError::System { what, error }
}
