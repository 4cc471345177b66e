//! The check of a change before it counts: the new sheet is well-formed XML, every written value reads back as written,
//! every other cell and everything else in the sheet is as before, and so are all other entries of the archive.

use std::collections::BTreeSet;
use std::io::{Cursor, Read};
use std::ops::Range;

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

/// What a sheet holds, as it was read before a change: where everything stands that must be there afterwards.
#[derive(Debug, Clone, Default)]
pub(super) struct Outline {
    /// In the order of the document.
    facts: Vec<Fact>,
    around: Around,
}

/// A piece of a sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fact {
    /// A row and its start tag.
    Row(u32, Range<usize>),
    /// A cell, its start tag and all of it.
    Cell((u32, u32), Range<usize>, Range<usize>),
    /// A hyperlink.
    Link(Range<usize>),
}

/// What stands around the rows, and what of that is compared by itself.
#[derive(Debug, Clone, Default)]
struct Around {
    rows: Range<usize>,
    /// The dimension and hyperlinks.
    left_out: Vec<Range<usize>>,
    container: Range<usize>,
    links: usize,
}

impl Outline {
    /// Notes what was read.
    pub(super) fn note(&mut self, item: &Item, span: Range<usize>) {
        self.facts.extend(self.around.note(item, span));
    }

    /// Where the element around the hyperlinks stands, if there is one.
    pub(super) fn hyperlinks(&self) -> Option<Range<usize>> {
        Some(self.around.container.clone()).filter(|container| !container.is_empty())
    }

    /// The memory that it takes.
    pub(super) fn size(&self) -> usize {
        self.facts.len() * size_of::<Fact>()
    }
}

impl Around {
    fn note(&mut self, item: &Item, span: Range<usize>) -> Option<Fact> {
        match item {
            Item::Row { row, .. } => return Some(Fact::Row(*row, span)),
            Item::Cell(cell) => {
                return Some(Fact::Cell((cell.row, cell.column), cell.tag.clone(), cell.whole.clone()));
            }
            Item::Hyperlink(link) => {
                self.links += 1;
                self.left_out.push(link.whole.clone());
                return Some(Fact::Link(link.whole.clone()));
            }
            Item::Dimension => self.left_out.push(span),
            Item::SheetData { .. } => self.rows = span,
            Item::SheetDataEnd => self.rows.end = span.end,
            Item::Hyperlinks => self.container = span,
            Item::HyperlinksEnd => self.container.end = span.end,
            _ => {}
        }
        None
    }

    /// What stands around the rows.
    fn text(&self, xml: &str, without_links: bool) -> String {
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

/// Compares a sheet before and after a change: `outline` is that of the old one.
///
/// # Errors
/// The new sheet is not what it was meant to be.
pub(super) fn sheet(
    old: &str,
    outline: &Outline,
    new: &str,
    edits: &SheetEdits,
    facts: &SheetFacts<'_>,
    links: &LinkChanges,
) -> Result<(), XlsxError> {
    let wrong = |why: String| XlsxError::Damaged(format!("{} would not be written right: {why}", facts.part));
    let mut reader = SheetReader::of(facts.part, new);
    let mut around = Around::default();
    let mut missing: BTreeSet<(u32, u32)> =
        edits.iter().filter(|(_, edit)| edit.value != NewValue::Empty).map(|(at, _)| *at).collect();
    let (mut before, mut link) = (outline.facts.iter().peekable(), 0);
    loop {
        let item = reader.next()?;
        let fact = around.note(&item, reader.span());
        let Some(is) = fact else {
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
            before.next_if(|was| matches!(was, Fact::Cell(cell, ..) if (facts.moved(cell.0), cell.1) == at));
            continue;
        }
        // A row that was not there.
        if let Fact::Row(row, tag) = &is
            && edits.range((*row, 0)..=(*row, u32::MAX)).next().is_some()
            && plain_attributes(&new[tag.clone()], &["r"]).is_empty()
            && !matches!(before.peek(), Some(Fact::Row(was, _)) if facts.moved(*was) == *row)
        {
            continue;
        }
        // Hyperlinks that were taken out are not there any more.
        while links.dropped.contains(&link) && before.next_if(|was| matches!(was, Fact::Link(_))).is_some() {
            link += 1;
        }
        let same = match (before.next(), &is) {
            (Some(Fact::Row(row, tag)), Fact::Row(new_row, new_tag)) => {
                let (tag, new_tag) = (&old[tag.clone()], &new[new_tag.clone()]);
                let plain = |tag: &str| plain_attributes(tag, &["r", "spans"]);
                facts.moved(*row) == *new_row && (tag == new_tag || plain(tag) == plain(new_tag))
            }
            (Some(Fact::Cell(cell, tag, whole)), Fact::Cell(new_cell, new_tag, new_whole)) => {
                let (text, new_text) = (&old[whole.clone()], &new[new_whole.clone()]);
                let is_moved = facts.moved(cell.0) != cell.0;
                // The name of a cell that moves is another one, nothing else.
                let plain = |text: &str| plain_attributes(text, &["r"]);
                let content = (&text[tag.len()..], &new_text[new_tag.len()..]);
                (facts.moved(cell.0), cell.1) == *new_cell
                    && (text == new_text
                        || (is_moved && plain(text) == plain(new_text) && content.0 == content.1))
            }
            (Some(Fact::Link(whole)), Fact::Link(new_whole)) => {
                let (text, new_text) = (&old[whole.clone()], &new[new_whole.clone()]);
                let plain = |text: &str| plain_attributes(text, &["display"]);
                let is_renamed = links.renamed.contains(&link);
                link += 1;
                text == new_text || (is_renamed && plain(text) == plain(new_text))
            }
            _ => false,
        };
        if !same {
            return Err(wrong(format!("{} is not as it was", is.name())));
        }
    }
    while links.dropped.contains(&link) && before.next_if(|was| matches!(was, Fact::Link(_))).is_some() {
        link += 1;
    }
    if let Some(was) = before.next() {
        return Err(wrong(format!("{} is not there any more", was.name())));
    }
    if let Some((row, column)) = missing.first() {
        return Err(wrong(format!("the cell {} is missing", cell_name(*row, *column))));
    }
    let no_links = around.links == 0 && outline.around.links > 0;
    if outline.around.text(old, no_links) != around.text(new, no_links) {
        return Err(wrong("what stands around the cells is not as it was".to_owned()));
    }
    Ok(())
}

impl Fact {
    fn name(&self) -> String {
        match self {
            Fact::Row(row, _) => format!("row {}", row + 1),
            Fact::Cell((row, column), ..) => format!("the cell {}", cell_name(*row, *column)),
            Fact::Link(_) => "a hyperlink".to_owned(),
        }
    }
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
        // A date that is none, as some writers leave it, becomes the first one that there is.
        let date = entry.last_modified();
        let new_date = date.and(new_entry.last_modified());
        let facts = (entry.crc32(), entry.size(), entry.compression(), date);
        let new_facts = (new_entry.crc32(), new_entry.size(), new_entry.compression(), new_date);
        bytes.clear();
        new_bytes.clear();
        let read = entry.read_to_end(&mut bytes).and_then(|_| new_entry.read_to_end(&mut new_bytes));
        if read.is_err() || facts != new_facts || bytes != new_bytes {
            return Err(wrong(&name));
        }
    }
    Ok(())
}
