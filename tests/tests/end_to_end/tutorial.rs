//! The tutorial, done as it says: a crate of its own, its tests, its plugin file in a host, its calls.

#![cfg(unix)]

use std::process::Command;

use test_support::build::{target, workspace};
use test_support::documentation::{code_blocks, read};
use test_support::{Setup, tools};

#[test]
fn tutorial_works() {
    let Some(_) = tools::curl() else { return };
    let page = read("docs/authors/tutorial.md");
    let manifest = code_blocks(&page, "toml").remove(0);
    let [library, tests] = &code_blocks(&page, "rust")[..] else {
        panic!("expected a library and its tests")
    };
    let calls =
        code_blocks(&page, "sh").into_iter().find(|block| block.starts_with("ask()")).expect("the calls");

    // A workspace of its own, as an author's crate is, with the same versions of all else, so that nothing is fetched. It
    // stays there: what the page has not changed is not compiled again.
    let folder = target().join("tutorial").join("crate");
    let checkout = format!("{}/", workspace().display());
    let manifest = manifest.replace("../erp-host/", &checkout);
    assert!(manifest.contains(&format!("{checkout}plugin-api")), "{manifest}");
    let manifest = format!("{manifest}\n[workspace]\n");
    for (name, content) in [("Cargo.toml", &manifest), ("src/lib.rs", library), ("tests/hello.rs", tests)] {
        let file = folder.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        if std::fs::read_to_string(&file).ok().as_ref() != Some(content) {
            std::fs::write(file, content).unwrap();
        }
    }
    std::fs::copy(workspace().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let built_in = target().join("tutorial");
    for arguments in [&["test", "--offline"][..], &["build", "--offline"]] {
        let output = Command::new(env!("CARGO"))
            .current_dir(&folder)
            .env("CARGO_TARGET_DIR", &built_in)
            .args(arguments)
            .output()
            .expect("cargo runs");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {}{text}", String::from_utf8_lossy(&output.stdout));
        assert!(!text.contains("warning"), "{text}");
    }

    let name = format!("{}hello_connector{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let plugin = std::fs::read(built_in.join("debug").join(&name)).expect("the plugin file");
    let host = Setup::new().plugin_file(&name, plugin).start();
    let script = calls.replace("127.0.0.1:8080", &host.address().to_string());
    let output = Command::new("sh").args(["-c", &script]).output().expect("a shell");
    let answers = String::from_utf8(output.stdout).unwrap();
    assert!(!answers.contains("<State>Error"), "{answers}");
    let [_, shown] = &answers.split("</s:Envelope>").take(2).collect::<Vec<_>>()[..] else {
        panic!("{answers}")
    };

    // The answer that the tutorial shows, but for its stamp.
    let expected = code_blocks(&page, "xml").remove(0);
    let words = |text: &str| {
        let stampless = text.split("LastModified>").enumerate().filter(|(at, _)| at % 2 == 0);
        let text: String = stampless.map(|(_, text)| text).collect();
        text.trim().trim_end_matches("</s:Envelope>").split_whitespace().collect::<String>()
    };
    assert_eq!(words(shown), words(&expected));
}
