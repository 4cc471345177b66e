//! Which plugin files are loaded at all.

use std::fs;
use std::path::{Path, PathBuf};

use erp_host_runtime::{PluginPolicy, PluginWatcher, Plugins, SigningKey, Trust};

use super::scene::{FIRST, HELLO, PluginsFolder, ROGUE, SECOND, built, file, load, reason};

/// What an operator may say.
struct Said(Trust);

impl PluginPolicy for Said {
    fn options(&self, _: &str) -> Vec<(String, String)> {
        Vec::new()
    }

    fn trust(&self) -> &Trust {
        &self.0
    }
}

fn signed_by(key: &SigningKey) -> Said {
    Said(Trust { signers: vec![key.public()], ..Trust::default() })
}

fn sign(key: &SigningKey, file: &Path) {
    let signature = key.sign(&fs::read(file).unwrap()).unwrap();
    fs::write(PathBuf::from(format!("{}.sig", file.display())), format!("{signature}\n")).unwrap();
}

fn load_by(scene: &PluginsFolder, rules: &dyn PluginPolicy) -> Plugins {
    Plugins::load(&scene.plugins(), &scene.data(), rules).unwrap()
}

#[test]
fn only_listed_files_are_loaded() {
    let scene = PluginsFolder::new().with(HELLO, "hello.so").with(ROGUE, "rogue.so");
    let hash = file(&load(&scene), "hello.so").sha256.clone().unwrap();
    fs::remove_dir_all(scene.data()).unwrap();
    let plugins = load_by(&scene, &Said(Trust { sha256: vec![hash], ..Trust::default() }));
    assert!(plugins.connector(Some("Hello")).is_ok());
    let reason = reason(&plugins, "rogue.so");
    let sha256 = file(&plugins, "rogue.so").sha256.clone().unwrap();
    assert!(
        reason.starts_with(&format!("its sha256 {sha256} is not listed in [trust] sha256; ")),
        "{reason}"
    );
    // Not even a copy was made of it, and nothing is known of what it says about itself.
    let copies = fs::read_dir(scene.data().join("plugins-cache")).unwrap().count();
    assert!(copies == 1 && file(&plugins, "rogue.so").about.is_none());
}

/// The file comes first and its signature a moment later: nobody has to touch the file again.
#[test]
fn a_signature_may_come_after_its_file() {
    let key = SigningKey::generate().unwrap();
    let rules = signed_by(&key);
    let scene = PluginsFolder::new();
    let mut watched = PluginWatcher::load(&scene.plugins(), &scene.data(), &rules).unwrap();
    let mut look = |looks: usize| -> Vec<String> {
        let looked = (0..looks).flat_map(|_| watched.poll(&rules, false).unwrap());
        looked.map(|change| change.to_string()).collect()
    };
    let scene = scene.with(FIRST, "v.so");
    let refused = look(3);
    assert!(refused.len() == 1 && refused[0].contains("v.so: not loaded: it is not signed"), "{refused:?}");
    sign(&key, &scene.plugins().join("v.so"));
    let installed = look(3);
    assert!(
        installed.len() == 1 && installed[0].contains("v.so: Versioned 1.0.0 is installed"),
        "{installed:?}"
    );
}

#[test]
fn what_is_not_trusted_leaves_the_old_version_serving() {
    let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let rules = signed_by(&key);
    let scene = PluginsFolder::new().with(FIRST, "v.so");
    let path = scene.plugins().join("v.so");
    sign(&key, &path);
    let mut watched = PluginWatcher::load(&scene.plugins(), &scene.data(), &rules).unwrap();
    let mut look = || {
        let looked = (0..3).flat_map(|_| watched.poll(&rules, false).unwrap());
        looked.map(|change| change.to_string()).collect::<Vec<_>>()
    };
    // The new file beside the old signature, then one by somebody else, then no right to change it for others.
    let scene = scene.with(SECOND, "v.so");
    let expected = "v.so: not loaded: v.so.sig is not a signature of this file by one of [trust] signers; \
                    get both files again from whoever signed; Versioned 1.0.0 serves on";
    assert_eq!(look(), [expected]);
    sign(&other, &path);
    assert_eq!(look(), [expected]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let refused = look();
        let expected = format!(
            "v.so: not loaded: others than its owner may change it (mode 0666); run: chmod go-w {}; Versioned 1.0.0 serves on",
            path.display()
        );
        assert_eq!(refused, [expected]);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    }
    sign(&key, &path);
    let replaced = look();
    assert!(
        replaced.len() == 1 && replaced[0].contains("Versioned 1.0.0 is replaced by 2.0.0"),
        "{replaced:?}"
    );
    drop(scene);
}

#[cfg(unix)]
#[test]
fn a_folder_that_others_can_change_is_not_looked_into() {
    use std::os::unix::fs::PermissionsExt;
    let scene = PluginsFolder::new().with(HELLO, "hello.so");
    let options = |_: &str| Vec::new();
    let mut watched = PluginWatcher::load(&scene.plugins(), &scene.data(), &options).unwrap();
    fs::set_permissions(scene.plugins(), fs::Permissions::from_mode(0o777)).unwrap();
    let told = watched.poll(&options, false).unwrap_err().to_string();
    let folder = scene.plugins().display().to_string();
    let expected = format!(
        "the plugins folder {folder} is not trusted: others than its owner may change it (mode 0777); run: chmod go-w {folder}"
    );
    assert_eq!(told, expected);
    assert_eq!(watched.plugins().connectors().len(), 1, "what is loaded serves on");
    assert_eq!(Plugins::load(&scene.plugins(), &scene.data(), &options).unwrap_err().to_string(), expected);
    let careless = Said(Trust { checks_permissions: false, ..Trust::default() });
    assert_eq!(load_by(&scene, &careless).connectors().len(), 1);
}

/// Each version leaves a copy that it runs from. Those of former ones are deleted at the next start.
#[test]
fn old_copies_are_deleted_at_the_start() {
    let scene = PluginsFolder::new().with(FIRST, "v.so").with_file("broken.so", b"nothing");
    let cache = scene.data().join("plugins-cache");
    let options = |_: &str| Vec::new();
    let watched = PluginWatcher::load(&scene.plugins(), &scene.data(), &options).unwrap();
    let first = format!("{}-v.so", watched.plugins().connector(None).unwrap().sha256);
    let own = ["notes.txt", "abc-v.so"];
    own.iter().for_each(|name| fs::write(cache.join(name), b"somebody's own").unwrap());
    fs::write(cache.join(".tmpAbC123"), b"left by a crash").unwrap();
    fs::create_dir(cache.join(format!("{}-folder", "0".repeat(64)))).unwrap();
    let scene = scene.with(SECOND, "v.so");
    let names = || {
        let entries =
            fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        entries.collect::<std::collections::BTreeSet<_>>()
    };
    assert!(names().contains(&first));
    let watched = PluginWatcher::load(&scene.plugins(), &scene.data(), &options).unwrap();
    let second = format!("{}-v.so", watched.plugins().connector(None).unwrap().sha256);
    let names = names();
    assert!(names.contains(&second) && !names.contains(&first) && !names.contains(".tmpAbC123"), "{names:?}");
    assert!(own.iter().all(|name| names.contains(*name)) && names.len() == 4, "{names:?}");
    assert!(built(SECOND).exists());
}
