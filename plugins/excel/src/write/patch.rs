//! Patching the XML of a sheet: changes the cells that are edited, and nothing else.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;

use quick_xml::escape::partial_escape;

use crate::xlsx::XlsxError;
use crate::xlsx::range::{CellRange, cell_name};
use crate::xlsx::sheet::{CellItem, HyperlinkItem, Item, SheetReader};
use crate::xlsx::strings::escaped;
use crate::xlsx::xml::{tag_attributes, with_colon};

use super::edits::{CellEdit, NewValue, SheetContext, SheetEdits};
use super::outline::Outline;
use super::splices::Splices;

/// Why a sheet cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PatchError {
    /// The cell holds a formula, or is filled by one. Row and column.
    Formula(u32, u32),
    /// The cell is covered by merged cells, whose value stands in the first one.
    Merged(u32, u32, CellRange),
    /// The row or cell of this name is there twice: which one counts is not defined.
    Twice(String),
    /// The sheet cannot be read.
    Xlsx(XlsxError),
    /// The change cannot be made.
    Failed(String),
}

impl From<XlsxError> for PatchError {
    fn from(error: XlsxError) -> Self {
        PatchError::Xlsx(error)
    }
}

/// Changes of a sheet that are ready to be made. Hyperlinks may still be changed.
pub(super) struct Patch<'a> {
    xml: &'a str,
    splices: Splices,
    /// All hyperlinks of the sheet.
    pub(super) hyperlinks: Vec<HyperlinkItem>,
    /// All that the sheet holds, to be compared afterwards.
    pub(super) outline: Outline,
}

/// The sheet with its cells changed. Whatever is not changed stays byte for byte.
#[cfg(test)]
pub(crate) fn patch(xml: &str, edits: &SheetEdits, sheet: &SheetContext<'_>) -> Result<String, PatchError> {
    Patch::new(xml, edits, sheet)?.apply()
}

impl<'a> Patch<'a> {
    pub(super) fn new(
        xml: &'a str,
        edits: &SheetEdits,
        sheet: &SheetContext<'_>,
    ) -> Result<Self, PatchError> {
        let mut locator = EditLocator::new(xml, edits, sheet);
        locator.read()?;
        locator.changes()
    }

    /// The sheet as it is.
    pub(super) fn text(&self) -> &'a str {
        self.xml
    }

    /// Replaces something of a hyperlink.
    pub(super) fn replace(&mut self, range: Range<usize>, text: impl Into<String>) {
        self.splices.replace(range, text);
    }

    /// Takes hyperlinks out, by their places among all; the element around them too if none is left.
    pub(super) fn drop_hyperlinks(&mut self, dropped: &BTreeSet<usize>) {
        if dropped.len() == self.hyperlinks.len()
            && let Some(container) = self.outline.hyperlinks()
        {
            self.splices.replace(container, "");
            return;
        }
        for at in dropped {
            self.splices.replace(self.hyperlinks[*at].whole.clone(), "");
        }
    }

    pub(super) fn apply(self) -> Result<String, PatchError> {
        self.splices.apply(self.xml).map_err(PatchError::Failed)
    }
}

/// Where the cells to be changed stand, or where they would.
struct EditLocator<'x, 'e> {
    xml: &'x str,
    sheet: &'e SheetContext<'e>,
    edits: &'e SheetEdits,
    splices: Splices,
    prefix: String,
    rows: BTreeMap<u32, RowPlace>,
    cells: BTreeMap<(u32, u32), CellPlace>,
    /// Rows with changes that have no place yet.
    missing_rows: BTreeSet<u32>,
    /// Cells of the row that is being read and have no place yet.
    missing_cells: BTreeSet<u32>,
    sheet_data: Option<(Range<usize>, bool)>,
    end: usize,
    /// For each column with changes: the style of its last cell so far.
    styles: BTreeMap<u32, Option<u32>>,
    /// First and last column, and the style for their empty cells.
    column_styles: Vec<(u32, u32, u32)>,
    /// Cells that array formulas and data tables fill.
    filled: Vec<CellRange>,
    merged: Vec<CellRange>,
    hyperlinks: Vec<HyperlinkItem>,
    outline: Outline,
}

/// A row with changes.
struct RowPlace {
    /// Its start tag, and whether it closes itself; `None` if the row is not there.
    tag: Option<(Range<usize>, bool)>,
    /// Where new cells go that stand behind all others, or where the new row goes.
    end: usize,
}

/// A cell with changes.
#[derive(Default)]
struct CellPlace {
    found: Option<CellItem>,
    /// The cell that it stands before, if it is not there.
    before: Option<usize>,
    /// The style of the cell above.
    above: Option<u32>,
}

impl<'x, 'e> EditLocator<'x, 'e> {
    fn new(xml: &'x str, edits: &'e SheetEdits, sheet: &'e SheetContext<'e>) -> Self {
        EditLocator {
            xml,
            sheet,
            edits,
            splices: Splices::default(),
            prefix: String::new(),
            rows: BTreeMap::new(),
            cells: edits.keys().map(|at| (*at, CellPlace::default())).collect(),
            missing_rows: edits.keys().map(|(row, _)| *row).collect(),
            missing_cells: BTreeSet::new(),
            sheet_data: None,
            end: 0,
            styles: edits.keys().map(|(_, column)| (*column, None)).collect(),
            column_styles: Vec::new(),
            filled: Vec::new(),
            merged: Vec::new(),
            hyperlinks: Vec::new(),
            outline: Outline::default(),
        }
    }

    fn read(&mut self) -> Result<(), PatchError> {
        let mut reader = SheetReader::of(self.sheet.part, self.xml);
        let mut row = 0;
        loop {
            let item = reader.next()?;
            self.outline.note(&item, reader.span());
            match item {
                Item::Dimension => self.grow_dimension(reader.span()),
                Item::ColumnStyle(first, last, style) => self.column_styles.push((first, last, style)),
                Item::SheetData { empty } => {
                    self.prefix = reader.prefix().to_owned();
                    self.end = reader.span().end;
                    self.sheet_data = Some((reader.span(), empty));
                }
                Item::Row { row: number, empty } => {
                    row = self.sheet.moved(number);
                    self.row(row, reader.span(), empty)?;
                }
                Item::Cell(cell) => self.cell(row, cell)?,
                Item::RowEnd => {
                    if let Some(place) = self.rows.get_mut(&row) {
                        place.end = reader.span().start;
                    }
                }
                Item::SheetDataEnd => self.end = reader.span().start,
                Item::Merged(range) => {
                    let rows = (range.first.0, 0)..=(range.last.0, u32::MAX);
                    if self.edits.range(rows).next().is_some() {
                        self.merged.push(range);
                    }
                }
                Item::Hyperlink(link) => self.hyperlinks.push(link),
                // The outline has recorded these; the others do not matter here.
                Item::Hyperlinks | Item::HyperlinksEnd | Item::Region(..) | Item::TablePart(_) => {}
                Item::End => return Ok(()),
            }
        }
    }

    fn row(&mut self, row: u32, tag: Range<usize>, empty: bool) -> Result<(), PatchError> {
        self.renumber(row, &tag);
        // The first row behind one that is not there, or not yet: rows may stand in any order.
        let before: Vec<u32> = self.missing_rows.range(..row).copied().collect();
        for missing in before {
            if let Entry::Vacant(place) = self.rows.entry(missing) {
                place.insert(RowPlace { tag: None, end: tag.start });
                self.note_styles_above(missing);
            }
        }
        self.missing_cells.clear();
        if !self.is_edited(row) {
            return Ok(());
        }
        if !self.missing_rows.remove(&row) {
            return Err(PatchError::Twice(format!("row {}", row + 1)));
        }
        self.note_styles_above(row);
        let end = tag.end;
        self.rows.insert(row, RowPlace { tag: Some((tag, empty)), end });
        self.missing_cells =
            self.edits.range((row, 0)..=(row, u32::MAX)).map(|((_, column), _)| *column).collect();
        Ok(())
    }

    fn is_edited(&self, row: u32) -> bool {
        self.edits.range((row, 0)..=(row, u32::MAX)).next().is_some()
    }

    fn note_styles_above(&mut self, row: u32) {
        for (at, place) in self.cells.range_mut((row, 0)..=(row, u32::MAX)) {
            place.above = self.styles.get(&at.1).copied().flatten();
        }
    }

    fn cell(&mut self, row: u32, cell: CellItem) -> Result<(), PatchError> {
        self.filled.extend(cell.formula.as_ref().and_then(|formula| formula.fills));
        self.renumber(row, &cell.tag);
        // Headings and totals have styles of their own.
        if row > self.sheet.header_row
            && self.sheet.pushed.is_none_or(|from| row <= from)
            && let Some(last) = self.styles.get_mut(&cell.column)
        {
            *last = Some(cell.style);
        }
        if self.missing_cells.is_empty() {
            return Ok(());
        }
        for column in self.missing_cells.range(..cell.column) {
            if let Some(place) = self.cells.get_mut(&(row, *column)) {
                place.before.get_or_insert(cell.tag.start);
            }
        }
        if let Some(place) = self.cells.get_mut(&(row, cell.column)) {
            if place.found.is_some() {
                return Err(PatchError::Twice(format!("the cell {}", cell_name(row, cell.column))));
            }
            place.found = Some(cell);
        }
        Ok(())
    }

    /// Gives a row or cell that moves its new number, if it has one.
    fn renumber(&mut self, row: u32, tag: &Range<usize>) {
        if self.sheet.pushed.is_none_or(|from| row <= from) {
            return;
        }
        let text = &self.xml[tag.clone()];
        let Some((_, old, at)) = tag_attributes(text).find(|(name, ..)| *name == "r") else { return };
        let letters: String = old.chars().filter(char::is_ascii_alphabetic).collect();
        self.splices.replace(tag.start + at.start..tag.start + at.end, format!("{letters}{}", row + 1));
    }

    /// Makes the changes, once it is known where everything stands.
    fn changes(mut self) -> Result<Patch<'x>, PatchError> {
        for row in std::mem::take(&mut self.missing_rows) {
            if let Entry::Vacant(place) = self.rows.entry(row) {
                place.insert(RowPlace { tag: None, end: self.end });
                self.note_styles_above(row);
            }
        }
        let mut new_rows: BTreeMap<usize, String> = BTreeMap::new();
        let rows = std::mem::take(&mut self.rows);
        for (row, place) in &rows {
            match &place.tag {
                Some((tag, empty)) => self.change_row(*row, tag.clone(), *empty, place.end)?,
                None => {
                    let cells = self.new_row(*row)?;
                    if !cells.is_empty() {
                        let prefix = &self.prefix;
                        let out = new_rows.entry(place.end).or_default();
                        let _ = write!(out, "<{prefix}row r=\"{}\">{cells}</{prefix}row>", row + 1);
                    }
                }
            }
        }
        match &self.sheet_data {
            Some((tag, true)) if !new_rows.is_empty() => {
                let rows: String = new_rows.into_values().collect();
                let text = open_and_close(&self.xml[tag.clone()], None, &rows);
                self.splices.replace(tag.clone(), text);
            }
            _ => new_rows.into_iter().for_each(|(at, rows)| self.splices.replace(at..at, rows)),
        }
        Ok(Patch { xml: self.xml, splices: self.splices, hyperlinks: self.hyperlinks, outline: self.outline })
    }

    /// The cells of a row that is not there.
    fn new_row(&self, row: u32) -> Result<String, PatchError> {
        let mut cells = String::new();
        for (at, edit) in self.edits.range((row, 0)..=(row, u32::MAX)) {
            if edit.value != NewValue::Empty {
                cells.push_str(&self.new_cell(*at, edit)?);
            }
        }
        Ok(cells)
    }

    /// Changes the cells of a row that is there.
    fn change_row(&mut self, row: u32, tag: Range<usize>, empty: bool, end: usize) -> Result<(), PatchError> {
        let mut new_cells: BTreeMap<usize, String> = BTreeMap::new();
        for (at, edit) in self.edits.range((row, 0)..=(row, u32::MAX)) {
            let place = &self.cells[at];
            match &place.found {
                Some(cell) => {
                    let text = self.changed_cell(cell, *at, edit)?;
                    self.splices.replace(cell.whole.clone(), text);
                }
                None if edit.value == NewValue::Empty => {}
                None => {
                    let text = self.new_cell(*at, edit)?;
                    new_cells.entry(place.before.unwrap_or(end)).or_default().push_str(&text);
                }
            }
        }
        let spans = self.spans(row, &self.xml[tag.clone()]);
        if empty {
            let cells: String = new_cells.into_values().collect();
            if !cells.is_empty() {
                let text = open_and_close(&self.xml[tag.clone()], spans, &cells);
                self.splices.replace(tag, text);
            }
            return Ok(());
        }
        if let Some((at, spans)) = spans {
            self.splices.replace(tag.start + at.start..tag.start + at.end, spans);
        }
        for (at, cells) in new_cells {
            self.splices.replace(at..at, cells);
        }
        Ok(())
    }

    /// A cell that is there, with another value.
    fn changed_cell(&self, cell: &CellItem, at: (u32, u32), edit: &CellEdit) -> Result<String, PatchError> {
        if cell.formula.is_some() {
            return Err(PatchError::Formula(at.0, at.1));
        }
        self.check_free(at)?;
        let tag = &self.xml[cell.tag.clone()];
        let style = self.suitable(Some(cell.style), edit);
        let mut opening = format!("<{}", tag_name(tag));
        // `cm` and `vm` belong to the old value: a formula's spill, a picture in the cell.
        for (name, value, _) in
            tag_attributes(tag).filter(|(name, ..)| !matches!(*name, "t" | "s" | "cm" | "vm"))
        {
            let quote = if value.contains('"') { '\'' } else { '"' };
            let _ = write!(opening, " {name}={quote}{value}{quote}");
        }
        Ok(cell_text(opening, with_colon(tag_name(tag)), style, &edit.value))
    }

    /// A cell that is not there.
    fn new_cell(&self, at: (u32, u32), edit: &CellEdit) -> Result<String, PatchError> {
        self.check_free(at)?;
        let above = self.cells.get(&at).and_then(|place| place.above);
        let style = above.or(edit.style).or_else(|| self.column_style(at.1));
        let opening = format!("<{}c r=\"{}\"", self.prefix, cell_name(at.0, at.1));
        Ok(cell_text(opening, &self.prefix, self.suitable(style, edit), &edit.value))
    }

    /// Neither a formula fills the cell, nor do merged cells cover it.
    fn check_free(&self, at: (u32, u32)) -> Result<(), PatchError> {
        if self.filled.iter().any(|range| range.contains(at)) {
            return Err(PatchError::Formula(at.0, at.1));
        }
        match self.merged.iter().find(|range| range.contains(at) && range.first != at) {
            Some(range) => Err(PatchError::Merged(at.0, at.1, *range)),
            None => Ok(()),
        }
    }

    /// The style, or the change's own one where a date would be shown as a number, or a number as a date.
    fn suitable(&self, style: Option<u32>, edit: &CellEdit) -> u32 {
        let is_date = |style: u32| (self.sheet.is_date_style)(style);
        let own = style.or(edit.style).unwrap_or(0);
        match edit.value {
            NewValue::Date(_) if !is_date(own) => edit.style.filter(|style| is_date(*style)).unwrap_or(own),
            NewValue::Number(_) if is_date(own) => edit.style.filter(|style| !is_date(*style)).unwrap_or(0),
            _ => own,
        }
    }

    /// The columns of the cells that get a value in a row.
    fn new_columns(&self, row: u32) -> impl Iterator<Item = u32> {
        let edits = self.edits.range((row, 0)..=(row, u32::MAX));
        edits.filter(|(_, edit)| edit.value != NewValue::Empty).map(|((_, column), _)| *column)
    }

    /// The `spans` of a row widened to the new cells, and where they stand in its start tag.
    fn spans(&self, row: u32, tag: &str) -> Option<(Range<usize>, String)> {
        let (_, spans, at) = tag_attributes(tag).find(|(name, ..)| *name == "spans")?;
        let (first, last) = (self.new_columns(row).min()?, self.new_columns(row).max()?);
        // Several spans, or none that can be read: they are only a hint and may stay.
        let (old_first, old_last) = spans.split_once(':')?;
        let (old_first, old_last): (u32, u32) = (old_first.parse().ok()?, old_last.parse().ok()?);
        let new = format!("{}:{}", old_first.min(first + 1), old_last.max(last + 1));
        (new != spans).then_some((at, new))
    }

    /// Widens the `<dimension>` to the new cells.
    fn grow_dimension(&mut self, tag: Range<usize>) {
        let text = &self.xml[tag.clone()];
        let Some((_, old, at)) = tag_attributes(text).find(|(name, ..)| *name == "ref") else { return };
        let Some(mut range) = CellRange::parse(old) else { return };
        range.last.0 = self.sheet.moved(range.last.0);
        for ((row, column), _) in self.edits.iter().filter(|(_, edit)| edit.value != NewValue::Empty) {
            range.first = (range.first.0.min(*row), range.first.1.min(*column));
            range.last = (range.last.0.max(*row), range.last.1.max(*column));
        }
        if CellRange::parse(old) != Some(range) {
            self.splices.replace(tag.start + at.start..tag.start + at.end, range.to_string());
        }
    }

    fn column_style(&self, column: u32) -> Option<u32> {
        let styled = |(first, last, _): &&(u32, u32, u32)| (*first..=*last).contains(&(column + 1));
        self.column_styles.iter().find(styled).map(|(.., style)| *style)
    }
}

/// The rest of a cell behind the beginning of its start tag.
fn cell_text(opening: String, prefix: &str, style: u32, value: &NewValue) -> String {
    let mut out = opening;
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
        NewValue::Formula(formula) => {
            write!(out, "><{prefix}f>{}</{prefix}f></{prefix}c>", partial_escape(formula.as_str()))
        }
        NewValue::Text(text) => {
            let text = escaped(text);
            write!(
                out,
                " t=\"inlineStr\"><{prefix}is><{prefix}t xml:space=\"preserve\">{text}</{prefix}t></{prefix}is></{prefix}c>"
            )
        }
    };
    out
}

/// An element that closed itself, open and with this content; `value` replaces the value of an attribute.
fn open_and_close(tag: &str, value: Option<(Range<usize>, String)>, content: &str) -> String {
    let changed = value.map(|(at, value)| [&tag[..at.start], &value, &tag[at.end..]].concat());
    let name = tag_name(tag);
    let tag = changed.as_deref().unwrap_or(tag);
    let opening = tag.strip_suffix("/>").unwrap_or(tag).trim_end();
    format!("{opening}>{content}</{name}>")
}

/// The name of an element as its start tag writes it.
fn tag_name(tag: &str) -> &str {
    let name = tag.strip_prefix('<').unwrap_or(tag);
    let end = name.find(|sign: char| sign.is_ascii_whitespace() || "/>".contains(sign));
    &name[..end.unwrap_or(name.len())]
}

#[cfg(test)]
mod tests;
