//! `erp-host plugins new`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use test_support::build;

fn erp_host(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_erp-host"))
        .arg("plugins")
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .output()
        .unwrap()
}

fn text(output: &[u8]) -> &str {
    str::from_utf8(output).unwrap()
}

fn refused(output: &Output) -> &str {
    let error = text(&output.stderr);
    assert_eq!((output.status.code(), error.lines().count()), (Some(1), 1), "{error}");
    error
}

/// From nothing to a connector that a host loads, as its author would do it.
#[test]
fn new_connector_passes_its_tests_and_is_loaded() {
    // Always the same folder, or cargo would keep what it built of each.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new-connector");
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    let api = build::workspace().join("plugin-api");
    let output = erp_host(&folder, &["new", "acme-connector", "--api-path", api.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("made acme-connector: the connector Acme\n"));

    let made = folder.join("acme-connector");
    // The versions that are here already, so that nothing is fetched, and where they are compiled already.
    fs::copy(build::workspace().join("Cargo.lock"), made.join("Cargo.lock")).unwrap();
    let target = std::path::absolute(build::target()).unwrap();
    let cargo = |arguments: &[&str]| {
        let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(arguments)
            .current_dir(&made)
            .env("CARGO_TARGET_DIR", &target)
            .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
            .output()
            .unwrap();
        assert!(output.status.success(), "cargo {arguments:?}: {}", text(&output.stderr));
        text(&output.stdout).to_owned()
    };
    cargo(&["fmt", "--check"]);
    let tested = cargo(&["test", "--offline"]);
    assert!(tested.contains("test keeps_the_specification ... ok"), "{tested}");
    let built = cargo(&["tree", "--offline", "--prefix=none", "--edges=all"]);
    for name in ["reqwest", "tokio", "hyper"] {
        assert!(!built.contains(&format!("{name} v")), "the tests of a connector need no {name}: {built}");
    }

    cargo(&["build", "--offline"]);
    let plugins = folder.join("plugins");
    fs::create_dir(&plugins).unwrap();
    build::not_for_others(&plugins).unwrap();
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let file = format!("{prefix}acme_connector{suffix}");
    build::copy_plugin(&target.join("debug").join(&file), &plugins.join(&file)).unwrap();
    let output = erp_host(&folder, &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let files: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&files[0]["connector"], &files[0]["loaded"]), (&"Acme".into(), &true.into()));
}

#[test]
fn what_is_there_is_left_alone() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("acme")).unwrap();
    fs::write(folder.path().join("file"), "mine").unwrap();
    let api = build::workspace().join("plugin-api");
    for arguments in [&["new", "acme"][..], &["new", "other", "--path", "file"]] {
        let output = erp_host(folder.path(), &[arguments, &["--api-path", api.to_str().unwrap()]].concat());
        assert!(refused(&output).contains(" exists already; "), "{}", refused(&output));
    }
    assert_eq!(fs::read_to_string(folder.path().join("file")).unwrap(), "mine");
    assert_eq!(fs::read_dir(folder.path().join("acme")).unwrap().count(), 0);
}

#[test]
fn folder_that_is_not_plugin_api_is_refused_and_nothing_is_made() {
    let folder = TempDir::new().unwrap();
    let output = erp_host(folder.path(), &["new", "acme", "--api-path", "."]);
    assert!(refused(&output).contains(". is not the folder of plugin-api"), "{}", refused(&output));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn plugin_api_is_found_in_the_checkout_around_the_program() {
    let folder = TempDir::new().unwrap();
    let output = erp_host(folder.path(), &["new", "acme", "--path", "deep/er"]);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(printed.contains("(found above this program); Cargo.toml says so\n"), "{printed}");
    let manifest = fs::read_to_string(folder.path().join("deep/er/Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let api = manifest["dependencies"]["erp-host-plugin-api"]["path"].as_str().unwrap();
    assert!(folder.path().join("deep/er").join(api).join("Cargo.toml").is_file(), "{api}");
    let kit = manifest["dev-dependencies"]["erp-host-conformance"]["path"].as_str().unwrap();
    assert!(folder.path().join("deep/er").join(kit).join("Cargo.toml").is_file(), "{kit}");
}
