//! The rules of docs/architecture.md that the compiler does not hold.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;
use test_support::build::workspace;

mod module_cycles;

/// The metadata of the workspace's crates. Cargo runs once, which takes a good part of a second.
static METADATA: LazyLock<Value> = LazyLock::new(|| {
    let output = Command::new(env!("CARGO"))
        .current_dir(workspace())
        .args(["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", host_triple()])
        .output()
        .expect("cargo metadata");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata writes JSON")
});

/// The names of every crate that a workspace member is built from (build and normal dependencies, no tests).
fn dependencies_of(member: &str) -> BTreeSet<String> {
    let metadata = &*METADATA;
    let names: BTreeMap<&str, &str> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (package["id"].as_str().unwrap(), package["name"].as_str().unwrap()))
        .collect();
    let needs: BTreeMap<&str, Vec<&str>> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| {
            let not_only_tests = |dependency: &&Value| {
                dependency["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"] != "dev")
            };
            let dependencies = node["deps"].as_array().unwrap().iter().filter(not_only_tests);
            (
                node["id"].as_str().unwrap(),
                dependencies.map(|dependency| dependency["pkg"].as_str().unwrap()).collect(),
            )
        })
        .collect();

    let root =
        names.iter().find(|(_, name)| **name == member).unwrap_or_else(|| panic!("no crate {member}")).0;
    let mut found = BTreeSet::new();
    let mut open = vec![*root];
    while let Some(id) = open.pop() {
        for &dependency in &needs[id] {
            if found.insert(names[dependency].to_owned()) {
                open.push(dependency);
            }
        }
    }
    found
}

fn host_triple() -> &'static str {
    match (cfg!(target_os = "linux"), cfg!(target_os = "windows"), cfg!(target_arch = "aarch64")) {
        (true, _, false) => "x86_64-unknown-linux-gnu",
        (true, _, true) => "aarch64-unknown-linux-gnu",
        (_, true, _) => "x86_64-pc-windows-msvc",
        _ => "aarch64-apple-darwin",
    }
}

#[test]
fn crates_depend_only_on_what_they_may() {
    let table: &[(&str, &[&str])] = &[
        ("erp-host-values", &["erp-host-contract", "erp-host-plugin-api", "serde", "tokio"]),
        ("erp-host-contract", &["erp-host-plugin-api", "abi_stable", "tokio", "hyper", "http", "sqlx"]),
        ("erp-host-plugin-api", &["erp-host-contract", "tokio", "hyper", "http", "sqlx"]),
        ("hello-connector", &["erp-host-contract", "tokio", "hyper"]),
        ("http-connector", &["erp-host-contract", "erp-host-conformance", "openssl", "native-tls"]),
        ("excel-connector", &["erp-host-contract", "tokio", "hyper"]),
        ("erp-host-runtime", &["erp-host-contract", "erp-host-store", "tokio", "hyper", "sqlx"]),
        ("erp-host-store", &["erp-host-contract", "erp-host-runtime", "hyper", "reqwest"]),
        ("erp-host-client", &["erp-host-plugin-api", "erp-host-runtime", "erp-host-store", "sqlx"]),
        (
            "erp-host-auth",
            &["erp-host-plugin-api", "erp-host-runtime", "erp-host-store", "erp-host-client", "sqlx"],
        ),
        ("erp-host-conformance", &["erp-host-runtime", "erp-host-store", "sqlx"]),
        ("erp-host-router", &["erp-host-client", "erp-host-conformance"]),
        ("erp-host-simulator", &["erp-host-plugin-api", "erp-host-runtime", "erp-host-store"]),
    ];
    for (member, forbidden) in table {
        let dependencies = dependencies_of(member);
        assert!(!dependencies.contains("erp-host"), "{member} must not depend on the program");
        for name in *forbidden {
            assert!(!dependencies.contains(*name), "{member} must not depend on {name}");
        }
    }
    let host = dependencies_of("erp-host");
    assert!(
        host.contains("erp-host-contract") && host.contains("erp-host-plugin-api"),
        "the host joins them"
    );
    assert!(dependencies_of("erp-host-values").is_empty(), "values depends on nothing");
}

/// Programs and plugin files that operators run hold no code that is made for tests and samples.
#[test]
fn shipped_crates_link_no_test_or_sample_code() {
    const TESTS_AND_SAMPLES: &[&str] = &[
        "sample-workbook",
        "rust_xlsxwriter",
        "demo-erp",
        "test-support",
        "xtask",
        "end-to-end",
        "benches",
        "rogue-connector",
        "mirror-connector",
        "proptest",
        "criterion",
        "trybuild",
        "rcgen",
    ];
    for member in ["erp-host", "excel-connector", "hello-connector", "http-connector"] {
        let dependencies = dependencies_of(member);
        for name in TESTS_AND_SAMPLES {
            assert!(!dependencies.contains(*name), "{member} must not depend on {name}");
        }
    }
}

/// The Rust files of the workspace, by their path from its folder.
fn rust_files() -> Vec<PathBuf> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    walk(&path, files);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    walk(&workspace(), &mut files);
    files.iter().map(|file| file.strip_prefix(workspace()).unwrap().to_owned()).collect()
}

#[test]
fn unsafe_code_stays_where_it_belongs() {
    let allowed = |file: &Path| {
        ["plugin-api/src/abi", "runtime/src"].iter().any(|folder| file.starts_with(folder))
            // Loads a plugin without the real host.
            || file == Path::new("tests/minimal-host/src/main.rs")
            // Does to the process what C libraries do.
            || file == Path::new("tests/connectors/rogue/src/process_state.rs")
            // This very file names what it looks for.
            || file == Path::new("tests/tests/end_to_end/architecture.rs")
    };
    for file in rust_files().iter().filter(|file| !allowed(file)) {
        let text = std::fs::read_to_string(workspace().join(file)).unwrap();
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for form in
                ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "unsafe trait", "allow(unsafe_code"]
            {
                assert!(!code.contains(form), "{}:{}: {form}", file.display(), number + 1);
            }
        }
    }
}

/// The program is the crate that everything would grow into.
#[test]
fn host_stays_below_its_size() {
    const MAX_LINES: usize = 12_000;
    let is_test = |file: &&PathBuf| {
        file.iter().any(|part| part == "tests") || file.file_name().is_some_and(|name| name == "tests.rs")
    };
    let files = rust_files();
    let sources = files.iter().filter(|file| file.starts_with("host/src")).filter(|file| !is_test(file));
    let lines = |file: &PathBuf| {
        let text = std::fs::read_to_string(workspace().join(file)).unwrap();
        text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().lines().count()
    };
    let lines: usize = sources.map(lines).sum();
    assert!(lines > 5_000, "the sources are there");
    assert!(lines < MAX_LINES, "host has {lines} lines: move a part into a crate");
}

/// The places that docs/architecture.md names exist.
#[test]
fn architecture_page_names_places_that_exist() {
    let page = std::fs::read_to_string(workspace().join("docs/architecture.md")).unwrap();
    let mut count = 0;
    for code in page.split('`').skip(1).step_by(2) {
        // A path of a URL begins with a slash.
        let is_place = !code.contains([' ', ':', '=', '"'])
            && !code.starts_with('/')
            && code
                .split_once('/')
                .is_some_and(|(folder, _)| workspace().join(folder).join("Cargo.toml").exists());
        if is_place {
            count += 1;
            assert!(workspace().join(code).exists(), "{code} is not there any more");
        }
    }
    assert!(count > 30, "{count} places were found");
}

#[test]
fn file_names_are_not_empty_words() {
    const EMPTY_WORDS: &[&str] = &["manager", "helper", "helpers", "util", "utils", "data", "misc", "common"];
    for file in rust_files() {
        for part in file.iter() {
            let name = part.to_string_lossy();
            let mut words = name.trim_end_matches(".rs").split(['_', '-']);
            if let Some(word) = words.find(|word| EMPTY_WORDS.contains(word)) {
                panic!("{}: {word:?} says nothing about what is in it", file.display());
            }
        }
    }
}
