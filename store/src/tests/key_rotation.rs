//! Key rotation: while hosts run, and interrupted after each of its steps.

use std::path::Path;

use tempfile::TempDir;

use super::*;

async fn open(data: &Path) -> ConnectionRepository {
    ConnectionRepository::open(data, None, IfMissing::Create).await.unwrap()
}

async fn filled(count: u128) -> (TempDir, ConnectionRepository) {
    let folder = tempfile::tempdir().unwrap();
    let stored = open(folder.path()).await;
    for number in 1..=count {
        let settings = settings("server", &format!("secret {number}"));
        stored.save(guid(number), "Excel", &settings, &["Password"], &by()).await.unwrap();
    }
    (folder, stored)
}

async fn all_there(stored: &ConnectionRepository, count: u128) {
    for number in 1..=count {
        let found = stored.find(guid(number)).await.unwrap().unwrap();
        assert_eq!(found.settings.get("Password"), Some(format!("secret {number}").as_str()));
    }
}

async fn rotate(stored: &ConnectionRepository) -> KeyRotation {
    stored.rotate_key(&by(), &|_| ()).await.unwrap()
}

fn ids(stored: &ConnectionRepository) -> Vec<KeyId> {
    stored.key_file().read().unwrap().unwrap().iter().map(|key| key.id().clone()).collect()
}

#[tokio::test]
async fn rotation_reencrypts_everything_and_removes_the_old_key() {
    let (folder, stored) = filled(250).await;
    let former = ids(&stored);
    let reported = std::sync::Mutex::new(Vec::new());
    let rotated =
        stored.rotate_key(&by(), &|progress| reported.lock().unwrap().push(progress)).await.unwrap();
    assert_eq!(
        (&rotated.former, rotated.is_resumed, rotated.secrets),
        (&former, false, 251),
        "the audit key, too"
    );
    assert_eq!(reported.into_inner().unwrap().last().unwrap(), &Progress { done: 251, left: 0 });
    assert_eq!(ids(&stored), std::slice::from_ref(&rotated.key));
    all_there(&stored, 250).await;
    for connection in stored.store().all().await.unwrap() {
        for setting in connection.settings {
            if let SealedValue::Secret(Some(sealed)) = setting.value {
                assert_eq!(sealed.key_id, rotated.key);
            }
        }
    }
    stored.store().close().await.unwrap();
    let stored = open(folder.path()).await;
    all_there(&stored, 250).await;
    assert_eq!(stored.store().keys().await.unwrap().len(), 1);
}

#[tokio::test]
async fn running_host_works_through_rotations() {
    let (folder, host) = filled(3).await;
    let command = open(folder.path()).await;
    for round in 4..8 {
        rotate(&command).await;
        // The host has not read the keys again yet.
        all_there(&host, round - 1).await;
        rotate(&command).await;
        let settings = settings("server", &format!("secret {round}"));
        host.save(guid(round), "Excel", &settings, &["Password"], &by()).await.unwrap();
        rotate(&command).await;
        assert_eq!(host.all().await.unwrap().len() as u128, round);
        host.all().await.unwrap().into_iter().for_each(|sealed| drop(host.unseal(sealed).unwrap()));
    }
    rotate(&command).await;
    host.reload_rotated_keys().await.unwrap();
    assert_eq!(host.store().keys().await.unwrap().len(), 1);
    all_there(&host, 7).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_saves_and_rotations_lose_nothing() {
    let (folder, host) = filled(0).await;
    let command = open(folder.path()).await;
    let saving = async {
        for number in 1..=60 {
            let settings = settings("server", &format!("secret {number}"));
            host.save(guid(number), "Excel", &settings, &["Password"], &by()).await.unwrap();
            all_there(&host, number).await;
        }
    };
    let rotating = async {
        for _ in 0..6 {
            rotate(&command).await;
        }
    };
    tokio::join!(saving, rotating);
    let fresh = open(folder.path()).await;
    all_there(&fresh, 60).await;
}

/// After each step of a rotation everything can be decrypted, and the next rotation finishes it.
#[tokio::test]
async fn interrupted_rotation_is_finished_by_the_next_one() {
    for interrupted_after in
        ["new key in the file", "new key in the store", "some re-encrypted", "old key removed from the store"]
    {
        let (folder, stored) = filled(150).await;
        let former = stored.key_file().read().unwrap().unwrap().remove(0);
        let new = SecretKey::random().unwrap();
        stored.key_file().replace([&former, &new]).unwrap();
        let steps = ["new key in the file", "new key in the store", "some re-encrypted"];
        let at = steps.iter().position(|step| *step == interrupted_after).unwrap_or(steps.len());
        if at >= 1 {
            stored.store().add_key(new.check().unwrap()).await.unwrap();
            stored.reload_rotated_keys().await.unwrap();
        }
        if at >= 2 {
            let done = stored
                .store()
                .reencrypt_batch(&|owner, sealed| stored.reencrypt(owner, sealed))
                .await
                .unwrap();
            assert!(done.left > 0, "{done:?}");
        }
        if at >= 3 {
            while stored
                .store()
                .reencrypt_batch(&|owner, sealed| stored.reencrypt(owner, sealed))
                .await
                .unwrap()
                .left
                > 0
            {}
            assert!(stored.store().remove_old_keys(&unrecorded()).await.unwrap());
        }
        stored.store().close().await.unwrap();

        let stored = open(folder.path()).await;
        all_there(&stored, 150).await;
        stored
            .save(guid(151), "Excel", &settings("server", "secret 151"), &["Password"], &by())
            .await
            .unwrap();
        let rotated = rotate(&stored).await;
        assert_eq!(rotated.is_resumed, (1..3).contains(&at), "{interrupted_after}");
        assert_eq!(ids(&stored), [rotated.key], "{interrupted_after}");
        stored.store().close().await.unwrap();
        all_there(&open(folder.path()).await, 151).await;
    }
}

#[tokio::test]
async fn old_key_in_use_is_not_removed() {
    let (_folder, stored) = filled(1).await;
    let former = stored.key_file().read().unwrap().unwrap().remove(0);
    let new = SecretKey::random().unwrap();
    stored.key_file().replace([&former, &new]).unwrap();
    stored.store().add_key(new.check().unwrap()).await.unwrap();
    assert!(!stored.store().remove_old_keys(&unrecorded()).await.unwrap());
    assert_eq!(stored.store().keys().await.unwrap().len(), 2);
}

#[tokio::test]
async fn secret_sealed_with_an_unknown_key_is_not_saved() {
    let (_folder, stored) = filled(1).await;
    let stranger = SecretKey::random().unwrap().seal(guid(2), "Password", "x").unwrap();
    let setting = SealedSetting { key: "Password".to_owned(), value: SealedValue::Secret(Some(stranger)) };
    let save = save_of(guid(2), "Excel", vec![setting]);
    let refused = stored.store().save(&[save], &unrecorded(), &|_| ()).await.unwrap_err();
    assert!(matches!(refused, StoreError::KeyChanged), "{refused}");
}

#[tokio::test]
async fn damaged_secret_stops_the_rotation_and_nothing_else() {
    let (folder, stored) = filled(2).await;
    let mut sealed = stored.store().get(guid(1)).await.unwrap().unwrap().settings;
    if let SealedValue::Secret(Some(sealed)) = &mut sealed[1].value {
        sealed.bytes[20] ^= 1;
    }
    save(stored.store(), save_of(guid(1), "Excel", sealed)).await;
    let error = stored.rotate_key(&by(), &|_| ()).await.unwrap_err().to_string();
    assert!(error.contains("cannot be decrypted: it is damaged; save the connection again"), "{error}");
    stored.store().close().await.unwrap();
    let stored = open(folder.path()).await;
    assert_eq!(stored.find(guid(2)).await.unwrap().unwrap().settings.get("Password"), Some("secret 2"));
    stored.save(guid(1), "Excel", &settings("server", "secret 1"), &["Password"], &by()).await.unwrap();
    assert!(rotate(&stored).await.is_resumed);
    all_there(&stored, 2).await;
}

#[cfg(unix)]
#[tokio::test]
async fn rotation_keeps_the_owner_and_the_mode_of_the_key_file() {
    use std::os::unix::fs::MetadataExt;
    let (_folder, stored) = filled(1).await;
    let path = stored.key_file().path().to_owned();
    // Only root may change the owner of a file.
    let owner = if rustix::process::getuid().is_root() { 65534 } else { rustix::process::getuid().as_raw() };
    std::os::unix::fs::chown(&path, Some(owner), None).unwrap();
    rotate(&stored).await;
    let metadata = std::fs::metadata(&path).unwrap();
    assert_eq!((metadata.uid(), metadata.mode() & 0o777), (owner, 0o600));
}

#[tokio::test]
async fn key_lock_excludes_rotations_during_a_rotation_or_a_backup() {
    let folder = tempfile::tempdir().unwrap();
    let backup = KeyLock::shared(folder.path()).unwrap().unwrap();
    assert!(KeyLock::shared(folder.path()).unwrap().is_some());
    assert!(KeyLock::exclusive(folder.path()).unwrap().is_none());
    drop(backup);
    let _rotation = KeyLock::exclusive(folder.path()).unwrap().unwrap();
    assert!(KeyLock::exclusive(folder.path()).unwrap().is_none());
    assert!(KeyLock::shared(folder.path()).unwrap().is_none());
}
