//! What is made from files, and made again when they change: certificates and keys are renewed while the host runs.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use std::{fs, io, thread};

use arc_swap::ArcSwap;

/// How often files are looked at. What has changed counts when two looks have shown it the same.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Something made from files. What was made last serves until the files have changed and something new can be made.
pub struct Reread<T> {
    what: String,
    files: Vec<PathBuf>,
    make: Box<dyn Fn() -> Result<T, String> + Send + Sync>,
    current: ArcSwap<T>,
    seen: Mutex<Seen>,
}

/// What the looks have shown.
struct Seen {
    /// What was last made from, or tried to.
    tried: Vec<Stamp>,
    last: Vec<Stamp>,
    has_failed: bool,
}

/// What tells one state of a file from another; `None` when it cannot be asked.
type Stamp = Option<(SystemTime, u64, u64)>;

/// What came of a look: what serves now, or why it is still what served before.
pub type Looked = Result<String, String>;

/// Something that is looked at now and then.
pub trait Look: Send + Sync {
    /// Looks whether the files have changed, and makes it anew if so. `at_once`: without waiting for a second look, and
    /// again if it could not be made. `None`: nothing has changed.
    fn look(&self, at_once: bool) -> Option<Looked>;
}

impl<T> Reread<T> {
    /// Makes it for the first time. `what` names it for the log.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new(
        what: impl Into<String>,
        files: impl IntoIterator<Item = impl Into<PathBuf>>,
        make: impl Fn() -> Result<T, String> + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let files: Vec<PathBuf> = files.into_iter().map(Into::into).collect();
        // Before the files are read: what changes in between is seen as a change.
        let tried: Vec<_> = files.iter().map(|file| stamp(file)).collect();
        let current = ArcSwap::from_pointee(make()?);
        let seen = Mutex::new(Seen { last: tried.clone(), tried, has_failed: false });
        Ok(Reread { what: what.into(), files, make: Box::new(make), current, seen })
    }

    /// As it is at the moment.
    pub fn get(&self) -> Arc<T> {
        self.current.load_full()
    }
}

impl<T: Send + Sync> Look for Reread<T> {
    fn look(&self, at_once: bool) -> Option<Looked> {
        let now: Vec<_> = self.files.iter().map(|file| stamp(file)).collect();
        // Kept while it is made, so that two looks do not overtake each other.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_settled = std::mem::replace(&mut seen.last, now.clone()) == now;
        let is_due =
            if at_once { now != seen.tried || seen.has_failed } else { now != seen.tried && is_settled };
        if !is_due {
            return None;
        }
        seen.tried = now;
        let made = (self.make)();
        seen.has_failed = made.is_err();
        Some(match made {
            Ok(made) => {
                self.current.store(Arc::new(made));
                Ok(format!("{}: read again", self.what))
            }
            Err(why) => Err(format!("{}: what was read before serves on: {why}", self.what)),
        })
    }
}

/// Everything that is read again. Cheap to clone.
#[derive(Clone, Default)]
pub struct Rereading(Arc<[Arc<dyn Look>]>);

impl FromIterator<Arc<dyn Look>> for Rereading {
    fn from_iter<I: IntoIterator<Item = Arc<dyn Look>>>(all: I) -> Self {
        Rereading(all.into_iter().collect())
    }
}

impl Rereading {
    /// Looks at everything, and tells the log and the caller of what has changed.
    pub fn look(&self, at_once: bool) -> Vec<Looked> {
        let looked: Vec<_> = self.0.iter().filter_map(|look| look.look(at_once)).collect();
        for looked in &looked {
            match looked {
                Ok(told) => tracing::info!("{told}"),
                Err(told) => tracing::error!("{told}"),
            }
        }
        looked
    }

    /// Looks from time to time, in a thread of its own, until the result is dropped.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(&self) -> io::Result<Sender<()>> {
        let (until_dropped, dropped) = channel();
        let all = self.clone();
        if !all.0.is_empty() {
            thread::Builder::new().name("reread".to_owned()).spawn(move || {
                while dropped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                    all.look(false);
                }
            })?;
        }
        Ok(until_dropped)
    }
}

fn stamp(file: &Path) -> Stamp {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), inode(&metadata)))
}

/// A file that was put in the place of another one may have its time and its size.
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

    #[test]
    fn a_change_counts_when_it_has_settled_and_a_bad_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("number");
        let put = |text: &str| {
            // In the place of the other one, as careful programs do it.
            let new = folder.path().join("new");
            fs::write(&new, text).unwrap();
            fs::rename(&new, &file).unwrap();
        };
        put("1");
        let path = file.clone();
        let number = Reread::new("the number", [&file], move || {
            let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
            text.parse::<u32>().map_err(|error| format!("{text:?}: {error}"))
        })
        .unwrap();
        assert_eq!((*number.get(), number.look(false), number.look(true)), (1, None, None));

        put("22");
        assert_eq!((number.look(false), *number.get()), (None, 1));
        assert_eq!((number.look(false), *number.get()), (Some(Ok("the number: read again".into())), 22));
        assert_eq!(number.look(false), None);

        put("x");
        let failed = number.look(true).unwrap().unwrap_err();
        assert!(failed.contains("serves on") && failed.contains("\"x\""), "{failed}");
        // Said once by the looks, and every time to who asks.
        assert_eq!((number.look(false), number.look(true).is_some(), *number.get()), (None, true, 22));
        fs::remove_file(&file).unwrap();
        assert!(number.look(true).unwrap().is_err());
        put("3");
        assert!(number.look(true).unwrap().is_ok());
        assert_eq!(*number.get(), 3);
    }
}
