//! Every way to hand the host a wrong plugin: one line with the file, the reason and what to do, the same one in `serve`,
//! `plugins` and `reload`. The good plugin beside them serves.

use contract::{Dialect, Request};
use test_support::{HELLO, ROGUE, Setup, VERSIONS, plugin_bytes};

/// A file's name, what it holds, and what is said of it.
type Case = (&'static str, Vec<u8>, &'static str);

/// Bytes of the handshake: magic, then numbers of four bytes (docs/authors/boundary.md).
const MAGIC: &[u8] = b"erp-host-plugin\0";
const HANDSHAKE: u32 = 112;

/// The plugin with one number of its handshake changed, by its place behind the magic.
fn with_number(plugin: &[u8], place: usize, number: u32) -> Vec<u8> {
    let start = [MAGIC, &HANDSHAKE.to_le_bytes()].concat();
    let found: Vec<usize> =
        (0..plugin.len() - start.len()).filter(|&at| plugin[at..].starts_with(&start)).collect();
    assert_eq!(found.len(), 1, "a plugin has one handshake");
    let at = found[0] + MAGIC.len() + 4 * place;
    let mut changed = plugin.to_vec();
    changed[at..at + 4].copy_from_slice(&number.to_le_bytes());
    changed
}

/// The plugin with a text replaced by one of the same length, everywhere.
fn with_text(plugin: &[u8], text: &str, other: &str) -> Vec<u8> {
    assert_eq!(text.len(), other.len());
    let mut changed = plugin.to_vec();
    let mut count = 0;
    let mut at = 0;
    while at + text.len() <= changed.len() {
        if changed[at..].starts_with(text.as_bytes()) {
            changed[at..at + text.len()].copy_from_slice(other.as_bytes());
            count += 1;
            at += text.len();
        } else {
            at += 1;
        }
    }
    assert!(count > 0, "the plugin holds {text}");
    changed
}

/// The plugin with one byte changed.
fn with_byte(plugin: &[u8], at: usize, byte: u8) -> Vec<u8> {
    let mut changed = plugin.to_vec();
    changed[at] = byte;
    changed
}

fn cases() -> Vec<Case> {
    let good = plugin_bytes(VERSIONS[0]);
    let cases = vec![
        ("empty.so", Vec::new(), "the file is empty; copy it again"),
        (
            "text.so",
            b"a note to myself\n".to_vec(),
            "it is not a shared library; build the plugin as a cdylib",
        ),
        ("half.so", good[..good.len() / 2].to_vec(), "the file is truncated: "),
        (
            "windows.dll",
            b"MZ\x90\x00".to_vec(),
            "it is a library for windows, this host runs on linux; build ",
        ),
        (
            "macos.dylib",
            b"\xcf\xfa\xed\xfe".to_vec(),
            "it is a library for macos, this host runs on linux; build ",
        ),
        ("other-processor.so", with_byte(&good, 18, 0xf3), "it is a library for another processor, "),
        ("narrow.so", with_byte(&good, 4, 1), "it is a library for another processor, "),
        (
            "program.so",
            with_byte(&good, 16, 2),
            "it is a program or an object file, not a shared library; build ",
        ),
        (
            "no-plugin.so",
            with_text(&good, "ERP_HOST_PLUGIN", "ERP_HOST_PLUGIX"),
            "it is not an erp-host plugin; build ",
        ),
        ("short-handshake.so", with_number(&good, 0, 20), "its handshake is broken: it is too short; build "),
        (
            "other-major.so",
            with_number(&good, 1, 1),
            "it was built for plugin API 1.0.0, this host has 2.0.0; build the plugin with erp-host-plugin-api 2",
        ),
        (
            "too-new.so",
            with_number(&good, 2, 7),
            "it needs plugin API 2.7, newer than this host's 2.0.0; update the host, or get a build for 2.0",
        ),
        (
            "aborts.so",
            with_number(&good, 4, 1),
            "it was built with panic = \"abort\", so a panic of it would end the host; ",
        ),
        (
            "other-target.so",
            with_text(&good, "x86_64-unknown-linux-gnu", "x86_64-unknown-linux-lib"),
            "it was built for x86_64-unknown-linux-lib, this host runs on x86_64-unknown-linux-gnu; build ",
        ),
        (
            "names-nobody.so",
            with_text(&good, "Versioned", "../../etc"),
            "its connector is called \"../../etc\"; a name has ",
        ),
        ("hello-again.so", plugin_bytes(HELLO), "its connector Hello is already loaded from "),
        ("fails.so", plugin_bytes(ROGUE), "its connector cannot be made: US:\"rogue error\""),
        ("for-all.so", good.clone(), "others than its owner may change it (mode 0666); run: chmod go-w "),
    ];
    assert!(cases.iter().all(|(name, ..)| !name.starts_with("a-")), "the good one comes first");
    cases
}

#[test]
fn each_has_one_line_with_file_reason_and_remedy() {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")) {
        return;
    }
    let cases = cases();
    let mut setup = Setup::new()
        .plugin_file("a-good.so", plugin_bytes(HELLO))
        .configuration("[connectors.Rogue.options]\nnew = \"error\"\n");
    for (name, bytes, _) in &cases {
        setup = setup.plugin_file(name, bytes.clone());
    }
    let mut host = setup.prepare();
    std::fs::create_dir(host.plugins().join("folder.so")).unwrap();
    std::os::unix::fs::symlink("nowhere", host.plugins().join("nowhere.so")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(host.plugins().join("for-all.so"), mode).unwrap();
    let expected = cases.iter().map(|(name, _, expected)| (*name, *expected)).chain([
        ("folder.so", "it is not a file; take it out of the plugins folder"),
        (
            "nowhere.so",
            "the file cannot be read: No such file or directory (os error 2); let the user of erp-host ",
        ),
    ]);
    let expected: Vec<(&str, &str)> = expected.collect();

    host.start();
    let listed = host.command(&["plugins"]);
    assert_eq!(listed.status.code(), Some(1));
    let listed = String::from_utf8(listed.stdout).unwrap();
    let log = host.log();
    let reloaded = host.command(&["reload"]);
    assert_eq!(reloaded.status.code(), Some(1));
    let reloaded = String::from_utf8(reloaded.stdout).unwrap();
    let one = |text: &str, name: &str| -> String {
        let lines: Vec<_> = text.lines().filter(|line| line.contains(name)).collect();
        assert_eq!(lines.len(), 1, "{name} in:\n{text}");
        let (_, reason) = lines[0].split_once(" loaded: ").unwrap_or_else(|| panic!("{}", lines[0]));
        reason.to_owned()
    };
    for (name, expected) in expected {
        let reason = one(&log, name);
        assert!(reason.starts_with(expected), "{name}: {reason}");
        assert!(reason.contains("; "), "{name} says what to do: {reason}");
        assert_eq!(one(&listed, name), reason);
        assert_eq!(one(&reloaded, name), reason);
    }
    assert_eq!(host.client(Dialect::Message).ok(Request::GetConfigData).fields[0].key, "Prefix");
}

/// What belongs to trust is said alike by the commands for it.
#[test]
fn signed_plugin_is_served_and_another_one_is_not() {
    let mut host = Setup::new()
        .plugin_file("hello.so", plugin_bytes(HELLO))
        .plugin_file("versioned.so", plugin_bytes(VERSIONS[0]))
        .prepare();
    let text = |arguments: &[&str]| {
        let output = host.command(arguments);
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    let (code, made) = text(&["plugins", "keygen", "partner.pem"]);
    assert_eq!(code, Some(0), "{made}");
    let (code, again) = text(&["plugins", "keygen", "partner.pem"]);
    assert!(code == Some(1) && again.contains("partner.pem.pub is there already"), "{again}");
    let (code, signed) = text(&["plugins", "sign", "plugins/hello.so", "--key", "partner.pem"]);
    assert!(
        code == Some(0) && signed.starts_with("plugins/hello.so.sig: signed by MCowBQYDK2VwAyEA"),
        "{signed}"
    );
    let verify = |file: &str| text(&["plugins", "verify", file, "--key", "partner.pem.pub"]);
    assert_eq!(verify("plugins/hello.so").0, Some(0));
    let (code, unsigned) = verify("plugins/versioned.so");
    assert!(code == Some(1) && unsigned.contains("versioned.so.sig: it cannot be read"), "{unsigned}");
    std::fs::copy(host.plugins().join("hello.so.sig"), host.folder().join("host.toml.sig")).unwrap();
    let (code, wrong) = verify("host.toml");
    assert!(
        code == Some(1) && wrong.contains("host.toml: the signature is not of this file by that key"),
        "{wrong}"
    );
    let (code, wrong) = text(&["plugins", "sign", "plugins/hello.so", "--key", "partner.pem.pub"]);
    assert!(code == Some(1) && wrong.contains("partner.pem.pub: it is no ed25519 private key"), "{wrong}");

    // The line that keygen printed is the one that the configuration takes.
    let signers = made.lines().last().unwrap();
    std::fs::write(host.configuration(), format!("[trust]\n{signers}\n")).unwrap();
    assert_eq!(text(&["plugins", "verify", "plugins/hello.so"]).0, Some(0));
    host.start();
    assert!(host.log().contains("versioned.so is not loaded: it is not signed"), "{}", host.log());
    assert_eq!(host.client(Dialect::Message).ok(Request::GetConfigData).fields[0].key, "Prefix");
    std::fs::write(host.configuration(), "[trust]\nsigners = [\"partner.pem.pub\"]\n").unwrap();
    let listed = host.command(&["plugins"]);
    let printed = String::from_utf8(listed.stderr).unwrap();
    assert!(
        printed.contains("host.toml, line 2: a signer of plugins: it is no ed25519 public key")
            && printed.lines().count() == 1,
        "{printed}"
    );
}
