//! The rules and their documentation. `tests/in_process` and the host's `tests/verify` try what breaks them.

use super::rule::Weight;
use super::rules::{group_name, table};

#[test]
fn documentation_lists_every_rule() {
    let page = include_str!("../../docs/verify.md");
    let is_rule = |line: &&str| line.starts_with("| ") && line[2..].starts_with(|c: char| c.is_ascii_digit());
    let documented: Vec<&str> = page.lines().filter(is_rule).collect();
    let word = |weight: &Option<Weight>| match weight {
        Some(Weight::Must) => "must",
        Some(Weight::Should) => "should",
        None => "-",
    };
    let expected: Vec<String> = table()
        .iter()
        .map(|((number, text, source), service, connector, _)| {
            format!("| {number} | {text} | {} | {} | {source} |", word(service), word(connector))
        })
        .collect();
    assert_eq!(documented, expected, "docs/verify.md");
    for ((number, ..), ..) in table() {
        let group = group_name(number).to_lowercase();
        let heading = |line: &str| line.strip_prefix("### ").is_some_and(|name| name.to_lowercase() == group);
        assert!(page.lines().any(heading), "docs/verify.md has no heading for {group:?}");
    }
}

#[test]
fn rule_numbers_are_unique_and_ascend() {
    let numbers: Vec<u16> = table().iter().map(|((number, ..), ..)| *number).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    assert!(numbers.iter().all(|number| !group_name(*number).is_empty()));
}
