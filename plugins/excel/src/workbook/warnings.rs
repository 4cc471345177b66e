//! Warnings about a sheet of actors, shown when the connection is tested.

use std::collections::{HashMap, HashSet};

use plugin_api::FieldType;

use crate::xlsx::range::{CellRange, cell_name, column_name};

use super::column::is_long;
use super::examples::{Examples, truncated};
use super::grid::Grid;
use super::list::List;
use super::read_context::ReadContext;
use super::table::Table;

/// The most characters of a key that SuperOffice keeps.
pub(crate) const MAX_KEY: usize = 254;

/// Adds the problems of a table and of the cells that it was read from.
pub(super) fn of_table(table: &Table, grid: &Grid, context: &ReadContext<'_>, problems: &mut Vec<String>) {
    let columns: Vec<u32> = grid.headings(context.styles).iter().map(|(column, _)| *column).collect();
    let mut warn = |text: &str, examples: Examples| {
        if !examples.is_empty() {
            problems.push(format!("the sheet {} {text}: {examples}", table.sheet));
        }
    };
    let below = |row: u32| row > table.header_row;

    let invalid_numbers =
        grid.invalid_numbers.iter().filter(|(row, column, _)| below(*row) && columns.contains(column));
    let invalid_numbers = invalid_numbers
        .map(|(row, column, text)| move || format!("{} in {}", truncated(text), cell_name(*row, *column)));
    warn("has numbers that are none, they are left out", invalid_numbers.collect());

    let covers_column =
        |range: &&CellRange| below(range.last.0) && columns.iter().any(|column| range.has_column(*column));
    let merged = grid.merged.iter().filter(covers_column).map(|range| || range.to_string());
    warn("has merged cells, only the first cell of each is written", merged.collect());

    let links = grid.hyperlinks.iter().filter(covers_column).filter(|range| !range.is_one_cell());
    let links = links.map(|range| || range.to_string());
    warn("has hyperlinks over several cells, which are not written", links.collect());

    if let Some(modified) = table.modified
        && !table.computed_stamps.is_empty()
    {
        let cells = table.computed_stamps.iter().map(|row| move || cell_name(*row, modified.column));
        warn("has formulas in the column LastModified, which are not overwritten", cells.collect());
    }
    let computed = table.tables.iter().flat_map(|part| &part.formulas).filter(|formula| !formula.can_fill);
    let computed = computed.map(|formula| || column_name(formula.column));
    warn("has table columns whose formulas a new row does not get", computed.collect());

    warn_about_keys(table, &mut warn);

    // Digits behind the fifteenth are gone already, whatever column they stand in.
    let keys = table.keys().enumerate();
    let keys = keys.filter(|(_, key)| table.id.holds_numbers && key.parse().is_ok_and(is_long));
    let keys = keys.map(|(actor, _)| (actor, table.id.column));
    let fields = table.columns.iter();
    let fields = fields.flat_map(|column| column.long_numbers().map(|actor| (actor, column.column)));
    let long = keys.chain(fields).map(|(actor, column)| move || cell_name(table.row(actor), column));
    warn(
        "has numbers of 16 digits and more, of which Excel keeps 15 (format such cells as text)",
        long.collect(),
    );

    for column in table.columns.iter().filter(|column| column.field.field_type == FieldType::List) {
        let Some(list) = context.lists.iter().find(|list| Some(&list.name) == column.field.list.as_ref())
        else {
            continue;
        };
        let list_texts = texts_of(list);
        let (mut texts, mut others) = (Examples::default(), Examples::default());
        for (actor, key) in column.list_keys(context.styles).filter(|(_, key)| !list.has(key)) {
            let is_text = list_texts.contains(&key.to_lowercase());
            let examples = if is_text { &mut texts } else { &mut others };
            examples.add(|| format!("{} in row {}", truncated(&key), table.row(actor) + 1));
        }
        let (heading, list) = (&column.heading, &list.name);
        warn(&format!("has texts of the list {list} in the column {heading:?}, expected their IDs"), texts);
        warn(&format!("has values in the column {heading:?} that are not in the list {list}"), others);
    }
}

/// SuperOffice's keys are texts of at most 254 characters that differ in more than their case.
fn warn_about_keys(table: &Table, warn: &mut impl FnMut(&str, Examples)) {
    let mut by_lower_case: HashMap<String, &str> = HashMap::new();
    let (mut alike, mut long) = (Examples::default(), Examples::default());
    for key in table.keys() {
        if let Some(other) = by_lower_case.insert(key.to_lowercase(), key) {
            alike.add(|| format!("{} and {}", truncated(other), truncated(key)));
        }
        if key.chars().count() > MAX_KEY {
            long.add(|| truncated(key));
        }
    }
    warn("has IDs that differ only in case, which SuperOffice takes for one", alike);
    warn("has IDs of more than 254 characters, which SuperOffice cannot keep", long);
}

/// What a list shows, in small letters; each language of a localised text by itself.
fn texts_of(list: &List) -> HashSet<String> {
    let mut texts = HashSet::new();
    for item in &list.items {
        texts.insert(item.text.trim().to_lowercase());
        texts.extend(item.text.split('"').skip(1).step_by(2).map(|text| text.trim().to_lowercase()));
    }
    texts
}
