//! Control of a running host by other commands: a lock that shows that a host runs, and reload requests as files in the
//! data folder.
//!
//! Files work the same on every system, carry the reply, need no process ID, and are as safe as the data folder is. With
//! two hosts on one data folder, one of them takes the request.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use erp_host_files::private_file::{self, IfPresent};
use erp_host_files::replace;
use serde::{Deserialize, Serialize};

/// The file that a running host holds a shared lock on, below the data folder.
const LOCK: &str = "erp-host.lock";

/// The folder of requests and reports, below the data folder. The dot keeps it apart from the connectors' folders.
const FOLDER: &str = "erp-host.reload";

/// A report that nobody has read for so long is removed.
const REPORT_LIFETIME: Duration = Duration::from_secs(600);

/// Hexadecimal digits of a hash that are shown to people.
const SHORT_HASH: usize = 12;

/// The largest report that is read.
const MAX_REPORT: u64 = 4 << 20;

/// The outcome of a reload.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct ReloadReport {
    /// What was changed, and what was refused, a line each.
    pub(crate) changes: Vec<String>,
    /// What serves now.
    pub(crate) serving: Vec<Serving>,
    /// Whether a file could not be loaded.
    pub(crate) has_failed: bool,
}

/// A connector that serves.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Serving {
    pub(crate) connector: String,
    pub(crate) version: String,
    /// The name of its file in the plugins folder.
    pub(crate) file: String,
    /// SHA-256 of its file, in hexadecimal.
    pub(crate) sha256: String,
    /// What is wrong with its worker process.
    pub(crate) problem: Option<String>,
}

/// One line.
impl fmt::Display for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Serving { connector, version, file, sha256, problem } = self;
        let hash = sha256.get(..SHORT_HASH).unwrap_or(sha256);
        write!(f, "{connector} {version} from {file} (sha256 {hash})")?;
        problem.as_ref().map_or(Ok(()), |problem| write!(f, "; {problem}"))
    }
}

/// The lock of a running host. The system releases it when the process ends, also after a crash.
#[derive(Debug)]
pub(crate) struct HostLock(#[expect(dead_code, reason = "held, not used")] Option<File>);

impl HostLock {
    /// Locks the data folder for a host. Where the file system has no locks the host runs without one, with a warning.
    pub(crate) fn acquire(data: &Path) -> Self {
        let lock = || -> io::Result<File> {
            // Made by the host, so that the host's user owns the folder.
            private_file::make_own_folder(&data.join(FOLDER))?;
            let file = private_file::lock_file(&data.join(LOCK))?;
            file.lock_shared()?;
            Ok(file)
        };
        let locked = lock();
        if let Err(error) = &locked {
            tracing::warn!("erp-host reload may not find this host: {} cannot be locked: {error}", LOCK);
        }
        HostLock(locked.ok())
    }
}

/// Whether a host runs on this data folder. Where the file system has no locks the answer is yes: a request that is not
/// taken shows that no host runs.
pub(crate) fn is_host_running(data: &Path) -> io::Result<bool> {
    let file = match File::open(data.join(LOCK)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    Ok(file.try_lock().is_err())
}

/// Locks the data folder against hosts: one that starts waits until the lock is dropped. `None` when a host runs.
pub(crate) fn lock_out_hosts(data: &Path) -> io::Result<Option<File>> {
    let file = private_file::lock_file(&data.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

/// A reload request, on the side of the command that sends it. Dropping it removes request and report.
#[derive(Debug)]
pub(crate) struct ReloadRequest {
    request: PathBuf,
    report: PathBuf,
}

impl ReloadRequest {
    /// Sends a request: an empty file with a random name.
    pub(crate) fn send(data: &Path) -> io::Result<Self> {
        let folder = data.join(FOLDER);
        let mut number = [0; 8];
        getrandom::fill(&mut number).map_err(io::Error::other)?;
        let name = format!("{:016x}", u64::from_ne_bytes(number));
        let request = ReloadRequest {
            request: folder.join(format!("{name}.order")),
            report: folder.join(format!("{name}.answer")),
        };
        private_file::create_new(&request.request)?;
        Ok(request)
    }

    /// Whether a host has taken the request.
    pub(crate) fn is_taken(&self) -> bool {
        !self.request.exists()
    }

    /// The report, once the host has written it.
    pub(crate) fn report(&self) -> io::Result<Option<ReloadReport>> {
        match erp_host_files::read(&self.report, MAX_REPORT) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(io::Error::other),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

impl Drop for ReloadRequest {
    fn drop(&mut self) {
        // Usually one of the two does not exist.
        let _ = fs::remove_file(&self.request);
        let _ = fs::remove_file(&self.report);
    }
}

/// A reload request, on the side of the host that has taken it.
#[derive(Debug)]
pub(crate) struct ReceivedRequest {
    report: PathBuf,
}

/// Takes all pending requests.
pub(crate) fn receive(data: &Path) -> Vec<ReceivedRequest> {
    let Ok(entries) = fs::read_dir(data.join(FOLDER)) else { return Vec::new() };
    let mut received = Vec::new();
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let extension = path.extension().and_then(std::ffi::OsStr::to_str);
        match extension {
            // Of several hosts, the one that removes the file has taken the request.
            Some("order") if fs::remove_file(&path).is_ok() => {
                received.push(ReceivedRequest { report: path.with_extension("answer") });
            }
            Some("answer") if is_expired(&path) => {
                // Another host may have removed it first.
                let _ = fs::remove_file(&path);
            }
            _ => {}
        }
    }
    received
}

fn is_expired(path: &Path) -> bool {
    let age = fs::metadata(path).and_then(|metadata| metadata.modified());
    age.is_ok_and(|written| written.elapsed().is_ok_and(|age| age > REPORT_LIFETIME))
}

impl ReceivedRequest {
    /// Writes the report, atomically.
    pub(crate) fn reply(self, report: &ReloadReport) {
        let write = || -> io::Result<()> {
            let folder = self.report.parent().unwrap_or(Path::new("."));
            let file = tempfile::NamedTempFile::new_in(folder)?;
            serde_json::to_writer(&file, report)?;
            replace::persist(file, &self.report, IfPresent::Replace)?;
            Ok(())
        };
        if let Err(error) = write() {
            tracing::warn!("the report of erp-host reload cannot be written: {error}");
        }
    }
}

#[cfg(test)]
mod tests;
