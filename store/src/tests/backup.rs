//! Backup while the store is used, restore, and the files that must not be restored.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;
use crate::audit::{self, AuditFiles};
use crate::repository::RESTORING;

const PASSPHRASE: &str = "a long enough passphrase";

async fn open(data: &Path) -> ConnectionRepository {
    ConnectionRepository::open(data, None, IfMissing::Create).await.unwrap()
}

async fn save_one(stored: &ConnectionRepository, number: u128) {
    let settings = settings("server", &format!("secret {number}"));
    stored.save(guid(number), "Excel", &settings, &["Password"], &by()).await.unwrap();
}

struct Fixture {
    folder: TempDir,
}

impl Fixture {
    async fn new(connections: u128) -> Self {
        let fixture = Fixture { folder: tempfile::tempdir().unwrap() };
        let stored = open(&fixture.data()).await;
        for number in 1..=connections {
            save_one(&stored, number).await;
        }
        stored.store().close().await.unwrap();
        fixture
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("backup.sqlite")
    }

    async fn back_up(&self, passphrase: Option<&str>) -> Result<Backup, BackupError> {
        let stored = open(&self.data()).await;
        let store = SqliteStore::open(&self.data().join(STORE_FILE), IfMissing::Refuse).await.unwrap();
        let made = back_up(&stored, &store, &self.file(), passphrase, false).await;
        store.close().await.unwrap();
        stored.store().close().await.unwrap();
        made
    }

    async fn restore_to(&self, data: &Path, passphrase: Option<&str>) -> Result<Restored, BackupError> {
        let backup = self.file();
        Restore {
            backup: &backup,
            data,
            key_file: None,
            passphrase,
            replace: true,
            limits: StoreLimits::default(),
        }
        .run(&by())
        .await
    }

    /// Restores into the same folder, and returns the connections that are there then.
    async fn restored(&self) -> Vec<u128> {
        self.restore_to(&self.data(), None).await.unwrap();
        numbers(&self.data()).await
    }
}

/// The numbers of the stored connections. Checks that each has its own secret, and verifies the audit log.
async fn numbers(data: &Path) -> Vec<u128> {
    let stored = open(data).await;
    let mut numbers = Vec::new();
    for connection in stored.all().await.unwrap() {
        let connection = stored.unseal(connection).unwrap();
        let number = connection.guid.as_u128();
        assert_eq!(connection.settings.get("Password"), Some(format!("secret {number}").as_str()));
        numbers.push(number);
    }
    let head = stored.store().audit_outbox().await.unwrap().head;
    let files = AuditFiles::new(data.join(audit::FOLDER));
    let report = audit::verify(&files, Some(stored.audit_key()), None).unwrap();
    assert_eq!((report.breaks, report.head), (Vec::new(), head));
    stored.store().close().await.unwrap();
    numbers
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn restore_brings_back_the_state_of_the_backup() {
    let fixture = Fixture::new(5).await;
    let made = fixture.back_up(None).await.unwrap();
    assert_eq!((made.connections, made.sha256), (5, audit::sha256_of_file(&fixture.file()).unwrap()));
    assert_eq!(names(fixture.folder.path()), ["backup.sqlite", "data"], "one file, and nothing beside it");
    let stored = open(&fixture.data()).await;
    stored.delete(guid(2), &by()).await.unwrap();
    save_one(&stored, 6).await;
    stored.store().close().await.unwrap();

    let restored = fixture.restore_to(&fixture.data(), None).await.unwrap();
    assert_eq!(restored.connections, 5);
    assert!(restored.made_at.is_some() && restored.former_key_file.is_none());
    assert_eq!(numbers(&fixture.data()).await, [1, 2, 3, 4, 5]);
    let log = fs::read_to_string(fixture.data().join(audit::FOLDER).join("000000000001.jsonl")).unwrap();
    let last = log.lines().last().unwrap();
    assert!(last.contains("\"event\":\"store restored\""), "{last}");
    // The former store is still one.
    let former = restored.former_store.unwrap();
    assert_eq!(SqliteStore::open(&former, IfMissing::Refuse).await.unwrap().list().await.unwrap().len(), 5);
}

#[cfg(unix)]
#[tokio::test]
async fn backup_has_mode_0600() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = Fixture::new(1).await;
    fixture.back_up(Some(PASSPHRASE)).await.unwrap();
    assert_eq!(fs::metadata(fixture.file()).unwrap().permissions().mode() & 0o777, 0o600);
    fixture.restored().await;
    for name in [STORE_FILE, KEY_FILE] {
        assert_eq!(
            fs::metadata(fixture.data().join(name)).unwrap().permissions().mode() & 0o777,
            0o600,
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn backups_during_saves_are_consistent_snapshots() {
    let fixture = Fixture::new(0).await;
    let stored = open(&fixture.data()).await;
    let store = SqliteStore::open(&fixture.data().join(STORE_FILE), IfMissing::Refuse).await.unwrap();
    let saving = async {
        for number in 1..=80 {
            save_one(&stored, number).await;
        }
    };
    let copying = async {
        let mut copies = Vec::new();
        for number in 0..8 {
            let file = fixture.folder.path().join(format!("{number}.sqlite"));
            let made = back_up(&stored, &store, &file, None, false).await.unwrap();
            copies.push((file, made.connections));
        }
        copies
    };
    let ((), copies) = tokio::join!(saving, copying);
    for (at, (file, count)) in copies.iter().enumerate() {
        let data = fixture.folder.path().join(format!("restored {at}"));
        fs::create_dir(&data).unwrap();
        fs::copy(fixture.data().join(KEY_FILE), data.join(KEY_FILE)).unwrap();
        let restore = Restore {
            backup: file,
            data: &data,
            key_file: None,
            passphrase: None,
            replace: false,
            limits: StoreLimits::default(),
        };
        restore.run(&by()).await.unwrap();
        // In the order in which they were saved, without a gap.
        assert_eq!(numbers(&data).await, (1..=*count as u128).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn backup_with_its_key_can_be_restored_on_another_machine() {
    let fixture = Fixture::new(2).await;
    fixture.back_up(Some(PASSPHRASE)).await.unwrap();
    let bytes = fs::read(fixture.file()).unwrap();
    assert!(
        !bytes.windows(14).any(|window| window == b"erp-host-key-1"),
        "not readable without the passphrase"
    );
    let data = fixture.folder.path().join("another machine");
    let error = fixture.restore_to(&data, None).await.unwrap_err();
    assert!(matches!(error, BackupError::NeedsPassphrase(_)), "{error}");
    let error = fixture.restore_to(&data, Some("another passphrase")).await.unwrap_err().to_string();
    assert!(error.contains("the passphrase is wrong"), "{error}");
    assert_eq!(names(&data), [""; 0], "nothing is left behind");
    fixture.restore_to(&data, Some(PASSPHRASE)).await.unwrap();
    assert_eq!(numbers(&data).await, [1, 2]);
}

#[tokio::test]
async fn restore_brings_back_a_key_that_was_rotated_since() {
    let fixture = Fixture::new(2).await;
    fixture.back_up(Some(PASSPHRASE)).await.unwrap();
    let stored = open(&fixture.data()).await;
    stored.rotate_key(&by(), &|_| ()).await.unwrap();
    stored.store().close().await.unwrap();
    let rotated = fs::read(fixture.data().join(KEY_FILE)).unwrap();
    assert!(matches!(
        fixture.restore_to(&fixture.data(), None).await.unwrap_err(),
        BackupError::NeedsPassphrase(_)
    ));
    let restored = fixture.restore_to(&fixture.data(), Some(PASSPHRASE)).await.unwrap();
    assert_eq!(numbers(&fixture.data()).await, [1, 2]);
    // The former store and its key are kept together.
    assert_eq!(fs::read(restored.former_key_file.unwrap()).unwrap(), rotated);
}

#[tokio::test]
async fn backup_is_not_restored_without_its_key() {
    let (fixture, other) = (Fixture::new(2).await, Fixture::new(1).await);
    fixture.back_up(None).await.unwrap();
    let before = fs::read(other.data().join(STORE_FILE)).unwrap();
    let error = fixture.restore_to(&other.data(), None).await.unwrap_err().to_string();
    assert!(error.contains("put the key file there that belongs to the backup"), "{error}");
    assert!(!other.data().join(RESTORING).exists(), "nothing was begun");
    assert_eq!(fs::read(other.data().join(STORE_FILE)).unwrap(), before);
    assert_eq!(numbers(&other.data()).await, [1]);
    let data = fixture.folder.path().join("empty");
    let error = fixture.restore_to(&data, None).await.unwrap_err().to_string();
    assert!(error.contains("which is not in the key file"), "{error}");
    assert_eq!(names(&data), [""; 0]);
}

#[tokio::test]
async fn damaged_backup_is_not_restored() {
    let fixture = Fixture::new(200).await;
    fixture.back_up(None).await.unwrap();
    let original = fs::read(fixture.file()).unwrap();
    let middle = original.len() / 2;
    let overwritten = [&original[..middle], &[0xa5; 6000], &original[middle + 6000..]].concat();
    for damaged in [b"".to_vec(), b"text".repeat(5000), original[..middle].to_vec(), overwritten] {
        fs::write(fixture.file(), &damaged).unwrap();
        let error = fixture.restore_to(&fixture.data(), None).await.unwrap_err().to_string();
        assert!(error.contains("backup.sqlite"), "it names the file: {error}");
        assert!(error.contains("nothing was changed"), "{error}");
        assert_eq!(numbers(&fixture.data()).await.len(), 200);
    }
    fs::write(fixture.file(), original).unwrap();
    assert_eq!(fixture.restored().await.len(), 200);
}

#[tokio::test]
async fn copy_made_by_another_program_is_restored() {
    let fixture = Fixture::new(3).await;
    fs::copy(fixture.data().join(STORE_FILE), fixture.file()).unwrap();
    let restored = fixture.restore_to(&fixture.data(), None).await.unwrap();
    assert_eq!((restored.connections, restored.made_at), (3, None));
    assert_eq!(numbers(&fixture.data()).await, [1, 2, 3]);
}

#[tokio::test]
async fn existing_store_is_replaced_only_on_demand() {
    let fixture = Fixture::new(3).await;
    fixture.back_up(None).await.unwrap();
    let (backup, data) = (fixture.file(), fixture.data());
    let restore = Restore {
        backup: &backup,
        data: &data,
        key_file: None,
        passphrase: None,
        replace: false,
        limits: StoreLimits::default(),
    };
    let error = restore.run(&by()).await.unwrap_err().to_string();
    assert!(error.contains("there is a store with 3 connections"), "{error}");
    assert!(fixture.back_up(None).await.is_err(), "nor is a file overwritten");
}

#[tokio::test]
async fn interrupted_restore_keeps_the_host_from_starting_until_it_is_repeated() {
    let fixture = Fixture::new(3).await;
    fixture.back_up(None).await.unwrap();
    // It ended between the former store and the new one.
    fs::write(fixture.data().join(RESTORING), "").unwrap();
    fs::rename(fixture.data().join(STORE_FILE), fixture.data().join("erp-host.sqlite.replaced-1")).unwrap();
    fs::copy(fixture.file(), fixture.data().join("erp-host.sqlite.new")).unwrap();
    let refused =
        ConnectionRepository::open(&fixture.data(), None, IfMissing::Create).await.unwrap_err().to_string();
    assert!(refused.contains("is only half restored"), "{refused}");
    assert!(refused.contains("run erp-host restore again"), "{refused}");
    assert_eq!(fixture.restored().await, [1, 2, 3]);
    assert!(!fixture.data().join(RESTORING).exists());
}

/// A file of the first version of the format, as operators may have kept it.
#[tokio::test]
async fn backup_of_format_version_1_can_be_restored_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let backup = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/backup-1.sqlite");
    let data = folder.path().join("data");
    let passphrase = Some("correct horse battery stæple");
    let restore = Restore {
        backup: &backup,
        data: &data,
        key_file: None,
        passphrase,
        replace: false,
        limits: StoreLimits::default(),
    };
    let restored = restore.run(&by()).await.unwrap();
    assert_eq!((restored.connections, restored.unreadable), (1, 0));
    let found = open(&data).await.find(guid(1)).await.unwrap().unwrap();
    assert_eq!(found.settings.get("Password"), Some("hunter2"));
}
