//! `erp-host plugins install` into the plugins folder of a running host.

use contract::{Dialect, Request};
use test_support::{Setup, TestHost, VERSIONS, plugin_bytes};

const FILE: &str = "versioned.so";

/// A command of the operator: its exit code, and what it prints.
fn run(host: &TestHost, arguments: &[&str]) -> (Option<i32>, String) {
    let output = host.command(arguments);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

/// A plugin file beside the plugins folder, called as `erp-host plugins pack` calls it.
fn packed(host: &TestHost, version: usize) -> String {
    let file = host.folder().join(format!("versioned-{}.0.0.so", version + 1));
    std::fs::write(&file, plugin_bytes(VERSIONS[version])).unwrap();
    file.to_str().unwrap().to_owned()
}

/// The version that the host serves, by its settings form.
fn served(host: &TestHost) -> String {
    let form = host.client(Dialect::Message).connector("Versioned").ok(Request::GetConfigData).fields;
    form[1].key.strip_prefix("Only in ").unwrap().to_owned()
}

fn names(host: &TestHost) -> Vec<String> {
    let entries = std::fs::read_dir(host.plugins()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// SHA-256 of a file, as `erp-host plugins inspect` shows it.
fn sha256(host: &TestHost, file: &str) -> String {
    let (_, text) = run(host, &["plugins", "inspect", file]);
    text.lines().find_map(|line| line.strip_prefix("sha256:")).unwrap().trim().to_owned()
}

#[test]
fn installed_version_is_served_when_the_command_ends_and_after_a_restart() {
    let mut host = Setup::new().plugin_file(FILE, plugin_bytes(VERSIONS[0])).start();
    assert_eq!(served(&host), "1.0.0");
    let (code, text) = run(&host, &["plugins", "install", &packed(&host, 1)]);
    assert_eq!(code, Some(0), "{text}");
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("versioned.so: Versioned 1.0.0 is replaced by 2.0.0 (sha256 "), "{text}");
    assert!(lines[1].starts_with("serving: Versioned 2.0.0 from versioned.so (sha256 "), "{text}");
    assert_eq!(lines.len(), 2, "{text}");
    assert_eq!((served(&host).as_str(), names(&host)), ("2.0.0", vec![FILE.to_owned()]));

    // Again: nothing changes. And back to the version before.
    let (code, text) = run(&host, &["plugins", "install", &packed(&host, 1)]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("versioned.so: Versioned 2.0.0 was installed already"), "{text}");
    let (code, text) = run(&host, &["plugins", "install", &packed(&host, 0)]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(served(&host), "1.0.0");
    host.kill();
    host.start();
    assert_eq!(served(&host), "1.0.0");
}

#[test]
fn signed_plugin_is_installed_where_signatures_are_required() {
    let keys = Setup::new().prepare();
    let (_, text) = run(&keys, &["plugins", "keygen", "partner.pem"]);
    let signers = text.lines().last().unwrap();
    let host = Setup::new().configuration(&format!("[trust]\n{signers}\n")).start();
    let file = packed(&host, 0);
    let (code, text) = run(&host, &["plugins", "install", &file]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("not installed: it is not signed, and [trust] names who must sign"), "{text}");
    assert_eq!(names(&host), Vec::<String>::new());

    let key = keys.folder().join("partner.pem");
    assert_eq!(run(&host, &["plugins", "sign", &file, "--key", key.to_str().unwrap()]).0, Some(0));
    let (code, text) = run(&host, &["plugins", "install", &file]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("\nserving: Versioned 1.0.0 from "), "{text}");
    assert_eq!(served(&host), "1.0.0");
    let installed = format!("versioned{}", std::env::consts::DLL_SUFFIX);
    assert_eq!(names(&host), [installed.clone(), format!("{installed}.sig")]);
    assert!(!host.log().contains("not loaded"), "{}", host.log());
}

/// The command has a configuration that trusts more than that of the host.
#[test]
fn plugin_that_the_running_host_refuses_leaves_everything_as_it_was() {
    let prepared = Setup::new().prepare();
    let hash = sha256(&prepared, &packed(&prepared, 0));
    let trust = format!("[trust]\nsha256 = [\"{hash}\"]\n");
    let mut host = Setup::new().configuration(&trust).plugin_file(FILE, plugin_bytes(VERSIONS[0])).start();
    let loose = host.folder().join("loose.toml");
    std::fs::write(&loose, "").unwrap();
    let file = packed(&host, 1);
    let (code, text) = run(&host, &["plugins", "install", &file, "--config", loose.to_str().unwrap()]);
    assert_eq!((code, text.lines().count()), (Some(1), 1), "{text}");
    assert!(text.starts_with("erp-host: versioned.so: not loaded: its sha256 "), "{text}");
    assert!(text.ends_with("; Versioned 1.0.0 is in its place again\n"), "{text}");
    assert_eq!((served(&host).as_str(), names(&host)), ("1.0.0", vec![FILE.to_owned()]));
    assert_eq!(std::fs::read(host.plugins().join(FILE)).unwrap(), plugin_bytes(VERSIONS[0]));
    assert!(!host.log().contains("retired"), "{}", host.log());
    host.kill();
    host.start();
    assert_eq!(served(&host), "1.0.0");
}
