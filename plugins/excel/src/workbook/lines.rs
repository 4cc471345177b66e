//! The rows of a sheet of actors, before it is known what their columns mean.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::cell::CellValue;
use crate::xlsx::range::CellRange;
use crate::xlsx::table_part::TablePart;

use super::Styles;
use super::examples::{Examples, truncated};
use super::grid::{Cell, Grid};

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

/// Where a new row goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NextRow {
    /// The row, counted from 0.
    pub(crate) row: u32,
    /// A row of totals stands there, and moves down with everything below it.
    pub(crate) pushes_down: bool,
}

/// The rows below the headings, and their cells. Rows of totals are none of them.
pub(super) struct Lines<'g> {
    /// Row numbers, and where their cells stand in the grid.
    rows: Vec<(u32, Range<usize>)>,
    cells: &'g [Cell],
    pub(super) next: NextRow,
}

impl<'g> Lines<'g> {
    /// `columns` are those that a new row writes to, `tables` those that hold keys of actors.
    pub(super) fn new(grid: &'g Grid, header_row: u32, columns: &[u32], tables: &[TablePart]) -> Self {
        let mut rows: Vec<(u32, Range<usize>)> = Vec::new();
        let is_total = |row: u32| tables.iter().any(|table| table.is_total(row));
        let mut last_used = header_row;
        for (at, cell) in grid.cells.iter().enumerate().filter(|(_, cell)| cell.row > header_row) {
            // What stands beside the columns does not matter.
            if cell.is_used() && columns.binary_search(&cell.column).is_ok() {
                last_used = cell.row;
            }
            if is_total(cell.row) {
                continue;
            }
            match rows.last_mut() {
                Some((row, cells)) if *row == cell.row => cells.end = at + 1,
                _ => rows.push((cell.row, at..at + 1)),
            }
        }
        let own_table = tables.iter().find(|table| table.range.first.0 <= header_row + 1);
        let next = next_row(grid, last_used, columns, own_table, &rows);
        Lines { rows, cells: &grid.cells, next }
    }

    /// Where a line stands in the sheet, counted from 0.
    pub(super) fn number(&self, line: usize) -> u32 {
        self.rows[line].0
    }

    pub(super) fn cell(&self, line: usize, column: u32) -> Option<&'g Cell> {
        let cells = &self.cells[self.rows[line].1.clone()];
        cells.binary_search_by_key(&column, |cell| cell.column).ok().map(|at| &cells[at])
    }

    /// The cells of a column.
    pub(super) fn cells(&self, column: u32) -> impl Iterator<Item = &'g Cell> {
        (0..self.rows.len()).filter_map(move |line| self.cell(line, column))
    }

    pub(super) fn holds_numbers(&self, column: u32) -> bool {
        let mut cells = self.cells(column).filter(|cell| cell.has_value()).peekable();
        cells.peek().is_some() && cells.all(|cell| matches!(cell.value, CellValue::Number(_)))
    }

    /// The style of the last cell that holds something, or else of the first one.
    pub(super) fn style(&self, column: u32) -> Option<u32> {
        let used = self.cells(column).filter(|cell| cell.has_value()).last();
        used.or_else(|| self.cells(column).next()).map(|cell| cell.style)
    }

    /// All cells of the column that hold something are formulas, with or without a saved result.
    pub(super) fn is_computed(&self, column: u32) -> bool {
        let mut cells = self.cells(column).filter(|cell| cell.is_used()).peekable();
        cells.peek().is_some() && cells.all(|cell| cell.is_formula)
    }

    /// The rows whose cell in the column holds a formula.
    pub(super) fn formulas(&self, column: u32) -> HashSet<u32> {
        self.cells(column).filter(|cell| cell.is_formula).map(|cell| cell.row).collect()
    }

    pub(super) fn stamp_column(&self, column: u32, styles: &Styles) -> StampColumn {
        let is_date = |cell: &Cell| matches!(cell.value, CellValue::Date(_));
        let holds_texts = self.cells(column).any(|cell| cell.has_value() && !is_date(cell));
        let date_style = self.cells(column).filter(|cell| styles.format(cell.style).is_date).last();
        StampColumn {
            column,
            holds_dates: date_style.is_some() && (!holds_texts || self.cells(column).any(is_date)),
            style: date_style.or_else(|| self.cells(column).last()).map(|cell| cell.style),
        }
    }

    /// The lines that hold an actor, with its key; the others go to `problems`, unless they are empty.
    pub(super) fn with_keys(
        &self,
        sheet: &str,
        id: u32,
        styles: &Styles,
        problems: &mut Vec<String>,
    ) -> Vec<(usize, String)> {
        let mut keyed = Vec::with_capacity(self.rows.len());
        let mut rows_by_key: HashMap<String, u32> = HashMap::with_capacity(self.rows.len());
        let (mut without_key, mut duplicates) = (Examples::default(), Examples::default());
        for (line, (row, cells)) in self.rows.iter().enumerate() {
            match self.cell(line, id).and_then(|cell| cell.key(styles)) {
                Some(key) => match rows_by_key.get(&key) {
                    Some(first) => {
                        duplicates.add(|| format!("{} in row {} and {}", truncated(&key), first + 1, row + 1))
                    }
                    None => {
                        rows_by_key.insert(key.clone(), *row);
                        keyed.push((line, key));
                    }
                },
                None if self.cells[cells.clone()].iter().any(Cell::has_value) => {
                    without_key.add(|| (row + 1).to_string());
                }
                None => {}
            }
        }
        if !without_key.is_empty() {
            problems
                .push(format!("the sheet {sheet} has rows without an ID, they are left out: {without_key}"));
        }
        if !duplicates.is_empty() {
            problems.push(format!("the sheet {sheet} has an ID twice, the first row counts: {duplicates}"));
        }
        keyed
    }
}

/// The first row below all that are used, and below merged cells that cover it: what stands under them is not seen.
/// Where a table with totals holds the actors, the row goes above its totals.
fn next_row(
    grid: &Grid,
    last_used: u32,
    columns: &[u32],
    table: Option<&TablePart>,
    rows: &[(u32, Range<usize>)],
) -> NextRow {
    let covers = |range: &&CellRange| columns.iter().any(|column| range.has_column(*column));
    let mut merged: Vec<&CellRange> = grid.merged.iter().filter(covers).collect();
    merged.sort_by_key(|range| range.first.0);
    let free = |row: u32| {
        merged.iter().fold(row, |row, range| if range.has_row(row) { range.last.0 + 1 } else { row })
    };
    let with_totals = table.filter(|table| table.totals > 0);
    let Some(table) = with_totals else { return NextRow { row: free(last_used + 1), pushes_down: false } };
    let is_used = |row: u32| {
        let found = rows.binary_search_by_key(&row, |(number, _)| *number);
        found.is_ok_and(|at| grid.cells[rows[at].1.clone()].iter().any(Cell::is_used))
    };
    let (first, last) = (table.range.first.0, table.last_data_row());
    let last_used = (first..=last).rev().find(|row| is_used(*row)).unwrap_or(first);
    let row = free(last_used + 1);
    if row <= last {
        NextRow { row, pushes_down: false }
    } else {
        NextRow { row: last + 1, pushes_down: true }
    }
}
