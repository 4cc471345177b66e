//! A sheet of actors: its columns, its rows, and the index over them.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use plugin_api::{Access, DateTime, Field, FieldType, Value, actor_type};

use crate::cell::CellValue;
use crate::fields::{self, Overrides, plain_name};
use crate::stamps::{Digest, Past, Seen, Stamping};

use super::Styles;
use super::grid::{Cell, Grid};
use super::list::List;
use super::texts::Texts;

/// The actors of one type, as their sheet holds them.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) actor_type: &'static str,
    /// The name of the sheet, as the workbook writes it.
    pub(crate) sheet: String,
    /// The archive's entry that holds the sheet.
    pub(crate) entry: String,
    /// The row of the headings, counted from 0.
    pub(crate) header_row: u32,
    /// The first row below everything that the sheet holds.
    pub(crate) next_row: u32,
    pub(crate) id: KeyColumn,
    pub(crate) modified: Option<StampColumn>,
    pub(crate) parent_type: Option<KeyColumn>,
    pub(crate) parent_key: Option<KeyColumn>,
    /// The columns that are offered as fields.
    pub(crate) columns: Vec<Column>,
    rows: Rows,
    by_key: HashMap<Box<str>, usize>,
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
    seen: Vec<Seen>,
}

/// A column that holds keys.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyColumn {
    pub(crate) column: u32,
    /// Its cells hold numbers, so a new one does too.
    pub(crate) holds_numbers: bool,
    /// The style of its cells.
    pub(crate) style: Option<u32>,
}

/// The column of the stamps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StampColumn {
    pub(crate) column: u32,
    /// Its cells hold dates, not texts.
    pub(crate) holds_dates: bool,
    pub(crate) style: Option<u32>,
}

/// A column that is offered as a field.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) column: u32,
    heading: String,
    pub(crate) field: Field,
    /// Its cells hold numbers, which matters where keys of list items are to be written.
    pub(crate) holds_numbers: bool,
    pub(crate) style: Option<u32>,
    /// The values in wire form, by the number of the actor.
    values: Texts,
}

/// What else is to know when a sheet is read.
pub(crate) struct Surroundings<'a> {
    pub(crate) styles: &'a Styles,
    pub(crate) lists: &'a [List],
    pub(crate) overrides: &'a Overrides,
    pub(crate) stamping: &'a Stamping,
    pub(crate) past: Past<'a>,
    /// The stamps of rows that are about to be written, by key.
    pub(crate) given: Option<&'a HashMap<String, DateTime>>,
    /// Cells with formulas.
    pub(crate) formulas: &'a BTreeSet<(u32, u32)>,
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
    /// Makes a table of a sheet. What deserves attention, but can be gone on with, is told in `problems`.
    ///
    /// # Errors
    /// The sheet has no column `ID`.
    pub(crate) fn read(
        actor_type: &'static str,
        sheet: &str,
        entry: &str,
        grid: &Grid,
        around: &Surroundings<'_>,
        problems: &mut Vec<String>,
    ) -> Result<Self, String> {
        let styles = around.styles;
        let headings = grid.headings(styles);
        let (key_columns, field_columns) = sort_headings(sheet, &headings, problems);
        let header_row = grid.header_row().unwrap_or(0);
        let Some(id) = key_columns.id else {
            return Err(format!("the sheet {sheet} has no column \"ID\" in its first row: it is not used"));
        };
        for (row, column) in around.overrides.without_column(actor_type, &headings) {
            problems
                .push(format!("row {row} of the sheet Fields: the sheet {sheet} has no column {column:?}"));
        }

        let lines = Lines::new(grid, header_row);
        let key_column = |column: u32| KeyColumn {
            column,
            holds_numbers: lines.holds_numbers(column),
            style: lines.style(column),
        };
        let modified = key_columns.modified.filter(|column| {
            let is_computed = lines.is_computed(*column, around.formulas);
            if is_computed {
                problems.push(format!(
                    "the column LastModified of the sheet {sheet} holds formulas: it is not used, the connector makes the stamps"
                ));
            }
            !is_computed
        });
        let kept = lines.with_keys(sheet, id, styles, problems);
        let mut table = Table {
            actor_type,
            sheet: sheet.to_owned(),
            entry: entry.to_owned(),
            header_row,
            next_row: lines.next_row,
            id: key_column(id),
            modified: modified.map(|column| lines.stamp_column(column, styles)),
            parent_type: key_columns.parent_type.map(key_column),
            parent_key: key_columns.parent_key.map(key_column),
            columns: Vec::new(),
            rows: Rows::default(),
            by_key: HashMap::with_capacity(kept.len()),
            by_stamp: Vec::new(),
        };
        for (place, (column, heading)) in field_columns.iter().enumerate() {
            let column = table.column(*column, heading, place, &lines, &kept, around, problems);
            table.columns.push(column);
        }
        table.take_rows(&kept, &lines, around);
        Ok(table)
    }

    /// The fields, in the sheet's order.
    pub(crate) fn fields(&self) -> Vec<Field> {
        self.columns.iter().map(|column| column.field.clone()).collect()
    }

    /// How many actors there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.numbers.len()
    }

    /// The number of the actor with this key.
    pub(crate) fn find(&self, key: &str) -> Option<usize> {
        self.by_key.get(key).copied()
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
        self.by_stamp.last().map(|actor| self.rows.seen[*actor].stamp)
    }

    /// What was seen of the actor with this key.
    pub(crate) fn seen(&self, key: &str) -> Option<Seen> {
        self.find(key).map(|actor| self.rows.seen[actor])
    }

    fn take_rows(&mut self, kept: &[(usize, String)], lines: &Lines<'_>, around: &Surroundings<'_>) {
        let styles = around.styles;
        for (actor, (line, key)) in kept.iter().enumerate() {
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
                if let Some(value) = column.value(actor) {
                    // The heading, not the place: a column that is moved changes nothing.
                    let heading = column.heading.as_bytes();
                    let value = Digest::new().with(heading).with(value.as_bytes()).finish();
                    contents = contents.wrapping_add(value);
                }
            }
            let cell = self.modified.and_then(|modified| lines.cell(*line, modified.column));
            let stamp = cell.and_then(|cell| stamp_of(cell, styles));
            let stamp = match around.given.and_then(|given| given.get(key)) {
                Some(stamp) => *stamp,
                None => around.stamping.stamp(&around.past, key, contents, stamp),
            };
            let rows = &mut self.rows;
            rows.numbers.push(lines.rows[*line].0);
            rows.keys.push(Some(key));
            rows.parent_types.push(parent_type.as_deref());
            rows.parent_keys.push(parent_key.as_deref());
            rows.stamps.push(Some(&stamp.to_sortable()));
            rows.seen.push(Seen { contents, stamp });
            self.by_key.insert(key.as_str().into(), actor);
        }
        self.by_stamp = (0..kept.len()).collect();
        self.by_stamp.sort_by_key(|actor| self.rows.seen[*actor].stamp);
    }

    #[allow(clippy::too_many_arguments, reason = "a column comes from all of these, and only here")]
    fn column(
        &self,
        column: u32,
        heading: &str,
        place: usize,
        lines: &Lines<'_>,
        kept: &[(usize, String)],
        around: &Surroundings<'_>,
        problems: &mut Vec<String>,
    ) -> Column {
        let said = around.overrides.find(self.actor_type, heading);
        let named = |name: &str| around.lists.iter().find(|list| list.is_named(name));
        let automatic = fields::superoffice_key(self.actor_type, heading);
        let wanted_key = said.and_then(|said| said.key.as_deref()).or(automatic).unwrap_or(heading);
        let taken = |key: &str| self.columns.iter().any(|column| column.field.key.eq_ignore_ascii_case(key));
        let key = match [wanted_key, heading].into_iter().find(|key| !taken(key)) {
            Some(key) => key.to_owned(),
            None => format!("{heading} ({})", crate::cell::column_name(column)),
        };
        if said.is_some_and(|said| said.key.as_ref().is_some_and(|wanted| *wanted != key)) {
            problems.push(format!(
                "the field key {wanted_key} stands for two columns of the sheet {}: {heading:?} is offered as {key}",
                self.sheet
            ));
        }

        let list = match said.and_then(|said| said.list.as_deref()) {
            Some(name) => {
                if named(name).is_none() {
                    problems.push(format!(
                        "the sheet Fields names the list {name:?} for the column {heading:?}, but there is no such sheet"
                    ));
                }
                named(name)
            }
            None => named(heading),
        };
        let field_type = match said.and_then(|said| said.field_type) {
            Some(FieldType::List) if list.is_none() => {
                problems.push(format!(
                    "the sheet Fields makes {heading:?} of the sheet {} a list, but there is no list for it",
                    self.sheet
                ));
                FieldType::Text
            }
            Some(said) => said,
            None if list.is_some() => FieldType::List,
            None if automatic.is_some_and(fields::is_text_key) || fields::is_text_key(&key) => {
                FieldType::Text
            }
            None => fields::inferred_type(lines.cells(column), around.styles),
        };
        let mut field = Field::new(key, field_type).label(heading);
        if field_type == FieldType::List {
            field.list = list.map(|list| list.name.clone());
        }
        field.rank = i32::try_from(place + 1).ok();
        if lines.is_computed(column, around.formulas) {
            field.access = Access::ReadOnly;
        }
        if let Some(said) = said {
            field.label = said.label.clone().or(field.label);
            field.access = said.access.unwrap_or(field.access);
            field.max_length = said.max_length.unwrap_or(0);
            field.rank = said.rank.or(field.rank);
        }
        let mut values = Texts::default();
        for (line, _) in kept {
            let cell = lines.cell(*line, column);
            values.push(cell.and_then(|cell| wire(cell, field_type, around.styles)).as_deref());
        }
        Column {
            column,
            heading: heading.to_owned(),
            field,
            holds_numbers: lines.holds_numbers(column),
            style: lines.style(column),
            values,
        }
    }
}

impl Column {
    /// The value of an actor in wire form.
    pub(crate) fn value(&self, actor: usize) -> Option<&str> {
        self.values.get(actor)
    }
}

/// The rows below the headings, and their cells.
struct Lines<'g> {
    /// Row numbers, and where their cells stand in the grid.
    rows: Vec<(u32, Range<usize>)>,
    cells: &'g [Cell],
    next_row: u32,
}

impl<'g> Lines<'g> {
    fn new(grid: &'g Grid, header_row: u32) -> Self {
        let mut rows: Vec<(u32, Range<usize>)> = Vec::new();
        let mut next_row = header_row + 1;
        for (at, cell) in grid.cells.iter().enumerate().filter(|(_, cell)| cell.row > header_row) {
            match rows.last_mut() {
                Some((row, cells)) if *row == cell.row => cells.end = at + 1,
                _ => rows.push((cell.row, at..at + 1)),
            }
            if cell.value != CellValue::Empty {
                next_row = cell.row + 1;
            }
        }
        Lines { rows, cells: &grid.cells, next_row }
    }

    fn cell(&self, line: usize, column: u32) -> Option<&'g Cell> {
        let cells = &self.cells[self.rows[line].1.clone()];
        cells.binary_search_by_key(&column, |cell| cell.column).ok().map(|at| &cells[at])
    }

    /// The cells of a column.
    fn cells(&self, column: u32) -> impl Iterator<Item = &'g Cell> {
        (0..self.rows.len()).filter_map(move |line| self.cell(line, column))
    }

    fn holds_numbers(&self, column: u32) -> bool {
        let mut cells = self.cells(column).filter(|cell| cell.has_value()).peekable();
        cells.peek().is_some() && cells.all(|cell| matches!(cell.value, CellValue::Number(_)))
    }

    /// The style of the last cell that holds something, or else of the first one.
    fn style(&self, column: u32) -> Option<u32> {
        let held = self.cells(column).filter(|cell| cell.has_value()).last();
        held.or_else(|| self.cells(column).next()).map(|cell| cell.style)
    }

    /// All cells of the column that hold something are formulas.
    fn is_computed(&self, column: u32, formulas: &BTreeSet<(u32, u32)>) -> bool {
        let mut cells = self.cells(column).filter(|cell| cell.value != CellValue::Empty).peekable();
        !formulas.is_empty()
            && cells.peek().is_some()
            && cells.all(|cell| formulas.contains(&(cell.row, cell.column)))
    }

    fn stamp_column(&self, column: u32, styles: &Styles) -> StampColumn {
        let is_date = |cell: &Cell| matches!(cell.value, CellValue::Date(_));
        let holds_texts = self.cells(column).any(|cell| cell.has_value() && !is_date(cell));
        let date_style = self.cells(column).filter(|cell| styles.format(cell.style).is_date).last();
        StampColumn {
            column,
            holds_dates: date_style.is_some() && (!holds_texts || self.cells(column).any(is_date)),
            style: date_style.or_else(|| self.cells(column).last()).map(|cell| cell.style),
        }
    }

    /// The lines that hold an actor, with its key; the others are told in `problems`, unless they are empty.
    fn with_keys(
        &self,
        sheet: &str,
        id: u32,
        styles: &Styles,
        problems: &mut Vec<String>,
    ) -> Vec<(usize, String)> {
        let mut kept = Vec::with_capacity(self.rows.len());
        let mut seen: HashMap<String, u32> = HashMap::with_capacity(self.rows.len());
        let (mut nameless, mut doubled) = (Vec::new(), Vec::new());
        for (line, (row, cells)) in self.rows.iter().enumerate() {
            match self.cell(line, id).and_then(|cell| cell.key(styles)) {
                Some(key) => match seen.get(&key) {
                    Some(first) => doubled.push(format!("{key} in row {} and {}", first + 1, row + 1)),
                    None => {
                        seen.insert(key.clone(), *row);
                        kept.push((line, key));
                    }
                },
                None if self.cells[cells.clone()].iter().any(Cell::has_value) => {
                    nameless.push((row + 1).to_string());
                }
                None => {}
            }
        }
        if !nameless.is_empty() {
            problems.push(format!(
                "the sheet {sheet} has rows without an ID, they are left out: {}",
                some(&nameless)
            ));
        }
        if !doubled.is_empty() {
            problems
                .push(format!("the sheet {sheet} has an ID twice, the first row counts: {}", some(&doubled)));
        }
        kept
    }
}

/// The first few, and how many more.
fn some(texts: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = texts[..texts.len().min(SHOWN)].join(", ");
    match texts.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
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
        let place = match plain_name(heading).as_str() {
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
    matches!(plain_name(heading).as_str(), "id" | "lastmodified" | "parenttype" | "parentid")
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

/// The value of a cell in wire form. A cell that does not suit the type of its column gives the text that it shows.
fn wire(cell: &Cell, field_type: FieldType, styles: &Styles) -> Option<String> {
    let shown = || cell.text(styles);
    let parsed = |text: &str| match Value::parse(text.trim(), field_type) {
        Ok(value) => value.to_wire().map(std::borrow::Cow::into_owned),
        Err(_) => Some(text.to_owned()),
    };
    let value = match (field_type, &cell.value) {
        (FieldType::Text, _) => return shown(),
        (_, CellValue::Empty | CellValue::Error) => return None,
        (FieldType::Integer, CellValue::Number(number)) if fields::is_whole(*number) =>
        {
            #[allow(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
            Value::Integer(*number as i64)
        }
        (FieldType::Integer | FieldType::Double, CellValue::Number(number)) => Value::Double(*number),
        (FieldType::Datetime, CellValue::Date(serial) | CellValue::Number(serial)) => {
            match styles.dates.date(*serial) {
                Some(date) => Value::DateTime(date),
                None => return shown(),
            }
        }
        (FieldType::Checkbox, CellValue::Bool(on)) => Value::Checkbox(*on),
        (FieldType::Checkbox, CellValue::Number(number)) if *number == 0.0 || *number == 1.0 => {
            Value::Checkbox(*number == 1.0)
        }
        (FieldType::Checkbox, CellValue::Text(text)) => match plain_name(text).as_str() {
            "yes" | "y" | "ja" | "x" => Value::Checkbox(true),
            "no" | "n" | "nei" => Value::Checkbox(false),
            _ => return parsed(text),
        },
        (FieldType::Integer | FieldType::Double | FieldType::Datetime, CellValue::Text(text)) => {
            return parsed(text);
        }
        (FieldType::List, _) => return cell.key(styles),
        _ => return shown(),
    };
    value.to_wire().map(std::borrow::Cow::into_owned)
}
