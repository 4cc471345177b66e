//! Verification of the audit log: checks the hash chain and the signatures of all records.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;

use super::chain::{AuditKey, ChainFields, Head, Signature, sha256_of};
use super::files::AuditFiles;
use super::lines_from_end::MAX_LINE;

/// The result of a verification.
#[derive(Debug, Default)]
pub struct Report {
    /// How many files were read.
    pub files: usize,
    /// How many records they contain.
    pub records: u64,
    /// The number of the first record; `None` if there are none.
    pub first: Option<i64>,
    /// The head of the chain.
    pub head: Head,
    /// How many records are signed with the key of the store.
    pub signed: u64,
    /// How many records are signed with other keys, so that their signature cannot be checked.
    pub of_other_keys: u64,
    /// Whether the expected record is there, with the expected hash; `None` if none was given.
    pub is_expected_there: Option<bool>,
    /// Where the chain is broken, or a signature is wrong.
    pub breaks: Vec<Break>,
}

/// A place where the chain is broken, or a signature is wrong.
#[derive(Debug, PartialEq, Eq)]
pub struct Break {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}: {}", self.file.display(), self.line, self.problem)
    }
}

/// Verifies all files. `key` is the key of the store; without it, only the hash chain is checked. `expected` is a record
/// that must be there, noted at an earlier verification.
///
/// # Errors
/// A file cannot be read.
pub fn verify(files: &AuditFiles, key: Option<&AuditKey>, expected: Option<&Head>) -> io::Result<Report> {
    let mut report = Report { is_expected_there: expected.map(|_| false), ..Report::default() };
    let _lock = files.lock_shared();
    for path in files.list()? {
        report.files += 1;
        let mut reader = BufReader::new(File::open(&path)?);
        for number in 1.. {
            let mut line = Vec::new();
            if reader.by_ref().take(MAX_LINE as u64).read_until(b'\n', &mut line)? == 0 {
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
        let Ok(fields) = serde_json::from_str::<ChainFields>(line) else {
            problems.push("no record".to_owned());
            return;
        };
        self.records += 1;
        let number = fields.number;
        // Older files may have been moved to an archive, so the chain may begin with any record.
        let is_first = self.first.is_none();
        let first = *self.first.get_or_insert(number);
        if is_first && first == 1 && !fields.prev.is_empty() {
            problems.push("record 1 follows another one, it should be the first".to_owned());
        } else if !is_first && number != self.head.number + 1 {
            let before = self.head.number;
            problems
                .push(format!("record {number} follows record {before}: records are missing or were put in"));
        } else if !is_first && fields.prev != self.head.sha256 {
            problems.push(format!("the record before record {number} was changed after it was written"));
        }
        match key.map(|key| key.check(line, &fields.audit_key)) {
            Some(Signature::Good) => self.signed += 1,
            Some(Signature::Bad) => {
                problems.push(format!("record {number} was not written by this host, or changed since"));
            }
            // Another key is fine for records of a former store, but those come before all records of this one.
            Some(Signature::OtherKey) if self.signed > 0 => {
                problems.push(format!("record {number} is signed with another key than those before it"));
            }
            Some(Signature::OtherKey) => self.of_other_keys += 1,
            None => {}
        }
        self.head = Head { number, sha256: sha256_of(line.as_bytes()) };
        if expected == Some(&self.head) {
            self.is_expected_there = Some(true);
        }
    }
}
