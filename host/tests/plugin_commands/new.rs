//! `erp-host plugins new`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use test_support::{build, documentation};

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

/// A folder for new crates. Always the same one for a test, or cargo would keep what it built of each.
fn always_the_same_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A program that builds where everything that a connector depends on is compiled already, and fetches nothing.
fn offline(program: impl AsRef<std::ffi::OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", std::path::absolute(build::target()).unwrap())
        .env("CARGO_NET_OFFLINE", "true")
        .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
        // A release build that takes less time, and is still none for debugging.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ERP_HOST_")) {
        command.env_remove(name);
    }
    command
}

fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let (printed, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {printed}\n{errors}");
    printed.to_owned()
}

/// From nothing to a connector that a host loads, by the commands of the tutorial.
#[cfg(unix)]
#[test]
fn commands_of_the_tutorial_make_test_pack_and_install_a_connector() {
    let page = documentation::read("docs/authors/tutorial.md");
    let commands = documentation::code_blocks(&page, "sh").remove(0);
    let folder = always_the_same_folder("new-connector");
    let checkout = folder.join("erp-host");
    fs::create_dir_all(checkout.join("target/release")).unwrap();
    std::os::unix::fs::symlink(build::workspace().join("plugin-api"), checkout.join("plugin-api")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_erp-host"), checkout.join("target/release/erp-host"))
        .unwrap();
    // The program is built; the versions of all else are those that are here.
    let lock = build::workspace().join("Cargo.lock");
    let script = commands.replacen("cargo build --release && ", "", 1).replacen(
        "cd acme-connector\n",
        &format!("cd acme-connector\ncp '{}' .\n", lock.display()),
        1,
    );
    assert_eq!(script.lines().count(), commands.lines().count() + 1, "{script}");
    let printed = succeed(offline("sh", &folder).args(["-e", "-c", &format!("umask 022\n{script}")]));

    assert!(printed.starts_with("made acme-connector: the connector Acme\n"), "{printed}");
    assert!(printed.contains("(found from the current folder)"), "{printed}");
    assert!(printed.contains("test keeps_the_specification ... ok"), "{printed}");
    assert!(printed.contains("\nconnector:   Acme 0.1.0\n"), "{printed}");
    let installed = format!("acme{}", std::env::consts::DLL_SUFFIX);
    assert!(printed.contains(&format!("\n{installed}: Acme 0.1.0 is installed (sha256 ")), "{printed}");
    assert!(printed.contains(&format!("\n{installed}  Acme       0.1.0    2.0.0")), "{printed}");

    let made = folder.join("acme-connector");
    succeed(offline(cargo(), &made).args(["fmt", "--check"]));
    succeed(offline(cargo(), &made).args(["clippy", "--all-targets", "--", "-D", "warnings"]));
    let built = succeed(offline(cargo(), &made).args(["tree", "--prefix=none", "--edges=all"]));
    for name in ["reqwest", "tokio", "hyper"] {
        assert!(!built.contains(&format!("{name} v")), "the tests of a connector need no {name}: {built}");
    }

    // Signed, as its author gives it to operators.
    succeed(offline(HOST, &folder).args(["plugins", "keygen", "partner.pem"]));
    let packed =
        succeed(offline(HOST, &folder).args(["plugins", "pack", "acme-connector", "--key", "partner.pem"]));
    let file = packed.lines().find_map(|line| line.strip_prefix("packed:")).unwrap().trim();
    assert!(file.starts_with("acme-connector/dist/acme-0.1.0-"), "{packed}");
    assert!(packed.contains("\nplugin API:  2.0.0 (needs 2.0)\n"), "{packed}");
    succeed(offline(HOST, &folder).args(["plugins", "verify", file, "--key", "partner.pem.pub"]));
    let listed = fs::read_to_string(folder.join(format!("{file}.sha256"))).unwrap();
    let name = Path::new(file).file_name().unwrap().to_str().unwrap();
    assert_eq!(listed, format!("{}  {name}\n", sha256(&packed)));
    let shown = succeed(offline(HOST, &folder).args(["plugins", "inspect", "--json", file]));
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["sha256"], &shown["loaded"]), (&sha256(&packed).into(), &true.into()));
    // An ELF file names its table of symbols.
    let bytes = fs::read(folder.join(file)).unwrap();
    assert!(!bytes.windows(7).any(|name| name == b".symtab"), "{file} has symbols");

    // A signature of another build does not stay.
    succeed(offline(HOST, &folder).args(["plugins", "pack", "acme-connector"]));
    assert!(!folder.join(format!("{file}.sig")).exists());
}

#[test]
fn new_http_connector_passes_its_tests_against_its_stand_in() {
    let folder = always_the_same_folder("new-http-connector");
    let api = build::workspace();
    let arguments = ["plugins", "new", "web-connector", "--kind", "http", "--api"];
    let printed = succeed(offline(HOST, &folder).args(arguments).arg(api));
    assert!(printed.contains("(given with --api)"), "{printed}");
    let made = folder.join("web-connector");
    fs::copy(build::workspace().join("Cargo.lock"), made.join("Cargo.lock")).unwrap();
    succeed(offline(cargo(), &made).args(["fmt", "--check"]));
    succeed(offline(cargo(), &made).args(["clippy", "--all-targets", "--", "-D", "warnings"]));
    let tested = succeed(offline(cargo(), &made).arg("test"));
    for test in ["keeps_the_specification", "customers_are_found_by_their_name"] {
        assert!(tested.contains(&format!("test {test} ... ok")), "{tested}");
    }
}

const HOST: &str = env!("CARGO_BIN_EXE_erp-host");

fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The hash that `pack` prints.
fn sha256(packed: &str) -> &str {
    packed.lines().find_map(|line| line.strip_prefix("sha256:")).unwrap().trim()
}

#[test]
fn what_is_there_is_left_alone() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("acme")).unwrap();
    fs::write(folder.path().join("file"), "mine").unwrap();
    let api = build::workspace().join("plugin-api");
    for arguments in [&["new", "acme"][..], &["new", "other", "--path", "file"]] {
        let output = erp_host(folder.path(), &[arguments, &["--api", api.to_str().unwrap()]].concat());
        assert!(refused(&output).contains(" exists already; "), "{}", refused(&output));
    }
    assert_eq!(fs::read_to_string(folder.path().join("file")).unwrap(), "mine");
    assert_eq!(fs::read_dir(folder.path().join("acme")).unwrap().count(), 0);
}

#[test]
fn folder_that_is_not_plugin_api_is_refused_and_nothing_is_made() {
    let folder = TempDir::new().unwrap();
    let output = erp_host(folder.path(), &["new", "acme", "--api", "."]);
    assert!(refused(&output).contains(". is no checkout of erp-host"), "{}", refused(&output));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn plugin_api_is_found_in_the_checkout_around_the_program() {
    let folder = TempDir::new().unwrap();
    let output = erp_host(folder.path(), &["new", "acme", "--path", "deep/er"]);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(printed.contains("(found from this program); Cargo.toml says so\n"), "{printed}");
    let manifest = fs::read_to_string(folder.path().join("deep/er/Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let api = manifest["dependencies"]["erp-host-plugin-api"]["path"].as_str().unwrap();
    assert!(folder.path().join("deep/er").join(api).join("Cargo.toml").is_file(), "{api}");
    let kit = manifest["dev-dependencies"]["erp-host-conformance"]["path"].as_str().unwrap();
    assert!(folder.path().join("deep/er").join(kit).join("Cargo.toml").is_file(), "{kit}");
}
