//! Hot reload of files: values that are made from files (certificates, keys), and made again when the files change.
//!
//! Files are polled: that works on every file system, and costs nothing for the few files that there are.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use std::{fs, io, thread};

use arc_swap::ArcSwap;

/// How often files are polled. A change counts when two polls have seen the same state.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// A value made from files. The last good one is used until the files have changed and a new one can be made.
pub struct Reloadable<T> {
    label: String,
    files: Vec<PathBuf>,
    make: Box<dyn Fn() -> Result<T, String> + Send + Sync>,
    current: ArcSwap<T>,
    polled: Mutex<Polled>,
}

/// What the polls have seen.
struct Polled {
    /// The files as they were when the value was last made, or could not be made.
    tried: Vec<FileState>,
    last: Vec<FileState>,
    has_failed: bool,
}

/// Modification time, size and inode; `None` when the file cannot be read.
type FileState = Option<(SystemTime, u64, u64)>;

/// What was reloaded; or why it could not be, so that the last good value is still used.
pub type ReloadResult = Result<String, String>;

/// A value that can be reloaded from its files.
pub trait Reload: Send + Sync {
    /// Makes the value again if its files have changed. `at_once`: without waiting for a second poll, and again if the last
    /// attempt has failed. `None`: nothing has changed.
    fn reload(&self, at_once: bool) -> Option<ReloadResult>;
}

impl<T> Reloadable<T> {
    /// Makes the value for the first time. `label` names it in the log.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new(
        label: impl Into<String>,
        files: impl IntoIterator<Item = impl Into<PathBuf>>,
        make: impl Fn() -> Result<T, String> + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let files: Vec<PathBuf> = files.into_iter().map(Into::into).collect();
        // Before the files are read: a change in between counts as a change.
        let tried: Vec<_> = files.iter().map(|file| state(file)).collect();
        refuse_irregular(&files)?;
        let current = ArcSwap::from_pointee(make()?);
        let polled = Mutex::new(Polled { last: tried.clone(), tried, has_failed: false });
        Ok(Reloadable { label: label.into(), files, make: Box::new(make), current, polled })
    }

    /// The current value.
    pub fn get(&self) -> Arc<T> {
        self.current.load_full()
    }
}

impl<T: Send + Sync> Reload for Reloadable<T> {
    fn reload(&self, at_once: bool) -> Option<ReloadResult> {
        let now: Vec<_> = self.files.iter().map(|file| state(file)).collect();
        // Held while the value is made, so that two reloads do not overtake each other.
        let mut polled = self.polled.lock().unwrap_or_else(PoisonError::into_inner);
        let is_settled = std::mem::replace(&mut polled.last, now.clone()) == now;
        let has_changed = now != polled.tried;
        let is_due = if at_once { has_changed || polled.has_failed } else { has_changed && is_settled };
        if !is_due {
            return None;
        }
        polled.tried = now;
        let made = refuse_irregular(&self.files).and_then(|()| (self.make)());
        polled.has_failed = made.is_err();
        Some(match made {
            Ok(made) => {
                self.current.store(Arc::new(made));
                Ok(format!("{}: read again", self.label))
            }
            Err(error) => Err(format!("{}: what was read before serves on: {error}", self.label)),
        })
    }
}

/// Polls the files of all values that can be reloaded. Cheap to clone.
#[derive(Clone, Default)]
pub struct FileReloader(Arc<[Arc<dyn Reload>]>);

impl FromIterator<Arc<dyn Reload>> for FileReloader {
    fn from_iter<I: IntoIterator<Item = Arc<dyn Reload>>>(all: I) -> Self {
        FileReloader(all.into_iter().collect())
    }
}

impl FileReloader {
    /// Reloads what has changed; logs and returns the results.
    pub fn reload(&self, at_once: bool) -> Vec<ReloadResult> {
        let results: Vec<_> = self.0.iter().filter_map(|value| value.reload(at_once)).collect();
        for result in &results {
            match result {
                Ok(message) => tracing::info!("{message}"),
                Err(message) => tracing::error!("{message}"),
            }
        }
        results
    }

    /// Polls in a thread of its own, until the result is dropped.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(&self) -> io::Result<Sender<()>> {
        let (until_dropped, dropped) = channel();
        let all = self.clone();
        if !all.0.is_empty() {
            thread::Builder::new().name("file-reload".to_owned()).spawn(move || {
                while dropped.recv_timeout(POLL_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    all.reload(false);
                }
            })?;
        }
        Ok(until_dropped)
    }
}

/// Refuses what may block a reader for ever, such as a named pipe.
fn refuse_irregular(files: &[PathBuf]) -> Result<(), String> {
    let is_irregular = |file: &&PathBuf| fs::metadata(file).is_ok_and(|metadata| !metadata.is_file());
    match files.iter().find(is_irregular) {
        Some(file) => Err(format!("{} is no regular file", file.display())),
        None => Ok(()),
    }
}

fn state(file: &Path) -> FileState {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), inode(&metadata)))
}

/// A file that replaced another one may have its time and its size.
#[cfg(unix)]
fn inode(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &fs::Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn named_pipe_is_refused_without_reading_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("value");
        fs::write(&file, "1").unwrap();
        let path = file.clone();
        let read = move || fs::read_to_string(&path).map_err(|error| error.to_string());
        let value = Reloadable::new("the value", [&file], read.clone()).unwrap();
        fs::remove_file(&file).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
        let failed = value.reload(true).unwrap().unwrap_err();
        assert!(failed.ends_with("is no regular file"), "{failed}");
        assert_eq!(*value.get(), "1");
        assert!(Reloadable::new("the value", [&file], read).is_err());
    }

    #[test]
    fn reload_waits_for_a_settled_file_and_keeps_the_last_good_value() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("number");
        let put = |text: &str| {
            // By renaming, as careful programs replace a file.
            let new = folder.path().join("new");
            fs::write(&new, text).unwrap();
            fs::rename(&new, &file).unwrap();
        };
        put("1");
        let path = file.clone();
        let number = Reloadable::new("the number", [&file], move || {
            let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
            text.parse::<u32>().map_err(|error| format!("{text:?}: {error}"))
        })
        .unwrap();
        assert_eq!((*number.get(), number.reload(false), number.reload(true)), (1, None, None));

        put("22");
        assert_eq!((number.reload(false), *number.get()), (None, 1));
        assert_eq!((number.reload(false), *number.get()), (Some(Ok("the number: read again".into())), 22));
        assert_eq!(number.reload(false), None);

        put("x");
        let failed = number.reload(true).unwrap().unwrap_err();
        assert!(failed.contains("serves on") && failed.contains("\"x\""), "{failed}");
        // Polls report a failure once, explicit reloads every time.
        assert_eq!((number.reload(false), number.reload(true).is_some(), *number.get()), (None, true, 22));
        fs::remove_file(&file).unwrap();
        assert!(number.reload(true).unwrap().is_err());
        put("3");
        assert!(number.reload(true).unwrap().is_ok());
        assert_eq!(*number.get(), 3);
    }
}
