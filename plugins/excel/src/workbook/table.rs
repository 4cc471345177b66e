//! A sheet of actors: its columns, its rows, and the index over them.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use plugin_api::{DateTime, actor_type};

use crate::cell::CellValue;
use crate::stamps::{Digest, RowVersion};
use crate::xlsx::table_part::TablePart;

use super::Styles;
use super::column::Column;
use super::column_reader::ColumnReader;
use super::examples::{Examples, truncated};
use super::field_keys::normalized_name;
use super::grid::{Cell, Grid};
use super::lines::{KeyColumn, Lines, NextRow, StampColumn};
use super::read_context::ReadContext;
use super::texts::Texts;

/// The actors of one type, as their sheet holds them.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) actor_type: &'static str,
    /// The name of the sheet, as the workbook writes it.
    pub(crate) sheet: String,
    /// The part that holds the sheet.
    pub(crate) part: String,
    /// The row of the headings, counted from 0.
    pub(crate) header_row: u32,
    /// Where a new row goes.
    pub(crate) next: NextRow,
    /// The Excel tables that hold keys of actors.
    pub(crate) tables: Vec<TablePart>,
    pub(crate) id: KeyColumn,
    pub(crate) modified: Option<StampColumn>,
    /// Rows whose cell in the column of the stamps holds a formula.
    pub(crate) computed_stamps: HashSet<u32>,
    pub(crate) parent_type: Option<KeyColumn>,
    pub(crate) parent_key: Option<KeyColumn>,
    /// The columns that are offered as fields.
    pub(crate) columns: Vec<Column>,
    rows: Rows,
    by_key: HashMap<Box<str>, usize>,
    /// The same with keys in small letters, made when it is first needed.
    by_lower_case: OnceLock<HashMap<String, usize>>,
    /// The rows by their stamps, oldest first.
    by_stamp: Vec<usize>,
}

/// The actors, by number: a part of each in a block of memory of its own.
#[derive(Debug, Default)]
struct Rows {
    /// Where each stands in the sheet, counted from 0.
    numbers: Vec<u32>,
    keys: Texts,
    parent_types: Texts,
    parent_keys: Texts,
    stamps: Texts,
    versions: Vec<RowVersion>,
}

/// A sheet of actors as it was read.
pub(crate) struct SheetCells {
    /// Its name, without white space around it.
    pub(crate) name: String,
    pub(crate) part: String,
    pub(crate) grid: Grid,
    pub(crate) tables: Vec<TablePart>,
}

/// The columns that have a meaning of their own, and are no fields.
#[derive(Default)]
struct KeyColumns {
    id: Option<u32>,
    modified: Option<u32>,
    parent_type: Option<u32>,
    parent_key: Option<u32>,
}

impl Table {
    /// Makes a table of a sheet. Problems that do not stop it go to `problems`.
    ///
    /// # Errors
    /// The sheet has no column `ID`.
    pub(crate) fn read(
        actor_type: &'static str,
        sheet: &SheetCells,
        context: &ReadContext<'_>,
        problems: &mut Vec<String>,
    ) -> Result<Self, String> {
        let styles = context.styles;
        let SheetCells { name: sheet, part, grid, tables } = sheet;
        let headings = grid.headings(styles);
        let (key_columns, field_columns) = sort_headings(sheet, &headings, problems);
        let header_row = grid.header_row().unwrap_or(0);
        let Some(id) = key_columns.id else {
            return Err(format!("the sheet {sheet} has no column \"ID\" in its first row: it is not used"));
        };
        let missing = context.overrides.without_column(actor_type, &headings);
        let missing = missing
            .map(|(row, column)| move || format!("{:?} in row {row}", truncated(column)))
            .collect::<Examples>();
        if !missing.is_empty() {
            problems
                .push(format!("the sheet Fields names columns that the sheet {sheet} has not: {missing}"));
        }

        let columns: Vec<u32> = headings.iter().map(|(column, _)| *column).collect();
        let holds_keys = |table: &&TablePart| table.range.has_column(id) && table.range.last.0 > header_row;
        let tables: Vec<TablePart> = tables.iter().filter(holds_keys).cloned().collect();
        // The columns that a new row writes to.
        let mut written = columns.clone();
        written.extend(tables.iter().flat_map(|table| table.formulas.iter().map(|formula| formula.column)));
        written.sort_unstable();
        let lines = Lines::new(grid, header_row, &written, &tables);
        let key_column = |column: u32| KeyColumn {
            column,
            holds_numbers: lines.holds_numbers(column),
            style: lines.style(column),
        };
        let modified = key_columns.modified.filter(|column| {
            let is_computed = lines.is_computed(*column);
            if is_computed {
                problems.push(format!(
                    "the column LastModified of the sheet {sheet} holds formulas: it is not used, the connector makes the stamps"
                ));
            }
            !is_computed
        });
        let keyed_lines = lines.with_keys(sheet, id, styles, problems);
        let mut table = Table {
            actor_type,
            sheet: sheet.clone(),
            part: part.clone(),
            header_row,
            next: lines.next,
            tables,
            id: key_column(id),
            modified: modified.map(|column| lines.stamp_column(column, styles)),
            computed_stamps: modified.map(|column| lines.formulas(column)).unwrap_or_default(),
            parent_type: key_columns.parent_type.map(key_column),
            parent_key: key_columns.parent_key.map(key_column),
            columns: Vec::new(),
            rows: Rows::default(),
            by_key: HashMap::with_capacity(keyed_lines.len()),
            by_lower_case: OnceLock::new(),
            by_stamp: Vec::new(),
        };
        let reader = ColumnReader {
            actor_type,
            sheet: sheet.as_str(),
            lines: &lines,
            keyed_lines: &keyed_lines,
            context,
        };
        for (column, heading) in &field_columns {
            let column = reader.read(*column, heading, &table.columns, problems);
            table.columns.push(column);
        }
        table.take_rows(&keyed_lines, &lines, context);
        Ok(table)
    }

    /// How many actors there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.numbers.len()
    }

    /// The number of the actor with this key.
    pub(crate) fn find(&self, key: &str) -> Option<usize> {
        self.by_key.get(key).copied()
    }

    /// An Excel table fills the column with a formula.
    pub(crate) fn has_formula(&self, column: u32) -> bool {
        self.tables.iter().any(|part| part.formulas.iter().any(|formula| formula.column == column))
    }

    /// A key that differs from this one in its case only.
    pub(crate) fn find_in_other_case(&self, key: &str) -> Option<&str> {
        let keys = self.by_lower_case.get_or_init(|| {
            self.keys().enumerate().map(|(actor, key)| (key.to_lowercase(), actor)).collect()
        });
        let other = self.key(*keys.get(&key.to_lowercase())?);
        (other != key).then_some(other)
    }

    pub(crate) fn key(&self, actor: usize) -> &str {
        self.rows.keys.get(actor).unwrap_or_default()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.rows.keys.iter().flatten()
    }

    pub(crate) fn stamp(&self, actor: usize) -> &str {
        self.rows.stamps.get(actor).unwrap_or_default()
    }

    /// The row in the sheet, counted from 0.
    pub(crate) fn row(&self, actor: usize) -> u32 {
        self.rows.numbers[actor]
    }

    /// The text that a cell of a field holds, by row and column.
    pub(crate) fn text_at(&self, (row, column): (u32, u32)) -> Option<&str> {
        let actor = self.rows.numbers.binary_search(&row).ok()?;
        self.columns.iter().find(|found| found.column == column)?.text(actor)
    }

    /// Actor type and key of the parent.
    pub(crate) fn parent(&self, actor: usize) -> Option<(&str, &str)> {
        let key = self.rows.parent_keys.get(actor)?;
        Some((self.rows.parent_types.get(actor).unwrap_or(actor_type::CUSTOMER), key))
    }

    /// The actors whose stamp is this one or a later one, oldest first.
    pub(crate) fn changed_since(&self, stamp: &str) -> &[usize] {
        let first = self.by_stamp.partition_point(|actor| self.stamp(*actor) < stamp);
        &self.by_stamp[first..]
    }

    /// The newest stamp.
    pub(crate) fn newest(&self) -> Option<DateTime> {
        self.by_stamp.last().map(|actor| self.rows.versions[*actor].stamp)
    }

    /// The contents and stamp of the actor with this key.
    pub(crate) fn row_version(&self, key: &str) -> Option<RowVersion> {
        self.find(key).map(|actor| self.rows.versions[actor])
    }

    fn take_rows(&mut self, keyed_lines: &[(usize, String)], lines: &Lines<'_>, context: &ReadContext<'_>) {
        let styles = context.styles;
        for (actor, (line, key)) in keyed_lines.iter().enumerate() {
            let text = |column: Option<KeyColumn>| {
                let cell = column.and_then(|column| lines.cell(*line, column.column));
                cell.and_then(|cell| cell.key(styles))
            };
            let parent_key = text(self.parent_key);
            let parent_type = parent_key.as_ref().and_then(|_| text(self.parent_type)).map(known_type);
            let mut contents = Digest::new()
                .with(parent_type.as_deref().unwrap_or_default().as_bytes())
                .with(parent_key.as_deref().unwrap_or_default().as_bytes())
                .finish();
            for column in &self.columns {
                // By the heading, not the place: a column that is moved changes nothing.
                contents = contents.wrapping_add(column.digest(actor, styles).unwrap_or(0));
            }
            let cell = self.modified.and_then(|modified| lines.cell(*line, modified.column));
            let stamp = cell.and_then(|cell| stamp_of(cell, styles));
            let stamp = match context.given.and_then(|given| given.get(key)) {
                Some(stamp) => *stamp,
                None => context.stamping.stamp(&context.prior, key, contents, stamp),
            };
            let rows = &mut self.rows;
            rows.numbers.push(lines.number(*line));
            rows.keys.push(Some(key));
            rows.parent_types.push(parent_type.as_deref());
            rows.parent_keys.push(parent_key.as_deref());
            rows.stamps.push(Some(&stamp.to_sortable()));
            rows.versions.push(RowVersion { contents, stamp });
            self.by_key.insert(key.as_str().into(), actor);
        }
        self.by_stamp = (0..keyed_lines.len()).collect();
        self.by_stamp.sort_by_key(|actor| self.rows.versions[*actor].stamp);
    }
}

/// Sorts the headings into those with a meaning of their own and those of fields.
fn sort_headings(
    sheet: &str,
    headings: &[(u32, String)],
    problems: &mut Vec<String>,
) -> (KeyColumns, Vec<(u32, String)>) {
    let mut keys = KeyColumns::default();
    let mut fields: Vec<(u32, String)> = Vec::new();
    for (column, heading) in headings {
        let place = match normalized_name(heading).as_str() {
            "id" => Some(&mut keys.id),
            "lastmodified" => Some(&mut keys.modified),
            "parenttype" => Some(&mut keys.parent_type),
            "parentid" => Some(&mut keys.parent_key),
            _ => None,
        };
        let twice = match place {
            Some(place) => place.replace(place.unwrap_or(*column)).is_some(),
            None => fields.iter().any(|(_, other)| other.eq_ignore_ascii_case(heading)),
        };
        if twice {
            problems.push(format!("the sheet {sheet} has two columns {heading:?}: the first one counts"));
        } else if !is_key_heading(heading) {
            fields.push((*column, heading.clone()));
        }
    }
    (keys, fields)
}

fn is_key_heading(heading: &str) -> bool {
    matches!(normalized_name(heading).as_str(), "id" | "lastmodified" | "parenttype" | "parentid")
}

/// The actor type as the contract writes it, if it is one.
fn known_type(name: String) -> String {
    let known = actor_type::ALL.iter().find(|known| known.eq_ignore_ascii_case(&name));
    known.map_or(name, |known| (*known).to_owned())
}

/// The moment that a `LastModified` cell holds, if it holds one.
fn stamp_of(cell: &Cell, styles: &Styles) -> Option<DateTime> {
    match &cell.value {
        CellValue::Date(serial) | CellValue::Number(serial) => styles.dates.date(*serial),
        CellValue::Text(text) => DateTime::parse_sortable(text).ok().map(crate::cell::to_millisecond),
        CellValue::Empty | CellValue::Bool(_) | CellValue::Error => None,
    }
}
