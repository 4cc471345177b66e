//! Trust of plugin files: hash check, signature check, permission check; and the cache of copies.

use std::fs;
use std::path::{Path, PathBuf};

use erp_host_runtime::{PluginPolicy, PluginWatcher, Plugins, SigningKey, Trust};

use super::fixture::{FIRST, HELLO, PluginsFolder, ROGUE, SECOND, built, file, load, reason};

/// A policy with this trust and no options.
struct TrustPolicy(Trust);

impl PluginPolicy for TrustPolicy {
    fn options(&self, _: &str) -> Vec<(String, String)> {
        Vec::new()
    }

    fn trust(&self) -> &Trust {
        &self.0
    }
}

fn signed_by(key: &SigningKey) -> TrustPolicy {
    TrustPolicy(Trust { signers: vec![key.public()], ..Trust::default() })
}

fn sign(key: &SigningKey, file: &Path) {
    let signature = key.sign(&fs::read(file).unwrap()).unwrap();
    fs::write(PathBuf::from(format!("{}.sig", file.display())), format!("{signature}\n")).unwrap();
}

fn load_with_policy(folder: &PluginsFolder, policy: &dyn PluginPolicy) -> Plugins {
    Plugins::load(&folder.plugins(), &folder.data(), policy).unwrap()
}

#[test]
fn hash_check_loads_listed_files_only() {
    let folder = PluginsFolder::new().with(HELLO, "hello.so").with(ROGUE, "rogue.so");
    let hash = file(&load(&folder), "hello.so").sha256.clone().unwrap();
    fs::remove_dir_all(folder.data()).unwrap();
    let plugins = load_with_policy(&folder, &TrustPolicy(Trust { sha256: vec![hash], ..Trust::default() }));
    assert!(plugins.connector(Some("Hello")).is_ok());
    let reason = reason(&plugins, "rogue.so");
    let sha256 = file(&plugins, "rogue.so").sha256.clone().unwrap();
    assert!(
        reason.starts_with(&format!("its sha256 {sha256} is not listed in [trust] sha256; ")),
        "{reason}"
    );
    // The refused file was not copied, and not opened.
    let copies = fs::read_dir(folder.data().join("plugins-cache")).unwrap().count();
    assert!(copies == 1 && file(&plugins, "rogue.so").about.is_none());
}

/// The signature may appear after the file, which need not be touched again.
#[test]
fn signature_that_appears_later_loads_its_file() {
    let key = SigningKey::generate().unwrap();
    let policy = signed_by(&key);
    let folder = PluginsFolder::new();
    let mut watcher = PluginWatcher::load(&folder.plugins(), &folder.data(), &policy).unwrap();
    let mut poll = |polls: usize| -> Vec<String> {
        let changes = (0..polls).flat_map(|_| watcher.poll(&policy, false).unwrap());
        changes.map(|change| change.to_string()).collect()
    };
    let folder = folder.with(FIRST, "v.so");
    let refused = poll(3);
    assert!(refused.len() == 1 && refused[0].contains("v.so: not loaded: it is not signed"), "{refused:?}");
    sign(&key, &folder.plugins().join("v.so"));
    let installed = poll(3);
    assert!(
        installed.len() == 1 && installed[0].contains("v.so: Versioned 1.0.0 is installed"),
        "{installed:?}"
    );
}

#[test]
fn untrusted_file_leaves_the_old_version_serving() {
    let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let policy = signed_by(&key);
    let folder = PluginsFolder::new().with(FIRST, "v.so");
    let path = folder.plugins().join("v.so");
    sign(&key, &path);
    let mut watcher = PluginWatcher::load(&folder.plugins(), &folder.data(), &policy).unwrap();
    let mut poll = || {
        let changes = (0..3).flat_map(|_| watcher.poll(&policy, false).unwrap());
        changes.map(|change| change.to_string()).collect::<Vec<_>>()
    };
    // The new file has the old signature, then one by another key, then permissions that are too wide.
    let folder = folder.with(SECOND, "v.so");
    let expected = "v.so: not loaded: v.so.sig is not a signature of this file by one of [trust] signers; \
                    get both files again from whoever signed; Versioned 1.0.0 serves on";
    assert_eq!(poll(), [expected]);
    sign(&other, &path);
    assert_eq!(poll(), [expected]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let refused = poll();
        let expected = format!(
            "v.so: not loaded: others than its owner may change it (mode 0666); run: chmod go-w {}; Versioned 1.0.0 serves on",
            path.display()
        );
        assert_eq!(refused, [expected]);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    }
    sign(&key, &path);
    let replaced = poll();
    assert!(
        replaced.len() == 1 && replaced[0].contains("Versioned 1.0.0 is replaced by 2.0.0"),
        "{replaced:?}"
    );
    drop(folder);
}

#[cfg(unix)]
#[test]
fn folder_that_others_can_change_is_not_scanned() {
    use std::os::unix::fs::PermissionsExt;
    let folder = PluginsFolder::new().with(HELLO, "hello.so");
    let options = |_: &str| Vec::new();
    let mut watcher = PluginWatcher::load(&folder.plugins(), &folder.data(), &options).unwrap();
    fs::set_permissions(folder.plugins(), fs::Permissions::from_mode(0o777)).unwrap();
    let error = watcher.poll(&options, false).unwrap_err().to_string();
    let path = folder.plugins().display().to_string();
    let expected = format!(
        "the plugins folder {path} is not trusted: others than its owner may change it (mode 0777); run: chmod go-w {path}"
    );
    assert_eq!(error, expected);
    assert_eq!(watcher.plugins().connectors().len(), 1, "what is loaded serves on");
    assert_eq!(Plugins::load(&folder.plugins(), &folder.data(), &options).unwrap_err().to_string(), expected);
    let unchecked = TrustPolicy(Trust { checks_permissions: false, ..Trust::default() });
    assert_eq!(load_with_policy(&folder, &unchecked).connectors().len(), 1);
}

/// Each version leaves a copy in the cache, which is deleted at the next start.
#[test]
fn cache_copies_of_old_versions_are_deleted_at_the_start() {
    let folder = PluginsFolder::new().with(FIRST, "v.so").with_file("broken.so", b"nothing");
    let cache = folder.data().join("plugins-cache");
    let options = |_: &str| Vec::new();
    let watcher = PluginWatcher::load(&folder.plugins(), &folder.data(), &options).unwrap();
    let first = format!("{}-v.so", watcher.plugins().connector(None).unwrap().sha256);
    let others = ["notes.txt", "abc-v.so"];
    others.iter().for_each(|name| fs::write(cache.join(name), b"another file").unwrap());
    fs::write(cache.join(".tmpAbC123"), b"left by a crash").unwrap();
    fs::create_dir(cache.join(format!("{}-folder", "0".repeat(64)))).unwrap();
    let folder = folder.with(SECOND, "v.so");
    let names = || {
        let entries =
            fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        entries.collect::<std::collections::BTreeSet<_>>()
    };
    assert!(names().contains(&first));
    let watcher = PluginWatcher::load(&folder.plugins(), &folder.data(), &options).unwrap();
    let second = format!("{}-v.so", watcher.plugins().connector(None).unwrap().sha256);
    let names = names();
    assert!(names.contains(&second) && !names.contains(&first) && !names.contains(".tmpAbC123"), "{names:?}");
    assert!(others.iter().all(|name| names.contains(*name)) && names.len() == 4, "{names:?}");
    assert!(built(SECOND).exists());
}
