//! `erp-host plugins install`, while no host runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use test_support::plugins_folder::{PluginsFolder, built};
use test_support::{HELLO, ROGUE, VERSIONS};

const SUFFIX: &str = std::env::consts::DLL_SUFFIX;

fn plugins(scene: &PluginsFolder, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_erp-host"))
        .arg("plugins")
        .args(arguments)
        .current_dir(scene.folder.path())
        .env_clear()
        .output()
        .unwrap()
}

fn install(scene: &PluginsFolder, arguments: &[&str]) -> (Option<i32>, String) {
    let output = plugins(scene, &[&["install"], arguments].concat());
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

/// Every entry of the plugins folder, with its content.
fn content(scene: &PluginsFolder) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(scene.plugins()).unwrap().map(Result::unwrap);
    let content = |path: &Path| fs::read(path).unwrap_or_else(|error| error.to_string().into_bytes());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), content(&entry.path()))).collect()
}

/// A file beside the plugins folder.
fn beside(scene: &PluginsFolder, name: &str, bytes: &[u8]) -> String {
    fs::write(scene.folder.path().join(name), bytes).unwrap();
    name.to_owned()
}

fn bytes(package: &str) -> Vec<u8> {
    fs::read(built(package)).unwrap()
}

#[test]
fn install_names_a_new_file_after_its_connector_and_replaces_an_older_version_where_it_is() {
    let scene = PluginsFolder::new().with(VERSIONS[0], "old.so").with(HELLO, "hello.so");
    let hello = beside(&scene, &format!("release-7{SUFFIX}"), &bytes(ROGUE));
    let (code, text) = install(&scene, &[&hello]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with(&format!("rogue{SUFFIX}: Rogue 0.1.0 is installed (sha256 ")), "{text}");
    assert!(text.contains("no host runs on the data folder "), "{text}");
    assert!(text.ends_with(": it is loaded at the next start\n"), "{text}");

    let second = beside(&scene, &format!("versioned-2{SUFFIX}"), &bytes(VERSIONS[1]));
    let (code, text) = install(&scene, &[&second]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("old.so: Versioned 1.0.0 is replaced by 2.0.0 (sha256 "), "{text}");
    let (code, text) = install(&scene, &[&second]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("old.so: Versioned 2.0.0 was installed already (sha256 "), "{text}");

    let expected = [
        ("hello.so".to_owned(), bytes(HELLO)),
        ("old.so".to_owned(), bytes(VERSIONS[1])),
        (format!("rogue{SUFFIX}"), bytes(ROGUE)),
    ];
    assert!(content(&scene) == BTreeMap::from(expected), "{:?}", content(&scene).keys());
    assert!(!scene.data().exists(), "nothing is made in the data folder");
    let listed = plugins(&scene, &[]);
    assert_eq!(listed.status.code(), Some(0), "{}", String::from_utf8_lossy(&listed.stdout));
}

#[test]
fn install_copies_the_signature_first_and_removes_one_of_another_file() {
    let scene = PluginsFolder::new();
    assert!(plugins(&scene, &["keygen", "partner.pem"]).status.success());
    let file = beside(&scene, "versioned.so", &bytes(VERSIONS[0]));
    assert!(plugins(&scene, &["sign", &file, "--key", "partner.pem"]).status.success());
    let signature = fs::read(scene.folder.path().join("versioned.so.sig")).unwrap();
    let (code, text) = install(&scene, &[&file]);
    assert_eq!(code, Some(0), "{text}");
    let installed = format!("versioned{SUFFIX}");
    assert_eq!(content(&scene)[&format!("{installed}.sig")], signature);

    let unsigned = beside(&scene, "other.so", &bytes(VERSIONS[1]));
    let (code, text) = install(&scene, &[&unsigned]);
    assert_eq!(code, Some(0), "{text}");
    assert!(content(&scene).into_keys().eq([installed]));
}

#[test]
fn install_refuses_what_the_host_would_refuse_and_changes_nothing() {
    let occupied = format!("rogue{SUFFIX}");
    let scene = PluginsFolder::new()
        .with(VERSIONS[0], "versioned.so")
        .with(HELLO, &occupied)
        .with(HELLO, "hello-again.so");
    let before = content(&scene);
    let second = bytes(VERSIONS[1]);
    let truncated = beside(&scene, "truncated.so", &second[..second.len() / 2]);
    let text_file = beside(&scene, "text.so", b"nothing");
    let plain = beside(&scene, "plain.so", &second);
    let rogue = beside(&scene, "rogue.so", &bytes(ROGUE));
    let hello = beside(&scene, "hello.so", &bytes(HELLO));
    let trust =
        beside(&scene, "trust.toml", format!("[trust]\nsha256 = [\"{}\"]\n", "a".repeat(64)).as_bytes());
    for (arguments, reason) in [
        (&[truncated.as_str()][..], "truncated.so: not installed: the file is truncated: "),
        (&[&text_file], "text.so: not installed: it is not a shared library"),
        (&["gone.so"], "gone.so: not installed: "),
        (&[&plain, "--config", &trust], "plain.so: not installed: its sha256 "),
        (&[&plain, "--plugins", "absent"], "the plugins folder "),
        (&[&rogue], " is there already and has the connector Hello, so Rogue cannot have that name; "),
        (&[&hello], "the connector Hello is in two installed files, "),
    ] {
        let (code, text) = install(&scene, arguments);
        assert_eq!((code, text.lines().count()), (Some(1), 1), "{arguments:?}: {text}");
        assert!(text.starts_with("erp-host: ") && text.contains(reason), "{arguments:?}: {text}");
        assert!(content(&scene) == before, "{arguments:?} has changed the folder");
    }
    assert_eq!(install(&scene, &[]).0, Some(2));
}

#[cfg(unix)]
#[test]
fn install_of_a_file_that_a_group_may_write_is_one_that_only_its_owner_may() {
    use std::os::unix::fs::PermissionsExt;
    let scene = PluginsFolder::new();
    let file = beside(&scene, "hello.so", &bytes(HELLO));
    fs::set_permissions(scene.folder.path().join(&file), PermissionsExt::from_mode(0o666)).unwrap();
    let (code, text) = install(&scene, &[&file]);
    assert_eq!(code, Some(0), "{text}");
    let mode = fs::metadata(scene.plugins().join(format!("hello{SUFFIX}"))).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o644);
}

#[cfg(unix)]
#[test]
fn install_is_refused_while_another_one_is_going_on() {
    let scene = PluginsFolder::new();
    let file = beside(&scene, "hello.so", &bytes(HELLO));
    let other = fs::File::open(scene.plugins()).unwrap();
    other.lock().unwrap();
    let (code, text) = install(&scene, &[&file]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("another installation into "), "{text}");
    drop(other);
    assert_eq!(install(&scene, &[&file]).0, Some(0));
}
