//! How `erp-host reload` and a running host find each other: files in the data folder, the same on every system.
//!
//! A host holds a shared lock on [`LOCK`] for as long as it runs. The command puts down an order, an empty file; a host
//! takes it away, does it, and puts down the answer. With two hosts on one data folder one of them takes the order.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use erp_host_store::private_file;

/// The file that a running host has locked, below the data folder.
const LOCK: &str = "erp-host.lock";

/// The folder of orders and answers, below the data folder. With a dot, for a connector's folder has none.
const FOLDER: &str = "erp-host.reload";

/// Answers that nobody has fetched for so long are removed.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// What a host tells of a reload.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::commands) struct Answer {
    /// What was changed, and what was refused, a line each.
    pub(in crate::commands) changes: Vec<String>,
    /// What serves now, a line for each connector.
    pub(in crate::commands) serving: Vec<String>,
    /// Whether a file is not loaded, or could not be dealt with.
    pub(in crate::commands) has_failed: bool,
}

/// The lock of a running host; free as soon as its process ends, however it ends.
#[derive(Debug)]
pub(in crate::commands) struct Running(#[expect(dead_code, reason = "held, not used")] Option<File>);

impl Running {
    /// Tells that a host runs on this data folder. Where files cannot be locked it is told less well, and that is all.
    pub(in crate::commands) fn tell(data: &Path) -> Self {
        let locked = || {
            // Also made here, so that it belongs to the host's user, whoever gives orders.
            fs::create_dir_all(data.join(FOLDER))?;
            let file = File::options().create(true).append(true).open(data.join(LOCK))?;
            file.lock_shared()?;
            Ok(file)
        };
        let locked: io::Result<File> = locked();
        if let Err(error) = &locked {
            tracing::warn!("erp-host reload may not find this host: {} cannot be locked: {error}", LOCK);
        }
        Running(locked.ok())
    }
}

/// Whether a host runs on this data folder, as far as can be told.
pub(super) fn is_host_running(data: &Path) -> io::Result<bool> {
    let file = match File::open(data.join(LOCK)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    // Where files cannot be locked it may well run; an order that nobody takes tells.
    Ok(file.try_lock().is_err())
}

/// Makes sure that no host runs on this data folder, and that none starts until the lock is dropped: it would wait.
/// `None` when one runs.
pub(in crate::commands) fn nobody_runs(data: &Path) -> io::Result<Option<File>> {
    let file = private_file::lock_file(&data.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

/// An order, from where it is put down to where its answer is read. Dropping it clears both away.
#[derive(Debug)]
pub(super) struct Order {
    order: PathBuf,
    answer: PathBuf,
}

impl Order {
    /// Puts down an order.
    pub(super) fn place(data: &Path) -> io::Result<Self> {
        let folder = data.join(FOLDER);
        let mut number = [0; 8];
        getrandom::fill(&mut number).map_err(io::Error::other)?;
        let name = format!("{:016x}", u64::from_ne_bytes(number));
        let order = Order {
            order: folder.join(format!("{name}.order")),
            answer: folder.join(format!("{name}.answer")),
        };
        File::create_new(&order.order)?;
        Ok(order)
    }

    /// Whether a host has taken it.
    pub(super) fn is_taken(&self) -> bool {
        !self.order.exists()
    }

    /// The answer, once it is there.
    pub(super) fn answer(&self) -> io::Result<Option<Answer>> {
        match fs::read(&self.answer) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Order {
    fn drop(&mut self) {
        // Most of the time one of the two is not there.
        let _ = fs::remove_file(&self.order);
        let _ = fs::remove_file(&self.answer);
    }
}

/// An order that this host has taken.
#[derive(Debug)]
pub(in crate::commands) struct Taken {
    answer: PathBuf,
}

/// Takes the orders that are there.
pub(in crate::commands) fn take(data: &Path) -> Vec<Taken> {
    let Ok(entries) = fs::read_dir(data.join(FOLDER)) else { return Vec::new() };
    let mut taken = Vec::new();
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let extension = path.extension().and_then(std::ffi::OsStr::to_str);
        match extension {
            // Who removes it has it.
            Some("order") if fs::remove_file(&path).is_ok() => {
                taken.push(Taken { answer: path.with_extension("answer") });
            }
            Some("answer") if is_forgotten(&path) => {
                // Another host may have been quicker.
                let _ = fs::remove_file(&path);
            }
            _ => {}
        }
    }
    taken
}

fn is_forgotten(path: &Path) -> bool {
    let age = fs::metadata(path).and_then(|metadata| metadata.modified());
    age.is_ok_and(|written| written.elapsed().is_ok_and(|age| age > FORGOTTEN))
}

impl Taken {
    /// Puts down the answer, whole.
    pub(in crate::commands) fn answer(self, answer: &Answer) {
        let put = || {
            let folder = self.answer.parent().unwrap_or(Path::new("."));
            let file = tempfile::NamedTempFile::new_in(folder)?;
            serde_json::to_writer(&file, answer)?;
            file.persist(&self.answer).map_err(|error| error.error)?;
            Ok(())
        };
        let put: io::Result<()> = put();
        if let Err(error) = put {
            tracing::warn!("the answer to erp-host reload cannot be written: {error}");
        }
    }
}

#[cfg(test)]
mod tests;
