//! Limits of what is stored: for saves, imports and restores.

use crate::audit::AuditFiles;

use super::*;

fn limits() -> StoreLimits {
    StoreLimits { setting: 100, settings: 250, connections: 2, state_value: 100, state_per_connection: 1000 }
}

async fn repository(folder: &tempfile::TempDir) -> ConnectionRepository {
    let repository = ConnectionRepository::open(folder.path(), None, IfMissing::Create).await.unwrap();
    repository.with_limits(limits())
}

async fn save(repository: &ConnectionRepository, number: u128, settings: &Settings) -> Result<(), String> {
    let saved = repository.save(guid(number), "Excel", settings, &["Password"], &by()).await;
    saved.map(|_| ()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn settings_beyond_a_limit_are_refused_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let repository = repository(&folder).await;
    let (fits, long) = ("x".repeat(100), "x".repeat(101));
    save(&repository, 1, &settings(&fits, &fits)).await.unwrap();
    let log = || {
        std::fs::read(
            AuditFiles::new(folder.path().join(crate::audit::FOLDER)).list().unwrap().pop().unwrap(),
        )
    };
    let (stored, logged) = (repository.store().get(guid(1)).await.unwrap(), log().unwrap());
    let many: Settings = (0..3).map(|number| (format!("key {number}"), Some(fits.clone()))).collect();
    let named: Settings = [("k".repeat(300), Some("v"))].into_iter().collect();
    for (settings, expected) in [
        (
            settings(&long, ""),
            "the setting \"Server\" of the connection 00000000-0000-0000-0000-000000000001 has 101 bytes, expected 100 at most (limits.setting",
        ),
        (settings("", &long), "the setting \"Password\""),
        (many, "all 3 settings of the connection"),
        (named, "has 300 bytes, expected 256 at most"),
    ] {
        let error = save(&repository, 1, &settings).await.unwrap_err();
        assert!(error.contains(expected) && error.contains("nothing was changed"), "{error}");
        assert!(!error.contains(&long), "{error}");
    }
    assert_eq!(repository.store().get(guid(1)).await.unwrap(), stored);
    assert_eq!(log().unwrap(), logged, "what is refused is not recorded");
}

#[tokio::test]
async fn connections_beyond_the_limit_are_refused_until_one_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let repository = repository(&folder).await;
    for number in [1, 2] {
        save(&repository, number, &settings("s", "p")).await.unwrap();
    }
    let error = save(&repository, 3, &settings("s", "p")).await.unwrap_err();
    assert!(
        error.contains("there would be 3 connections, expected 2 at most (limits.stored_connections"),
        "{error}"
    );
    save(&repository, 2, &settings("changed", "p")).await.unwrap();
    repository.delete(guid(1), &by()).await.unwrap();
    save(&repository, 3, &settings("s", "p")).await.unwrap();
}

#[tokio::test]
async fn import_and_restore_obey_the_limits() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let large = ConnectionRepository::open(from.path(), None, IfMissing::Create).await.unwrap();
    large.save(guid(1), "Excel", &settings("s", &"x".repeat(101)), &["Password"], &by()).await.unwrap();
    let archive = Archive::readable(&large, large.all().await.unwrap()).await.unwrap();

    let repository = repository(&to).await;
    let plan = ImportPlan::new(&repository, &archive).await.unwrap();
    let error =
        plan.run(&repository, std::path::Path::new("file"), &by(), &|_| ()).await.unwrap_err().to_string();
    assert!(error.contains("the setting \"Password\"") && error.contains("nothing was changed"), "{error}");
    assert_eq!(repository.store().count().await.unwrap(), 0);
    repository.store().close().await.unwrap();

    let store = SqliteStore::open(&from.path().join(STORE_FILE), IfMissing::Refuse).await.unwrap();
    let backup = to.path().join("backup");
    back_up(&large, &store, &backup, None, false).await.unwrap();
    let key_file = from.path().join(KEY_FILE);
    let data = to.path().join("restored");
    let restore = |limits| Restore {
        backup: &backup,
        data: &data,
        key_file: Some(&key_file),
        passphrase: None,
        replace: false,
        limits,
    };
    let error = restore(limits()).run(&by()).await.unwrap_err().to_string();
    assert!(error.contains("the setting \"Password\"") && error.contains("limits.setting"), "{error}");
    assert!(!data.join(STORE_FILE).exists());
    assert_eq!(restore(StoreLimits::default()).run(&by()).await.unwrap().connections, 1);
}
