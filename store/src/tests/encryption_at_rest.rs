//! Encryption at rest: no file has a readable secret, and the key files that must be refused.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;

const SECRET: &str = "hunter2-Ærlig-secret";

async fn open(data: &Path, key_file: Option<&Path>) -> Result<ConnectionRepository, StoreError> {
    ConnectionRepository::open(data, key_file, IfMissing::Create).await
}

async fn close(stored: ConnectionRepository) {
    stored.store().close().await.unwrap();
}

/// A data folder with a connection that has a secret.
async fn written() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let stored = open(folder.path(), None).await.unwrap();
    stored.save(guid(1), "Excel", &settings("server", SECRET), &["Password"], &by()).await.unwrap();
    close(stored).await;
    folder
}

fn write_key(path: &Path, text: &[u8]) {
    fs::write(path, text).unwrap();
    set_mode(path, 0o600);
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn set_mode(_path: &Path, _mode: u32) {}

/// Everything in the folder, by name.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// The error of opening the store. Checks that nothing in the folder changed.
async fn refusal(folder: &Path, key_file: Option<&Path>) -> String {
    let before = contents(folder);
    let error = open(folder, key_file).await.unwrap_err().to_string();
    assert!(contents(folder) == before, "nothing is written after: {error}");
    error
}

#[tokio::test]
async fn secrets_come_back_after_a_restart() {
    let folder = written().await;
    let stored = open(folder.path(), None).await.unwrap();
    let found = stored.find(guid(1)).await.unwrap().unwrap();
    assert!(found.settings == settings("server", SECRET));
    assert_eq!(found.connector, "Excel");
}

#[tokio::test]
async fn secrets_may_be_null_or_empty_or_of_any_text() {
    let folder = tempfile::tempdir().unwrap();
    let stored = open(folder.path(), None).await.unwrap();
    let settings: Settings =
        [("a", None), ("b", Some("")), ("c", Some("\0\u{1}\n🔑")), ("a", Some("a key twice"))]
            .into_iter()
            .collect();
    stored.save(guid(1), "Excel", &settings, &["a", "b", "c", "not there"], &by()).await.unwrap();
    assert!(stored.find(guid(1)).await.unwrap().unwrap().settings == settings);
    let sealed = stored.store().get(guid(1)).await.unwrap().unwrap();
    assert!(sealed.settings.iter().all(SealedSetting::is_secret));
}

#[tokio::test]
async fn no_file_has_a_readable_secret() {
    let folder = tempfile::tempdir().unwrap();
    let stored = open(folder.path(), None).await.unwrap();
    for secret in [SECRET, "hunter2-changed"] {
        stored.save(guid(1), "Excel", &settings("plain-server", secret), &["Password"], &by()).await.unwrap();
    }
    let open_files = contents(folder.path());
    assert!(open_files.iter().any(|(path, _)| path.to_string_lossy().ends_with("-wal")));
    close(stored).await;
    let holds = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    let files = [open_files, contents(folder.path())].concat();
    assert!(files.iter().any(|(_, bytes)| holds(bytes, "plain-server")), "the search finds what is plain");
    for (path, bytes) in &files {
        assert!(!holds(bytes, "hunter2"), "{}", path.display());
    }
}

#[tokio::test]
async fn deleted_settings_are_overwritten_in_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let stored = open(folder.path(), None).await.unwrap();
    stored.save(guid(1), "Excel", &settings("plain-server", SECRET), &["Password"], &by()).await.unwrap();
    stored.delete(guid(1), &by()).await.unwrap().unwrap();
    close(stored).await;
    let bytes = fs::read(folder.path().join(STORE_FILE)).unwrap();
    assert!(!bytes.windows(12).any(|window| window == b"plain-server"));
}

#[tokio::test]
async fn every_secret_has_its_own_nonce() {
    let key = SecretKey::random().unwrap();
    let seal = |number, setting| key.seal(guid(number), setting, SECRET).unwrap().bytes;
    let sealed = [seal(1, "Password"), seal(1, "Password"), seal(2, "Password"), seal(1, "Token")];
    for (at, one) in sealed.iter().enumerate() {
        assert!(sealed[at + 1..].iter().all(|other| one != other && one[..12] != other[..12]));
    }
}

#[tokio::test]
async fn sealed_secret_is_bound_to_its_connection_and_setting() {
    let key = SecretKey::random().unwrap();
    let sealed = key.seal(guid(1), "Password", SECRET).unwrap();
    assert_eq!(key.open(guid(1), "Password", &sealed).unwrap(), SECRET);
    assert_eq!(key.open(guid(2), "Password", &sealed), Err("it is damaged"));
    assert_eq!(key.open(guid(1), "password", &sealed), Err("it is damaged"));
    for bit in 0..sealed.bytes.len() * 8 {
        let mut tampered = sealed.clone();
        tampered.bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(key.open(guid(1), "Password", &tampered), Err("it is damaged"), "bit {bit}");
    }
    for length in 0..sealed.bytes.len() {
        let cut = SealedSecret { bytes: sealed.bytes[..length].to_vec(), ..sealed.clone() };
        assert_eq!(key.open(guid(1), "Password", &cut), Err("it is damaged"), "{length} bytes");
    }
    let other = SecretKey::random().unwrap();
    assert!(other.open(guid(1), "Password", &sealed).unwrap_err().contains("another key"));
}

#[tokio::test]
async fn secrets_swapped_in_the_database_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let stored = open(folder.path(), None).await.unwrap();
    stored.save(guid(1), "Excel", &settings("s", SECRET), &["Password"], &by()).await.unwrap();
    let sealed = stored.store().get(guid(1)).await.unwrap().unwrap();
    save(stored.store(), save_of(guid(2), "Excel", sealed.settings)).await;
    let error = stored.find(guid(2)).await.unwrap_err().to_string();
    assert!(
        error.contains("the secret \"Password\" of the connection 00000000-0000-0000-0000-000000000002"),
        "{error}"
    );
    assert!(error.contains("save the connection again"), "{error}");
}

#[tokio::test]
async fn missing_key_is_refused_and_not_created_again() {
    let folder = written().await;
    let key_file = folder.path().join(KEY_FILE);
    let kept = fs::read(&key_file).unwrap();
    fs::remove_file(&key_file).unwrap();
    let error = refusal(folder.path(), None).await;
    assert!(error.contains(&format!("the key file {} is missing", key_file.display())), "{error}");
    assert!(error.contains("put back the file"), "{error}");
    write_key(&key_file, &kept);
    assert!(open(folder.path(), None).await.is_ok());
}

#[tokio::test]
async fn store_that_has_a_key_but_no_connections_needs_it_too() {
    let folder = tempfile::tempdir().unwrap();
    close(open(folder.path(), None).await.unwrap()).await;
    fs::remove_file(folder.path().join(KEY_FILE)).unwrap();
    assert!(refusal(folder.path(), None).await.contains("is missing"));
}

#[tokio::test]
async fn wrong_key_is_refused() {
    let (folder, other) = (written().await, written().await);
    let (own, wrong) = (folder.path().join(KEY_FILE), other.path().join(KEY_FILE));
    let error = refusal(folder.path(), Some(&wrong)).await;
    assert!(error.contains(&format!("the key file {} holds key ", wrong.display())), "{error}");
    assert!(error.contains(&folder.path().join(STORE_FILE).display().to_string()), "{error}");
    assert!(error.contains("put back the key file that belongs to this store"), "{error}");
    assert!(open(folder.path(), Some(&own)).await.is_ok());
}

#[tokio::test]
async fn damaged_key_file_is_refused() {
    let folder = written().await;
    let key_file = folder.path().join(KEY_FILE);
    let sound = fs::read_to_string(&key_file).unwrap();
    assert!(sound.starts_with("erp-host-key-1:") && sound.ends_with('\n'), "the form of a key file");
    let texts: [&[u8]; 8] = [
        b"",
        b"erp-host-key-1:",
        b"erp-host-key-1:AAAA\n",
        b"erp-host-key-2:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        sound.trim_start_matches("erp-host-key-1:").as_bytes(),
        &sound.as_bytes()[..sound.len() - 3],
        &[0xff, 0xfe, 0, 1],
        &[b'A'; 5000],
    ];
    for text in texts {
        write_key(&key_file, text);
        let error = refusal(folder.path(), None).await;
        assert!(
            error.contains("is damaged: expected one line erp-host-key-1:<32 bytes in Base64>"),
            "{error}"
        );
        assert!(!error.contains("AAAA"), "no key material in {error}");
    }
    write_key(&key_file, format!("  {sound}\r\n").as_bytes());
    assert!(open(folder.path(), None).await.is_ok(), "space around the line does no harm");
}

#[cfg(unix)]
#[tokio::test]
async fn key_file_that_others_can_read_is_refused() {
    let folder = written().await;
    let key_file = folder.path().join(KEY_FILE);
    for (mode, shown) in [(0o640, "0640"), (0o604, "0604"), (0o620, "0620"), (0o777, "0777")] {
        set_mode(&key_file, mode);
        let error = refusal(folder.path(), None).await;
        assert!(error.contains(&format!("(mode {shown}, expected 0600)")), "{error}");
        assert!(error.ends_with(&format!("run: chmod 600 {}", key_file.display())), "{error}");
    }
    set_mode(&key_file, 0o400);
    assert!(open(folder.path(), None).await.is_ok());
}

#[tokio::test]
async fn key_file_that_is_a_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("key");
    fs::create_dir(&key_file).unwrap();
    set_mode(&key_file, 0o700);
    let error = open(folder.path(), Some(&key_file)).await.unwrap_err().to_string();
    assert!(error.contains("cannot be read"), "{error}");
}

#[tokio::test]
async fn key_file_may_be_in_another_folder() {
    let (folder, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let key_file = keys.path().join("deeper").join("host.key");
    let stored = open(folder.path(), Some(&key_file)).await.unwrap();
    stored.save(guid(1), "Excel", &settings("s", SECRET), &["Password"], &by()).await.unwrap();
    close(stored).await;
    assert!(key_file.exists());
    assert!(!folder.path().join(KEY_FILE).exists());
    let stored = open(folder.path(), Some(&key_file)).await.unwrap();
    assert!(stored.find(guid(1)).await.unwrap().unwrap().settings == settings("s", SECRET));
}

#[tokio::test]
async fn new_store_uses_an_existing_key_file() {
    let (old, new) = (written().await, tempfile::tempdir().unwrap());
    let key_file = old.path().join(KEY_FILE);
    close(open(new.path(), Some(&key_file)).await.unwrap()).await;
    assert!(!new.path().join(KEY_FILE).exists());
}

#[tokio::test]
async fn debug_shows_no_value_and_no_key() {
    let folder = written().await;
    let stored = open(folder.path(), None).await.unwrap();
    let key = fs::read_to_string(folder.path().join(KEY_FILE)).unwrap();
    let key = key.trim().trim_start_matches("erp-host-key-1:");
    let found = stored.find(guid(1)).await.unwrap().unwrap();
    let sealed = stored.store().get(guid(1)).await.unwrap().unwrap();
    let connections = Connections::<EmptyConnection, Infallible>::new(stored.clone()).await.unwrap();
    let text = format!("{stored:?} {found:?} {sealed:?} {connections:?} {:?}", stored.store());
    assert!(text.contains("Password") && text.contains("Excel"), "{text}");
    for hidden in [SECRET, "server", key, &key[..8]] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
}
