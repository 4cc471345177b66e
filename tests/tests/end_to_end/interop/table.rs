//! The tables of `docs/interop.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Mutex;

use test_support::build::workspace;

use super::stacks::{Shown, aspects};

const PAGE: &str = "docs/interop.md";

/// What was shown by stacks in contracts, by both names.
pub(super) type Results = BTreeMap<(&'static str, String), Shown>;

/// A table with a column for each of these stacks, and below it what stacks cannot do. A row for each aspect, all contracts
/// together.
pub(super) fn by_aspect(results: &Results, stacks: &[&'static str], contracts: &[&str]) -> String {
    let rows: Vec<(&str, Vec<&str>, Vec<&str>)> =
        aspects().map(|aspect| (aspect, contracts.to_vec(), vec![aspect])).collect();
    table(results, stacks, &rows)
}

/// A table with a row for each contract, all aspects together, also those of the play with this suffix where there is one.
pub(super) fn by_contract(
    results: &Results,
    stacks: &[&'static str],
    contracts: &[&str],
    suffix: &str,
) -> String {
    let also: Vec<String> = contracts.iter().map(|contract| format!("{contract}{suffix}")).collect();
    let rows: Vec<(&str, Vec<&str>, Vec<&str>)> = contracts
        .iter()
        .zip(&also)
        .map(|(contract, also)| (*contract, vec![*contract, also], aspects().collect()))
        .collect();
    table(results, stacks, &rows)
}

/// `rows`: a name, contracts and aspects.
fn table(results: &Results, stacks: &[&'static str], rows: &[(&str, Vec<&str>, Vec<&str>)]) -> String {
    let mut limits: Vec<String> = Vec::new();
    let mut table = String::from("| |");
    for stack in stacks {
        table += &format!(" {stack} |");
    }
    table += &format!("\n|---|{}\n", "---|".repeat(stacks.len()));
    for (name, contracts, aspects) in rows {
        table += &format!("| {name} |");
        for stack in stacks {
            let shown: Vec<_> = contracts
                .iter()
                .filter_map(|contract| results.get(&(*stack, (*contract).to_owned())))
                .collect();
            assert!(!shown.is_empty(), "{stack} has played {name}");
            let reasons: BTreeSet<&String> = shown
                .iter()
                .flat_map(|shown| aspects.iter().filter_map(|aspect| shown[*aspect].as_ref()))
                .collect();
            let notes: Vec<String> =
                reasons.into_iter().map(|reason| note(&mut limits, stack, reason)).collect();
            table += &if notes.is_empty() { " ✓ |".to_owned() } else { format!(" {} |", notes.join(" ")) };
        }
        table += "\n";
    }
    for (index, limit) in limits.iter().enumerate() {
        table += &format!("\n{}. {limit}", index + 1);
    }
    table + "\n"
}

/// The mark of a limit in the table.
fn note(limits: &mut Vec<String>, stack: &str, reason: &str) -> String {
    let limit = format!("{stack}: {reason}.");
    let index = limits.iter().position(|known| *known == limit).unwrap_or_else(|| {
        limits.push(limit);
        limits.len() - 1
    });
    format!("({})", index + 1)
}

/// Writes the table of a test to the page. A page with another one is changed, and the test fails once.
pub(super) fn write(test: &str, table: &str) {
    static ONE_AFTER_THE_OTHER: Mutex<()> = Mutex::new(());
    let writing = ONE_AFTER_THE_OTHER.lock().expect("no test panics while it writes");
    let file = workspace().join(PAGE);
    let page = fs::read_to_string(&file).expect("the page is read");
    let mark = |what| format!("<!-- written by the test {test}: {what} -->\n");
    let (begin, end) = (mark("begin"), mark("end"));
    let (before, rest) = page.split_once(&begin).expect("the page has the mark where the table begins");
    let (_, after) = rest.split_once(&end).expect("the page has the mark where the table ends");
    let written = format!("{before}{begin}\n{table}\n{end}{after}");
    if written != page {
        fs::write(&file, written).expect("the page is written");
        drop(writing);
        panic!("{PAGE} had another table: it has this one now, look at it and commit it");
    }
}
