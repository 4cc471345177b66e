//! Cells and ranges by their names. Rows and columns are counted from 0.

use std::fmt;

/// The most rows of a sheet.
pub(crate) const MAX_ROWS: u32 = 1_048_576;
/// The most columns of a sheet.
const MAX_COLUMNS: u32 = 16_384;

/// A rectangle of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CellRange {
    /// Row and column.
    pub(crate) first: (u32, u32),
    /// Row and column.
    pub(crate) last: (u32, u32),
}

impl CellRange {
    /// Reads `A1:C7`, `A1`, `A:C` or `1:7`; dollar signs do not matter.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let Some((first, last)) = text.split_once(':') else {
            let cell = cell_position(text)?;
            return Some(CellRange { first: cell, last: cell });
        };
        let (first, last) = (corner(first)?, corner(last)?);
        let whole = |limit: u32| (Some(0), Some(limit - 1));
        let (top, bottom) = match (first.0, last.0) {
            (None, None) => whole(MAX_ROWS),
            rows => rows,
        };
        let (left, right) = match (first.1, last.1) {
            (None, None) if first.0.is_some() => whole(MAX_COLUMNS),
            columns => columns,
        };
        let (top, bottom, left, right) = (top?, bottom?, left?, right?);
        Some(CellRange {
            first: (top.min(bottom), left.min(right)),
            last: (top.max(bottom), left.max(right)),
        })
    }

    pub(crate) fn contains(&self, (row, column): (u32, u32)) -> bool {
        self.has_row(row) && self.has_column(column)
    }

    pub(crate) fn has_row(&self, row: u32) -> bool {
        (self.first.0..=self.last.0).contains(&row)
    }

    pub(crate) fn has_column(&self, column: u32) -> bool {
        (self.first.1..=self.last.1).contains(&column)
    }

    pub(crate) fn is_one_cell(&self) -> bool {
        self.first == self.last
    }
}

impl fmt::Display for CellRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&cell_name(self.first.0, self.first.1))?;
        if !self.is_one_cell() {
            write!(f, ":{}", cell_name(self.last.0, self.last.1))?;
        }
        Ok(())
    }
}

/// The name of a cell, such as `C7`.
pub(crate) fn cell_name(row: u32, column: u32) -> String {
    format!("{}{}", column_name(column), row + 1)
}

/// The letters of a column: 0 is `A`, 26 is `AA`.
pub(crate) fn column_name(column: u32) -> String {
    let mut letters = Vec::new();
    let mut rest = column + 1;
    while rest > 0 {
        rest -= 1;
        letters.push(char::from(b'A' + u8::try_from(rest % 26).unwrap_or(0)));
        rest /= 26;
    }
    letters.iter().rev().collect()
}

/// Row and column of a cell name such as `C7` or `$C$7`.
pub(crate) fn cell_position(name: &str) -> Option<(u32, u32)> {
    let (row, column) = corner(name)?;
    Some((row?, column?))
}

/// Row and column of `C7`, `C` or `7`; at least one of them is there.
fn corner(name: &str) -> Option<(Option<u32>, Option<u32>)> {
    let bytes = name.trim().as_bytes();
    let bytes = bytes.strip_prefix(b"$").unwrap_or(bytes);
    let letters = bytes.iter().take_while(|sign| sign.is_ascii_alphabetic()).count();
    let mut column: u32 = 0;
    for sign in &bytes[..letters] {
        column = column.checked_mul(26)?.checked_add(u32::from(sign.to_ascii_uppercase() - b'A') + 1)?;
    }
    let rest = &bytes[letters..];
    let digits = if letters > 0 { rest.strip_prefix(b"$").unwrap_or(rest) } else { rest };
    let mut row: u32 = 0;
    for sign in digits {
        if !sign.is_ascii_digit() {
            return None;
        }
        row = row.checked_mul(10)?.checked_add(u32::from(sign - b'0'))?;
    }
    let within = |number: u32, limit: u32| (1..=limit).contains(&number).then(|| number - 1);
    let column = if letters > 0 { Some(within(column, MAX_COLUMNS)?) } else { None };
    let row = if digits.is_empty() { None } else { Some(within(row, MAX_ROWS)?) };
    (row.is_some() || column.is_some()).then_some((row, column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_positions_are_one_thing() {
        for (name, position) in
            [("A1", (0, 0)), ("Z9", (8, 25)), ("AA10", (9, 26)), ("XFD1048576", (1_048_575, 16_383))]
        {
            assert_eq!(cell_position(name), Some(position), "{name}");
            assert_eq!(cell_name(position.0, position.1), name);
        }
        assert_eq!(cell_position("$c$7"), Some((6, 2)));
        for name in ["", "A", "1", "A0", "XFE1", "A1048577", "1A", "A1B", "A-1", "Å1", "A 1", "A99999999999"]
        {
            assert_eq!(cell_position(name), None, "{name}");
        }
    }

    #[test]
    fn ranges_are_read_in_every_form() {
        let range = |first, last| Some(CellRange { first, last });
        assert_eq!(CellRange::parse("B2:C7"), range((1, 1), (6, 2)));
        assert_eq!(CellRange::parse("$C$7:B2"), range((1, 1), (6, 2)));
        assert_eq!(CellRange::parse("B2"), range((1, 1), (1, 1)));
        assert_eq!(CellRange::parse("A:B"), range((0, 0), (MAX_ROWS - 1, 1)));
        assert_eq!(CellRange::parse("2:3"), range((1, 0), (2, MAX_COLUMNS - 1)));
        for text in ["", ":", "A1:", "A1:B", "x!", "A1:2", "A", "7"] {
            assert_eq!(CellRange::parse(text), None, "{text}");
        }
        assert_eq!(CellRange::parse("b2:c7").unwrap().to_string(), "B2:C7");
    }
}
