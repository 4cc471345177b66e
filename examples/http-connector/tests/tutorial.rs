//! The tutorial's second part shows this connector: what it shows must be what is here, all of it and in order.

#[test]
fn tutorial_shows_the_files_as_they_are() {
    let page = include_str!("../../../docs/authors/http.md");
    let blocks = page.split("```rust,ignore\n").skip(1).filter_map(|block| block.split_once("```\n"));
    let shown: Vec<&str> =
        blocks.flat_map(|(block, _)| block.lines()).filter(|line| !line.is_empty()).collect();
    let files =
        [include_str!("../src/records.rs"), include_str!("../src/lib.rs"), include_str!("recorded.rs")];
    let written: Vec<&str> =
        files.iter().flat_map(|file| file.lines()).filter(|line| !line.is_empty()).collect();
    assert_eq!(
        shown, written,
        "docs/authors/http.md does not show examples/http-connector as it is: copy it there"
    );
}

#[test]
fn tutorial_counts_its_lines() {
    let page = include_str!("../../../docs/authors/http.md");
    let count = |files: &[&str]| {
        let lines = files.iter().flat_map(|file| file.lines()).map(str::trim);
        lines.filter(|line| !line.is_empty() && !line.starts_with("//")).count()
    };
    let first = count(&[include_str!("../../hello-connector/src/lib.rs")]);
    let second = count(&[include_str!("../src/records.rs"), include_str!("../src/lib.rs")]);
    for expected in [format!("{second} lines of code"), format!("has {first}.")] {
        assert!(page.contains(&expected), "docs/authors/http.md does not say {expected:?}");
    }
}
