//! A model of hosts that share a data folder: the steps of saving and flushing, interleaved at random, with crashes at any
//! step and in the middle of a write. Afterwards the files have every record once, in order.

use proptest::prelude::*;
use tempfile::TempDir;
use test_support::scale;

use super::tests::{assert_sound, chained};
use super::{AuditFiles, Head, Record};

/// How many hosts there are.
const HOSTS: usize = 3;

/// A step of a host.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Saves a change with this many records: chains them in the store, and deletes those that it knows to be in the files.
    Save(usize),
    /// Reads the pending records of the store.
    ReadOutbox,
    /// Appends what it has read to the files.
    Append,
    /// Appends, but the caller has left: nobody notes that it was done.
    AppendUnnoticed,
    /// Is killed while it appends: so many thousandths of the text are written.
    CrashInAppend(u32),
    /// Is killed, and starts again.
    Crash,
}

fn step() -> impl Strategy<Value = (usize, Step)> {
    let step = prop_oneof![
        4 => (1..4_usize).prop_map(Step::Save),
        4 => Just(Step::ReadOutbox),
        4 => Just(Step::Append),
        1 => Just(Step::AppendUnnoticed),
        1 => (0..1000_u32).prop_map(Step::CrashInAppend),
        1 => Just(Step::Crash),
    ];
    (0..HOSTS, step)
}

/// The store: one transaction at a time.
#[derive(Default)]
struct Store {
    head: Head,
    pending: Vec<Record>,
    written: u64,
}

/// What a host has in memory.
struct Host {
    files: AuditFiles,
    flushed: i64,
    read: Vec<Record>,
}

struct Model {
    folder: TempDir,
    store: Store,
    hosts: Vec<Host>,
}

impl Model {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hosts = (0..HOSTS).map(|_| start(&folder)).collect();
        Model { folder, store: Store::default(), hosts }
    }

    fn take(&mut self, at: usize, step: Step) {
        let (host, store) = (&mut self.hosts[at], &mut self.store);
        match step {
            Step::Save(count) => {
                store.pending.retain(|record| record.number > host.flushed);
                let names = ["a", "b", "c"];
                store.pending.extend(chained(1, &mut store.head, &names[..count]));
                store.written += count as u64;
            }
            Step::ReadOutbox => {
                let is_new = |record: &&Record| record.number > host.flushed;
                host.read = store.pending.iter().filter(is_new).cloned().collect();
            }
            Step::Append | Step::AppendUnnoticed => {
                host.files.append(&host.read).unwrap();
                if let (Step::Append, Some(newest)) = (step, host.read.last()) {
                    host.flushed = newest.number;
                }
                host.read.clear();
            }
            Step::CrashInAppend(thousandths) => {
                let before = self.length_of_newest();
                let host = &mut self.hosts[at];
                host.files.append(&host.read).unwrap();
                let (newest, length) = self.length_of_newest();
                // The append may have removed what another crash had cut off.
                let from = if before.0 == newest { before.1.min(length) } else { 0 };
                if let Some(newest) = newest {
                    let cut = from + (length - from) * u64::from(thousandths) / 1000;
                    std::fs::File::options().write(true).open(newest).unwrap().set_len(cut).unwrap();
                }
                self.hosts[at] = start(&self.folder);
            }
            Step::Crash => self.hosts[at] = start(&self.folder),
        }
    }

    fn length_of_newest(&self) -> (Option<std::path::PathBuf>, u64) {
        let newest = self.hosts[0].files.list().unwrap().pop();
        let length = newest.as_ref().map_or(0, |newest| std::fs::metadata(newest).unwrap().len());
        (newest, length)
    }
}

fn start(folder: &TempDir) -> Host {
    Host { files: AuditFiles::with_small_files(folder.path(), 2000), flushed: 0, read: Vec::new() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(scale::cases(1_000)))]

    #[test]
    fn append_writes_every_record_once_whatever_hosts_interleave_and_crash(
        steps in prop::collection::vec(step(), 1..60)
    ) {
        let mut model = Model::new();
        for (at, step) in steps {
            model.take(at, step);
        }
        // The next flush of any host writes what is missing.
        model.take(0, Step::ReadOutbox);
        model.take(0, Step::Append);
        let Model { folder, store, .. } = model;
        if store.written > 0 {
            assert_sound(&AuditFiles::new(folder.path()), &store.head, store.written);
        }
    }
}
