//! The lock of the key file, held across processes: a rotation needs it exclusively, a backup shares it.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::private_file;

/// The lock file in the data folder.
const LOCK: &str = "erp-host.keys.lock";

/// A lock on the keys of a data folder. Released when dropped, or when the process ends.
#[derive(Debug)]
pub struct KeyLock(#[expect(dead_code, reason = "the open file holds the lock")] File);

impl KeyLock {
    /// Locks the keys to rotate or replace them: nobody else may rotate or copy them. `None` if another process has them
    /// locked.
    ///
    /// # Errors
    /// The data folder cannot be written to.
    pub fn exclusive(data: &Path) -> io::Result<Option<Self>> {
        let file = lock_file(data)?;
        locked(file.try_lock(), file)
    }

    /// Locks the keys to copy them: nobody may rotate them. `None` if another process rotates them.
    ///
    /// # Errors
    /// The data folder cannot be written to.
    pub fn shared(data: &Path) -> io::Result<Option<Self>> {
        let file = lock_file(data)?;
        locked(file.try_lock_shared(), file)
    }
}

fn lock_file(data: &Path) -> io::Result<File> {
    private_file::lock_file(&data.join(LOCK))
}

fn locked(result: Result<(), fs::TryLockError>, file: File) -> io::Result<Option<KeyLock>> {
    match result {
        Ok(()) => Ok(Some(KeyLock(file))),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}
