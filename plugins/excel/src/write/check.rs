//! Verification of a change before it is written: the new sheet is well-formed XML, every written value reads back as written,
//! every other cell and everything else in the sheet is as before, and so are all other entries of the archive.

use std::collections::BTreeSet;
use std::io::{Cursor, Read};

use zip::ZipArchive;

use crate::xlsx::XlsxError;
use crate::xlsx::range::cell_name;
use crate::xlsx::sheet::{CellItem, Item, RawValue, SheetReader};
use crate::xlsx::xml::tag_attributes;

use super::edits::{CellEdit, NewValue, SheetContext, SheetEdits};
use super::outline::{Element, Outline, Surroundings};

/// What was done to the hyperlinks of a sheet, by their places among all in the old one.
#[derive(Debug, Default)]
pub(super) struct LinkChanges {
    pub(super) dropped: BTreeSet<usize>,
    /// Their shown address is another one.
    pub(super) renamed: BTreeSet<usize>,
}

/// Compares a sheet before and after a change: `outline` is that of the old one.
///
/// # Errors
/// The new sheet is not what it was meant to be.
pub(super) fn sheet(
    old: &str,
    outline: &Outline,
    new: &str,
    edits: &SheetEdits,
    sheet: &SheetContext<'_>,
    links: &LinkChanges,
) -> Result<(), XlsxError> {
    let wrong = |why: String| XlsxError::Damaged(format!("{} would not be written right: {why}", sheet.part));
    let mut reader = SheetReader::of(sheet.part, new);
    let mut surroundings = Surroundings::default();
    let mut missing: BTreeSet<(u32, u32)> =
        edits.iter().filter(|(_, edit)| edit.value != NewValue::Empty).map(|(at, _)| *at).collect();
    let (mut before, mut link) = (outline.elements.iter().peekable(), 0);
    loop {
        let item = reader.next()?;
        let element = surroundings.note(&item, reader.span());
        let Some(element) = element else {
            if matches!(item, Item::End) {
                break;
            }
            continue;
        };
        if let Item::Cell(cell) = &item
            && let Some(edit) = edits.get(&(cell.row, cell.column))
        {
            let at = (cell.row, cell.column);
            if !holds(cell, edit) {
                let name = cell_name(at.0, at.1);
                return Err(wrong(format!("the cell {name} would hold {:?}", cell.value)));
            }
            missing.remove(&at);
            before
                .next_if(|was| matches!(was, Element::Cell(cell, ..) if (sheet.moved(cell.0), cell.1) == at));
            continue;
        }
        // A row that was not there.
        if let Element::Row(row, tag) = &element
            && edits.range((*row, 0)..=(*row, u32::MAX)).next().is_some()
            && plain_attributes(&new[tag.clone()], &["r"]).is_empty()
            && !matches!(before.peek(), Some(Element::Row(was, _)) if sheet.moved(*was) == *row)
        {
            continue;
        }
        // Hyperlinks that were taken out are not there any more.
        while links.dropped.contains(&link) && before.next_if(|was| matches!(was, Element::Link(_))).is_some()
        {
            link += 1;
        }
        let same = match (before.next(), &element) {
            (Some(Element::Row(row, tag)), Element::Row(new_row, new_tag)) => {
                let (tag, new_tag) = (&old[tag.clone()], &new[new_tag.clone()]);
                let plain = |tag: &str| plain_attributes(tag, &["r", "spans"]);
                sheet.moved(*row) == *new_row && (tag == new_tag || plain(tag) == plain(new_tag))
            }
            (Some(Element::Cell(cell, tag, whole)), Element::Cell(new_cell, new_tag, new_whole)) => {
                let (text, new_text) = (&old[whole.clone()], &new[new_whole.clone()]);
                let is_moved = sheet.moved(cell.0) != cell.0;
                // The name of a cell that moves is another one, nothing else.
                let plain = |text: &str| plain_attributes(text, &["r"]);
                let content = (&text[tag.len()..], &new_text[new_tag.len()..]);
                (sheet.moved(cell.0), cell.1) == *new_cell
                    && (text == new_text
                        || (is_moved && plain(text) == plain(new_text) && content.0 == content.1))
            }
            (Some(Element::Link(whole)), Element::Link(new_whole)) => {
                let (text, new_text) = (&old[whole.clone()], &new[new_whole.clone()]);
                let plain = |text: &str| plain_attributes(text, &["display"]);
                let is_renamed = links.renamed.contains(&link);
                link += 1;
                text == new_text || (is_renamed && plain(text) == plain(new_text))
            }
            _ => false,
        };
        if !same {
            return Err(wrong(format!("{} is not as it was", element.name())));
        }
    }
    while links.dropped.contains(&link) && before.next_if(|was| matches!(was, Element::Link(_))).is_some() {
        link += 1;
    }
    if let Some(was) = before.next() {
        return Err(wrong(format!("{} is not there any more", was.name())));
    }
    if let Some((row, column)) = missing.first() {
        return Err(wrong(format!("the cell {} is missing", cell_name(*row, *column))));
    }
    let no_links = surroundings.links == 0 && outline.surroundings.links > 0;
    if outline.surroundings.text(old, no_links) != surroundings.text(new, no_links) {
        return Err(wrong("what stands around the cells is not as it was".to_owned()));
    }
    Ok(())
}

/// Whether a cell holds what it was given, and nothing else.
fn holds(cell: &CellItem, edit: &CellEdit) -> bool {
    if let NewValue::Formula(expected) = &edit.value {
        let formula = cell.formula.as_ref();
        return cell.value == RawValue::Empty
            && formula.is_some_and(|formula| formula.text == *expected && formula.kind.is_empty());
    }
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

/// Compares an archive before and after a change: all entries are there, in their order, and those that were not to be
/// changed are the same byte for byte, with their metadata.
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
        // A date that is none, as some writers leave it, becomes the first one that there is.
        let date = entry.last_modified();
        let new_date = date.and(new_entry.last_modified());
        let metadata = (entry.crc32(), entry.size(), entry.compression(), date);
        let new_metadata = (new_entry.crc32(), new_entry.size(), new_entry.compression(), new_date);
        bytes.clear();
        new_bytes.clear();
        let read = entry.read_to_end(&mut bytes).and_then(|_| new_entry.read_to_end(&mut new_bytes));
        if read.is_err() || metadata != new_metadata || bytes != new_bytes {
            return Err(wrong(&name));
        }
    }
    Ok(())
}
