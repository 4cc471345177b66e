//! The cells of a sheet, as calamine reads them.

use std::collections::HashMap;
use std::io::{Read, Seek};

use calamine::{Data, DataRef, Xlsx, XlsxError};
use plugin_api::DateTime;

use crate::cell::{CellValue, DateSystem, NumberFormat, general};

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
}

/// The cells of a sheet by row and column.
#[derive(Debug, Default)]
pub(crate) struct Grid {
    pub(crate) cells: Vec<Cell>,
}

impl Grid {
    /// Reads a sheet, unless `wanted` says no to its headings: a sheet that has nothing to do with us may be large.
    ///
    /// # Errors
    /// The sheet cannot be read.
    pub(crate) fn read<R: Read + Seek>(
        workbook: &mut Xlsx<R>,
        sheet: &str,
        styles: &Styles,
        wanted: impl Fn(&[(u32, String)]) -> bool,
    ) -> Result<Option<Self>, XlsxError> {
        let mut reader = workbook.worksheet_cells_reader(sheet)?;
        let mut grid = Grid::default();
        let mut header_row = None;
        let mut is_wanted = false;
        while let Some((cell, style)) = reader.next_cell_with_style_id()? {
            let (row, column) = cell.get_position();
            let style = u32::try_from(style).unwrap_or(0);
            let cell = Cell { row, column, style, value: value(cell.get_value(), styles.dates) };
            if !is_wanted && header_row.is_some_and(|header| row > header) {
                if !wanted(&grid.headings(styles)) {
                    return Ok(None);
                }
                is_wanted = true;
            }
            if header_row.is_none() && cell.has_value() {
                header_row = Some(row);
            }
            if cell.value != CellValue::Empty || style != 0 {
                grid.cells.push(cell);
            }
        }
        if !is_wanted && !wanted(&grid.headings(styles)) {
            return Ok(None);
        }
        let cells = &mut grid.cells;
        if !cells.is_sorted_by_key(|cell| (cell.row, cell.column)) {
            cells.sort_by_key(|cell| (cell.row, cell.column));
        }
        Ok(Some(grid))
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
        let mut rows: Vec<(u32, Vec<Option<String>>)> = Vec::new();
        for cell in self.cells.iter().filter(|cell| Some(cell.row) > self.header_row()) {
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

    /// The key that the cell holds: a text, or a number without what its format adds but leading zeros.
    pub(crate) fn key(&self, styles: &Styles) -> Option<String> {
        let key = match &self.value {
            CellValue::Number(number) if !styles.format(self.style).has_leading_zeros() => general(*number),
            _ => self.text(styles)?.trim().to_owned(),
        };
        Some(key).filter(|key| !key.is_empty())
    }

    /// What the cell shows, as text; `None` for an empty cell and for an error.
    pub(crate) fn text(&self, styles: &Styles) -> Option<String> {
        match &self.value {
            CellValue::Empty | CellValue::Error => None,
            CellValue::Number(number) => Some(styles.format(self.style).shown(*number)),
            CellValue::Date(serial) => {
                Some(styles.dates.date(*serial).map_or_else(|| general(*serial), shown_date))
            }
            CellValue::Text(text) => Some(text.to_string()),
            CellValue::Bool(on) => Some(if *on { "TRUE" } else { "FALSE" }.to_owned()),
        }
    }
}

/// `2026-11-21`, or `2026-11-21 21:36:00` with as many digits of the fraction as there are.
fn shown_date(date: DateTime) -> String {
    let text = date.to_sortable();
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    match time.split_once('.') {
        _ if date.time() == (0, 0, 0, 0) => day.to_owned(),
        Some((time, fraction)) if fraction.bytes().all(|digit| digit == b'0') => format!("{day} {time}"),
        _ => format!("{day} {}", time.trim_end_matches('0')),
    }
}

fn value(value: &DataRef<'_>, dates: DateSystem) -> CellValue {
    match value {
        DataRef::Empty => CellValue::Empty,
        DataRef::Int(number) =>
        {
            #[allow(clippy::cast_precision_loss, reason = "a cell's number is a double")]
            CellValue::Number(*number as f64)
        }
        DataRef::Float(number) => CellValue::Number(*number),
        DataRef::String(text) => CellValue::Text(text.as_str().into()),
        DataRef::SharedString(text) => CellValue::Text((*text).into()),
        DataRef::Bool(on) => CellValue::Bool(*on),
        DataRef::DateTime(date) if date.is_duration() => CellValue::Number(date.as_f64()),
        DataRef::DateTime(date) => CellValue::Date(date.as_f64()),
        DataRef::DateTimeIso(text) => {
            let date = DateTime::parse_sortable(text).ok().and_then(|date| dates.serial(date));
            date.map_or_else(|| CellValue::Text(text.as_str().into()), CellValue::Date)
        }
        DataRef::DurationIso(text) => CellValue::Text(text.as_str().into()),
        DataRef::Error(_) => CellValue::Error,
        #[allow(unreachable_patterns, reason = "calamine may learn more")]
        other => CellValue::Text(Data::from(other.clone()).to_string().into()),
    }
}

/// The number formats of a workbook's styles.
pub(crate) fn formats<R: Read + Seek>(
    workbook: &mut Xlsx<R>,
    sheet: &str,
) -> Result<Vec<NumberFormat>, XlsxError> {
    let reader = workbook.worksheet_cells_reader(sheet)?;
    let format = |style: &calamine::Style| {
        let format = style.number_format.as_ref();
        format.map(|format| NumberFormat::parse(&format.format_code, format.format_id)).unwrap_or_default()
    };
    Ok(reader.styles().iter().map(format).collect())
}
