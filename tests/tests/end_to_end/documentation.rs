//! What the documentation says is so: links lead somewhere, examples are the real ones.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use test_support::build::workspace;
use test_support::documentation::{code_blocks, read};

/// Every page: the book, and what stands in the workspace's folder.
fn pages() -> Vec<PathBuf> {
    fn walk(folder: &Path, pages: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, pages);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    let mut pages: Vec<_> =
        ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].iter().map(|name| workspace().join(name)).collect();
    walk(&workspace().join("docs"), &mut pages);
    pages
}

/// The targets of inline links, outside code.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        let mut rest = if in_code { "" } else { line };
        while let Some(start) = rest.find("](") {
            rest = &rest[start + 2..];
            let end = rest.find(')').unwrap_or(rest.len());
            found.push(rest[..end].to_owned());
        }
    }
    found
}

/// The anchors of a page's headings, as mdBook and code hosts make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|heading| {
            let text = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for link in links(&text) {
            if link.starts_with("http://") || link.starts_with("https://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            let leads = target.exists()
                && (anchor.is_empty()
                    || anchors(&std::fs::read_to_string(&target).unwrap()).contains(anchor));
            if !leads {
                broken.push(format!("{}: {link}", page.strip_prefix(workspace()).unwrap().display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_page_of_the_book_is_in_its_summary() {
    let docs = workspace().join("docs");
    let listed: BTreeSet<_> = links(&read("docs/SUMMARY.md"))
        .iter()
        .map(|link| docs.join(link).canonicalize().expect(link))
        .collect();
    for page in pages().iter().filter(|page| page.starts_with(&docs) && !page.ends_with("SUMMARY.md")) {
        assert!(
            listed.contains(&page.canonicalize().unwrap()),
            "{} is not in docs/SUMMARY.md",
            page.display()
        );
    }
}

#[test]
fn documented_configuration_is_the_default_one() {
    let blocks = code_blocks(&read("docs/operators/install.md"), "toml");
    let [example] = &blocks[..] else { panic!("expected one TOML example, found {}", blocks.len()) };
    let config =
        erp_host::config::Config::parse(example, Path::new("install.md")).expect("the example is understood");
    let default = erp_host::config::Config::default();
    assert_eq!(
        format!("{config:#?}"),
        format!("{default:#?}"),
        "install.md says which values are the defaults"
    );

    // Keys without a default are there as comments, and are understood as well.
    let all: String = example
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(key) if key.contains(" = ") || key.starts_with('[') => format!("{key}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    // What stands above the first table belongs to the top: so the two optional keys do.
    let config =
        erp_host::config::Config::parse(&all, Path::new("install.md")).expect("comments hold real keys");
    assert_eq!(config.router.default_connector.as_deref(), Some("Excel"));
    assert!(config.key_file.is_some());
    assert_eq!(config.runtime.connectors.len(), 1);
}

#[test]
fn every_other_configuration_example_is_understood() {
    for page in ["systemd", "windows-service", "nginx", "iis", "online", "access", "tls"] {
        let name = format!("docs/operators/{page}.md");
        let examples = code_blocks(&read(&name), "toml");
        assert!(!examples.is_empty(), "{name} shows a configuration");
        for example in examples {
            erp_host::config::Config::parse(&example, Path::new(&name)).expect("the example is understood");
        }
    }
}

#[test]
fn xml_examples_are_well_formed() {
    for page in ["windows-service", "iis"] {
        for example in code_blocks(&read(&format!("docs/operators/{page}.md")), "xml") {
            roxmltree::Document::parse(&example).expect(page);
        }
    }
}

#[test]
fn tutorial_shows_the_hello_connector_in_full() {
    let source = read("examples/hello-connector/src/lib.rs");
    assert!(source.lines().count() < 110, "the smallest useful connector is about 100 lines");
    let tutorial = read("docs/authors/tutorial.md");
    let included = tutorial.contains("{{#include ../../examples/hello-connector/src/lib.rs}}");
    assert!(included || tutorial.contains(source.trim()), "the tutorial shows the real code");
}

#[test]
fn readme_shows_real_code() {
    let source = read("examples/hello-connector/src/lib.rs");
    let shown = code_blocks(&read("README.md"), "rust").remove(0);
    for line in shown.lines().filter(|line| !line.trim().starts_with("// ...")) {
        assert!(source.lines().any(|real| real == line), "not in the hello connector: {line}");
    }
}
