//! What deserves attention in a sheet of actors, for the person who tests the connection.

use std::collections::HashMap;

use plugin_api::FieldType;

use crate::xlsx::range::cell_name;

use super::column::is_long;
use super::grid::Grid;
use super::lines::some;
use super::list::List;
use super::table::{Surroundings, Table};

/// The most characters of a key that SuperOffice keeps.
pub(crate) const MAX_KEY: usize = 254;

/// `columns` are those with headings.
pub(super) fn of_table(
    table: &Table,
    grid: &Grid,
    columns: &[u32],
    around: &Surroundings<'_>,
    problems: &mut Vec<String>,
) {
    let mut warn = |found: &[String], text: &str| {
        if !found.is_empty() {
            problems.push(format!("the sheet {} {text}: {}", table.sheet, some(found)));
        }
    };
    let below = |row: u32| row > table.header_row;

    let no_numbers =
        grid.no_numbers.iter().filter(|(row, column, _)| below(*row) && columns.contains(column));
    let no_numbers: Vec<String> =
        no_numbers.map(|(row, column, text)| format!("{text} in {}", cell_name(*row, *column))).collect();
    warn(&no_numbers, "has numbers that are none, they are left out");

    let covers = |range: &&crate::xlsx::range::CellRange| {
        below(range.last.0) && columns.iter().any(|column| range.has_column(*column))
    };
    let merged = grid.merged.iter().filter(covers).map(ToString::to_string);
    warn(&merged.collect::<Vec<_>>(), "has merged cells, only the first cell of each is written");

    let links = grid.hyperlinks.iter().filter(covers).filter(|range| !range.is_one_cell());
    let links: Vec<String> = links.map(ToString::to_string).collect();
    warn(&links, "has hyperlinks over several cells, which are not written");

    warn_of_keys(table, &mut warn);

    // Digits behind the fifteenth are gone already, whatever column they stand in.
    let keys =
        table.keys().enumerate().filter(|(_, key)| key.parse().is_ok_and(is_long) && table.id.holds_numbers);
    let keys = keys.map(|(actor, _)| cell_name(table.row(actor), table.id.column));
    let fields = table
        .columns
        .iter()
        .flat_map(|column| column.long_numbers().map(|actor| cell_name(table.row(actor), column.column)));
    let long: Vec<String> = keys.chain(fields).collect();
    warn(&long, "has numbers of 16 digits and more, of which Excel keeps 15 (format such cells as text)");

    for column in table.columns.iter().filter(|column| column.field.field_type == FieldType::List) {
        let Some(list) = around.lists.iter().find(|list| Some(&list.name) == column.field.list.as_ref())
        else {
            continue;
        };
        let strangers = column.list_keys(around.styles).filter(|(_, key)| !list.has(key));
        let (texts, others): (Vec<_>, Vec<_>) = strangers.partition(|(_, key)| is_text_of(list, key));
        let told = |found: Vec<(usize, String)>| -> Vec<String> {
            found.iter().map(|(actor, key)| format!("{key} in row {}", table.row(*actor) + 1)).collect()
        };
        let (heading, list) = (&column.heading, &list.name);
        warn(
            &told(texts),
            &format!("has texts of the list {list} in the column {heading:?}, expected their IDs"),
        );
        warn(&told(others), &format!("has values in the column {heading:?} that are not in the list {list}"));
    }
}

/// SuperOffice's keys are texts of at most 254 characters that differ in more than their case.
fn warn_of_keys(table: &Table, warn: &mut impl FnMut(&[String], &str)) {
    let mut by_lower_case: HashMap<String, &str> = HashMap::new();
    let (mut alike, mut long) = (Vec::new(), Vec::new());
    for key in table.keys() {
        if let Some(other) = by_lower_case.insert(key.to_lowercase(), key) {
            alike.push(format!("{other} and {key}"));
        }
        if key.chars().count() > MAX_KEY {
            long.push(key.chars().take(40).chain("...".chars()).collect());
        }
    }
    warn(&alike, "has IDs that differ only in case, which SuperOffice takes for one");
    warn(&long, "has IDs of more than 254 characters, which SuperOffice cannot keep");
}

fn is_text_of(list: &List, text: &str) -> bool {
    list.items.iter().any(|item| item.text.trim().eq_ignore_ascii_case(text))
}
