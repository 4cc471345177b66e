//! The files of the audit log: `<number of its first record>.jsonl`, a record a line, only ever appended to.
//!
//! Several processes append, the host and commands: a lock on a file beside them lets one at a time. What was cut off
//! in the middle of a line, by a crash or a full disk, is taken away again: it is still in the store.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::Record;
use super::record::{Head, Told, hash_of};
use crate::private_file::{self, sync_folder};

/// The folder of the audit log, below the data folder. With a dot, for a connector's folder has none.
pub const FOLDER: &str = "erp-host.audit";

/// What is locked while a process appends.
const LOCK: &str = "lock";
/// A file that is larger gets no more records.
const LARGE: u64 = 16 << 20;
/// Digits of a file's name: as many as a record's number may have.
const DIGITS: usize = 12;
const EXTENSION: &str = ".jsonl";

/// The files of an audit log.
#[derive(Debug)]
pub struct AuditFiles {
    folder: PathBuf,
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
    /// Those in this folder, which need not be there yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        AuditFiles { folder: folder.into(), large: LARGE, end: Mutex::default() }
    }

    #[cfg(test)]
    pub(super) fn with_small_files(folder: impl Into<PathBuf>, large: u64) -> Self {
        AuditFiles { large, ..AuditFiles::new(folder) }
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

    /// The newest record, as far as it says which one it is; `None` when there is none.
    ///
    /// # Errors
    /// The files cannot be read.
    pub fn head(&self) -> io::Result<Option<Head>> {
        for file in self.list()?.iter().rev() {
            let text = fs::read(file)?;
            let last = text.split_inclusive(|&byte| byte == b'\n').rfind(|line| line.ends_with(b"\n"));
            if let Some(line) = last.and_then(|line| line.strip_suffix(b"\n")) {
                let told = serde_json::from_slice::<Told>(line).ok();
                return Ok(told.map(|told| Head { number: told.number, sha256: hash_of(line) }));
            }
        }
        Ok(None)
    }

    /// Keeps everybody from appending until it is dropped, so that no record is met half written. `None` where there is no
    /// log yet, or it may only be read.
    pub(super) fn keep_still(&self) -> Option<File> {
        let lock = File::open(self.folder.join(LOCK)).ok()?;
        lock.lock_shared().ok()?;
        Some(lock)
    }

    /// Appends those of the records that are not there yet, and makes them durable.
    ///
    /// # Errors
    /// They cannot be written: then none of them counts as written, and they may be appended again.
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
        let newest = appended.as_ref().map(|appended| appended.newest);
        // Also what this process has appended may come again: its caller may have been cancelled before it could note it.
        let missing: Vec<_> = match newest {
            Some(newest) => records.iter().filter(|record| record.number > newest).collect(),
            None => {
                let there = lines_at_the_end(&files)?;
                records.iter().filter(|record| !there.contains(&record.line)).collect()
            }
        };
        let mut text = String::new();
        for record in missing {
            text.push_str(&record.line);
            text.push('\n');
        }
        let file = match end {
            Some(end) if end.length < self.large => end.file,
            _ => self.folder.join(format!("{:0DIGITS$}{EXTENSION}", first.number)),
        };
        let is_new = !files.contains(&file);
        let mut options = File::options();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut open = options.open(&file)?;
        if is_new {
            // A command run as root must not lock out the host.
            private_file::give_to_owner_of(&open, &self.folder)?;
        }
        let length = open.metadata()?.len();
        let written = open.write_all(text.as_bytes()).and_then(|()| open.sync_data());
        if let Err(error) = written {
            // The next append would find it, too; but nobody should read half a line meanwhile.
            let _ = open.set_len(length);
            return Err(error);
        }
        if is_new {
            sync_folder(&self.folder)?;
        }
        *known_end = Some(Appended {
            end: End { length: length + text.len() as u64, file },
            newest: newest.map_or(last.number, |newest| newest.max(last.number)),
        });
        Ok(())
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

/// The lines of the two newest files: what another process, or this one before it was killed, may have written without
/// saying so. A line without its end is taken away.
fn lines_at_the_end(files: &[PathBuf]) -> io::Result<HashSet<String>> {
    let mut lines = HashSet::new();
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
        lines.extend(String::from_utf8_lossy(&text).lines().map(str::to_owned));
    }
    Ok(lines)
}
