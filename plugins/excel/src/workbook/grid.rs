//! The cells of a sheet, with its merged cells, hyperlinks and tables.

use std::collections::HashMap;
use std::sync::Arc;

use plugin_api::DateTime;

use crate::cell::{CellValue, general};
use crate::xlsx::XlsxError;
use crate::xlsx::limits::Reservation;
use crate::xlsx::package::Package;
use crate::xlsx::range::{CellRange, cell_name};
use crate::xlsx::sheet::{CellItem, Item, RawValue, SheetReader};
use crate::xlsx::strings::SharedStrings;

use super::Styles;

/// A cell that holds something, or at least has a style.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    /// Counted from 0.
    pub(crate) row: u32,
    /// Counted from 0.
    pub(crate) column: u32,
    /// The number of its style.
    pub(crate) style: u32,
    pub(crate) value: CellValue,
    /// It holds a formula; its value is the result that was saved, if there is one.
    pub(crate) is_formula: bool,
}

/// The cells of a sheet by row and column.
#[derive(Debug, Default)]
pub(crate) struct Grid {
    pub(crate) cells: Vec<Cell>,
    pub(crate) merged: Vec<CellRange>,
    /// The cells of each hyperlink.
    pub(crate) hyperlinks: Vec<CellRange>,
    /// The ids of the relationships to the sheet's tables.
    pub(crate) table_parts: Vec<String>,
    /// Cells whose number is none, with what stands there.
    pub(crate) invalid_numbers: Vec<(u32, u32, String)>,
}

/// How often a text of a cell may be in memory while a workbook is read: the most is that of a key.
const COPIES: usize = 4;

/// The parts that the cells of all sheets refer to.
pub(crate) struct SharedParts<'a> {
    pub(crate) styles: &'a Styles,
    pub(crate) strings: &'a SharedStrings,
}

impl Grid {
    /// Reads a sheet, if `wanted` accepts its headings: a sheet that is not used may be large.
    ///
    /// # Errors
    /// The sheet cannot be read, holds a cell twice, or there is no memory for it.
    pub(crate) fn read(
        package: &mut Package<'_>,
        part: &str,
        shared: &SharedParts<'_>,
        memory: &mut Reservation,
        wanted: impl Fn(&[(u32, String)]) -> bool,
    ) -> Result<Option<Self>, XlsxError> {
        let styles = shared.styles;
        let mut reader = SheetReader::new(part, package.reader(part)?);
        let mut grid = Grid::default();
        let mut header_row = None;
        let mut is_wanted = false;
        loop {
            let item = match reader.next()? {
                Item::Cell(item) => item,
                Item::Merged(range) => {
                    memory.take(size_of::<CellRange>())?;
                    grid.merged.push(range);
                    continue;
                }
                Item::Hyperlink(link) => {
                    memory.take(size_of::<CellRange>())?;
                    grid.hyperlinks.push(link.cells);
                    continue;
                }
                Item::TablePart(id) => {
                    grid.table_parts.push(id);
                    continue;
                }
                Item::End => break,
                _ => continue,
            };
            let cell = grid.cell(part, item, shared)?;
            if !is_wanted && header_row.is_some_and(|header| cell.row > header) {
                if !wanted(&grid.headings(styles)) {
                    return Ok(None);
                }
                is_wanted = true;
            }
            if header_row.is_none() && cell.has_value() {
                header_row = Some(cell.row);
            }
            if cell.value != CellValue::Empty || cell.style != 0 || cell.is_formula {
                // A text may be shared here, but is copied for each cell later on: into keys, indexes and searches.
                memory.take(size_of::<Cell>())?;
                if let CellValue::Text(text) = &cell.value {
                    memory.take(COPIES * text.len())?;
                }
                grid.cells.push(cell);
            }
        }
        if !is_wanted && !wanted(&grid.headings(styles)) {
            return Ok(None);
        }
        grid.sort(part)?;
        Ok(Some(grid))
    }

    fn cell(&mut self, part: &str, item: CellItem, shared: &SharedParts<'_>) -> Result<Cell, XlsxError> {
        let CellItem { row, column, style, .. } = item;
        let styles = shared.styles;
        let value = match item.value {
            RawValue::Empty => CellValue::Empty,
            RawValue::Number(number) if styles.format(style).is_date => CellValue::Date(number),
            RawValue::Number(number) => CellValue::Number(number),
            RawValue::NoNumber(text) => {
                self.invalid_numbers.push((row, column, text));
                CellValue::Error
            }
            RawValue::Shared(index) => {
                let text = shared.strings.get(index).ok_or_else(|| {
                    let cell = cell_name(row, column);
                    XlsxError::Damaged(format!(
                        "{part}: the cell {cell} names the shared text {index}, which is not there"
                    ))
                })?;
                CellValue::Text(Arc::clone(text))
            }
            RawValue::Text(text) => CellValue::Text(text.into()),
            RawValue::Bool(on) => CellValue::Bool(on),
            RawValue::Error => CellValue::Error,
            RawValue::IsoDate(text) => {
                let date = iso_serial(&text, styles);
                date.map_or_else(|| CellValue::Text(text.into()), CellValue::Date)
            }
        };
        Ok(Cell { row, column, style, value, is_formula: item.formula.is_some() })
    }

    /// Brings the cells into order: rows and cells may stand in any, but none twice.
    fn sort(&mut self, part: &str) -> Result<(), XlsxError> {
        let place = |cell: &Cell| (cell.row, cell.column);
        if !self.cells.is_sorted_by_key(place) {
            self.cells.sort_by_key(place);
        }
        match self.cells.windows(2).find(|pair| place(&pair[0]) == place(&pair[1])) {
            Some([first, _]) => {
                let name = cell_name(first.row, first.column);
                Err(XlsxError::Damaged(format!("{part}: the cell {name} is there twice")))
            }
            _ => Ok(()),
        }
    }

    /// How many rows have cells.
    pub(crate) fn rows(&self) -> usize {
        self.cells.chunk_by(|one, other| one.row == other.row).count()
    }

    /// The first row that holds something.
    pub(crate) fn header_row(&self) -> Option<u32> {
        self.cells.iter().find(|cell| cell.has_value()).map(|cell| cell.row)
    }

    /// The headings and their columns, in the sheet's order; empty ones are no columns.
    pub(crate) fn headings(&self, styles: &Styles) -> Vec<(u32, String)> {
        let header_row = self.header_row();
        let cells = self.cells.iter().filter(|cell| Some(cell.row) == header_row);
        let texts = cells.filter_map(|cell| Some((cell.column, cell.text(styles)?.trim().to_owned())));
        texts.filter(|(_, text)| !text.is_empty()).collect()
    }

    /// The rows below the headings with the texts of the wanted columns; rows without any are left out.
    pub(crate) fn text_rows(
        &self,
        columns: &[Option<u32>],
        styles: &Styles,
    ) -> Vec<(u32, Vec<Option<String>>)> {
        let places: HashMap<u32, usize> =
            columns.iter().enumerate().filter_map(|(place, column)| Some(((*column)?, place))).collect();
        let header_row = self.header_row();
        let mut rows: Vec<(u32, Vec<Option<String>>)> = Vec::new();
        for cell in self.cells.iter().filter(|cell| Some(cell.row) > header_row) {
            let (Some(place), Some(text)) = (places.get(&cell.column), cell.key(styles)) else { continue };
            if rows.last().is_none_or(|(row, _)| *row != cell.row) {
                rows.push((cell.row, vec![None; columns.len()]));
            }
            if let Some((_, texts)) = rows.last_mut() {
                texts[*place] = Some(text);
            }
        }
        rows
    }
}

impl Cell {
    pub(crate) fn has_value(&self) -> bool {
        match &self.value {
            CellValue::Empty => false,
            CellValue::Text(text) => !text.is_empty(),
            _ => true,
        }
    }

    /// It holds something, also a formula without a saved result.
    pub(crate) fn is_used(&self) -> bool {
        self.has_value() || self.is_formula
    }

    /// The key that the cell holds: a text, or a number without what its format adds but leading zeros.
    pub(crate) fn key(&self, styles: &Styles) -> Option<String> {
        self.value.key(self.style, styles)
    }

    /// What the cell shows, as text; `None` for an empty cell and for an error.
    pub(crate) fn text(&self, styles: &Styles) -> Option<String> {
        self.value.text(self.style, styles)
    }
}

impl CellValue {
    /// See [`Cell::key`].
    pub(crate) fn key(&self, style: u32, styles: &Styles) -> Option<String> {
        let key = match self {
            CellValue::Number(number) if !styles.format(style).has_leading_zeros() => general(*number),
            _ => self.text(style, styles)?.trim().to_owned(),
        };
        Some(key).filter(|key| !key.is_empty())
    }

    /// See [`Cell::text`].
    pub(crate) fn text(&self, style: u32, styles: &Styles) -> Option<String> {
        match self {
            CellValue::Empty | CellValue::Error => None,
            CellValue::Number(number) => Some(styles.format(style).shown(*number)),
            CellValue::Date(serial) => {
                let date = styles.dates.date(*serial);
                let is_time = styles.format(style).is_time && *serial < 1.0;
                Some(date.map_or_else(|| general(*serial), |date| shown_date(date, is_time)))
            }
            CellValue::Text(text) => Some(text.to_string()),
            CellValue::Bool(on) => Some(if *on { "TRUE" } else { "FALSE" }.to_owned()),
        }
    }
}

/// The serial number of a date in ISO 8601, or of a time of day alone.
fn iso_serial(text: &str, styles: &Styles) -> Option<f64> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let is_time = !text.contains('-') && text.contains(':');
    let text = if is_time { format!("1899-12-30T{text}") } else { text.to_owned() };
    let date = DateTime::parse_sortable(&text).ok()?;
    styles.dates.serial(date).or_else(|| styles.dates.time_serial(date))
}

/// `2026-11-21`, or `2026-11-21 21:36:00` with as many digits of the fraction as there are; a time alone as `21:36:00`.
fn shown_date(date: DateTime, is_time: bool) -> String {
    let text = date.to_sortable();
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    let time = match time.split_once('.') {
        Some((time, fraction)) if fraction.bytes().all(|digit| digit == b'0') => time,
        _ => time.trim_end_matches('0'),
    };
    match date.time() {
        _ if is_time => time.to_owned(),
        (0, 0, 0, 0) => day.to_owned(),
        _ => format!("{day} {time}"),
    }
}
