//! A sheet's XML: its cells with what they hold and where they stand, with merged cells, hyperlinks and tables.

use std::io::BufRead;
use std::ops::Range;

use super::XlsxError;
use super::range::{CellRange, MAX_ROWS, cell_name, cell_position};
use super::strings::{read_item, read_text, read_text_into, unescaped};
use super::xml::{Token, XmlError, XmlReader, with_colon};

/// What the reader finds, in the order of the document. Its place is [`SheetReader::span`]: a start tag,
/// or an end tag.
#[derive(Debug)]
pub(crate) enum Item {
    /// `<dimension ref=".."/>`
    Dimension,
    /// `<col min=".." max=".." style=".."/>`: the first and last column, counted from 1, and their style.
    ColumnStyle(u32, u32, u32),
    /// `<sheetData>`; `empty` when it closes itself.
    SheetData {
        empty: bool,
    },
    /// A row, counted from 0.
    Row {
        row: u32,
        empty: bool,
    },
    /// A whole cell.
    Cell(CellItem),
    /// The end of a row that does not close itself.
    RowEnd,
    /// The end of `<sheetData>`, if it does not close itself.
    SheetDataEnd,
    /// `<mergeCell>`
    Merged(CellRange),
    /// `<hyperlink>`, from its start tag to its end.
    Hyperlink(HyperlinkItem),
    /// The start and the end of `<hyperlinks>`.
    Hyperlinks,
    HyperlinksEnd,
    /// Something else that names cells of the sheet: the element and its ranges.
    Region(&'static str, Vec<CellRange>),
    /// `<tablePart>`: the id of its relationship.
    TablePart(String),
    /// The end of the document.
    End,
}

/// A cell of the sheet's XML.
#[derive(Debug)]
pub(crate) struct CellItem {
    /// Counted from 0.
    pub(crate) row: u32,
    /// Counted from 0.
    pub(crate) column: u32,
    pub(crate) style: u32,
    /// The start tag.
    pub(crate) tag: Range<usize>,
    /// The whole cell.
    pub(crate) whole: Range<usize>,
    pub(crate) value: RawValue,
    pub(crate) formula: Option<Formula>,
}

/// What a cell holds, as it stands in the sheet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RawValue {
    Empty,
    Number(f64),
    /// Something that calculates like a number but is none, such as `NaN` or `INF`; its text.
    NoNumber(String),
    /// The number of a shared text.
    Shared(usize),
    Text(String),
    Bool(bool),
    /// An error such as `#N/A`.
    Error,
    /// A date in ISO 8601.
    IsoDate(String),
}

/// A formula.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Formula {
    /// Empty where a shared formula's text stands with another cell.
    pub(crate) text: String,
    /// `array`, `shared`, `dataTable`; empty for the formula of one cell.
    pub(crate) kind: String,
    /// The cells that an array formula or a data table fills.
    pub(crate) fills: Option<CellRange>,
}

/// A hyperlink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HyperlinkItem {
    pub(crate) cells: CellRange,
    pub(crate) whole: Range<usize>,
    pub(crate) tag: Range<usize>,
    /// The id of its relationship, if it leads out of the workbook.
    pub(crate) relationship: Option<String>,
}

/// Goes through a sheet's XML.
pub(crate) struct SheetReader<'p, R> {
    part: &'p str,
    xml: XmlReader<R>,
    place: Place,
    row: u32,
    column: u32,
    next_row: u32,
    span: Range<usize>,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Before,
    SheetData,
    Row,
    After,
}

impl<'p, 'x> SheetReader<'p, &'x [u8]> {
    pub(crate) fn of(part: &'p str, xml: &'x str) -> Self {
        SheetReader::new(part, xml.as_bytes())
    }
}

impl<'p, R: BufRead> SheetReader<'p, R> {
    /// Reads a sheet; `part` is its name, for errors.
    pub(crate) fn new(part: &'p str, text: R) -> Self {
        SheetReader {
            part,
            xml: XmlReader::new(text),
            place: Place::Before,
            row: 0,
            column: 0,
            next_row: 0,
            span: 0..0,
            text: String::new(),
        }
    }

    /// Where the item that was read last stands, in bytes of the text.
    pub(crate) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The namespace prefix of the element that was read last with its colon, `x:`; empty without one.
    pub(crate) fn prefix(&self) -> &str {
        with_colon(self.xml.name())
    }

    /// The next item; [`Item::End`] at the end of the document, which is well-formed then.
    ///
    /// # Errors
    /// The document is no well-formed XML or no sheet, or a cell cannot be read for sure.
    pub(crate) fn next(&mut self) -> Result<Item, XlsxError> {
        loop {
            let token = self.token()?;
            self.span = self.xml.span();
            let found = match token {
                Token::Start | Token::Empty => self.element(token == Token::Empty)?,
                Token::End => self.end(),
                Token::Eof if self.place == Place::After => Some(Item::End),
                Token::Eof => return Err(self.wrong("it has no sheetData: it is no sheet of cells")),
                Token::Text => None,
            };
            if let Some(item) = found {
                return Ok(item);
            }
        }
    }

    fn token(&mut self) -> Result<Token, XlsxError> {
        self.xml.next().map_err(|error| error.of(self.part))
    }

    fn failed(&self) -> impl Fn(XmlError) -> XlsxError + use<'p, R> {
        let part = self.part;
        move |error| error.of(part)
    }

    fn wrong(&self, why: impl std::fmt::Display) -> XlsxError {
        XlsxError::Damaged(format!("{}: {why}", self.part))
    }

    /// What a start tag means. Elements that mean nothing to us are passed by as a whole within the rows.
    fn element(&mut self, empty: bool) -> Result<Option<Item>, XlsxError> {
        let depth = self.xml.depth() + usize::from(empty);
        // Rows stand in the second level, merged cells and hyperlinks further in.
        Ok(match (self.place, self.xml.local_name().unwrap_or_default()) {
            (Place::Before, "dimension") if depth == 2 => Some(Item::Dimension),
            (Place::Before, "col") if depth == 3 => self.column_style(),
            (Place::Before, "sheetData") if depth == 2 => {
                self.place = if empty { Place::After } else { Place::SheetData };
                Some(Item::SheetData { empty })
            }
            (Place::After, "sheetData") if depth == 2 => return Err(self.wrong("it has sheetData twice")),
            (Place::SheetData, "row") => Some(self.row(empty)?),
            (Place::Row, "c") => Some(self.cell(empty)?),
            (Place::SheetData | Place::Row, _) => {
                if self.xml.name().ends_with("AlternateContent") {
                    return Err(self.wrong(
                        "it has rows or cells in two versions (AlternateContent), which are not read",
                    ));
                }
                if !empty {
                    self.xml.skip().map_err(self.failed())?;
                }
                None
            }
            (Place::After, "mergeCell") => {
                // Excel merges nothing where this names no cells.
                self.range("ref").map(Item::Merged)
            }
            (Place::After, "hyperlinks") if depth == 2 && !empty => Some(Item::Hyperlinks),
            (Place::After, "hyperlink") => self.hyperlink(empty)?,
            (Place::After, "tablePart") => {
                self.xml.foreign_attribute("/relationships", "id").map(|id| Item::TablePart(id.into_owned()))
            }
            (Place::After, "conditionalFormatting") => self.region("conditional format", "sqref"),
            (Place::After, "dataValidation") => self.region("data validation", "sqref"),
            (Place::After, "protectedRange") => self.region("protected range", "sqref"),
            (Place::After, "autoFilter") => self.region("filter", "ref"),
            (Place::After, "sortState") => self.region("sorting", "ref"),
            _ => None,
        })
    }

    fn end(&mut self) -> Option<Item> {
        match self.place {
            Place::Row => {
                self.place = Place::SheetData;
                Some(Item::RowEnd)
            }
            Place::SheetData => {
                self.place = Place::After;
                Some(Item::SheetDataEnd)
            }
            Place::After if self.xml.depth() == 1 && self.xml.text().ends_with("hyperlinks") => {
                Some(Item::HyperlinksEnd)
            }
            Place::Before | Place::After => None,
        }
    }

    fn column_style(&self) -> Option<Item> {
        let number = |name| self.xml.attribute(name).and_then(|value| value.trim().parse::<u32>().ok());
        Some(Item::ColumnStyle(number("min")?, number("max")?, number("style")?))
    }

    /// The cells that an attribute names.
    fn range(&self, attribute: &str) -> Option<CellRange> {
        CellRange::parse(&self.xml.attribute(attribute)?)
    }

    /// Ranges that cannot be read are left out: nothing depends on them but warnings.
    fn region(&self, what: &'static str, attribute: &str) -> Option<Item> {
        let ranges = self.xml.attribute(attribute)?;
        Some(Item::Region(what, ranges.split_ascii_whitespace().filter_map(CellRange::parse).collect()))
    }

    fn hyperlink(&mut self, empty: bool) -> Result<Option<Item>, XlsxError> {
        let cells = self.range("ref");
        let relationship = self.xml.foreign_attribute("/relationships", "id").map(|id| id.into_owned());
        let tag = self.xml.span();
        if !empty {
            self.xml.skip().map_err(self.failed())?;
        }
        let whole = tag.start..self.xml.span().end;
        Ok(cells.map(|cells| Item::Hyperlink(HyperlinkItem { cells, whole, tag, relationship })))
    }

    fn row(&mut self, empty: bool) -> Result<Item, XlsxError> {
        let row = match self.xml.attribute("r") {
            None => self.next_row,
            Some(number) => {
                let row = number.trim().parse::<u32>().ok().and_then(|number| number.checked_sub(1));
                row.ok_or_else(|| self.wrong(format!("a row with the number {number:?}")))?
            }
        };
        if row >= MAX_ROWS {
            return Err(self.wrong(format!("row {} is beyond the last one", u64::from(row) + 1)));
        }
        (self.row, self.next_row, self.column) = (row, row + 1, 0);
        self.place = if empty { Place::SheetData } else { Place::Row };
        Ok(Item::Row { row, empty })
    }

    fn cell(&mut self, empty: bool) -> Result<Item, XlsxError> {
        let column = match self.xml.attribute("r") {
            None => self.column,
            Some(name) => {
                let (row, column) = cell_position(&name)
                    .ok_or_else(|| self.wrong(format!("a cell with the name {name:?}")))?;
                if row != self.row {
                    return Err(self.wrong(format!("the cell {name} stands in row {}", self.row + 1)));
                }
                column
            }
        };
        self.column = column + 1;
        let style = match self.xml.attribute("s") {
            None => 0,
            Some(style) => style.trim().parse().map_err(|_| self.cell_is_wrong(column, "style", &style))?,
        };
        let kind = CellKind::of(self.xml.attribute("t").as_deref().unwrap_or("n"));
        let kind = kind.ok_or_else(|| {
            let kind = self.xml.attribute("t").unwrap_or_default();
            self.cell_is_wrong(column, "type of a cell", &kind)
        })?;
        let tag = self.xml.span();
        let (mut value, mut formula) = (RawValue::Empty, None);
        if !empty {
            (value, formula) = self.content(column, kind)?;
        }
        let whole = tag.start..self.xml.span().end;
        Ok(Item::Cell(CellItem { row: self.row, column, style, tag, whole, value, formula }))
    }

    /// Reads what a cell holds, up to its end tag.
    fn content(&mut self, column: u32, kind: CellKind) -> Result<(RawValue, Option<Formula>), XlsxError> {
        let cell = self.xml.depth();
        let (mut value, mut inline, mut formula) = (None, None, None);
        loop {
            let token = self.token()?;
            let (is_start, is_empty) = (token == Token::Start, token == Token::Empty);
            if token == Token::End && self.xml.depth() < cell {
                break;
            }
            if !is_start && !is_empty {
                continue;
            }
            match self.xml.local_name().unwrap_or_default() {
                "v" => {
                    if value.is_some() {
                        return Err(
                            self.wrong(format!("the cell {} has two values", cell_name(self.row, column)))
                        );
                    }
                    self.text.clear();
                    if is_start {
                        let read = read_text_into(&mut self.xml, &mut self.text);
                        read.map_err(self.failed())?;
                    }
                    value = Some(());
                }
                "is" => {
                    let text = match is_start {
                        true => read_item(&mut self.xml).map_err(self.failed())?,
                        false => String::new(),
                    };
                    inline = Some(text);
                }
                "f" => formula = Some(self.formula(is_start)?),
                _ if is_start => self.xml.skip().map_err(self.failed())?,
                _ => {}
            }
        }
        let value = match (kind, inline, value) {
            (CellKind::Inline, Some(text), _) => RawValue::Text(text),
            // Some writers put the text of a cell into its value.
            (CellKind::Inline, None, Some(())) => RawValue::Text(unescaped(&self.text).into_owned()),
            (_, _, None) => RawValue::Empty,
            (kind, _, Some(())) => self.value(column, kind)?,
        };
        Ok((value, formula))
    }

    fn formula(&mut self, has_text: bool) -> Result<Formula, XlsxError> {
        let kind = self.xml.attribute("t").unwrap_or_default().into_owned();
        let fills = match kind.as_str() {
            "array" | "dataTable" => match self.range("ref") {
                Some(cells) => Some(cells),
                None => return Err(self.wrong("a formula for several cells does not say which")),
            },
            _ => None,
        };
        let text = match has_text {
            true => read_text(&mut self.xml).map_err(self.failed())?,
            false => String::new(),
        };
        let kind = if kind == "normal" { String::new() } else { kind };
        Ok(Formula { text, kind, fills })
    }

    /// What the text of a value means.
    fn value(&self, column: u32, kind: CellKind) -> Result<RawValue, XlsxError> {
        let text = self.text.trim_matches([' ', '\t', '\r', '\n']);
        let wrong = |what: &str| self.cell_is_wrong(column, what, text);
        Ok(match kind {
            // White space that begins with a line break is how the document is laid out.
            CellKind::Text if self.text.trim_start_matches([' ', '\t']).starts_with(['\r', '\n']) => {
                RawValue::Text(unescaped(text).into_owned())
            }
            CellKind::Text => RawValue::Text(unescaped(&self.text).into_owned()),
            CellKind::Inline => RawValue::Text(unescaped(&self.text).into_owned()),
            _ if text.is_empty() => RawValue::Empty,
            CellKind::Number => number(text).ok_or_else(|| wrong("number"))?,
            CellKind::Shared => {
                let is_index = text.bytes().all(|digit| digit.is_ascii_digit());
                let index = text.parse().ok().filter(|_| is_index);
                RawValue::Shared(index.ok_or_else(|| wrong("number of a shared text"))?)
            }
            CellKind::Bool => match text.to_ascii_lowercase().as_str() {
                "1" | "true" => RawValue::Bool(true),
                "0" | "false" => RawValue::Bool(false),
                _ => return Err(wrong("TRUE or FALSE")),
            },
            CellKind::Error => RawValue::Error,
            CellKind::IsoDate => RawValue::IsoDate(text.to_owned()),
        })
    }

    fn cell_is_wrong(&self, column: u32, what: &str, text: &str) -> XlsxError {
        let shown: String = text.chars().take(64).collect();
        self.wrong(format!("the cell {}: {shown:?} is no {what}", cell_name(self.row, column)))
    }
}

/// The value of a cell, by its type.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CellKind {
    Number,
    Shared,
    Inline,
    /// The text that a formula gives.
    Text,
    Bool,
    Error,
    IsoDate,
}

impl CellKind {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "n" => CellKind::Number,
            "s" => CellKind::Shared,
            "inlineStr" => CellKind::Inline,
            "str" => CellKind::Text,
            "b" => CellKind::Bool,
            "e" => CellKind::Error,
            "d" => CellKind::IsoDate,
            _ => return None,
        })
    }
}

/// A number as XML Schema writes doubles. A name for infinity or for no number, and a number beyond all
/// doubles, give `RawValue::NoNumber`.
fn number(text: &str) -> Option<RawValue> {
    let plain =
        text.bytes().all(|sign| sign.is_ascii_digit() || matches!(sign, b'+' | b'-' | b'.' | b'e' | b'E'));
    if plain {
        return Some(match text.parse::<f64>().ok()? {
            number if number.is_finite() => RawValue::Number(number),
            _ => RawValue::NoNumber(text.to_owned()),
        });
    }
    const NONE: [&str; 9] =
        ["nan", "inf", "infinity", "1.#inf", "1.#qnan", "1.#snan", "1.#ind", "nan(ind)", "∞"];
    let name = text.trim_start_matches(['+', '-']).to_lowercase();
    NONE.contains(&name.as_str()).then(|| RawValue::NoNumber(text.to_owned()))
}

#[cfg(test)]
mod tests;
