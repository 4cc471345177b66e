//! A host of our own to simulate against: in folders that vanish afterwards, restarted and robbed of its data now and
//! then, as hosts are.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;
use thiserror::Error;

/// A start that takes longer than this hangs.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// The name of the workbook's file.
const WORKBOOK: &str = "sample.xlsx";
/// The sample workbook, as `cargo xtask sample-workbook` writes it.
const SAMPLE: &[u8] = include_bytes!("sample.xlsx");

/// The demo's host does not run.
#[derive(Debug, Error)]
pub enum DemoError {
    /// A file or process of the demo.
    #[error("the demo's host cannot be run: {what}: {error}")]
    System {
        /// What was tried.
        what: String,
        /// Why it failed.
        error: io::Error,
    },
    /// It ended or hung.
    #[error("the demo's host does not start: {0}")]
    Start(String),
}

/// A running host. Dropping it ends it and removes its folders.
#[derive(Debug)]
pub struct DemoHost {
    // Before the folder, so that it is dropped first.
    process: Process,
    folder: TempDir,
    plugins: PathBuf,
    url: String,
    /// Rounds between two restarts; 0 for none.
    restart_every: u64,
    /// Rounds between two losses of the data folder; 0 for none.
    lose_every: u64,
}

impl DemoHost {
    /// Starts this very program as a host of these plugins, with the sample workbook beside it.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(plugins: &Path, restart_every: u64, lose_every: u64) -> Result<Self, DemoError> {
        let folder = tempfile::Builder::new()
            .prefix("erp-host-demo-")
            .tempdir()
            .map_err(system("a temporary folder"))?;
        let plugins = std::path::absolute(plugins).map_err(system("the plugins folder"))?;
        let workbooks = folder.path().join("erp");
        std::fs::create_dir(&workbooks).map_err(system("a folder for the workbook"))?;
        std::fs::write(workbooks.join(WORKBOOK), SAMPLE).map_err(system("the sample workbook"))?;
        // Beside the data folder, which is to be lost without the ERP system's data being lost with it.
        let root = toml::Value::String(workbooks.display().to_string());
        let config = format!("[connectors.Excel.options]\nroots = [{root}]\n");
        std::fs::write(folder.path().join("erp-host.toml"), config).map_err(system("its configuration"))?;
        let (process, url) = Process::start(&plugins, folder.path(), "127.0.0.1:0")?;
        Ok(DemoHost { process, folder, plugins, url, restart_every, lose_every })
    }

    /// The address of its service.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The sample workbook.
    pub fn workbook(&self) -> PathBuf {
        self.folder.path().join("erp").join(WORKBOOK)
    }

    /// Disturbs the host before a round, if it is time. What was done.
    pub(super) fn disturb(&mut self, round: u64) -> Result<Option<&'static str>, DemoError> {
        let is_time = |every: u64| every > 0 && round.is_multiple_of(every);
        if is_time(self.lose_every) {
            self.restart(true)?;
            return Ok(Some(
                "killed, its data folder removed, started again: it knows no connection any more",
            ));
        }
        if is_time(self.restart_every) {
            self.restart(false)?;
            return Ok(Some("killed and started again"));
        }
        Ok(None)
    }

    fn restart(&mut self, lose_data: bool) -> Result<(), DemoError> {
        self.process.kill();
        if lose_data {
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
    /// Starts a host and waits until it listens; gives its address, too.
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
        // What is set for a host of the user's own.
        let is_ours = |name: &OsStr| name.to_string_lossy().starts_with("ERP_HOST_");
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_ours(name)) {
            command.env_remove(name);
        }
        // Ctrl-C is for the simulation, which still has calls to make.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(system("starting it"))?;
        let output = child.stdout.take();
        let process = Process(child);
        let (sender, listening) = mpsc::channel();
        std::thread::spawn(move || {
            // To the end, so that the host never writes into a closed pipe.
            for line in BufReader::new(output?).lines().map_while(Result::ok) {
                if let Some(url) = line.strip_prefix("listening on ") {
                    let _ = sender.send(url.trim().to_owned());
                }
            }
            Some(())
        });
        match listening.recv_timeout(START_DEADLINE) {
            Ok(url) => Ok((process, url)),
            Err(_) => {
                let log = std::fs::read_to_string(&log_path).unwrap_or_default();
                Err(DemoError::Start(log.lines().last().unwrap_or("it says nothing").to_owned()))
            }
        }
    }

    fn kill(&mut self) {
        // One that has ended already is as good.
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
