//! `erp-host plugins pack` of crates that are not what an operator runs. The new connector's test packs a good one.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

fn pack(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_erp-host"))
        .args(["plugins", "pack"])
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_NET_OFFLINE", "true")
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .unwrap()
}

/// The last line of standard error: what cargo shows is before it.
fn reason(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().last().unwrap_or_default().to_owned()
}

/// A crate that depends on nothing, so that it is built at once.
fn write_crate(folder: &Path, manifest: &str, source: &str) {
    fs::create_dir_all(folder.join("src")).unwrap();
    let package = "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(folder.join("Cargo.toml"), format!("{package}{manifest}")).unwrap();
    fs::write(folder.join("src/lib.rs"), source).unwrap();
}

#[test]
fn pack_of_no_crate_is_wrong_usage() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("workspace")).unwrap();
    fs::write(folder.path().join("workspace/Cargo.toml"), "[workspace]\nmembers = []\n").unwrap();
    for (arguments, expected) in [
        (&[][..], "is not the folder of a crate: its Cargo.toml cannot be read"),
        (&["absent"], "absent is not the folder of a crate"),
        (&["workspace"], "workspace is a workspace without a package of its own"),
        (&["--loud"], "For more information, try '--help'."),
    ] {
        let output = pack(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", reason(&output));
        assert!(reason(&output).contains(expected), "{arguments:?}: {}", reason(&output));
    }
}

#[test]
fn pack_refuses_what_no_host_should_run() {
    const LIBRARY: &str = "[lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n";
    const FUNCTION: &str = "#[unsafe(no_mangle)]\npub extern \"C\" fn tiny() -> u8 { 1 }\n";
    let folder = TempDir::new().unwrap();
    let debug = format!("{LIBRARY}[profile.release]\ndebug-assertions = true\n");
    let slow = format!("{LIBRARY}[profile.release]\nopt-level = 0\n");
    for (manifest, source, expected) in [
        (LIBRARY, "this is no Rust", "the build failed; cargo says why above"),
        ("", FUNCTION, "the crate makes no plugin file; write crate-type = "),
        (&debug, FUNCTION, "the release profile of this crate builds for debugging"),
        (&slow, FUNCTION, "the release profile of this crate builds for debugging"),
        (LIBRARY, FUNCTION, ": not packed: "),
    ] {
        write_crate(folder.path(), manifest, source);
        let output = pack(folder.path(), &[]);
        assert_eq!(output.status.code(), Some(1), "{manifest}: {}", reason(&output));
        assert!(reason(&output).contains(expected), "{manifest}: {}", reason(&output));
        assert!(!folder.path().join("dist").exists(), "{manifest}");
    }
}

#[test]
fn pack_reads_the_key_before_it_builds() {
    let folder = TempDir::new().unwrap();
    write_crate(folder.path(), "", "");
    fs::write(folder.path().join("key.pem"), "no key").unwrap();
    let output = pack(folder.path(), &["--key", "key.pem"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(reason(&output).contains("key.pem: it is no ed25519 private key"), "{}", reason(&output));
    assert!(!folder.path().join("target").exists());
}
