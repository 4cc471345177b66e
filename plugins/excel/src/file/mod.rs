//! A workbook's file: read once and cached, read again when it has changed, and replaced atomically by a write.
//!
//! Writes use optimistic concurrency: a change is planned against the file as it was read, and planned anew if the file has
//! changed before the rename.

mod change;
mod lock;
mod replace;

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::SystemTime;

use plugin_api::{DateTime, Error, Result};

use crate::cell::to_millisecond;
use crate::reported_types::ReportedTypes;
use crate::stamps::{Ledger, Stamping};
use crate::typed_workbook::TypedWorkbook;
use crate::workbook::{self, GivenStamps, History, Workbook};
use crate::write::plan::{Plan, Planner};
use crate::write::{apply, obstacle};
use crate::xlsx::XlsxError;
use crate::xlsx::book::Book;
use crate::xlsx::limits::{Limits, Reservation};
use crate::xlsx::package::Package;

use change::Stat;

/// How often a write is retried when the file changes meanwhile.
const ATTEMPTS: usize = 3;

/// The largest file that is read. A workbook of a hundred thousand rows has some ten megabytes.
const MAX_BYTES: u64 = 256 << 20;

/// A workbook's file, shared by all connections to it.
pub(crate) struct WorkbookFile {
    path: PathBuf,
    ledger_path: PathBuf,
    limits: Limits,
    clock: Clock,
    cached: RwLock<Option<CachedWorkbook>>,
    /// The stamps and keys that were given out. Locked while the file is read again or written; a call that the cached
    /// workbook can answer does not wait for it.
    ledger: Mutex<Ledger>,
    loads: AtomicU64,
    #[cfg(test)]
    pub(crate) before_replacing: Mutex<Option<Box<dyn FnMut() + Send>>>,
}

/// The current time; tests set it back.
pub(crate) type Clock = Box<dyn Fn() -> SystemTime + Send + Sync>;

/// The file as it was read last.
#[derive(Clone)]
struct CachedWorkbook {
    stat: Stat,
    read_at: SystemTime,
    digest: u64,
    workbook: Arc<Workbook>,
}

/// The bytes of the file, and its metadata when they were read.
struct Contents {
    stat: Stat,
    read_at: SystemTime,
    bytes: Vec<u8>,
    digest: u64,
    /// The memory that is reserved for reading it.
    memory: Reservation,
}

impl WorkbookFile {
    /// The file at a path without symlinks; its ledger is kept below `folder`. Nothing is read yet.
    pub(crate) fn new(path: PathBuf, folder: &Path, limits: Limits, clock: Clock) -> Self {
        let ledger_path = Ledger::path(folder, &path);
        let ledger = Ledger::read(&ledger_path);
        WorkbookFile {
            path,
            ledger_path,
            limits,
            clock,
            cached: RwLock::new(None),
            ledger: Mutex::new(ledger),
            loads: AtomicU64::new(0),
            #[cfg(test)]
            before_replacing: Mutex::new(None),
        }
    }

    /// The workbook as it is now: from the cache if the file has not changed, which its metadata shows.
    ///
    /// # Errors
    /// The file is gone, or cannot be read as a workbook. The cached workbook is not used then: it may be wrong.
    pub(crate) fn workbook(&self) -> Result<Arc<Workbook>> {
        let stat = Stat::of(&self.path).map_err(|error| self.unreadable(error))?;
        if let Some(workbook) = self.cached_for(stat) {
            return Ok(workbook);
        }
        let mut ledger = lock(&self.ledger);
        // Another call may have read it while this one waited.
        if let Some(workbook) = self.cached_for(stat) {
            return Ok(workbook);
        }
        let mut contents = self.read()?;
        self.take(&mut contents, &mut ledger)
    }

    /// Writes what `plan` plans for a connection with these types; returns the workbook after the change, and the plan.
    /// Other writers wait; readers do not.
    ///
    /// # Errors
    /// The plan cannot be made, the workbook is open elsewhere or keeps changing, or it cannot be written. The file is
    /// unchanged then.
    pub(crate) fn write(
        &self,
        reported: &ReportedTypes,
        plan: impl Fn(Planner<'_>) -> Result<Plan>,
    ) -> Result<(Arc<Workbook>, Plan)> {
        let mut ledger = lock(&self.ledger);
        let _lock = lock::lock(&self.path)?;
        for _ in 0..ATTEMPTS {
            lock::refuse_if_open_elsewhere(&self.path)?;
            let mut contents = self.read()?;
            let before = self.take(&mut contents, &mut ledger)?;
            let now = to_millisecond(DateTime::from_system_time((self.clock)()));
            let typed = TypedWorkbook::new(Arc::clone(&before), reported);
            let plan = plan(Planner::new(&typed, now, &ledger))?;
            if plan.touched.is_empty() {
                return Ok((before, plan));
            }
            let memory = &mut contents.memory;
            let bytes = apply(&contents.bytes, &before, &plan, self.limits.part, memory)?;
            // The new bytes are read first: a workbook that cannot be read never replaces the old one.
            let after = self.parsed(&bytes, Some(&before), &ledger, Some(&plan.given), memory)?;
            self.verify(&after, &plan)?;
            let written = replace::replace(&self.path, &bytes, || {
                #[cfg(test)]
                if let Some(hook) = lock(&self.before_replacing).as_mut() {
                    hook();
                }
                Stat::of(&self.path).is_ok_and(|stat| stat == contents.stat)
            })?;
            if let Some(stat) = written {
                return Ok((self.cache(stat, &bytes, after, &mut ledger), plan));
            }
        }
        Err(Error::user(
            "the workbook was changed by somebody else while it was being written, again and again: nothing was \
             written, try again",
        ))
    }

    /// How often the workbook was read from its file.
    #[cfg(test)]
    pub(crate) fn loads(&self) -> u64 {
        self.loads.load(Ordering::Relaxed)
    }

    /// The cached workbook, if the file still has this metadata.
    fn cached_for(&self, stat: Stat) -> Option<Arc<Workbook>> {
        let cached = self.cached.read().unwrap_or_else(PoisonError::into_inner);
        let cached = cached.as_ref().filter(|cached| cached.stat == stat)?;
        // A file that was written when it was read may have been written once more within the same tick of its clock.
        cached.stat.is_settled(cached.read_at).then(|| Arc::clone(&cached.workbook))
    }

    fn read(&self) -> Result<Contents> {
        for _ in 0..ATTEMPTS {
            let read_at = SystemTime::now();
            let mut file = File::open(&self.path).map_err(|error| self.unreadable(error))?;
            let before = Stat::of_file(&file).map_err(|error| self.unreadable(error))?;
            if before.length() > MAX_BYTES {
                let megabytes = MAX_BYTES >> 20;
                return Err(Error::user(format!(
                    "the workbook is too large, at most {megabytes} MB are read"
                )));
            }
            let unpacked = zip::ZipArchive::new(&file).ok().and_then(|archive| archive.decompressed_size());
            file.rewind().map_err(|error| self.unreadable(error))?;
            let unpacked = u64::try_from(unpacked.unwrap_or(0)).unwrap_or(u64::MAX);
            let estimate = before.length().saturating_add(unpacked);
            let memory = self.limits.memory.reserve(estimate).map_err(XlsxError::from)?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map_err(|error| self.unreadable(error))?;
            let stat = Stat::of_file(&file).map_err(|error| self.unreadable(error))?;
            if stat == before {
                let digest = change::digest(&bytes);
                let mut contents = Contents { stat, read_at, bytes, digest, memory };
                contents.memory.take(contents.bytes.len()).map_err(XlsxError::from)?;
                return Ok(contents);
            }
        }
        Err(Error::user("the workbook is being written by somebody else: try again"))
    }

    /// The workbook that these contents hold; from the cache if they are the same as before.
    fn take(&self, contents: &mut Contents, ledger: &mut Ledger) -> Result<Arc<Workbook>> {
        let before = self.cached.read().unwrap_or_else(PoisonError::into_inner).clone();
        let workbook = match &before {
            Some(cached) if cached.digest == contents.digest => Arc::clone(&cached.workbook),
            _ => {
                self.loads.fetch_add(1, Ordering::Relaxed);
                let before = before.as_ref().map(|cached| cached.workbook.as_ref());
                let Contents { bytes, memory, .. } = contents;
                let workbook = self.parsed(bytes, before, ledger, None, memory)?;
                tracing::debug!(
                    actors = workbook.tables.iter().map(workbook::Table::len).sum::<usize>(),
                    "workbook read"
                );
                let workbook = Arc::new(workbook);
                self.remember(&workbook, ledger);
                workbook
            }
        };
        let cached = CachedWorkbook {
            stat: contents.stat,
            read_at: contents.read_at,
            digest: contents.digest,
            workbook: Arc::clone(&workbook),
        };
        *self.cached.write().unwrap_or_else(PoisonError::into_inner) = Some(cached);
        Ok(workbook)
    }

    /// Reads a workbook; `given` are the stamps of rows in a change of ours.
    fn parsed(
        &self,
        bytes: &[u8],
        before: Option<&Workbook>,
        ledger: &Ledger,
        given: Option<&GivenStamps>,
        memory: &mut Reservation,
    ) -> Result<Workbook> {
        let newest = ledger.newest.max(before.and_then(Workbook::newest));
        let stamping = Stamping::new((self.clock)(), newest);
        let history = History { before, ledger, stamping, given };
        Workbook::read(bytes, &history, self.limits.part, memory)
    }

    /// Records the stamps and keys of a workbook, in memory and on disk.
    fn remember(&self, workbook: &Workbook, ledger: &mut Ledger) {
        workbook.note_in(ledger);
        if let Err(error) = ledger.write(&self.ledger_path) {
            let path = self.ledger_path.display();
            tracing::warn!(%path, %error, "the ledger of stamps cannot be written: a restart may send rows again");
        }
    }

    /// Why rows cannot be added to sheets, for the test of the connection.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn obstacles(&self, workbook: &Workbook) -> Result<Vec<String>> {
        let pushing: Vec<_> = workbook.tables.iter().filter(|table| table.next.pushes_down).collect();
        if pushing.is_empty() {
            return Ok(Vec::new());
        }
        let contents = self.read()?;
        let mut package = Package::open(&contents.bytes, self.limits.part)?;
        let book = Book::read(&mut package)?;
        let found = pushing.into_iter().map(|table| obstacle(&mut package, &book, table));
        Ok(found.collect::<Result<Vec<_>, XlsxError>>()?.into_iter().flatten().collect())
    }

    /// Checks that every actor that was written is found again with its stamp.
    fn verify(&self, after: &Workbook, plan: &Plan) -> Result<()> {
        for (actor_type, key) in &plan.touched {
            let given = plan.given.get(actor_type).and_then(|given| given.get(key));
            let table = after.table(actor_type)?;
            let found = table.row_version(key).map(|version| version.stamp);
            if found.is_none() || found != given.copied() {
                return Err(Error::user(format!(
                    "nothing was saved, {actor_type} {key} would not be found again"
                )));
            }
        }
        Ok(())
    }

    /// Caches what was written. Nothing can fail here: the change is in place.
    fn cache(&self, stat: Stat, bytes: &[u8], workbook: Workbook, ledger: &mut Ledger) -> Arc<Workbook> {
        let workbook = Arc::new(workbook);
        self.remember(&workbook, ledger);
        let (digest, read_at) = (change::digest(bytes), SystemTime::now());
        let cached = CachedWorkbook { stat, read_at, digest, workbook: Arc::clone(&workbook) };
        *self.cached.write().unwrap_or_else(PoisonError::into_inner) = Some(cached);
        workbook
    }

    fn unreadable(&self, error: std::io::Error) -> Error {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = match error.kind() {
            std::io::ErrorKind::NotFound => format!("there is no workbook {name:?}"),
            std::io::ErrorKind::PermissionDenied => {
                format!(
                    "the workbook {name:?} cannot be read: the user of the connector may not read it, its folder is not listed in [connectors.Excel.worker] write, or it is open elsewhere"
                )
            }
            _ => format!("the workbook {name:?} cannot be read"),
        };
        Error::user(text).caused_by(error)
    }
}

/// A poisoned lock is taken all the same: what it guards only grows, or is replaced whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The workbook files that are open, so that connections to the same one share it.
#[derive(Default)]
pub(crate) struct OpenFiles {
    files: Mutex<HashMap<PathBuf, std::sync::Weak<WorkbookFile>>>,
}

impl OpenFiles {
    /// The file at a path without symlinks.
    pub(crate) fn open(&self, path: PathBuf, folder: &Path, limits: &Limits) -> Arc<WorkbookFile> {
        let mut files = lock(&self.files);
        files.retain(|_, file| file.strong_count() > 0);
        if let Some(file) = files.get(&path).and_then(std::sync::Weak::upgrade) {
            return file;
        }
        let clock = Box::new(SystemTime::now);
        let file = Arc::new(WorkbookFile::new(path.clone(), folder, limits.clone(), clock));
        files.insert(path, Arc::downgrade(&file));
        file
    }
}
