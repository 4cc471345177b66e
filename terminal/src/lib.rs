//! Text for terminals and logs: tables, and escapes for unprintable characters.
//!
//! ```
//! assert_eq!(erp_host_terminal::printable("a\u{202e}b"), "a\\u202eb");
//! ```

use std::io::{self, Write};
use std::ops::Range;

/// Longer cells are cut, because a table with wrapped lines is hard to read.
const MAX_CELL_CHARS: usize = 60;

/// A table with headings. Each column is as wide as its longest cell.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub fn new(headings: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Table { rows: vec![headings.into_iter().map(Into::into).collect()] }
    }

    /// Adds a row, with a cell for each heading.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| cut(&cell)).collect());
    }

    /// Writes the table, if it has rows. Rows that are wider than `width` go on in further lines, which are indented: the same
    /// columns in each.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn write(&self, out: &mut impl Write, width: Option<usize>) -> io::Result<()> {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        if self.rows.len() < 2 {
            return Ok(());
        }
        let lines = lines(&widths, width.unwrap_or(usize::MAX));
        for row in &self.rows {
            for columns in &lines {
                let mut line = String::from(if columns.start == 0 { "" } else { INDENT });
                for (cell, width) in row.iter().zip(&widths).take(columns.end).skip(columns.start) {
                    line.push_str(&format!("{cell:<width$}  "));
                }
                // A row that has nothing there needs no line for it.
                if columns.start == 0 || !line.trim().is_empty() {
                    writeln!(out, "{}", line.trim_end())?;
                }
            }
        }
        Ok(())
    }
}

/// What the further lines of a row begin with.
const INDENT: &str = "    ";

/// The columns of each line of a row.
fn lines(widths: &[usize], width: usize) -> Vec<Range<usize>> {
    let mut lines: Vec<Range<usize>> = Vec::new();
    let mut used = 0;
    for (column, cell) in widths.iter().enumerate() {
        match lines.last_mut() {
            Some(line) if used + cell <= width => line.end = column + 1,
            _ => {
                used = if lines.is_empty() { 0 } else { INDENT.len() };
                lines.push(column..column + 1);
            }
        }
        used += cell + 2;
    }
    lines
}

fn cut(cell: &str) -> String {
    if cell.chars().count() <= MAX_CELL_CHARS {
        return cell.to_owned();
    }
    format!("{}..", cell.chars().take(MAX_CELL_CHARS - 2).collect::<String>())
}

/// Escapes every character that is not printed as itself: control, format and bidirectional characters, line and paragraph
/// separators, other blanks than a space, characters without a glyph, private and unassigned ones. The escape is that of
/// JSON, `\u202e`.
pub fn printable(text: &str) -> String {
    escaped(text, |c| c == ' ')
}

/// The same for a text of several lines: line feeds and tabs stay. A text in JSON stays the same JSON, because there
/// unprintable characters occur only inside of texts.
pub fn printable_lines(text: &str) -> String {
    escaped(text, |c| matches!(c, ' ' | '\n' | '\t'))
}

fn escaped(text: &str, is_kept: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_kept(c) || is_printable(c) {
            shown.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                shown.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    shown
}

/// Writes text as [`printable_lines`] does.
#[derive(Debug)]
pub struct PrintableWriter<W> {
    inner: W,
    /// The beginning of a character, if a write ended inside of it.
    begun: Vec<u8>,
}

impl<W: Write> PrintableWriter<W> {
    /// A writer that writes to this one.
    pub fn new(inner: W) -> Self {
        PrintableWriter { inner, begun: Vec::new() }
    }
}

impl<W: Write> Write for PrintableWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        for chunk in all.utf8_chunks() {
            self.inner.write_all(printable_lines(chunk.valid()).as_bytes())?;
            match chunk.invalid() {
                [] => {}
                // The last bytes may be the beginning of a character that the next write completes.
                invalid if all.ends_with(invalid) && is_beginning(invalid) => self.begun = invalid.to_vec(),
                invalid => {
                    invalid.iter().try_for_each(|byte| write!(self.inner, "\\x{byte:02x}"))?;
                }
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Whether more bytes could make these, which are no character, one.
fn is_beginning(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

/// Whether a character has a glyph of its own, or changes the one before it visibly.
fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_graphic();
    }
    // Letters and marks of Unicode that are drawn as nothing, which the standard library counts as printable.
    let is_blank = matches!(
        c,
        '\u{34f}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{ffa0}'
            | '\u{fffc}'
            | '\u{e0000}'..='\u{e0fff}'
    );
    // After a letter, because a combining character at the start of a text is escaped, and it is no trick.
    !is_blank && {
        let mut space = [0; 5];
        space[0] = b'a';
        let length = 1 + c.encode_utf8(&mut space[1..]).len();
        std::str::from_utf8(&space[..length]).is_ok_and(|pair| pair.escape_debug().count() == 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_wraps_rows_that_are_wider_than_the_terminal() {
        let mut table = Table::new(["KEY", "NAME", "CITY", "NOTE"]);
        table.row(["1", "Fjord & Fjell", "Oslo", ""].map(str::to_owned));
        table.row(["2", "Nordlys", "Tromsø", "x"].map(str::to_owned));
        let written = |width| {
            let mut out = Vec::new();
            table.write(&mut out, width).unwrap();
            String::from_utf8(out).unwrap()
        };
        let whole =
            "KEY  NAME           CITY    NOTE\n1    Fjord & Fjell  Oslo\n2    Nordlys        Tromsø  x\n";
        assert_eq!(written(None), whole);
        assert_eq!(written(Some(32)), whole);
        let wrapped = "KEY  NAME           CITY\n    NOTE\n1    Fjord & Fjell  Oslo\n2    Nordlys        Tromsø\n    x\n";
        assert_eq!(written(Some(31)), wrapped);
        // A column is never broken.
        assert_eq!(written(Some(1)).lines().next(), Some("KEY"));
        assert_eq!(written(Some(1)).lines().count(), 11);
    }

    /// Characters that move the cursor, change the writing direction, end a line, or are drawn as nothing.
    const UNPRINTABLE: &str = "\0\u{7}\t\n\r\u{1b}\u{7f}\u{85}\u{9b}\u{a0}\u{ad}\u{34f}\u{61c}\u{115f}\u{180e}\
        \u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2060}\u{2064}\u{2066}\u{2069}\
        \u{206a}\u{3164}\u{e000}\u{fe0f}\u{feff}\u{fff9}\u{fffe}\u{e0001}\u{e0041}\u{e0100}\u{10fffe}";

    #[test]
    fn printable_escapes_everything_that_is_not_printed_as_itself() {
        for c in UNPRINTABLE.chars() {
            let shown = printable(&format!("a{c}b"));
            assert!(shown.is_ascii() && shown.starts_with("a\\u") && shown.ends_with('b'), "{c:?}: {shown}");
        }
        assert_eq!(printable("\u{202e}\u{1b}\u{e0041}"), r"\u202e\u001b\udb40\udc41");
        let plain =
            "\"Kr\u{f8}ll\" & S\u{f8}n \\ \u{4e2d}\u{6587} e\u{301} \u{1f600} \u{20ac} \u{5d0}\u{5d1}";
        assert_eq!(printable(plain), plain);
        assert_eq!(printable_lines("a\n\tb\r\u{2028}"), "a\n\tb\\u000d\\u2028");
    }

    #[test]
    fn printable_json_is_the_same_json() {
        let value = serde_json::json!({ UNPRINTABLE: [UNPRINTABLE, "caf\u{e9} \u{1f600}", 1.5, null] });
        for json in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let shown = printable_lines(&json);
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
            assert!(shown.chars().all(|c| c == '\n' || c == ' ' || is_printable(c)), "{shown}");
        }
    }

    #[test]
    fn printable_writer_writes_the_same_in_pieces() {
        let text = format!("caf\u{e9} \u{1f600}\n{UNPRINTABLE}");
        for size in 1..9 {
            let mut written = Vec::new();
            let mut writer = PrintableWriter::new(&mut written);
            text.as_bytes().chunks(size).for_each(|piece| writer.write_all(piece).unwrap());
            assert_eq!(String::from_utf8(written).unwrap(), printable_lines(&text), "pieces of {size}");
        }
        let mut written = Vec::new();
        PrintableWriter::new(&mut written).write_all(b"a\xff\x9bb").unwrap();
        assert_eq!(written, br"a\xff\x9bb");
    }
}
