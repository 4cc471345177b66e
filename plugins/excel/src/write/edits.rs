//! Edits: the new values of cells, before it is known where they stand in the XML.

use std::collections::BTreeMap;

/// What a cell is to hold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum NewValue {
    /// Nothing: the cell keeps its style.
    Empty,
    Text(String),
    Number(f64),
    /// Days since the workbook's epoch.
    Date(f64),
    Bool(bool),
    /// A formula, without its result: Excel calculates it.
    Formula(String),
}

/// A change of one cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CellEdit {
    pub(crate) value: NewValue,
    /// The style of a new cell that has no cell above it, and of any cell whose style does not suit the value.
    pub(crate) style: Option<u32>,
}

/// The changes of a sheet by row and column, counted from 0.
pub(crate) type SheetEdits = BTreeMap<(u32, u32), CellEdit>;

/// The sheet that the edits are made in.
pub(crate) struct SheetContext<'a> {
    /// The name of its part, for errors.
    pub(crate) part: &'a str,
    /// Rows up to this one, counted from 0, are headings: their style is not taken over.
    pub(crate) header_row: u32,
    /// Rows from this one on, in the old sheet, move down by one.
    pub(crate) pushed: Option<u32>,
    /// Whether a style shows a number as a date.
    pub(crate) is_date_style: &'a dyn Fn(u32) -> bool,
}

impl SheetContext<'_> {
    /// The place of a row in the new sheet.
    pub(super) fn moved(&self, row: u32) -> u32 {
        if self.pushed.is_some_and(|from| row >= from) { row + 1 } else { row }
    }
}
