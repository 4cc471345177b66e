//! `erp-host plugins inspect`.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use test_support::HELLO;
use test_support::plugins_folder::{PluginsFolder, built};

fn inspect(scene: &PluginsFolder, file: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_erp-host"))
        .args([Path::new("plugins"), Path::new("inspect"), file])
        .args(arguments)
        .current_dir(scene.folder.path())
        .env_clear()
        // As on a machine where the host runs: it does not matter here.
        .env("ERP_HOST_PLUGINS", scene.plugins())
        .output()
        .unwrap()
}

fn text(output: &[u8]) -> &str {
    str::from_utf8(output).unwrap()
}

#[test]
fn tells_everything_and_leaves_nothing_behind() {
    let scene = PluginsFolder::new();
    let file = built(HELLO);
    let output = inspect(&scene, &file, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let lines: Vec<&str> = text(&output.stdout).lines().collect();
    let size = std::fs::metadata(&file).unwrap().len();
    for line in [
        format!("file:        {}", file.display()),
        format!("size:        {size} bytes"),
        "connector:   Hello".to_owned(),
        "version:     0.1.0".to_owned(),
        "plugin API:  2.0.0 (needs 2.0, this host: 2.0.0)".to_owned(),
        "panics:      unwind".to_owned(),
        "actor types: known when a connection is open".to_owned(),
        "  KEY     TYPE  ACCESS     DEFAULT  LENGTH  LIST  LABEL".to_owned(),
        "  Prefix  Text  Mandatory  N        5       -     Prefix".to_owned(),
    ] {
        assert!(lines.contains(&line.as_str()), "no line {line:?} in {lines:#?}");
    }
    for name in ["sha256:", "rustc:", "target:"] {
        assert!(lines.iter().any(|line| line.starts_with(name)), "no {name} in {lines:#?}");
    }
    assert!(!scene.data().exists());
}

#[test]
fn speaks_json() {
    let scene = PluginsFolder::new();
    let output = inspect(&scene, &built(HELLO), &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&seen["loaded"], &seen["error"]), (&true.into(), &Value::Null));
    assert_eq!((&seen["connector"], &seen["panics"]), (&"Hello".into(), &"unwind".into()));
    assert_eq!((&seen["api_version"], &seen["host_api_version"]), (&"2.0.0".into(), &"2.0.0".into()));
    assert_eq!(seen["needs_api_version"], "2.0.0");
    assert_eq!(seen["sha256"].as_str().map(str::len), Some(64));
    let setting = &seen["settings"][0];
    assert_eq!((&setting["key"], &setting["type"]), (&"Prefix".into(), &"Text".into()));
    assert_eq!((&setting["default"], &setting["max_length"]), (&"N".into(), &5.into()));
}

#[test]
fn says_in_one_line_why_not() {
    let scene = PluginsFolder::new().with_file("text.so", b"nothing");
    for (file, reason) in [
        ("text.so", "it is not a shared library; build the plugin as a cdylib"),
        ("gone.so", "the file cannot be read: "),
        (".", "it is not a file; take it out of the plugins folder"),
    ] {
        let file = scene.plugins().join(file);
        let output = inspect(&scene, &file, &[]);
        assert_eq!(output.status.code(), Some(1));
        let lines: Vec<&str> = text(&output.stdout).lines().collect();
        let expected = format!("not loaded:  {reason}");
        assert!(lines.last().is_some_and(|line| line.starts_with(&expected)), "{lines:#?}");
        let output = inspect(&scene, &file, &["--json"]);
        let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((output.status.code(), &seen["loaded"]), (Some(1), &false.into()));
        assert!(seen["error"].as_str().is_some_and(|error| error.starts_with(reason)), "{seen}");
    }
}
