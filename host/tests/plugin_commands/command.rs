//! `erp-host plugins`.

use std::path::Path;
use std::process::{Command, Output};

use test_support::plugins_folder::PluginsFolder;
use test_support::{HELLO, ROGUE};

fn run(scene: &PluginsFolder, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_erp-host"))
        .args([Path::new("plugins"), Path::new("--plugins"), &scene.plugins()])
        .args(arguments)
        .current_dir(scene.folder.path())
        .env_clear()
        .output()
        .unwrap()
}

fn text(output: &[u8]) -> &str {
    str::from_utf8(output).unwrap()
}

#[test]
fn lists_what_is_there_and_leaves_nothing_behind() {
    let scene = PluginsFolder::new().with(HELLO, "hello.so").with(ROGUE, "rogue.so");
    let output = run(&scene, &[]);
    let lines: Vec<_> = text(&output.stdout).lines().collect();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let header: Vec<_> = lines[0].split_whitespace().collect();
    assert_eq!(header, ["FILE", "CONNECTOR", "VERSION", "API", "ACTOR", "TYPES"]);
    assert!(lines[1].starts_with("hello.so  Hello"), "{}", lines[1]);
    assert_eq!(lines[2], "rogue.so  Rogue      0.1.0    2.0.0  Customer, Person");
    assert_eq!(lines.len(), 3);
    assert!(!scene.data().exists());
}

#[test]
fn says_why_not_and_fails() {
    let scene = PluginsFolder::new().with_file("text.so", b"nothing").with(ROGUE, "rogue.so");
    let output = run(&scene, &[]);
    assert_eq!(output.status.code(), Some(1));
    let reason = "not loaded: it is not a shared library; build the plugin as a cdylib";
    let expected = format!("text.so   -          -        -      {reason}");
    assert_eq!(text(&output.stdout).lines().last(), Some(expected.as_str()));
}

#[test]
fn speaks_json() {
    let scene = PluginsFolder::new().with_file("text.so", b"nothing").with(ROGUE, "rogue.so");
    let output = run(&scene, &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let files: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let (rogue, text) = (&files[0], &files[1]);
    assert_eq!((&rogue["file"], &rogue["loaded"]), (&"rogue.so".into(), &true.into()));
    assert_eq!((&rogue["default"], &rogue["error"]), (&true.into(), &serde_json::Value::Null));
    assert_eq!((&rogue["connector"], &rogue["api_version"]), (&"Rogue".into(), &"2.0.0".into()));
    assert_eq!(rogue["actor_types"], serde_json::json!(["Customer", "Person"]));
    assert_eq!(rogue["sha256"].as_str().map(str::len), Some(64));
    assert_eq!((&text["loaded"], &text["connector"]), (&false.into(), &serde_json::Value::Null));
    assert!(text["error"].as_str().is_some_and(|error| error.starts_with("it is not a shared library")));
}

#[test]
fn folder_that_is_not_there_is_said() {
    let scene = PluginsFolder::new();
    std::fs::remove_dir(scene.plugins()).unwrap();
    let output = run(&scene, &[]);
    let error = text(&output.stderr);
    assert_eq!((output.status.code(), error.lines().count()), (Some(1), 1), "{error}");
    assert!(
        error.contains("cannot be read: ") && error.contains("; create it, or name another one"),
        "{error}"
    );
}
