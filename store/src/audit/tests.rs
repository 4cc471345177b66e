//! The hash chain: which changes to the files a verification detects, and how appending works across processes.

use std::fs;
use std::sync::Arc;

use tempfile::TempDir;
use zeroize::Zeroizing;

use super::chain::sha256_of;
use super::*;

fn key(byte: u8) -> Arc<AuditKey> {
    Arc::new(AuditKey::new(Zeroizing::new([byte; 32])))
}

fn deleted(name: &str) -> Event {
    Event::ConnectionDeleted { connection: name.to_owned(), connector: "Excel".to_owned() }
}

fn by() -> Origin {
    Origin::Host { host: "a test, \",\"mac\":\"" }
}

/// Records of these events, chained to `head`.
pub(super) fn chained(key: u8, head: &mut Head, names: &[&str]) -> Vec<Record> {
    let events = names.iter().map(|name| deleted(name)).collect();
    let (records, new) = AuditBatch::new(self::key(key), by(), events, 0).chain_to(head.clone()).unwrap();
    *head = new;
    records
}

/// A log of five records in two files, and its end.
fn written() -> (TempDir, AuditFiles, Head) {
    let folder = tempfile::tempdir().unwrap();
    let files = AuditFiles::with_small_files(folder.path().join("audit"), 600);
    let mut head = Head::default();
    for name in ["a", "b", "c,\"mac\":\"", "d", "e\n"] {
        files.append(&chained(1, &mut head, &[name])).unwrap();
    }
    assert_eq!(files.list().unwrap().len(), 2);
    (folder, files, head)
}

#[track_caller]
pub(super) fn assert_sound(files: &AuditFiles, head: &Head, records: u64) {
    let report = verify(files, Some(&key(1)), Some(head)).unwrap();
    assert_eq!(report.breaks, []);
    assert_eq!((&report.head, report.records, report.signed), (head, records, records));
    assert_eq!(report.is_expected_there, Some(true));
    assert_eq!(files.head().unwrap().as_ref(), Some(head));
}

/// The first problem that a verification finds; empty if there is none.
fn problem(files: &AuditFiles, key: Option<&AuditKey>) -> String {
    let report = verify(files, key, None).unwrap();
    report.breaks.first().map(ToString::to_string).unwrap_or_default()
}

#[test]
fn verify_accepts_an_unchanged_log() {
    let (_folder, files, head) = written();
    assert_sound(&files, &head, 5);
    let report = verify(&files, None, Some(&Head { number: 3, ..head.clone() })).unwrap();
    assert_eq!((report.signed, report.is_expected_there), (0, Some(false)));
    let report = verify(&files, Some(&key(2)), None).unwrap();
    assert_eq!((report.signed, report.of_other_keys, report.breaks.len()), (0, 5, 0));
}

#[test]
fn verify_detects_every_changed_bit() {
    let (_folder, files, _) = written();
    for path in files.list().unwrap() {
        let original = fs::read(&path).unwrap();
        for bit in (0..original.len() * 8).step_by(7) {
            let mut changed = original.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &changed).unwrap();
            assert_ne!(
                problem(&files, Some(&key(1))),
                "",
                "bit {bit}: {}",
                String::from_utf8_lossy(&changed)
            );
        }
        fs::write(&path, original).unwrap();
    }
    assert_eq!(problem(&files, Some(&key(1))), "");
}

#[test]
fn verify_names_the_kind_of_tampering() {
    type Tampering = fn(&mut Vec<String>);
    let forge: Tampering = |lines| {
        // With everything that the file shows, but without the key.
        let prev = sha256_of(lines.last().unwrap().as_bytes());
        let event = vec![deleted("forged")];
        let head = Head { number: lines.len() as i64, sha256: prev };
        let (forged, _) = AuditBatch::new(key(9), by(), event, 0).chain_to(head).unwrap();
        lines.push(forged[0].line.replace(key(9).id(), key(1).id()));
    };
    for (tamper, expected) in [
        ((|lines| drop(lines.remove(1))) as Tampering, "record 3 follows record 1: records are missing"),
        (|lines| lines.swap(0, 1), "record 1 follows record 2"),
        (|lines| lines.insert(1, lines[0].clone()), "record 1 follows record 1"),
        (|lines| lines[0] = lines[0].replace("Excel", "Other"), "record 1 was not written by this host"),
        (|lines| lines[1] = "{}".to_owned(), "no record"),
        (|lines| lines[1] = String::new(), "no record"),
        (forge, "was not written by this host"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let files = AuditFiles::new(folder.path());
        files.append(&chained(1, &mut Head::default(), &["a", "b", "c"])).unwrap();
        let path = files.list().unwrap().remove(0);
        let mut lines: Vec<_> = fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
        tamper(&mut lines);
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        let problem = problem(&files, Some(&key(1)));
        assert!(problem.contains(expected), "{problem} for {expected}");
    }
}

#[test]
fn verify_without_the_key_detects_a_change_by_the_next_hash() {
    let (_folder, files, _) = written();
    let path = files.list().unwrap().remove(0);
    let changed = fs::read_to_string(&path).unwrap().replacen("Excel", "Other", 1);
    fs::write(&path, changed).unwrap();
    assert!(problem(&files, None).contains("the record before record 2 was changed"));
}

#[test]
fn verify_detects_a_truncated_log_by_the_expected_head() {
    let (_folder, files, head) = written();
    let newest = files.list().unwrap().pop().unwrap();
    fs::remove_file(newest).unwrap();
    let report = verify(&files, Some(&key(1)), Some(&head)).unwrap();
    assert_eq!(
        (report.breaks.len(), report.is_expected_there),
        (0, Some(false)),
        "the store has the head, too"
    );
}

#[test]
fn verify_accepts_that_old_files_were_archived() {
    let (_folder, files, head) = written();
    let oldest = files.list().unwrap().remove(0);
    fs::remove_file(oldest).unwrap();
    let report = verify(&files, Some(&key(1)), Some(&head)).unwrap();
    assert_eq!((report.breaks.len(), report.first.is_some_and(|first| first > 1)), (0, true));
}

#[test]
fn append_skips_records_of_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut head = Head::default();
    let records = chained(1, &mut head, &["a", "b", "c"]);
    AuditFiles::new(folder.path()).append(&records[..2]).unwrap();
    // Another process, which has not read the files yet.
    let files = AuditFiles::new(folder.path());
    files.append(&records).unwrap();
    AuditFiles::new(folder.path()).append(&records[1..]).unwrap();
    assert_sound(&files, &head, 3);
}

/// When a save is cancelled while its record is appended, nobody notes that it was: the next save appends it again.
#[test]
fn append_skips_records_of_a_cancelled_append() {
    let folder = tempfile::tempdir().unwrap();
    let mut head = Head::default();
    let records = chained(1, &mut head, &["a", "b", "c"]);
    let files = AuditFiles::new(folder.path());
    files.append(&records[..2]).unwrap();
    files.append(&records).unwrap();
    files.append(&records[..1]).unwrap();
    files.append(&records).unwrap();
    assert_sound(&files, &head, 3);
}

/// A process may have read the pending records before another one has appended those and newer ones.
#[test]
fn append_of_outdated_records_does_not_repeat_newer_ones() {
    let folder = tempfile::tempdir().unwrap();
    let mut head = Head::default();
    let records = chained(1, &mut head, &["a", "b", "c"]);
    let (one, other) = (AuditFiles::new(folder.path()), AuditFiles::new(folder.path()));
    one.append(&records[..1]).unwrap();
    one.append(&records[1..2]).unwrap();
    other.append(&records[..1]).unwrap();
    other.append(&records[1..]).unwrap();
    assert_sound(&one, &head, 3);
}

#[test]
fn append_replaces_a_record_that_a_crash_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let mut head = Head::default();
    let records = chained(1, &mut head, &["a", "b"]);
    AuditFiles::new(folder.path()).append(&records[..1]).unwrap();
    let path = AuditFiles::new(folder.path()).list().unwrap().remove(0);
    let whole = fs::read_to_string(&path).unwrap();
    for length in 0..=records[1].line.len() {
        fs::write(&path, format!("{whole}{}", &records[1].line[..length])).unwrap();
        let files = AuditFiles::new(folder.path());
        if length > 0 {
            assert!(problem(&files, Some(&key(1))).contains("cut off in the middle of a record"), "{length}");
        }
        files.append(&records[1..]).unwrap();
        assert_sound(&files, &head, 2);
    }
}

#[test]
fn append_keeps_the_chain_when_several_processes_write() {
    let folder = tempfile::tempdir().unwrap();
    let head = std::sync::Mutex::new(Head::default());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let files = AuditFiles::with_small_files(folder.path(), 2000);
                for _ in 0..10 {
                    // As in the store: one process chains at a time, and appends when its records are stored.
                    let mut head = head.lock().unwrap();
                    files.append(&chained(1, &mut head, &["x"])).unwrap();
                }
            });
        }
    });
    let head = head.into_inner().unwrap();
    assert_sound(&AuditFiles::new(folder.path()), &head, 40);
}

/// As an operator archives them when the log asks for it: four files' worth is large here.
#[test]
fn large_log_is_noticed_until_its_older_files_are_moved_away() {
    let (_folder, files, mut head) = written();
    assert_eq!(files.is_large(&files.list().unwrap()), None);
    for _ in 0..20 {
        files.append(&chained(1, &mut head, &["x"])).unwrap();
    }
    let mut all = files.list().unwrap();
    assert!(files.is_large(&all).is_some_and(|size| size >= 2400), "{all:?}");
    all.pop();
    for file in all {
        std::fs::remove_file(file).unwrap();
    }
    assert_eq!(files.is_large(&files.list().unwrap()), None);
    files.append(&chained(1, &mut head, &["goes on"])).unwrap();
    assert_eq!(files.head().unwrap().unwrap(), head);
}

#[test]
fn record_size_is_bounded() {
    let long = "å".repeat(100_000);
    let many: Vec<String> = (0..1000).map(|number| format!("{number}{long}")).collect();
    let settings: Names = many.iter().map(String::as_str).collect();
    let event = Event::ConnectionAdded { connection: String::new(), connector: String::new(), settings };
    let (records, _) = AuditBatch::new(key(1), by(), vec![event], 0).chain_to(Head::default()).unwrap();
    assert!(records[0].line.len() < 64 << 10, "{}", records[0].line.len());
    assert!(records[0].line.contains("and 950 more"));
}

/// After a restart nobody has noted which of the pending records are in the files.
#[test]
fn append_begins_a_new_file_after_records_that_are_there_already() {
    let folder = tempfile::tempdir().unwrap();
    let mut head = Head::default();
    let records = chained(1, &mut head, &["a", "b", "c"]);
    let files = || AuditFiles::with_small_files(folder.path(), 10);
    files().append(&records[..1]).unwrap();
    files().append(&records[..2]).unwrap();
    files().append(&records).unwrap();
    assert_eq!(files().list().unwrap().len(), 3);
    assert_sound(&files(), &head, 3);
}
