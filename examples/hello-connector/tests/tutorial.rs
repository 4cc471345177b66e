//! The tutorial shows this connector: what it shows must be what is here.

#[test]
fn tutorial_shows_the_files_as_they_are() {
    let tutorial = include_str!("../../../docs/authors/tutorial.md");
    for (name, file) in
        [("src/lib.rs", include_str!("../src/lib.rs")), ("tests/hello.rs", include_str!("hello.rs"))]
    {
        assert!(
            tutorial.contains(&format!("```rust\n{file}```\n")),
            "docs/authors/tutorial.md does not show examples/hello-connector/{name} as it is: copy it there"
        );
    }
}
