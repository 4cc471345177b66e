//! The rules and the book; what breaks them is tried in `tests/verify`, with services that break one each.

use super::rule::Weight;
use super::rules::{group_name, rules};

/// The book has the rules as they are checked.
#[test]
fn the_book_has_every_rule() {
    let book = include_str!("../../docs/verify.md");
    let is_rule = |line: &&str| line.starts_with("| **") || line.starts_with("| *");
    let told: Vec<&str> = book.lines().filter(is_rule).collect();
    let expected: Vec<String> = rules()
        .iter()
        .map(|(rule, _)| {
            let around = if rule.weight == Weight::Must { "**" } else { "*" };
            format!("| {around}{}{around} | {} | {} |", rule.number, rule.text, rule.source)
        })
        .collect();
    assert_eq!(told, expected, "docs/verify.md");
    for (rule, _) in rules() {
        let group = group_name(rule.number).to_lowercase();
        let heading = |line: &str| line.strip_prefix("### ").is_some_and(|name| name.to_lowercase() == group);
        assert!(book.lines().any(heading), "docs/verify.md has no heading for {group:?}");
    }
}

#[test]
fn numbers_are_unique_and_ascend() {
    let numbers: Vec<u16> = rules().iter().map(|(rule, _)| rule.number).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    assert!(numbers.iter().all(|number| !group_name(*number).is_empty()));
}
