//! The outline of a sheet: where its rows, cells and hyperlinks stand, so that a change can be compared with what was there.

use std::ops::Range;

use crate::xlsx::range::cell_name;
use crate::xlsx::sheet::Item;

/// What a sheet holds, as it was read before a change: where everything stands that must be there afterwards.
#[derive(Debug, Clone, Default)]
pub(super) struct Outline {
    /// In the order of the document.
    pub(super) elements: Vec<Element>,
    pub(super) surroundings: Surroundings,
}

/// An element of a sheet that a change is compared by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Element {
    /// A row and its start tag.
    Row(u32, Range<usize>),
    /// A cell, its start tag and all of it.
    Cell((u32, u32), Range<usize>, Range<usize>),
    /// A hyperlink.
    Link(Range<usize>),
}

/// What stands around the rows, and what of that is compared by itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Surroundings {
    rows: Range<usize>,
    /// The dimension and hyperlinks.
    left_out: Vec<Range<usize>>,
    container: Range<usize>,
    pub(super) links: usize,
}

impl Outline {
    /// Notes what was read.
    pub(super) fn note(&mut self, item: &Item, span: Range<usize>) {
        self.elements.extend(self.surroundings.note(item, span));
    }

    /// Where the element around the hyperlinks stands, if there is one.
    pub(super) fn hyperlinks(&self) -> Option<Range<usize>> {
        Some(self.surroundings.container.clone()).filter(|container| !container.is_empty())
    }

    /// The memory that it takes.
    pub(super) fn size(&self) -> usize {
        self.elements.len() * size_of::<Element>()
    }
}

impl Surroundings {
    pub(super) fn note(&mut self, item: &Item, span: Range<usize>) -> Option<Element> {
        match item {
            Item::Row { row, .. } => return Some(Element::Row(*row, span)),
            Item::Cell(cell) => {
                return Some(Element::Cell((cell.row, cell.column), cell.tag.clone(), cell.whole.clone()));
            }
            Item::Hyperlink(link) => {
                self.links += 1;
                self.left_out.push(link.whole.clone());
                return Some(Element::Link(link.whole.clone()));
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
    pub(super) fn text(&self, xml: &str, without_links: bool) -> String {
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

impl Element {
    pub(super) fn name(&self) -> String {
        match self {
            Element::Row(row, _) => format!("row {}", row + 1),
            Element::Cell((row, column), ..) => format!("the cell {}", cell_name(*row, *column)),
            Element::Link(_) => "a hyperlink".to_owned(),
        }
    }
}
