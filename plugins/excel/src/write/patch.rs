//! Changing cells in the XML of a sheet, and nothing else.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

use crate::cell::cell_name;
use crate::workbook::sheet_xml::{CellItem, Item, SheetXml, attribute, attributes, prefix, range_of};

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

/// Why a sheet cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PatchError {
    /// The cell holds a formula, or is filled by one. Row and column.
    Formula(u32, u32),
    /// The XML is not that of a sheet.
    Xml(String),
}

/// What the changes need to know about the sheet.
pub(crate) struct SheetFacts<'a> {
    /// Rows up to this one, counted from 0, are headings: their style is not taken over.
    pub(crate) header_row: u32,
    /// Whether a style shows a number as a date.
    pub(crate) is_date_style: &'a dyn Fn(u32) -> bool,
}

/// The sheet with its cells changed. Whatever is not changed stays byte for byte.
pub(crate) fn patch(xml: &str, edits: &SheetEdits, facts: &SheetFacts<'_>) -> Result<String, PatchError> {
    let mut patch = Patch {
        xml,
        out: String::with_capacity(xml.len() + edits.len() * 96),
        copied: 0,
        prefix: "",
        edits: edits.iter().map(|(at, edit)| (*at, edit)).collect(),
        done: 0,
        row: None,
        styles: edits.keys().map(|(_, column)| (*column, None)).collect(),
        column_styles: Vec::new(),
        filled: Vec::new(),
        facts,
    };
    let mut items = SheetXml::new(xml);
    while let Some(item) = items.next().map_err(PatchError::Xml)? {
        patch.take(item)?;
    }
    patch.copy_to(xml.len());
    if patch.done < patch.edits.len() {
        return Err(PatchError::Xml("the sheet has no rows".to_owned()));
    }
    Ok(patch.out)
}

struct Patch<'a> {
    xml: &'a str,
    out: String,
    /// The bytes of `xml` that are in `out`, or are replaced there.
    copied: usize,
    prefix: &'a str,
    edits: Vec<((u32, u32), &'a CellEdit)>,
    /// How many of the edits are in `out`.
    done: usize,
    /// The row whose cells are being passed, if it has changes.
    row: Option<u32>,
    /// For each column with changes: the style of its last cell so far.
    styles: BTreeMap<u32, Option<u32>>,
    /// First and last column, and the style for their empty cells.
    column_styles: Vec<(u32, u32, u32)>,
    /// Cells that array formulas and data tables fill.
    filled: Vec<[(u32, u32); 2]>,
    facts: &'a SheetFacts<'a>,
}

impl<'a> Patch<'a> {
    fn take(&mut self, item: Item) -> Result<(), PatchError> {
        match item {
            Item::Dimension(tag) => self.grow_dimension(tag),
            Item::ColumnStyle(tag) => self.note_column_style(tag),
            Item::SheetData { tag, empty } => {
                self.prefix = prefix(&self.xml[tag.clone()]);
                if empty {
                    self.copy_to(tag.start);
                    self.open(tag.clone(), &self.xml[tag.clone()]);
                    self.new_rows_before(u32::MAX)?;
                    self.close(tag);
                }
            }
            Item::Row { row, tag, empty } => {
                self.copy_to(tag.start);
                self.new_rows_before(row)?;
                if self.next_edit().is_some_and(|((next, _), _)| next == row) {
                    let opening = self.with_spans(row, &self.xml[tag.clone()]);
                    self.open(tag.clone(), &opening);
                    if empty {
                        self.new_cells_before(row, u32::MAX)?;
                        self.close(tag);
                    } else {
                        self.row = Some(row);
                    }
                }
            }
            Item::Cell(cell) => self.cell(&cell)?,
            Item::RowEnd(tag) => {
                if let Some(row) = self.row.take() {
                    self.copy_to(tag.start);
                    self.new_cells_before(row, u32::MAX)?;
                }
            }
            Item::SheetDataEnd(tag) => {
                self.copy_to(tag.start);
                self.new_rows_before(u32::MAX)?;
            }
        }
        Ok(())
    }

    fn next_edit(&self) -> Option<((u32, u32), &'a CellEdit)> {
        self.edits.get(self.done).copied()
    }

    fn copy_to(&mut self, end: usize) {
        if end > self.copied {
            self.out.push_str(&self.xml[self.copied..end]);
            self.copied = end;
        }
    }

    /// Writes a start tag in place of the one at `tag`, open even if that one closes itself.
    fn open(&mut self, tag: Range<usize>, text: &str) {
        self.copied = tag.end;
        match text.strip_suffix("/>") {
            Some(open) => {
                self.out.push_str(open.trim_end());
                self.out.push('>');
            }
            None => self.out.push_str(text),
        }
    }

    /// Closes an element that closed itself.
    fn close(&mut self, tag: Range<usize>) {
        let name = &self.xml[tag][1..];
        let end = name.find(|sign: char| sign.is_ascii_whitespace() || "/>".contains(sign));
        let name = &name[..end.unwrap_or(name.len())];
        self.out.extend(["</", name, ">"]);
    }

    fn cell(&mut self, cell: &CellItem) -> Result<(), PatchError> {
        self.filled.extend(cell.fills);
        if self.row == Some(cell.row) {
            self.copy_to(cell.tag.start);
            self.new_cells_before(cell.row, cell.column)?;
            if let Some((at, edit)) = self.next_edit()
                && at == (cell.row, cell.column)
            {
                self.done += 1;
                self.replace(cell, edit)?;
            }
        }
        if cell.row > self.facts.header_row
            && let Some(last) = self.styles.get_mut(&cell.column)
        {
            *last = Some(style_of(&self.xml[cell.tag.clone()]));
        }
        Ok(())
    }

    /// Writes the cell with another value in place of the one that is there.
    fn replace(&mut self, cell: &CellItem, edit: &CellEdit) -> Result<(), PatchError> {
        let at = (cell.row, cell.column);
        if cell.has_formula || self.is_filled(at) {
            return Err(PatchError::Formula(at.0, at.1));
        }
        let tag = &self.xml[cell.tag.clone()];
        let style = self.suitable(Some(style_of(tag)), edit);
        let name = tag[1..].split(|sign: char| sign.is_ascii_whitespace() || "/>".contains(sign)).next();
        let mut opening = format!("<{}", name.unwrap_or("c"));
        // `cm` and `vm` belong to the old value: a formula's spill, a picture in the cell.
        for attribute in
            attributes(tag).filter(|attribute| !matches!(attribute.name, "t" | "s" | "cm" | "vm"))
        {
            let quote = if attribute.value.contains('"') { '\'' } else { '"' };
            let _ = write!(opening, " {}={quote}{}{quote}", attribute.name, attribute.value);
        }
        self.copied = cell.whole.end;
        self.write_cell(&opening, style, &edit.value);
        Ok(())
    }

    /// Writes the cells of a row that are not there and stand before a column.
    fn new_cells_before(&mut self, row: u32, before: u32) -> Result<(), PatchError> {
        while let Some(((next_row, column), edit)) = self.next_edit()
            && next_row == row
            && column < before
        {
            self.done += 1;
            if edit.value == NewValue::Empty {
                continue;
            }
            if self.is_filled((row, column)) {
                return Err(PatchError::Formula(row, column));
            }
            let above = self.styles.get(&column).copied().flatten();
            let style = self.suitable(above.or(edit.style).or_else(|| self.column_style(column)), edit);
            let opening = format!("<{}c r=\"{}\"", self.prefix, cell_name(row, column));
            self.write_cell(&opening, style, &edit.value);
            if let Some(last) = self.styles.get_mut(&column) {
                *last = Some(style);
            }
        }
        Ok(())
    }

    /// Writes the rows that are not there and stand before another one.
    fn new_rows_before(&mut self, before: u32) -> Result<(), PatchError> {
        while let Some(((row, _), _)) = self.next_edit()
            && row < before
        {
            let _ = write!(self.out, "<{}row r=\"{}\">", self.prefix, row + 1);
            self.new_cells_before(row, u32::MAX)?;
            let _ = write!(self.out, "</{}row>", self.prefix);
        }
        Ok(())
    }

    fn write_cell(&mut self, opening: &str, style: u32, value: &NewValue) {
        let (out, prefix) = (&mut self.out, self.prefix);
        out.push_str(opening);
        if style != 0 {
            let _ = write!(out, " s=\"{style}\"");
        }
        let _ = match value {
            NewValue::Empty => write!(out, "/>"),
            NewValue::Number(number) | NewValue::Date(number) => {
                write!(out, "><{prefix}v>{number}</{prefix}v></{prefix}c>")
            }
            NewValue::Bool(on) => {
                write!(out, " t=\"b\"><{prefix}v>{}</{prefix}v></{prefix}c>", u8::from(*on))
            }
            NewValue::Text(text) => {
                let text = escaped(text);
                write!(
                    out,
                    " t=\"inlineStr\"><{prefix}is><{prefix}t xml:space=\"preserve\">{text}</{prefix}t></{prefix}is></{prefix}c>"
                )
            }
        };
    }

    /// The style, or the change's own one where a date would be shown as a number, or a number as a date.
    fn suitable(&self, style: Option<u32>, edit: &CellEdit) -> u32 {
        let is_date = |style: u32| (self.facts.is_date_style)(style);
        let own = style.or(edit.style).unwrap_or(0);
        match edit.value {
            NewValue::Date(_) if !is_date(own) => edit.style.filter(|style| is_date(*style)).unwrap_or(own),
            NewValue::Number(_) if is_date(own) => edit.style.filter(|style| !is_date(*style)).unwrap_or(0),
            _ => own,
        }
    }

    fn is_filled(&self, (row, column): (u32, u32)) -> bool {
        self.filled
            .iter()
            .any(|[first, last]| (first.0..=last.0).contains(&row) && (first.1..=last.1).contains(&column))
    }

    /// The columns of the cells that get a value in a row, or in all rows.
    fn new_columns(&self, row: Option<u32>) -> impl Iterator<Item = u32> {
        let gets_value = |edit: &CellEdit| edit.value != NewValue::Empty;
        self.edits
            .iter()
            .filter(move |((edited, _), edit)| row.is_none_or(|row| row == *edited) && gets_value(edit))
            .map(|((_, column), _)| *column)
    }

    /// The start tag of a row, its `spans` widened to the new cells.
    fn with_spans(&self, row: u32, tag: &str) -> String {
        let spans = attribute(tag, "spans");
        let columns = (self.new_columns(Some(row)).min(), self.new_columns(Some(row)).max());
        let (Some(spans), (Some(first), Some(last))) = (spans, columns) else { return tag.to_owned() };
        let old = spans.value.split_once(':');
        let old = old.and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
        // Several spans, or none that can be read: they are only a hint and may stay.
        let Some((old_first, old_last)): Option<(u32, u32)> = old else { return tag.to_owned() };
        let new = format!("{}:{}", old_first.min(first + 1), old_last.max(last + 1));
        [&tag[..spans.at.start], &new, &tag[spans.at.end..]].concat()
    }

    /// Writes the `<dimension>`, widened to the new cells.
    fn grow_dimension(&mut self, tag: Range<usize>) {
        let text = &self.xml[tag.clone()];
        let Some(old) = attribute(text, "ref") else { return };
        let Some([mut first, mut last]) = range_of(old.value) else { return };
        for ((row, column), edit) in &self.edits {
            if edit.value != NewValue::Empty {
                first = (first.0.min(*row), first.1.min(*column));
                last = (last.0.max(*row), last.1.max(*column));
            }
        }
        let new = format!("{}:{}", cell_name(first.0, first.1), cell_name(last.0, last.1));
        if range_of(old.value) != Some([first, last]) {
            self.copy_to(tag.start + old.at.start);
            self.out.push_str(&new);
            self.copied = tag.start + old.at.end;
        }
    }

    fn note_column_style(&mut self, tag: Range<usize>) {
        let tag = &self.xml[tag];
        let number = |name| attribute(tag, name).and_then(|attribute| attribute.value.parse::<u32>().ok());
        if let (Some(first), Some(last), Some(style)) = (number("min"), number("max"), number("style")) {
            self.column_styles.push((first, last, style));
        }
    }

    fn column_style(&self, column: u32) -> Option<u32> {
        let styled = |(first, last, _): &&(u32, u32, u32)| (*first..=*last).contains(&(column + 1));
        self.column_styles.iter().find(styled).map(|(.., style)| *style)
    }
}

fn style_of(tag: &str) -> u32 {
    attribute(tag, "s").and_then(|style| style.value.parse().ok()).unwrap_or(0)
}

/// The text as a cell holds it: XML's own signs escaped, and with `_x0001_` what XML cannot hold or would change.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, sign) in text.char_indices() {
        match sign {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\t' | '\n' => out.push(sign),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(out, "_x{:04X}_", u32::from(sign));
            }
            // A text that only looks like such an escape is escaped itself.
            '_' if looks_escaped(&text[at..]) => out.push_str("_x005F_"),
            _ => out.push(sign),
        }
    }
    out
}

fn looks_escaped(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 7
        && bytes[..2].eq_ignore_ascii_case(b"_x")
        && bytes[2..6].iter().all(u8::is_ascii_hexdigit)
        && bytes[6] == b'_'
}

#[cfg(test)]
mod tests;
