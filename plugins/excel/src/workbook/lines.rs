//! The rows of a sheet of actors, before it is known what their columns mean.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use crate::cell::CellValue;

use super::Styles;
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

/// The rows below the headings, and their cells.
pub(super) struct Lines<'g> {
    /// Row numbers, and where their cells stand in the grid.
    rows: Vec<(u32, Range<usize>)>,
    cells: &'g [Cell],
    /// The first row below everything that the sheet holds.
    pub(super) next_row: u32,
}

impl<'g> Lines<'g> {
    pub(super) fn new(grid: &'g Grid, header_row: u32) -> Self {
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
        let held = self.cells(column).filter(|cell| cell.has_value()).last();
        held.or_else(|| self.cells(column).next()).map(|cell| cell.style)
    }

    /// All cells of the column that hold something are formulas.
    pub(super) fn is_computed(&self, column: u32, formulas: &BTreeSet<(u32, u32)>) -> bool {
        let mut cells = self.cells(column).filter(|cell| cell.value != CellValue::Empty).peekable();
        !formulas.is_empty()
            && cells.peek().is_some()
            && cells.all(|cell| formulas.contains(&(cell.row, cell.column)))
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

    /// The lines that hold an actor, with its key; the others are told in `problems`, unless they are empty.
    pub(super) fn with_keys(
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
