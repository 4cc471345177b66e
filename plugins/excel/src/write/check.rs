//! The check of a change before it counts: the new sheet is well-formed XML, every written value reads back as written,
//! every other cell and everything else in the sheet is as before, and so are all other entries of the archive.

use std::collections::BTreeSet;
use std::io::{Cursor, Read};

use zip::ZipArchive;

use crate::xlsx::XlsxError;
use crate::xlsx::range::cell_name;
use crate::xlsx::sheet::{CellItem, Item, RawValue, SheetReader};
use crate::xlsx::xml::tag_attributes;

use super::patch::{CellEdit, NewValue, SheetEdits, SheetFacts};

/// What was done to the hyperlinks of a sheet, by their places among all in the old one.
#[derive(Debug, Default)]
pub(super) struct LinkChanges {
    pub(super) dropped: BTreeSet<usize>,
    /// Their shown address is another one.
    pub(super) renamed: BTreeSet<usize>,
}

/// Compares a sheet before and after a change.
///
/// # Errors
/// The new sheet is not what it was meant to be.
pub(super) fn sheet(
    old: &str,
    new: &str,
    edits: &SheetEdits,
    facts: &SheetFacts<'_>,
    links: &LinkChanges,
) -> Result<(), XlsxError> {
    let wrong = |why: String| XlsxError::Damaged(format!("{} would not be written right: {why}", facts.part));
    let (mut before, mut after) = (Side::new(facts.part, old), Side::new(facts.part, new));
    let mut missing: BTreeSet<(u32, u32)> =
        edits.iter().filter(|(_, edit)| edit.value != NewValue::Empty).map(|(at, _)| *at).collect();
    let (mut was, mut link) = (before.next()?, 0);
    loop {
        let is = after.next()?;
        if let Fact::Cell(cell) = &is
            && let Some(edit) = edits.get(&(cell.row, cell.column))
        {
            if !holds(cell, edit) {
                let name = cell_name(cell.row, cell.column);
                return Err(wrong(format!("the cell {name} would hold {:?}", cell.value)));
            }
            missing.remove(&(cell.row, cell.column));
            if let Fact::Cell(old_cell) = &was
                && (facts.moved(old_cell.row), old_cell.column) == (cell.row, cell.column)
            {
                was = before.next()?;
            }
            continue;
        }
        // Hyperlinks that were taken out are not there any more.
        while let Fact::Link(..) = &was
            && links.dropped.contains(&link)
        {
            (was, link) = (before.next()?, link + 1);
        }
        match (&was, &is) {
            (Fact::Row(row, attributes), Fact::Row(new_row, new_attributes))
                if facts.moved(*row) == *new_row && attributes == new_attributes => {}
            // A row that was not there.
            (_, Fact::Row(row, attributes))
                if attributes.is_empty() && edits.range((*row, 0)..=(*row, u32::MAX)).next().is_some() =>
            {
                continue;
            }
            (Fact::Cell(cell), Fact::Cell(new_cell))
                if facts.moved(cell.row) == new_cell.row && cell.column == new_cell.column =>
            {
                let (text, new_text) = (&old[cell.whole.clone()], &new[new_cell.whole.clone()]);
                let same = match facts.moved(cell.row) == cell.row {
                    true => text == new_text,
                    // The name of the cell is another one, nothing else.
                    false => {
                        let attributes = |text: &str| plain_attributes(text, &["r"]);
                        let (tag, new_tag) = (&old[cell.tag.clone()], &new[new_cell.tag.clone()]);
                        attributes(tag) == attributes(new_tag)
                            && text[tag.len()..] == new_text[new_tag.len()..]
                    }
                };
                if !same {
                    return Err(wrong(format!("the cell {}", cell_name(new_cell.row, new_cell.column))));
                }
            }
            (Fact::Link(text), Fact::Link(new_text)) => {
                let plain = |text: &str| plain_attributes(text, &["display"]);
                let same = match links.renamed.contains(&link) {
                    true => plain(text) == plain(new_text),
                    false => text == new_text,
                };
                if !same {
                    return Err(wrong("a hyperlink".to_owned()));
                }
                link += 1;
            }
            (Fact::End, Fact::End) => break,
            (was, is) => return Err(wrong(format!("{} instead of {}", is.name(), was.name()))),
        }
        was = before.next()?;
    }
    if let Some((row, column)) = missing.first() {
        return Err(wrong(format!("the cell {} is missing", cell_name(*row, *column))));
    }
    let no_links = after.links == 0 && before.links > 0;
    if before.outside(old, no_links) != after.outside(new, no_links) {
        return Err(wrong("what stands around the cells".to_owned()));
    }
    Ok(())
}

/// Whether a cell holds what it was given, and no formula.
fn holds(cell: &CellItem, edit: &CellEdit) -> bool {
    let same = match (&cell.value, &edit.value) {
        (RawValue::Empty, NewValue::Empty) => true,
        (RawValue::Text(text), NewValue::Text(expected)) => text == expected,
        (RawValue::Bool(on), NewValue::Bool(expected)) => on == expected,
        (RawValue::Number(number), NewValue::Number(expected) | NewValue::Date(expected)) => {
            number.to_bits() == expected.to_bits()
        }
        _ => false,
    };
    same && cell.formula.is_none()
}

/// The attributes of a start tag without some of them.
fn plain_attributes(tag: &str, without: &[&str]) -> Vec<(String, String)> {
    let tag = &tag[..tag.find('>').map_or(tag.len(), |end| end + 1)];
    let kept = tag_attributes(tag).filter(|(name, ..)| !without.contains(name));
    kept.map(|(name, value, _)| (name.to_owned(), value.to_owned())).collect()
}

/// One of two sheets that are compared.
struct Side<'a> {
    xml: &'a str,
    reader: SheetReader<'a, &'a [u8]>,
    /// Where the rows begin and end.
    rows: std::ops::Range<usize>,
    /// What is left out of what stands around the rows: the dimension and hyperlinks.
    left_out: Vec<std::ops::Range<usize>>,
    container: std::ops::Range<usize>,
    links: usize,
}

/// What is compared.
enum Fact<'a> {
    /// A row, and its attributes but for its number and its spans.
    Row(u32, Vec<(String, String)>),
    Cell(CellItem),
    /// The text of a hyperlink.
    Link(&'a str),
    End,
}

impl Fact<'_> {
    fn name(&self) -> String {
        match self {
            Fact::Row(row, _) => format!("row {}", row + 1),
            Fact::Cell(cell) => format!("the cell {}", cell_name(cell.row, cell.column)),
            Fact::Link(_) => "a hyperlink".to_owned(),
            Fact::End => "the end".to_owned(),
        }
    }
}

impl<'a> Side<'a> {
    fn new(part: &'a str, xml: &'a str) -> Self {
        let reader = SheetReader::of(part, xml);
        Side { xml, reader, rows: 0..0, left_out: Vec::new(), container: 0..0, links: 0 }
    }

    fn next(&mut self) -> Result<Fact<'a>, XlsxError> {
        loop {
            let item = self.reader.next()?;
            let span = self.reader.span();
            match item {
                Item::Row { row, .. } => {
                    return Ok(Fact::Row(row, plain_attributes(&self.xml[span], &["r", "spans"])));
                }
                Item::Cell(cell) => return Ok(Fact::Cell(cell)),
                Item::Hyperlink(link) => {
                    self.links += 1;
                    self.left_out.push(link.whole.clone());
                    return Ok(Fact::Link(&self.xml[link.whole]));
                }
                Item::Dimension => self.left_out.push(span),
                Item::SheetData { .. } => self.rows = span,
                Item::SheetDataEnd => self.rows.end = span.end,
                Item::Hyperlinks => self.container = span,
                Item::HyperlinksEnd => self.container.end = span.end,
                Item::End => return Ok(Fact::End),
                _ => {}
            }
        }
    }

    /// What stands around the rows.
    fn outside(&self, xml: &str, without_links: bool) -> String {
        let mut left_out: Vec<_> = self.left_out.iter().chain([&self.rows]).cloned().collect();
        if without_links {
            left_out.retain(|range| range.start < self.container.start || range.start >= self.container.end);
            left_out.push(self.container.clone());
        }
        left_out.sort_by_key(|range| range.start);
        let (mut out, mut at) = (String::new(), 0);
        for range in left_out {
            out.push_str(&xml[at.min(range.start)..range.start]);
            at = range.end;
        }
        out.push_str(&xml[at..]);
        out
    }
}

/// Compares an archive before and after a change: all entries are there, in their order, and those that were not to be
/// changed are the same byte for byte, with all that the archive says about them.
///
/// # Errors
/// The new archive is not what it was meant to be.
pub(super) fn archive(old: &[u8], new: &[u8], changed: &BTreeSet<usize>) -> Result<(), XlsxError> {
    let damaged = |error: zip::result::ZipError| XlsxError::Damaged(error.to_string());
    let wrong = |what: &str| XlsxError::Damaged(format!("the archive would not be written right: {what}"));
    let mut old = ZipArchive::new(Cursor::new(old)).map_err(damaged)?;
    let mut new = ZipArchive::new(Cursor::new(new)).map_err(damaged)?;
    if old.len() != new.len() || old.comment() != new.comment() {
        return Err(wrong("its entries"));
    }
    let (mut bytes, mut new_bytes) = (Vec::new(), Vec::new());
    for index in 0..old.len() {
        let mut entry = old.by_index_raw(index).map_err(damaged)?;
        let mut new_entry = new.by_index_raw(index).map_err(damaged)?;
        let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
        if entry.name_raw() != new_entry.name_raw() || entry.unix_mode() != new_entry.unix_mode() {
            return Err(wrong(&name));
        }
        if changed.contains(&index) {
            continue;
        }
        let facts = (entry.crc32(), entry.size(), entry.compression(), entry.last_modified());
        let new_facts =
            (new_entry.crc32(), new_entry.size(), new_entry.compression(), new_entry.last_modified());
        bytes.clear();
        new_bytes.clear();
        let read = entry.read_to_end(&mut bytes).and_then(|_| new_entry.read_to_end(&mut new_bytes));
        if read.is_err() || facts != new_facts || bytes != new_bytes {
            return Err(wrong(&name));
        }
    }
    Ok(())
}
