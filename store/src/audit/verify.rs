//! Whether an audit log is whole and as it was written.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;

use super::record::{Head, Told, hash_of};
use super::{AuditFiles, AuditKey, Signature};

/// No record is longer.
const LONGEST: u64 = 4 << 20;

/// What the files of an audit log turned out to be.
#[derive(Debug, Default)]
pub struct Report {
    /// How many files there are.
    pub files: usize,
    /// How many records.
    pub records: u64,
    /// The number of the first one; `None` when there is none.
    pub first: Option<i64>,
    /// The newest one.
    pub head: Head,
    /// How many are signed by the key of the store.
    pub signed: u64,
    /// How many are signed with other keys, which cannot be checked.
    pub of_other_keys: u64,
    /// Whether the record that was asked for is there, as it was asked for; `None` when none was.
    pub is_expected_there: Option<bool>,
    /// Where it is not as it was written.
    pub breaks: Vec<Break>,
}

/// A place where a log is not as it was written.
#[derive(Debug, PartialEq, Eq)]
pub struct Break {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: String,
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}: {}", self.file.display(), self.line, self.problem)
    }
}

/// Reads all files. `key` is the one that the store signs with; without it the chain alone is checked. `expected` is a
/// record that must be there, noted earlier.
///
/// # Errors
/// A file cannot be read.
pub fn verify(files: &AuditFiles, key: Option<&AuditKey>, expected: Option<&Head>) -> io::Result<Report> {
    let mut report = Report { is_expected_there: expected.map(|_| false), ..Report::default() };
    let _still = files.keep_still();
    for path in files.list()? {
        report.files += 1;
        let mut reader = BufReader::new(File::open(&path)?);
        for number in 1.. {
            let mut line = Vec::new();
            if reader.by_ref().take(LONGEST).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            let mut problems = Vec::new();
            match line.strip_suffix(b"\n").map(str::from_utf8) {
                Some(Ok(line)) => report.check(line, key, expected, &mut problems),
                Some(Err(_)) => problems.push("no text in UTF-8".to_owned()),
                None => problems.push("cut off in the middle of a record".to_owned()),
            }
            let found = |problem| Break { file: path.clone(), line: number, problem };
            report.breaks.extend(problems.into_iter().map(found));
        }
    }
    Ok(report)
}

impl Report {
    fn check(
        &mut self,
        line: &str,
        key: Option<&AuditKey>,
        expected: Option<&Head>,
        problems: &mut Vec<String>,
    ) {
        let Ok(told) = serde_json::from_str::<Told>(line) else {
            problems.push("no record".to_owned());
            return;
        };
        self.records += 1;
        let number = told.number;
        // What is before the first record may have been moved to an archive.
        let is_first = self.first.is_none();
        let first = *self.first.get_or_insert(number);
        if is_first && first == 1 && !told.prev.is_empty() {
            problems.push("record 1 follows another one, it should be the first".to_owned());
        } else if !is_first && number != self.head.number + 1 {
            let before = self.head.number;
            problems
                .push(format!("record {number} follows record {before}: records are missing or were put in"));
        } else if !is_first && told.prev != self.head.sha256 {
            problems.push(format!("the record before record {number} was changed after it was written"));
        }
        match key.map(|key| key.check(line, &told.audit_key)) {
            Some(Signature::Good) => self.signed += 1,
            Some(Signature::Bad) => {
                problems.push(format!("record {number} was not written by this host, or changed since"));
            }
            // A former store had another key; but nothing of it comes after what this one has written.
            Some(Signature::OtherKey) if self.signed > 0 => {
                problems.push(format!("record {number} is signed with another key than those before it"));
            }
            Some(Signature::OtherKey) => self.of_other_keys += 1,
            None => {}
        }
        self.head = Head { number, sha256: hash_of(line.as_bytes()) };
        if expected == Some(&self.head) {
            self.is_expected_there = Some(true);
        }
    }
}
