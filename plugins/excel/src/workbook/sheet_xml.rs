//! Where things stand in the XML of a sheet: rows and cells with their byte ranges, so that a change touches nothing
//! else.

use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::cell::{MAX_ROWS, cell_position};

/// What the reader comes across, in the order of the document. Ranges are byte offsets in the XML.
#[derive(Debug)]
pub(crate) enum Item {
    /// `<dimension ref=".."/>`: its start tag.
    Dimension(Range<usize>),
    /// `<col min=".." max=".." style=".."/>`: its start tag.
    ColumnStyle(Range<usize>),
    /// The start tag of `<sheetData>`; `empty` when it closes itself.
    SheetData { tag: Range<usize>, empty: bool },
    /// The start tag of a row, counted from 0; `empty` when it closes itself.
    Row { row: u32, tag: Range<usize>, empty: bool },
    /// A whole cell, from its start tag to its end.
    Cell(CellItem),
    /// The end tag of a row that does not close itself.
    RowEnd(Range<usize>),
    /// The end tag of `<sheetData>`, if it does not close itself.
    SheetDataEnd(Range<usize>),
}

/// A cell of the sheet's XML.
#[derive(Debug)]
pub(crate) struct CellItem {
    /// Counted from 0.
    pub(crate) row: u32,
    /// Counted from 0.
    pub(crate) column: u32,
    /// The start tag.
    pub(crate) tag: Range<usize>,
    /// The whole cell.
    pub(crate) whole: Range<usize>,
    /// It holds a formula.
    pub(crate) has_formula: bool,
    /// The formula fills these cells: an array formula or a data table. First and last row and column.
    pub(crate) fills: Option<[(u32, u32); 2]>,
}

/// Goes through a sheet's XML.
pub(crate) struct SheetXml<'x> {
    xml: &'x str,
    reader: Reader<&'x [u8]>,
    place: Place,
    row: u32,
    column: u32,
    next_row: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Before,
    SheetData,
    Row,
    After,
}

impl<'x> SheetXml<'x> {
    pub(crate) fn new(xml: &'x str) -> Self {
        let reader = Reader::from_str(xml);
        SheetXml { xml, reader, place: Place::Before, row: 0, column: 0, next_row: 0 }
    }

    /// The next item; `None` after the rows, whatever follows them.
    ///
    /// # Errors
    /// The XML is broken.
    pub(crate) fn next(&mut self) -> Result<Option<Item>, String> {
        while self.place != Place::After {
            let start = self.position();
            let event = self.reader.read_event().map_err(|error| error.to_string())?;
            let empty = matches!(event, Event::Empty(_));
            match event {
                Event::Start(tag) | Event::Empty(tag) => {
                    let range = start..self.position();
                    let depth = if empty { 0 } else { 1 };
                    match (self.place, tag.local_name().as_ref()) {
                        (Place::Before, "dimension") => return Ok(Some(Item::Dimension(range))),
                        (Place::Before, "col") => return Ok(Some(Item::ColumnStyle(range))),
                        (Place::Before, "sheetData") => {
                            self.place = if empty { Place::After } else { Place::SheetData };
                            return Ok(Some(Item::SheetData { tag: range, empty }));
                        }
                        (Place::SheetData, "row") => return self.row(range, empty).map(Some),
                        (Place::Row, "c") => return self.cell(range, depth).map(Some),
                        (Place::Before, _) => {}
                        // Something foreign between rows or cells.
                        (_, _) => {
                            self.skip(depth)?;
                        }
                    }
                }
                Event::End(_) => {
                    let range = start..self.position();
                    match self.place {
                        Place::Row => {
                            self.place = Place::SheetData;
                            return Ok(Some(Item::RowEnd(range)));
                        }
                        Place::SheetData => {
                            self.place = Place::After;
                            return Ok(Some(Item::SheetDataEnd(range)));
                        }
                        Place::Before | Place::After => {}
                    }
                }
                Event::Eof => return Err("the sheet ends before its rows do".to_owned()),
                _ => {}
            }
        }
        Ok(None)
    }

    fn row(&mut self, tag: Range<usize>, empty: bool) -> Result<Item, String> {
        let row = match attribute(&self.xml[tag.clone()], "r") {
            None => self.next_row,
            Some(number) => {
                let number: Option<u32> = number.value.trim().parse().ok();
                let row = number.and_then(|number| number.checked_sub(1)).filter(|row| *row < MAX_ROWS);
                row.ok_or("a row has a wrong number")?
            }
        };
        (self.row, self.next_row, self.column) = (row, row + 1, 0);
        self.place = if empty { Place::SheetData } else { Place::Row };
        Ok(Item::Row { row, tag, empty })
    }

    fn cell(&mut self, tag: Range<usize>, depth: usize) -> Result<Item, String> {
        let column = match attribute(&self.xml[tag.clone()], "r") {
            None => self.column,
            Some(name) => cell_position(name.value).ok_or("a cell has a wrong name")?.1,
        };
        self.column = column + 1;
        let formula = self.skip(depth)?;
        let whole = tag.start..self.position();
        let fills = formula.as_ref().and_then(|formula| fills(&self.xml[formula.clone()]));
        Ok(Item::Cell(CellItem { row: self.row, column, tag, whole, has_formula: formula.is_some(), fills }))
    }

    /// Goes to the end of an element; tells the start tag of a formula directly in it.
    fn skip(&mut self, mut depth: usize) -> Result<Option<Range<usize>>, String> {
        let mut formula = None;
        while depth > 0 {
            let start = self.position();
            let event = self.reader.read_event().map_err(|error| error.to_string())?;
            match &event {
                Event::Start(tag) | Event::Empty(tag) => {
                    if depth == 1 && tag.local_name().as_ref() == "f" {
                        formula = Some(start..self.position());
                    }
                    depth += usize::from(matches!(event, Event::Start(_)));
                }
                Event::End(_) => depth -= 1,
                Event::Eof => return Err("the sheet ends within a cell".to_owned()),
                _ => {}
            }
        }
        Ok(formula)
    }

    fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }
}

/// The cells that a formula fills, from its start tag.
fn fills(tag: &str) -> Option<[(u32, u32); 2]> {
    let kind = attribute(tag, "t")?;
    if !matches!(kind.value, "array" | "dataTable") {
        return None;
    }
    range_of(attribute(tag, "ref")?.value)
}

/// First and last row and column of a range such as `A1:C7` or `A1`.
pub(crate) fn range_of(text: &str) -> Option<[(u32, u32); 2]> {
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    Some([cell_position(first)?, cell_position(last)?])
}

/// An attribute of a start tag. Its value is raw: the attributes that we look for never hold references.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attribute<'t> {
    pub(crate) name: &'t str,
    pub(crate) value: &'t str,
    /// Where the value stands in the tag.
    pub(crate) at: Range<usize>,
}

/// The attributes of a start tag, given as it stands in the XML.
pub(crate) fn attributes(tag: &str) -> impl Iterator<Item = Attribute<'_>> {
    let name_end = tag.find(|sign: char| sign.is_ascii_whitespace()).unwrap_or(tag.len());
    let mut at = name_end;
    std::iter::from_fn(move || {
        let name_start = at + tag[at..].find(|sign: char| !sign.is_ascii_whitespace())?;
        let name_end = name_start + tag[name_start..].find('=')?;
        let opening = name_end + tag[name_end..].find(['"', '\''])?;
        let quote = char::from(tag.as_bytes()[opening]);
        let closing = opening + 1 + tag[opening + 1..].find(quote)?;
        at = closing + 1;
        Some(Attribute {
            name: tag[name_start..name_end].trim(),
            value: &tag[opening + 1..closing],
            at: opening + 1..closing,
        })
    })
}

/// An attribute by its name.
pub(crate) fn attribute<'t>(tag: &'t str, name: &str) -> Option<Attribute<'t>> {
    attributes(tag).find(|attribute| attribute.name == name)
}

/// The namespace prefix of a start tag with its colon, `x:`; empty without one.
pub(crate) fn prefix(tag: &str) -> &str {
    let name = tag.trim_start_matches('<');
    let end = name.find(|sign: char| sign.is_ascii_whitespace() || "/>".contains(sign)).unwrap_or(name.len());
    name[..end].rfind(':').map_or("", |colon| &name[..=colon])
}
