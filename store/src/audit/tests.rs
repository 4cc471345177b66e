//! The chain: what an attacker who can write the files may do to them, and what is seen of it.

use std::fs;
use std::sync::Arc;

use tempfile::TempDir;
use zeroize::Zeroizing;

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
fn link(key: u8, head: &mut Head, names: &[&str]) -> Vec<Record> {
    let events = names.iter().map(|name| deleted(name)).collect();
    let (records, new) = Recording::new(self::key(key), by(), events, 0).link(head.clone()).unwrap();
    *head = new;
    records
}

/// A log of five records in two files, and its end.
fn written() -> (TempDir, AuditFiles, Head) {
    let folder = tempfile::tempdir().unwrap();
    let files = AuditFiles::with_small_files(folder.path().join("audit"), 600);
    let mut head = Head::default();
    for name in ["a", "b", "c,\"mac\":\"", "d", "e\n"] {
        files.append(&link(1, &mut head, &[name])).unwrap();
    }
    assert_eq!(files.list().unwrap().len(), 2);
    (folder, files, head)
}

#[track_caller]
fn sound(files: &AuditFiles, head: &Head, records: u64) {
    let report = verify(files, Some(&key(1)), Some(head)).unwrap();
    assert_eq!(report.breaks, []);
    assert_eq!((&report.head, report.records, report.signed), (head, records, records));
    assert_eq!(report.is_expected_there, Some(true));
    assert_eq!(files.head().unwrap().as_ref(), Some(head));
}

/// The first thing that is wrong with the log.
fn problem(files: &AuditFiles, key: Option<&AuditKey>) -> String {
    let report = verify(files, key, None).unwrap();
    report.breaks.first().map(ToString::to_string).unwrap_or_default()
}

#[test]
fn a_log_as_it_was_written_is_sound() {
    let (_folder, files, head) = written();
    sound(&files, &head, 5);
    let report = verify(&files, None, Some(&Head { number: 3, ..head.clone() })).unwrap();
    assert_eq!((report.signed, report.is_expected_there), (0, Some(false)));
    let report = verify(&files, Some(&key(2)), None).unwrap();
    assert_eq!((report.signed, report.of_other_keys, report.breaks.len()), (0, 5, 0));
}

#[test]
fn every_bit_counts() {
    let (_folder, files, _) = written();
    for path in files.list().unwrap() {
        let sound = fs::read(&path).unwrap();
        for bit in (0..sound.len() * 8).step_by(7) {
            let mut changed = sound.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &changed).unwrap();
            assert_ne!(
                problem(&files, Some(&key(1))),
                "",
                "bit {bit}: {}",
                String::from_utf8_lossy(&changed)
            );
        }
        fs::write(&path, sound).unwrap();
    }
    assert_eq!(problem(&files, Some(&key(1))), "");
}

#[test]
fn what_was_done_to_a_log_is_told() {
    type Deed = fn(&mut Vec<String>);
    let forge: Deed = |lines| {
        // With all that the file says, but without the key.
        let prev = record::hash_of(lines.last().unwrap().as_bytes());
        let event = vec![deleted("forged")];
        let head = Head { number: lines.len() as i64, sha256: prev };
        let (forged, _) = Recording::new(key(9), by(), event, 0).link(head).unwrap();
        lines.push(forged[0].line.replace(key(9).id(), key(1).id()));
    };
    for (deed, expected) in [
        ((|lines| drop(lines.remove(1))) as Deed, "record 3 follows record 1: records are missing"),
        (|lines| lines.swap(0, 1), "record 1 follows record 2"),
        (|lines| lines.insert(1, lines[0].clone()), "record 1 follows record 1"),
        (|lines| lines[0] = lines[0].replace("Excel", "Other"), "record 1 was not written by this host"),
        (|lines| lines[1] = "{}".to_owned(), "no record"),
        (|lines| lines[1] = String::new(), "no record"),
        (forge, "was not written by this host"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let files = AuditFiles::new(folder.path());
        files.append(&link(1, &mut Head::default(), &["a", "b", "c"])).unwrap();
        let path = files.list().unwrap().remove(0);
        let mut lines: Vec<_> = fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
        deed(&mut lines);
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        let told = problem(&files, Some(&key(1)));
        assert!(told.contains(expected), "{told} for {expected}");
    }
}

#[test]
fn a_changed_record_is_seen_without_the_key_by_the_record_after_it() {
    let (_folder, files, _) = written();
    let path = files.list().unwrap().remove(0);
    let changed = fs::read_to_string(&path).unwrap().replacen("Excel", "Other", 1);
    fs::write(&path, changed).unwrap();
    assert!(problem(&files, None).contains("the record before record 2 was changed"));
}

#[test]
fn a_log_that_was_cut_off_lacks_what_was_noted() {
    let (_folder, files, head) = written();
    let newest = files.list().unwrap().pop().unwrap();
    fs::remove_file(newest).unwrap();
    let report = verify(&files, Some(&key(1)), Some(&head)).unwrap();
    assert_eq!((report.breaks.len(), report.is_expected_there), (0, Some(false)), "the store knows, too");
}

#[test]
fn what_was_moved_to_an_archive_is_not_missed() {
    let (_folder, files, head) = written();
    let oldest = files.list().unwrap().remove(0);
    fs::remove_file(oldest).unwrap();
    let report = verify(&files, Some(&key(1)), Some(&head)).unwrap();
    assert_eq!((report.breaks.len(), report.first.is_some_and(|first| first > 1)), (0, true));
}

#[test]
fn records_that_are_there_already_are_not_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut head = Head::default();
    let records = link(1, &mut head, &["a", "b", "c"]);
    AuditFiles::new(folder.path()).append(&records[..2]).unwrap();
    // Another process, which does not know what the first one has written.
    let files = AuditFiles::new(folder.path());
    files.append(&records).unwrap();
    AuditFiles::new(folder.path()).append(&records[1..]).unwrap();
    sound(&files, &head, 3);
}

/// A save that is cancelled while its record is being appended cannot note that it was: the next one appends it again.
#[test]
fn records_of_a_cancelled_append_are_not_written_again_by_the_same_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut head = Head::default();
    let records = link(1, &mut head, &["a", "b", "c"]);
    let files = AuditFiles::new(folder.path());
    files.append(&records[..2]).unwrap();
    files.append(&records).unwrap();
    files.append(&records[..1]).unwrap();
    files.append(&records).unwrap();
    sound(&files, &head, 3);
}

#[test]
fn a_record_that_a_crash_cut_off_is_written_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut head = Head::default();
    let records = link(1, &mut head, &["a", "b"]);
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
        sound(&files, &head, 2);
    }
}

#[test]
fn several_write_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let head = std::sync::Mutex::new(Head::default());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let files = AuditFiles::with_small_files(folder.path(), 2000);
                for _ in 0..10 {
                    // The store lets one link at a time, and an append begins when its records are stored.
                    let mut head = head.lock().unwrap();
                    files.append(&link(1, &mut head, &["x"])).unwrap();
                }
            });
        }
    });
    let head = head.into_inner().unwrap();
    sound(&AuditFiles::new(folder.path()), &head, 40);
}

#[test]
fn a_caller_cannot_make_a_record_long() {
    let long = "å".repeat(100_000);
    let many: Vec<String> = (0..1000).map(|number| format!("{number}{long}")).collect();
    let settings: Names = many.iter().map(String::as_str).collect();
    let event = Event::ConnectionAdded { connection: String::new(), connector: String::new(), settings };
    let (records, _) = Recording::new(key(1), by(), vec![event], 0).link(Head::default()).unwrap();
    assert!(records[0].line.len() < 64 << 10, "{}", records[0].line.len());
    assert!(records[0].line.contains("and 950 more"));
}
