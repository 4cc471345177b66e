//! The append-only files of the audit log, named `<number of the first record>.jsonl`, one record per line.
//!
//! The host and commands append to the same files. A lock file keeps it to one process at a time, and each process reads
//! the end of the files under the lock before it appends. A line that a crash or a full disk has cut off is removed: the
//! store still has that record.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::chain::{ChainFields, Head, Record, sha256_of};
use super::lines_from_end::LinesFromEnd;
use crate::private_file::{self, sync_folder};

/// The folder of the audit log in the data folder. The dot keeps it apart from the folders of connectors.
pub const FOLDER: &str = "erp-host.audit";

/// The lock file: locked exclusively while a process appends, shared while one reads everything.
const LOCK: &str = "lock";
/// A file of this size gets no more records: the next record begins a new file.
const MAX_FILE_SIZE: u64 = 16 << 20;
/// From this size of all files on, the operator is asked to archive the older ones, whenever a new file begins.
const LARGE: u64 = 1 << 30;
/// Digits in the name of a file. Leading zeros make the order of the names the order of the records.
const DIGITS: usize = 12;
const EXTENSION: &str = ".jsonl";

/// The files of an audit log.
#[derive(Debug)]
pub struct AuditFiles {
    folder: PathBuf,
    max_file_size: u64,
    large: u64,
}

impl AuditFiles {
    /// The files in this folder, which need not exist yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        AuditFiles { folder: folder.into(), max_file_size: MAX_FILE_SIZE, large: LARGE }
    }

    #[cfg(test)]
    pub(super) fn with_small_files(folder: impl Into<PathBuf>, max_file_size: u64) -> Self {
        AuditFiles { max_file_size, large: 4 * max_file_size, ..AuditFiles::new(folder) }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The files, oldest first.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn list(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let number = path.file_name().and_then(|name| name.to_str()?.strip_suffix(EXTENSION));
            if number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())) {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }

    /// The head of the chain in the files; `None` if there are no records, or the last line is not a record.
    ///
    /// # Errors
    /// The files cannot be read.
    pub fn head(&self) -> io::Result<Option<Head>> {
        for file in self.list()?.iter().rev() {
            if let Some(line) = LinesFromEnd::open(file)?.next()? {
                let fields = serde_json::from_slice::<ChainFields>(&line).ok();
                return Ok(fields.map(|fields| Head { number: fields.number, sha256: sha256_of(&line) }));
            }
        }
        Ok(None)
    }

    /// Keeps other processes from appending until it is dropped, so that a reader never sees half a record. `None` if there
    /// is no log yet, or the lock file cannot be opened.
    pub(super) fn lock_shared(&self) -> Option<File> {
        let lock = File::open(self.folder.join(LOCK)).ok()?;
        lock.lock_shared().ok()?;
        Some(lock)
    }

    /// Appends the records that are not in the files yet, in order, and makes them durable (`fdatasync`).
    ///
    /// The end of the files is read each time, under the lock. Nothing that this process remembers counts: another one may
    /// have appended these records meanwhile, and newer ones too.
    ///
    /// # Errors
    /// They cannot be written. Then none of them is in the files, and the call can be repeated.
    pub fn append(&self, records: &[Record]) -> io::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        make_folder(&self.folder)?;
        let lock = private_file::lock_file(&self.folder.join(LOCK))?;
        lock.lock()?;

        let files = self.list()?;
        let length = match files.last() {
            Some(newest) => remove_partial_line(newest)?,
            None => 0,
        };
        let there = find(&files, records)?;
        let missing: Vec<_> = records.iter().filter(|record| !there.contains(&record.number)).collect();
        let Some(first) = missing.first() else { return Ok(()) };
        let (file, is_new) = match files.last() {
            Some(newest) if length < self.max_file_size => (newest.clone(), false),
            _ => (self.folder.join(format!("{:0DIGITS$}{EXTENSION}", first.number)), true),
        };
        // A command that root runs must not lock out the host's user: the file belongs to the owner of the folder.
        let mut open = private_file::open_or_create(&file)?;
        let length = open.metadata()?.len();
        let text: String = missing.iter().flat_map(|record| [record.line.as_str(), "\n"]).collect();
        let written = open.write_all(text.as_bytes()).and_then(|()| open.sync_data());
        if let Err(error) = written {
            // The next append would remove it, too. Until then, nobody should read half a line.
            let _ = open.set_len(length);
            return Err(error);
        }
        if is_new {
            sync_folder(&self.folder)?;
            if let Some(size) = self.is_large(&files) {
                tracing::warn!(
                    files = files.len(),
                    mebibytes = size >> 20,
                    "the audit log in {} is large: move its older files to an archive, all but the newest",
                    self.folder.display()
                );
            }
        }
        Ok(())
    }
}

impl AuditFiles {
    /// The size of these files together, if it is large.
    pub(super) fn is_large(&self, files: &[PathBuf]) -> Option<u64> {
        let size = files.iter().filter_map(|file| fs::metadata(file).ok()).map(|file| file.len()).sum();
        (size >= self.large).then_some(size)
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let is_new = !folder.is_dir();
    private_file::make_own_folder(folder)?;
    match folder.parent().filter(|data| is_new && !data.as_os_str().is_empty()) {
        Some(data) => sync_folder(data),
        None => Ok(()),
    }
}

/// Removes the line that a crash has cut off at the end of a file. Returns the file's length.
fn remove_partial_line(path: &Path) -> io::Result<u64> {
    let end = LinesFromEnd::open(path)?.end();
    if fs::metadata(path)?.len() > end {
        let file = File::options().write(true).open(path)?;
        file.set_len(end)?;
        file.sync_all()?;
    }
    Ok(end)
}

/// The numbers of those records that are in the files, byte for byte. They are at the end, and perhaps newer ones behind
/// them: so this reads back to the first record that is older than all of them.
fn find(files: &[PathBuf], records: &[Record]) -> io::Result<HashSet<i64>> {
    let mut found = HashSet::new();
    let oldest = records.first().map_or(i64::MAX, |record| record.number);
    for path in files.iter().rev() {
        let mut lines = LinesFromEnd::open(path)?;
        while let Some(line) = lines.next()? {
            // What is no record, because somebody has changed it, is older than nothing.
            let Ok(ChainFields { number, .. }) = serde_json::from_slice(&line) else { continue };
            if number < oldest {
                return Ok(found);
            }
            let record = records.binary_search_by_key(&number, |record| record.number);
            if record.is_ok_and(|at| records[at].line.as_bytes() == line) {
                found.insert(number);
            }
        }
    }
    Ok(found)
}
