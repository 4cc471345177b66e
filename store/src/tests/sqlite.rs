//! The SQLite store: the suite, and the files that it must refuse without changing them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;

use super::store_suite::{Database, store_suite};
use super::*;

struct Folder(TempDir);

impl Database for Folder {
    async fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    async fn open(&self) -> Arc<dyn ConnectionStore> {
        let path = self.0.path().join(STORE_FILE);
        Arc::new(SqliteStore::open(&path, IfMissing::Create).await.unwrap())
    }
}

store_suite!(Folder);

async fn open(path: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open_within(path, IfMissing::Create, Duration::from_millis(50)).await
}

async fn raw(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.unwrap()
}

/// A closed store with so many connections that it has more pages than those read at the start.
async fn written(folder: &TempDir) -> PathBuf {
    let path = folder.path().join(STORE_FILE);
    let store = open(&path).await.unwrap();
    let connections: Vec<_> = (0..100)
        .map(|number| save_of(guid(number), "Excel", vec![plain("a", Some(&"v".repeat(500)))]))
        .collect();
    store.save(&connections, &unrecorded(), &|_| ()).await.unwrap();
    store.close().await.unwrap();
    path
}

/// The error of opening the file. Checks that the file is unchanged.
async fn refusal(path: &Path) -> String {
    let before = fs::read(path).unwrap();
    let error = open(path).await.unwrap_err().to_string();
    assert!(error.contains(&path.display().to_string()), "names the file: {error}");
    assert_eq!(fs::read(path).unwrap(), before, "the file is untouched after: {error}");
    error
}

#[tokio::test]
async fn text_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(STORE_FILE);
    fs::write(&path, "connections: none\n".repeat(500)).unwrap();
    let error = refusal(&path).await;
    assert!(error.contains("is not an SQLite database; restore it from a backup"), "{error}");
}

#[tokio::test]
async fn damaged_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder).await;
    let original = fs::read(&path).unwrap();
    let middle = original.len() / 2;
    for damage in ["overwritten", "cut"] {
        let mut bytes = original.clone();
        match damage {
            "overwritten" => bytes[middle..middle + 6000].fill(0xa5),
            _ => bytes.truncate(middle),
        }
        fs::write(&path, bytes).unwrap();
        let error = refusal(&path).await;
        assert!(error.contains("is damaged ("), "{damage}: {error}");
        assert!(error.contains("restore the file from a backup"), "{damage}: {error}");
    }
    fs::write(&path, original).unwrap();
    assert_eq!(open(&path).await.unwrap().list().await.unwrap().len(), 100);
}

#[tokio::test]
async fn database_of_another_program_is_refused() {
    for sql in ["CREATE TABLE customer (id)", "PRAGMA application_id = 252006674"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(STORE_FILE);
        let mut other = raw(&path).await;
        sqlx::query(sql).execute(&mut other).await.unwrap();
        other.close().await.unwrap();
        let error = refusal(&path).await;
        assert!(error.contains("is the database of another program"), "{error}");
    }
}

#[tokio::test]
async fn newer_schema_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder).await;
    let mut newer = raw(&path).await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (99, 'from the future', TRUE, x'00', 0)",
    )
    .execute(&mut newer)
    .await
    .unwrap();
    newer.close().await.unwrap();
    let error = refusal(&path).await;
    assert!(error.contains("was written by a newer erp-host (schema 99, this one knows up to 5)"), "{error}");
}

#[tokio::test]
async fn changed_schema_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder).await;
    let mut other = raw(&path).await;
    sqlx::query("UPDATE _sqlx_migrations SET checksum = x'00'").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    let error = open(&path).await.unwrap_err().to_string();
    assert!(error.contains("does not have the tables of this program"), "{error}");
}

#[tokio::test]
async fn read_only_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder).await;
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    let error = refusal(&path).await;
    assert!(error.contains("is read-only; make it writable for the host's user: chmod 600"), "{error}");
}

#[tokio::test]
async fn folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = open(folder.path()).await.unwrap_err().to_string();
    assert!(error.contains("is not a file"), "{error}");
}

#[tokio::test]
async fn data_folder_that_cannot_be_created_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = open(&file.join("data").join(STORE_FILE)).await.unwrap_err().to_string();
    assert!(error.contains("cannot be reached") || error.contains("cannot be created"), "{error}");
}

#[tokio::test]
async fn store_that_must_exist_is_not_created() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data").join(STORE_FILE);
    let error = SqliteStore::open(&path, IfMissing::Refuse).await.unwrap_err().to_string();
    assert!(error.contains("does not exist; give the data folder of the host with --data"), "{error}");
    assert!(!path.parent().unwrap().exists());
}

#[tokio::test]
async fn locked_file_is_refused_until_it_is_unlocked() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder).await;
    let mut other = raw(&path).await;
    sqlx::query("PRAGMA locking_mode = EXCLUSIVE").execute(&mut other).await.unwrap();
    sqlx::query("DELETE FROM deleted_connection").execute(&mut other).await.unwrap();
    let error = open(&path).await.unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("is locked by another program"), "{error}");
    other.close().await.unwrap();
    assert_eq!(open(&path).await.unwrap().list().await.unwrap().len(), 100);
}

#[tokio::test]
async fn save_fails_after_the_busy_timeout_and_reads_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder).await;
    let store = open(&path).await.unwrap();
    let mut other = raw(&path).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let error = store.save(&[save_of(guid(1), "Excel", vec![])], &unrecorded(), &|_| ()).await.unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    assert_eq!(store.get(guid(1)).await.unwrap().unwrap().settings.len(), 1, "reads go on");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    save(&store, save_of(guid(1), "Excel", vec![])).await;
    assert!(store.get(guid(1)).await.unwrap().unwrap().settings.is_empty());
}

#[tokio::test]
async fn interrupted_first_start_is_completed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(STORE_FILE);
    fs::write(&path, "").unwrap();
    let mut first = raw(&path).await;
    sqlx::query("CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,
        installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum BLOB NOT NULL,
        execution_time BIGINT NOT NULL)").execute(&mut first).await.unwrap();
    first.close().await.unwrap();
    assert_eq!(open(&path).await.unwrap().list().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_processes_can_create_the_store_at_once() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..8 {
        let folder = Arc::clone(&folder);
        tasks.spawn(async move {
            let stored = ConnectionRepository::open(folder.path(), None, IfMissing::Create).await.unwrap();
            stored.save(guid(number), "Excel", &settings("s", "p"), &["Password"], &by()).await.unwrap();
        });
    }
    tasks.join_all().await;
    let stored = ConnectionRepository::open(folder.path(), None, IfMissing::Refuse).await.unwrap();
    for number in 0..8 {
        let found = stored.find(guid(number)).await.unwrap().unwrap();
        assert!(found.settings == settings("s", "p"), "all share one key");
    }
}

/// What every call of an unknown connection costs.
#[tokio::test]
async fn connector_is_looked_up_without_reading_settings() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder).await;
    let store = open(&path).await.unwrap();
    sqlx::query("ALTER TABLE setting RENAME TO hidden")
        .execute(&store.writer().await.unwrap())
        .await
        .unwrap();
    assert!(store.get(guid(1)).await.is_err(), "this reads settings");
    assert_eq!(store.connector_of(guid(1)).await.unwrap().as_deref(), Some("Excel"));
    assert_eq!(store.connector_of(guid(1000)).await.unwrap(), None);
    let plan: Vec<(i64, i64, i64, String)> =
        sqlx::query_as("EXPLAIN QUERY PLAN SELECT connector FROM connection WHERE guid = ?")
            .fetch_all(&store.writer().await.unwrap())
            .await
            .unwrap();
    assert!(plan.iter().all(|row| row.3.contains("USING INDEX")), "{plan:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn all_files_have_mode_0600() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let stored = ConnectionRepository::open(folder.path(), None, IfMissing::Create).await.unwrap();
    stored.save(guid(1), "Excel", &settings("s", "p"), &["Password"], &by()).await.unwrap();
    let list = |folder: &Path| fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    let mut files: Vec<_> = list(folder.path());
    let audit = files.iter().position(|path| path.is_dir()).unwrap();
    let audit = files.swap_remove(audit);
    assert_eq!(fs::metadata(&audit).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(files.len(), 4, "database, its -wal and -shm, and the key: {files:?}");
    let audit: Vec<_> = list(&audit);
    assert_eq!(audit.len(), 2, "the lock and a file: {audit:?}");
    files.extend(audit.into_iter().filter(|path| path.extension().is_some()));
    for file in files {
        let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn database_is_in_wal_mode_and_syncs_every_commit() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join(STORE_FILE)).await.unwrap();
    let mut writer = store.writer().await.unwrap().acquire().await.unwrap();
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *writer).await.unwrap();
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *writer).await.unwrap();
    let foreign_keys: bool = sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(&mut *writer).await.unwrap();
    assert_eq!((synchronous, journal.as_str(), foreign_keys), (2, "wal", true));
}

#[tokio::test]
async fn ten_thousand_connections_are_listed_and_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(STORE_FILE);
    let store = open(&path).await.unwrap();
    let connections: Vec<_> = (0..10_000)
        .map(|number| save_of(guid(number), "Excel", vec![plain("Filename", Some(&number.to_string()))]))
        .collect();
    let revision = store.save(&connections, &unrecorded(), &|_| ()).await.unwrap();
    store.close().await.unwrap();
    let store = open(&path).await.unwrap();
    assert_eq!(store.list().await.unwrap().len(), 10_000);
    let last = store.get(guid(9_999)).await.unwrap().unwrap();
    assert!(last.settings == [plain("Filename", Some("9999"))]);
    assert_eq!(store.changes_since(revision).await.unwrap(), Some(vec![]));
}
