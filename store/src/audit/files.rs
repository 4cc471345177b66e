//! The append-only files of the audit log, named `<number of the first record>.jsonl`, one record per line.
//!
//! The host and commands append to the same files. A lock file keeps it to one process at a time, and each process reads
//! the end of the files under the lock before it appends. A line that a crash or a full disk has cut off is removed: the
//! store still has that record.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::chain::{ChainFields, Head, Record, sha256_of};
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
    /// Where the last append of this process ended. If the newest file ends elsewhere, another process has written.
    end: Mutex<Option<Appended>>,
}

/// The end of the newest file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct End {
    file: PathBuf,
    length: u64,
}

/// What the last append of this process has left.
#[derive(Debug)]
struct Appended {
    end: End,
    /// The number of the newest record in the files.
    newest: i64,
}

impl AuditFiles {
    /// The files in this folder, which need not exist yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        AuditFiles {
            folder: folder.into(),
            max_file_size: MAX_FILE_SIZE,
            large: LARGE,
            end: Mutex::default(),
        }
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
            let text = fs::read(file)?;
            let last = text.split_inclusive(|&byte| byte == b'\n').rfind(|line| line.ends_with(b"\n"));
            if let Some(line) = last.and_then(|line| line.strip_suffix(b"\n")) {
                let fields = serde_json::from_slice::<ChainFields>(line).ok();
                return Ok(fields.map(|fields| Head { number: fields.number, sha256: sha256_of(line) }));
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
    /// # Errors
    /// They cannot be written. Then none of them is in the files, and the call can be repeated.
    pub fn append(&self, records: &[Record]) -> io::Result<()> {
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return Ok(()) };
        let mut known_end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        make_folder(&self.folder)?;
        let lock = private_file::lock_file(&self.folder.join(LOCK))?;
        lock.lock()?;

        let files = self.list()?;
        let end = match files.last() {
            Some(file) => Some(End { file: file.clone(), length: fs::metadata(file)?.len() }),
            None => None,
        };
        let appended = known_end.take().filter(|appended| Some(&appended.end) == end.as_ref());
        let known_newest = appended.as_ref().map(|appended| appended.newest);
        // The records may include some that this process has appended already: if a save is cancelled while its record is
        // appended, nobody notes that it was.
        let mut last_line = None;
        let missing: Vec<_> = match known_newest {
            Some(newest) => records.iter().filter(|record| record.number > newest).collect(),
            None => {
                let there = read_last_lines(&files)?;
                last_line = there.last;
                records.iter().filter(|record| !there.lines.contains(&record.line)).collect()
            }
        };
        // Another process may have appended newer records than these. Then the newest one is not known, and the next append
        // reads the files again.
        let ends_with_last = missing.last().is_some_and(|record| record.number == last.number)
            || last_line.as_deref() == Some(last.line.as_str());
        let newest = match known_newest {
            Some(newest) => Some(newest.max(last.number)),
            None => ends_with_last.then_some(last.number),
        };
        let mut text = String::new();
        for record in missing {
            text.push_str(&record.line);
            text.push('\n');
        }
        let file = match end {
            Some(end) if end.length < self.max_file_size => end.file,
            _ => self.folder.join(format!("{:0DIGITS$}{EXTENSION}", first.number)),
        };
        let is_new = !files.contains(&file);
        let mut options = File::options();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut open = options.open(&file)?;
        if is_new {
            // A command that root runs must not lock out the host's user.
            private_file::give_to_owner_of(&open, &self.folder)?;
        }
        let length = open.metadata()?.len();
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
        *known_end =
            newest.map(|newest| Appended { end: End { length: length + text.len() as u64, file }, newest });
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
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    let data = folder.parent().filter(|data| !data.as_os_str().is_empty()).unwrap_or(Path::new("."));
    #[cfg(unix)]
    private_file::give_to_owner_of(&File::open(folder)?, data)?;
    sync_folder(data)
}

/// What other processes, or this host before a crash, may have appended.
#[derive(Debug, Default)]
struct LastLines {
    /// The lines of the two newest files.
    lines: HashSet<String>,
    /// The last one of them.
    last: Option<String>,
}

/// Reads the two newest files. An incomplete line at the end is removed from the file.
fn read_last_lines(files: &[PathBuf]) -> io::Result<LastLines> {
    let mut found = LastLines::default();
    for (age, path) in files.iter().rev().take(2).enumerate() {
        let mut file = File::options().read(true).write(age == 0).open(path)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        if age == 0 && whole < text.len() {
            file.set_len(whole as u64)?;
            file.seek(SeekFrom::End(0))?;
            file.sync_all()?;
        }
        text.truncate(whole);
        let text = String::from_utf8_lossy(&text);
        if found.last.is_none() {
            found.last = text.lines().last().map(str::to_owned);
        }
        found.lines.extend(text.lines().map(str::to_owned));
    }
    Ok(found)
}
