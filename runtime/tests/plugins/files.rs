//! Loading plugin files: which are loaded, and the errors of those that are not.

use std::fs;
use std::path::Path;
use std::process::Command;

use erp_host_runtime::Plugins;
use plugin_api::abi::ApiVersion;

use super::fixture::{HELLO, PluginsFolder, ROGUE, built, file, load, load_with, reason};

#[test]
fn plugin_has_the_names_and_versions_of_its_handshake() {
    let folder = PluginsFolder::new().with(ROGUE, "rogue.so");
    let plugins = load(&folder);
    let file = file(&plugins, "rogue.so");
    let (about, plugin) = (file.about.as_ref().unwrap(), file.loaded.as_ref().unwrap());
    assert_eq!((about.connector.as_str(), about.version.as_str()), ("Rogue", "0.1.0"));
    assert_eq!(about.api, ApiVersion::OURS);
    assert!(about.rustc.starts_with("rustc 1."), "{}", about.rustc);
    assert_eq!(plugin.name(), "Rogue");
    assert_eq!(plugin.description, "Has faults on request");
    assert_eq!(plugin.actor_types, ["Customer", "Person"]);
    assert_eq!(file.sha256.as_deref(), Some(plugin.sha256.as_str()));
}

#[test]
fn invalid_files_are_refused_and_others_are_loaded() {
    let whole = fs::read(built(ROGUE)).unwrap();
    let garbage: Vec<u8> = (0..100_000u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let folder = PluginsFolder::new()
        .with_file("a-garbage.so", &garbage)
        .with_file("b-text.so", b"this is a note to myself\n")
        .with_file("c-empty.so", b"")
        .with_file("d-truncated.so", &whole[..whole.len() / 2])
        .with_file("e-cut-by-a-byte.so", &whole[..whole.len() - 1])
        .with_file("f-head-only.so", &whole[..20])
        .with_file("g-windows.dll", b"MZ\x90\x00")
        .with_file("notes.txt", b"not scanned")
        .with(ROGUE, "z-rogue.so");
    fs::create_dir(folder.plugins().join("h-folder.so")).unwrap();
    let plugins = load(&folder);

    let expected = [
        ("a-garbage.so", "not a shared library"),
        ("b-text.so", "not a shared library"),
        ("c-empty.so", "the file is empty"),
        ("d-truncated.so", "truncated"),
        ("e-cut-by-a-byte.so", "truncated"),
        ("f-head-only.so", "truncated"),
        #[cfg(target_os = "linux")]
        ("g-windows.dll", "a library for windows, this host runs on linux"),
        ("h-folder.so", "it is not a file"),
    ];
    for (name, expected) in expected {
        let reason = reason(&plugins, name);
        assert!(reason.contains(expected), "{name}: {reason}");
        // One line: the reason, then what to do.
        assert!(reason.contains("; ") && !reason.contains('\n'), "{name}: {reason}");
    }
    assert_eq!(plugins.files().len(), 9, "a text file is not scanned");
    assert_eq!(plugins.connector(Some("rogue")).unwrap().name(), "Rogue");
}

/// Compiles C code to a library.
#[cfg(unix)]
fn compile(code: &str, library: &Path) {
    let source = library.with_extension("c");
    fs::write(&source, code).unwrap();
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([library, &source]).status();
    assert!(compiled.unwrap().success(), "cc compiles {}", source.display());
    fs::remove_file(source).unwrap();
}

/// The code of a library with a handshake, laid out as in docs/authors/boundary.md.
#[cfg(unix)]
fn handshake(magic: &str, size: &str, api: [u32; 3], aborts: u32, connector: &str, target: &str) -> String {
    let [major, minor, patch] = api;
    format!(
        r#"
        #include <stdint.h>
        struct text {{ const char *start; uintptr_t length; }};
        #define TEXT(t) {{ t, sizeof(t) - 1 }}
        struct handshake {{
            char magic[16];
            uint32_t size, major, minor, patch, panic_aborts, reserved;
            struct text connector, version, rustc, target;
            const void *root;
        }};
        const struct handshake ERP_HOST_PLUGIN = {{
            "{magic}", {size}, {major}, {minor}, {patch}, {aborts}, 0,
            TEXT("{connector}"), TEXT("1.2.3"), TEXT("rustc 2.0.0"), TEXT("{target}"), 0,
        }};
        "#
    )
}

#[cfg(unix)]
#[test]
fn incompatible_handshakes_are_refused() {
    let folder = PluginsFolder::new().with(ROGUE, "rogue.so");
    let target = file(&load(&folder), "rogue.so").about.as_ref().unwrap().target.clone();
    let whole = "sizeof(struct handshake)";
    let magic = "erp-host-plugin";
    let ApiVersion { major, minor, patch } = ApiVersion::OURS;
    let ours = [major, minor, patch];
    let cases = [
        ("int erp_host_plugin;".to_owned(), "it is not an erp-host plugin"),
        (handshake("someone-elses", whole, ours, 0, "C", &target), "it is not an erp-host plugin"),
        (handshake(magic, "20", ours, 0, "C", &target), "its handshake is broken: it is too short"),
        (
            handshake(magic, whole, [major + 1, 0, 0], 0, "C", &target),
            "built for plugin API 3.0.0, this host has 2.0.0",
        ),
        (
            handshake(magic, whole, [1, 1, 0], 0, "C", &target),
            "it was built for plugin API 1.1.0, this host has 2.0.0; build the plugin with erp-host-plugin-api 2",
        ),
        (
            handshake(magic, whole, [major, minor + 1, 0], 0, "C", &target),
            "it needs plugin API 2.1, newer than this host's 2.0.0; update the host, or get a build for 2.0",
        ),
        (handshake(magic, whole, ours, 1, "C", &target), "built with panic = \"abort\""),
        (
            handshake(magic, whole, ours, 0, "C", "wasm32-wasip1"),
            "built for wasm32-wasip1, this host runs on",
        ),
        (handshake(magic, whole, ours, 0, "", &target), "its connector has no name"),
        (handshake(magic, whole, ours, 0, "\\xff", &target), "the connector's name is no text"),
        (handshake(magic, whole, ours, 0, "Spool", &target), "its connector is called \"Spool\""),
        (handshake(magic, whole, ours, 0, "../etc", &target), "its connector is called \"../etc\""),
        (
            handshake(magic, whole, ours, 0, "plugins-cache", &target),
            "its connector is called \"plugins-cache\"",
        ),
        (handshake(magic, whole, ours, 0, "C", &target), "it has no root module"),
    ];
    for (index, (code, _)) in cases.iter().enumerate() {
        compile(code, &folder.plugins().join(format!("{index}.so")));
    }
    let plugins = load(&folder);
    for (index, (_, expected)) in cases.iter().enumerate() {
        let reason = reason(&plugins, &format!("{index}.so"));
        assert!(reason.contains(expected), "{index}: {reason}");
        assert!(reason.contains("; ") && !reason.contains('\n'), "{index}: {reason}");
    }
    assert!(plugins.connector(Some("Rogue")).is_ok());
    // The handshake of a refused file is available.
    let about = file(&plugins, "3.so").about.as_ref().unwrap();
    assert_eq!((about.version.as_str(), about.api.major), ("1.2.3", 3));
}

#[cfg(unix)]
#[test]
fn library_with_a_missing_symbol_is_refused() {
    let folder = PluginsFolder::new();
    compile(
        "void nowhere_to_be_found(void); void *p = nowhere_to_be_found;",
        &folder.plugins().join("needs.so"),
    );
    let reason = reason(&load(&folder), "needs.so");
    assert!(
        reason.contains("the system cannot load it") && reason.contains("nowhere_to_be_found"),
        "{reason}"
    );
    assert!(!reason.contains("plugins-cache"), "{reason}");
}

#[test]
fn two_plugins_have_separate_symbols_and_data_folders() {
    let folder = PluginsFolder::new().with(HELLO, "a.so").with(ROGUE, "b.so");
    let plugins = load(&folder);
    let names: Vec<_> = plugins.connectors().iter().map(|plugin| plugin.name().to_owned()).collect();
    assert_eq!(names, ["Hello", "Rogue"]);
    let form = |name: &str| plugins.connector(Some(name)).unwrap().connector.settings_form().unwrap();
    assert!(form("hello").iter().all(|field| field.key != "Server"));
    assert_eq!(form("ROGUE")[0].key, "Server");
    assert!(folder.data().join("hello").is_dir() && folder.data().join("rogue").is_dir());
}

#[test]
fn duplicate_connector_is_loaded_from_the_first_file() {
    let folder = PluginsFolder::new().with(ROGUE, "b.so").with(ROGUE, "a.so");
    let plugins = load(&folder);
    assert!(file(&plugins, "a.so").loaded.is_ok());
    let reason = reason(&plugins, "b.so");
    let first = folder.plugins().join("a.so");
    assert_eq!(
        reason,
        format!("its connector Rogue is already loaded from {}; keep one of the two files", first.display())
    );
}

#[test]
fn default_connector_is_the_first_by_name_unless_configured() {
    let mut plugins = load(&PluginsFolder::new().with(ROGUE, "a.so").with(HELLO, "b.so"));
    assert_eq!(plugins.connector(None).unwrap().name(), "Hello");
    plugins.set_default("rogue").unwrap();
    assert_eq!(plugins.connector(None).unwrap().name(), "Rogue");
    let unknown = plugins.set_default("SAP").unwrap_err().to_string();
    assert_eq!(unknown, "the connector 'SAP' was not found, expected one of: Hello, Rogue");
    assert_eq!(plugins.default_connector().unwrap().name(), "Rogue");
}

#[test]
fn empty_folder_has_no_connectors() {
    let folder = PluginsFolder::new();
    let plugins = load(&folder);
    assert!(plugins.files().is_empty() && plugins.default_connector().is_none());
    let unknown = plugins.connector(Some("Excel")).unwrap_err().to_string();
    assert_eq!(unknown, "the connector 'Excel' was not found, expected one of: (none is loaded)");
    let missing =
        Plugins::load(&folder.plugins().join("none"), &folder.data(), &|_: &str| Vec::new()).unwrap_err();
    assert!(missing.to_string().contains("none cannot be read"), "{missing}");
}

#[test]
fn connector_gets_its_options_and_data_folder() {
    let folder = PluginsFolder::new().with(ROGUE, "rogue.so");
    let plugins = load_with(&folder, &[("greeting", "hello there")]);
    let connector = &plugins.connector(None).unwrap().connector;
    let list =
        connector.connect(&plugin_api::Settings::default()).unwrap().list("FromHost").unwrap().unwrap();
    let received: Vec<_> = list.iter().map(|item| (item.key.as_str(), item.text.as_str())).collect();
    let data = folder.data().join("rogue").display().to_string();
    assert_eq!(received, [("greeting", "hello there"), ("data_folder", data.as_str())]);
}

#[test]
fn failed_connector_is_an_error_of_its_file() {
    let folder = PluginsFolder::new().with(ROGUE, "rogue.so").with(HELLO, "hello.so");
    for (command, expected) in [
        ("error", "its connector cannot be made: US:\"rogue error\";NO:\"slem feil\" (the disk is on fire)"),
        ("panic", "its connector cannot be made: the connector failed unexpectedly, reference "),
        ("panic-any", "its connector cannot be made: the connector failed unexpectedly, reference "),
        ("panic-in-error", "its connector cannot be made: the connector failed unexpectedly, reference "),
    ] {
        let plugins = load_with(&folder, &[("new", command)]);
        let reason = reason(&plugins, "rogue.so");
        assert!(reason.starts_with(expected), "{reason}");
        assert!(plugins.connector(Some("Hello")).is_ok());
    }
    assert!(load(&folder).connector(Some("Rogue")).is_ok(), "the same file can be loaded later");
}

/// The process runs a copy.
#[test]
fn file_can_be_overwritten_while_its_plugin_runs() {
    let folder = PluginsFolder::new().with(ROGUE, "rogue.so");
    let plugins = load(&folder);
    fs::write(folder.plugins().join("rogue.so"), b"overwritten in place").unwrap();
    let connector = &plugins.connector(None).unwrap().connector;
    assert_eq!(connector.settings_form().unwrap().len(), 4);
}

#[test]
fn cache_is_private_and_its_copies_are_verified() {
    let folder = PluginsFolder::new().with(ROGUE, "rogue.so");
    let sha256 = load(&folder).connector(None).unwrap().sha256.clone();
    let cache = folder.data().join("plugins-cache");
    let copy = cache.join(format!("{sha256}-rogue.so"));
    let inode = |path: &Path| {
        #[cfg(unix)]
        return std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
        #[cfg(not(unix))]
        return path.exists();
    };
    let first = inode(&copy);
    load(&folder);
    assert_eq!(inode(&copy), first, "the copy is used again");
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&cache).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o700);
    }
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 1, "no temporary file is left");

    // A copy with another content is replaced.
    let other = PluginsFolder::new().with(ROGUE, "rogue.so");
    let cache = other.data().join("plugins-cache");
    fs::create_dir_all(&cache).unwrap();
    fs::write(cache.join(format!("{sha256}-rogue.so")), b"something else").unwrap();
    assert!(load(&other).connector(None).is_ok());
}

#[cfg(unix)]
#[test]
fn unwritable_data_folder_is_an_error() {
    let folder = PluginsFolder::new().with(ROGUE, "rogue.so");
    fs::write(folder.data(), b"a file where the folder should be").unwrap();
    let reason = reason(&load(&folder), "rogue.so");
    assert!(reason.contains("cannot be copied to") && reason.contains("plugins-cache"), "{reason}");
}
