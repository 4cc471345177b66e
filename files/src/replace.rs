//! Replaces a file atomically by a temporary one: readers see the old file or the new one, and a crash leaves one of them.
//!
//! On Windows a file that somebody has open may refuse to be replaced: a virus scanner, an indexer or a reader without
//! `FILE_SHARE_DELETE` holds it for a moment. So it is tried again, for a bounded time. Nothing is retried elsewhere.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

/// What to do if the file exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfPresent {
    /// Replace it atomically.
    Replace,
    /// Keep it, and fail with [`io::ErrorKind::AlreadyExists`].
    Keep,
}

/// Gives a temporary file its name. It replaces a file of that name, or is removed when that shall be kept.
///
/// # Errors
/// The file exists and shall be kept ([`io::ErrorKind::AlreadyExists`]), or it cannot be replaced. The temporary file is
/// removed.
pub fn persist(file: NamedTempFile, path: &Path, present: IfPresent) -> io::Result<File> {
    if present == IfPresent::Keep {
        return file.persist_noclobber(path).map_err(|error| error.error);
    }
    // `keep` and not `persist`: the rename of the standard library replaces an open file where Windows can do that.
    let (file, temporary) = file.keep().map_err(|error| error.error)?;
    match rename(&temporary, path) {
        Ok(()) => Ok(file),
        Err(error) => {
            drop(file);
            let _ = fs::remove_file(&temporary);
            Err(error)
        }
    }
}

/// Renames a file. It replaces one of the new name.
///
/// # Errors
/// It cannot be renamed; on Windows also because somebody has one of the two open for longer than this waits.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    retry_in_use(|| fs::rename(from, to))
}

/// Removes a file.
///
/// # Errors
/// It cannot be removed; on Windows also because somebody has it open for longer than this waits.
pub fn remove(path: &Path) -> io::Result<()> {
    retry_in_use(|| fs::remove_file(path))
}

#[cfg(not(windows))]
fn retry_in_use<T>(attempt: impl Fn() -> io::Result<T>) -> io::Result<T> {
    attempt()
}

/// Tries again for as long as somebody else has the file open.
#[cfg(windows)]
fn retry_in_use<T>(attempt: impl Fn() -> io::Result<T>) -> io::Result<T> {
    use std::time::{Duration, Instant};

    use windows_sys::Win32::Foundation::{
        ERROR_ACCESS_DENIED, ERROR_LOCK_VIOLATION, ERROR_SHARING_VIOLATION, ERROR_USER_MAPPED_FILE,
    };

    const PATIENCE: Duration = Duration::from_secs(2);
    const PAUSE: Duration = Duration::from_millis(5);

    let start = Instant::now();
    loop {
        let error = match attempt() {
            Err(error) if start.elapsed() < PATIENCE => error,
            ended => return ended,
        };
        let code = error.raw_os_error().map(i32::cast_unsigned);
        // Access is denied, and not only shared, for a file that is mapped or about to be deleted.
        let in_use =
            [ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION, ERROR_USER_MAPPED_FILE];
        if !code.is_some_and(|code| in_use.contains(&code)) {
            return Err(error);
        }
        std::thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::*;

    fn temporary(folder: &Path, text: &str) -> NamedTempFile {
        let mut file = NamedTempFile::new_in(folder).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn file_that_is_to_be_kept_is_kept_and_no_temporary_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        persist(temporary(folder.path(), "1"), &path, IfPresent::Keep).unwrap();
        let error = persist(temporary(folder.path(), "2"), &path, IfPresent::Keep).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert!(persist(temporary(folder.path(), "3"), folder.path(), IfPresent::Replace).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "1");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn file_is_replaced_while_others_read_it() {
        const REPLACEMENTS: usize = 40;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        persist(temporary(folder.path(), "0"), &path, IfPresent::Replace).unwrap();
        let is_done = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !is_done.load(Ordering::Relaxed) {
                        let mut text = String::new();
                        // Between two attempts of the system it may not be opened.
                        let Ok(mut file) = File::open(&path) else { continue };
                        file.read_to_string(&mut text).unwrap();
                        assert!(text.parse::<usize>().is_ok(), "half a file: {text:?}");
                        drop(file);
                        // Readers that never close the file leave a system without POSIX renames no moment.
                        thread::sleep(std::time::Duration::from_millis(5));
                    }
                });
            }
            let replaced = (1..=REPLACEMENTS).try_for_each(|number| {
                persist(temporary(folder.path(), &number.to_string()), &path, IfPresent::Replace).map(drop)
            });
            is_done.store(true, Ordering::Relaxed);
            replaced.unwrap();
        });
        assert_eq!(fs::read_to_string(&path).unwrap(), REPLACEMENTS.to_string());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
