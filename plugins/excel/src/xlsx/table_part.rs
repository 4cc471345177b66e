//! An Excel table: a range of a sheet with a heading row and perhaps a row of totals.

use super::XlsxError;
use super::formula::references;
use super::package::Package;
use super::range::CellRange;
use super::strings::read_text;
use super::xml::{Token, XmlReader};

/// An Excel table: its range, totals and column formulas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TablePart {
    /// The name of the part.
    pub(crate) part: String,
    /// All of the table, headings and totals included.
    pub(crate) range: CellRange,
    /// How many rows of totals there are at its end.
    pub(crate) totals: u32,
    /// The formulas that Excel fills columns with, by column.
    pub(crate) formulas: Vec<ColumnFormula>,
}

/// A formula that Excel fills a column of a table with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ColumnFormula {
    pub(crate) column: u32,
    pub(crate) text: String,
    /// A new row can be given it as it stands: addresses would have to be moved, and an array formula names its cells.
    pub(crate) can_fill: bool,
}

impl TablePart {
    /// # Errors
    /// The part cannot be read, or has no range.
    pub(crate) fn read(package: &mut Package<'_>, part: &str) -> Result<Self, XlsxError> {
        let mut xml = XmlReader::new(package.reader(part)?);
        let mut found = None;
        let (mut formulas, mut columns) = (Vec::new(), 0);
        loop {
            let token = xml.next().map_err(|error| error.of(part))?;
            if token == Token::Eof {
                break;
            }
            if !matches!(token, Token::Start | Token::Empty) {
                continue;
            }
            match xml.local_name() {
                Some("tableColumn") => columns += 1,
                Some("calculatedColumnFormula") if token == Token::Start && columns > 0 => {
                    let is_array =
                        xml.attribute("array").is_some_and(|value| matches!(&*value, "1" | "true"));
                    let text = read_text(&mut xml).map_err(|error| error.of(part))?;
                    let can_fill = !is_array && references(&text).is_empty();
                    formulas.push(ColumnFormula { column: columns - 1, text, can_fill });
                }
                _ => {}
            }
            if found.is_none() {
                let range = xml.attribute("ref").and_then(|range| CellRange::parse(&range));
                let totals = xml.attribute("totalsRowCount");
                let totals = totals.and_then(|count| count.trim().parse().ok()).unwrap_or(0);
                found = Some((range, totals));
            }
        }
        match found {
            Some((Some(range), totals)) => {
                for formula in &mut formulas {
                    formula.column += range.first.1;
                }
                formulas.retain(|formula| range.has_column(formula.column));
                Ok(TablePart { part: part.to_owned(), range, totals, formulas })
            }
            _ => Err(XlsxError::Damaged(format!("{part}: the table says no range"))),
        }
    }

    /// Whether a row belongs to the totals.
    pub(crate) fn is_total(&self, row: u32) -> bool {
        self.range.has_row(row) && row + self.totals > self.range.last.0
    }

    /// Whether a new row becomes one of the table, which grows by it: at its end, or above its totals.
    pub(crate) fn grows_by(&self, row: u32, pushes_down: bool) -> bool {
        match pushes_down {
            true => self.totals > 0 && self.last_data_row() + 1 == row,
            false => self.totals == 0 && self.range.last.0 + 1 == row,
        }
    }

    /// The last row that is not of the totals.
    pub(crate) fn last_data_row(&self) -> u32 {
        self.range.last.0.saturating_sub(self.totals)
    }
}
