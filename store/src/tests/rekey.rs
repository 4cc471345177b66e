//! Rotating the key: while others work, and wherever it is interrupted.

use std::path::Path;

use tempfile::TempDir;

use super::*;

async fn open(data: &Path) -> StoredConnections {
    StoredConnections::open(data, None, IfMissing::Create).await.unwrap()
}

async fn filled(count: u128) -> (TempDir, StoredConnections) {
    let folder = tempfile::tempdir().unwrap();
    let stored = open(folder.path()).await;
    for number in 1..=count {
        let settings = settings("server", &format!("secret {number}"));
        stored.save(guid(number), "Excel", &settings, &["Password"], &by()).await.unwrap();
    }
    (folder, stored)
}

async fn all_there(stored: &StoredConnections, count: u128) {
    for number in 1..=count {
        let found = stored.find(guid(number)).await.unwrap().unwrap();
        assert_eq!(found.settings.get("Password"), Some(format!("secret {number}").as_str()));
    }
}

async fn rekey(stored: &StoredConnections) -> Rotation {
    stored.rekey(&by(), &|_| ()).await.unwrap()
}

fn ids(stored: &StoredConnections) -> Vec<KeyId> {
    stored.key_file().read().unwrap().unwrap().iter().map(|key| key.id().clone()).collect()
}

#[tokio::test]
async fn everything_is_sealed_with_the_new_key_and_the_former_one_is_gone() {
    let (folder, stored) = filled(250).await;
    let former = ids(&stored);
    let told = std::sync::Mutex::new(Vec::new());
    let rotated = stored.rekey(&by(), &|progress| told.lock().unwrap().push(progress)).await.unwrap();
    assert_eq!(
        (&rotated.former, rotated.is_resumed, rotated.secrets),
        (&former, false, 251),
        "the audit key, too"
    );
    assert_eq!(told.into_inner().unwrap().last().unwrap(), &Progress { sealed: 251, left: 0 });
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
async fn a_running_host_goes_on_through_rotations() {
    let (folder, host) = filled(3).await;
    let command = open(folder.path()).await;
    for round in 4..8 {
        rekey(&command).await;
        // The host has not heard of it, and reads, saves and deletes.
        all_there(&host, round - 1).await;
        rekey(&command).await;
        let settings = settings("server", &format!("secret {round}"));
        host.save(guid(round), "Excel", &settings, &["Password"], &by()).await.unwrap();
        rekey(&command).await;
        assert_eq!(host.all().await.unwrap().len() as u128, round);
        host.all().await.unwrap().into_iter().for_each(|sealed| drop(host.unseal(sealed).unwrap()));
    }
    rekey(&command).await;
    host.keep_up().await.unwrap();
    assert_eq!(host.store().keys().await.unwrap().len(), 1);
    all_there(&host, 7).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn saves_and_rotations_at_once_lose_nothing() {
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
            rekey(&command).await;
        }
    };
    tokio::join!(saving, rotating);
    let fresh = open(folder.path()).await;
    all_there(&fresh, 60).await;
}

/// Wherever a rotation ends early, everything opens, and the next one finishes it.
#[tokio::test]
async fn an_interrupted_rotation_is_finished_by_the_next_one() {
    for interrupted_after in
        ["new key in the file", "new key in the store", "some sealed anew", "former key forgotten"]
    {
        let (folder, stored) = filled(150).await;
        let former = stored.key_file().read().unwrap().unwrap().remove(0);
        let new = SecretKey::random().unwrap();
        stored.key_file().replace([&former, &new]).unwrap();
        let steps = ["new key in the file", "new key in the store", "some sealed anew"];
        let at = steps.iter().position(|step| *step == interrupted_after).unwrap_or(steps.len());
        if at >= 1 {
            stored.store().add_key(new.check().unwrap()).await.unwrap();
            stored.reload_keys().await.unwrap();
        }
        if at >= 2 {
            let done =
                stored.store().seal_anew(&|place, sealed| stored.seal_anew(place, sealed)).await.unwrap();
            assert!(done.left > 0, "{done:?}");
        }
        if at >= 3 {
            while stored
                .store()
                .seal_anew(&|place, sealed| stored.seal_anew(place, sealed))
                .await
                .unwrap()
                .left
                > 0
            {}
            assert!(stored.store().forget_former_keys(&unrecorded()).await.unwrap());
        }
        stored.store().close().await.unwrap();

        let stored = open(folder.path()).await;
        all_there(&stored, 150).await;
        stored
            .save(guid(151), "Excel", &settings("server", "secret 151"), &["Password"], &by())
            .await
            .unwrap();
        let rotated = rekey(&stored).await;
        assert_eq!(rotated.is_resumed, (1..3).contains(&at), "{interrupted_after}");
        assert_eq!(ids(&stored), [rotated.key], "{interrupted_after}");
        stored.store().close().await.unwrap();
        all_there(&open(folder.path()).await, 151).await;
    }
}

#[tokio::test]
async fn a_former_key_that_is_in_use_is_not_forgotten() {
    let (_folder, stored) = filled(1).await;
    let former = stored.key_file().read().unwrap().unwrap().remove(0);
    let new = SecretKey::random().unwrap();
    stored.key_file().replace([&former, &new]).unwrap();
    stored.store().add_key(new.check().unwrap()).await.unwrap();
    assert!(!stored.store().forget_former_keys(&unrecorded()).await.unwrap());
    assert_eq!(stored.store().keys().await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_sealed_with_an_unknown_key_is_not_saved() {
    let (_folder, stored) = filled(1).await;
    let stranger = SecretKey::random().unwrap().seal(guid(2), "Password", "x").unwrap();
    let setting = SealedSetting { key: "Password".to_owned(), value: SealedValue::Secret(Some(stranger)) };
    let save = save_of(guid(2), "Excel", vec![setting]);
    let refused = stored.store().save(&[save], &unrecorded(), &|_| ()).await.unwrap_err();
    assert!(matches!(refused, StoreError::KeyChanged), "{refused}");
}

#[tokio::test]
async fn a_damaged_secret_stops_the_rotation_and_nothing_else() {
    let (folder, stored) = filled(2).await;
    let mut sealed = stored.store().get(guid(1)).await.unwrap().unwrap().settings;
    if let SealedValue::Secret(Some(sealed)) = &mut sealed[1].value {
        sealed.bytes[20] ^= 1;
    }
    save(stored.store(), save_of(guid(1), "Excel", sealed)).await;
    let error = stored.rekey(&by(), &|_| ()).await.unwrap_err().to_string();
    assert!(error.contains("cannot be decrypted: it is damaged; save the connection again"), "{error}");
    stored.store().close().await.unwrap();
    let stored = open(folder.path()).await;
    assert_eq!(stored.find(guid(2)).await.unwrap().unwrap().settings.get("Password"), Some("secret 2"));
    stored.save(guid(1), "Excel", &settings("server", "secret 1"), &["Password"], &by()).await.unwrap();
    assert!(rekey(&stored).await.is_resumed);
    all_there(&stored, 2).await;
}

#[cfg(unix)]
#[tokio::test]
async fn the_key_file_keeps_its_owner_and_its_mode() {
    use std::os::unix::fs::MetadataExt;
    let (_folder, stored) = filled(1).await;
    let path = stored.key_file().path().to_owned();
    // Only root may give files away; for others it is their own anyway.
    let owner = if rustix::process::getuid().is_root() { 65534 } else { rustix::process::getuid().as_raw() };
    std::os::unix::fs::chown(&path, Some(owner), None).unwrap();
    rekey(&stored).await;
    let metadata = std::fs::metadata(&path).unwrap();
    assert_eq!((metadata.uid(), metadata.mode() & 0o777), (owner, 0o600));
}

#[tokio::test]
async fn nobody_rotates_while_somebody_copies_or_rotates() {
    let folder = tempfile::tempdir().unwrap();
    let copying = KeysHeld::to_copy(folder.path()).unwrap().unwrap();
    assert!(KeysHeld::to_copy(folder.path()).unwrap().is_some());
    assert!(KeysHeld::to_change(folder.path()).unwrap().is_none());
    drop(copying);
    let _rotating = KeysHeld::to_change(folder.path()).unwrap().unwrap();
    assert!(KeysHeld::to_change(folder.path()).unwrap().is_none());
    assert!(KeysHeld::to_copy(folder.path()).unwrap().is_none());
}
