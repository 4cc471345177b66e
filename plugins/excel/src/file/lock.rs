//! Locks against concurrent writers: a lock file of ours against other connectors and hosts, and the owner files of
//! Excel and LibreOffice against people who have the workbook open.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use plugin_api::{Error, Result};

/// How long another writer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);

/// A lock that is held; released when this is dropped, or when the process ends.
pub(crate) struct Lock(#[allow(dead_code, reason = "held, not looked at")] Option<File>);

/// Takes the lock, and waits while another connector or host holds it. The lock file stays beside the workbook: if it
/// were removed, two writers could each lock a file of that name.
///
/// # Errors
/// Another writer keeps the lock, or the folder cannot be written to.
pub(crate) fn lock(workbook: &Path) -> Result<Lock> {
    let path = beside(workbook, ".", ".lock");
    let name = name(workbook);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(|error| {
        let text = format!("the workbook {name:?} cannot be written: its folder does not take a lock file");
        Error::user(text).caused_by(error)
    })?;
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Lock(Some(file))),
            Err(TryLockError::WouldBlock) if start.elapsed() < PATIENCE => std::thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => {
                return Err(Error::user(format!(
                    "the workbook {name:?} is being written by somebody else: try again"
                )));
            }
            // Some network file systems have no locks; the other checks still hold.
            Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => {
                tracing::warn!(workbook = %name, "the file system has no locks: let only one host write this workbook");
                return Ok(Lock(None));
            }
            Err(TryLockError::Error(error)) => {
                return Err(Error::user(format!("the workbook {name:?} cannot be locked")).caused_by(error));
            }
        }
    }
}

/// Refuses a workbook that is open in Excel or LibreOffice: one of the two changes would be lost.
///
/// # Errors
/// It is open elsewhere.
pub(crate) fn refuse_if_open_elsewhere(workbook: &Path) -> Result<()> {
    for (path, program) in
        [(beside(workbook, "~$", ""), "Excel"), (beside(workbook, ".~lock.", "#"), "LibreOffice")]
    {
        if path.try_exists().unwrap_or(false) {
            return Err(Error::user(format!(
                "the workbook {:?} is open in {program}: nothing was written, close it there and try again",
                name(workbook)
            ))
            .tech(format!(
                "the file {:?} beside it says so; delete it if nobody has the workbook open",
                name(&path)
            )));
        }
    }
    Ok(())
}

fn beside(workbook: &Path, before: &str, after: &str) -> PathBuf {
    let mut name = std::ffi::OsString::from(before);
    name.push(workbook.file_name().unwrap_or_default());
    name.push(after);
    workbook.with_file_name(name)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
