//! Reads the lines of a file from its end, newest first, without reading the whole file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// How much is read at a time.
const BLOCK: u64 = 16 * 1024;
/// Bytes of the longest line that is read. No record is nearly as long.
pub const MAX_LINE: usize = 4 << 20;

/// The whole lines of a file, newest first. What stands behind the last line end is no whole line, and is left out.
#[derive(Debug)]
pub(super) struct LinesFromEnd {
    file: File,
    /// Where `buffer` begins in the file.
    start: u64,
    /// What was read and not returned yet, without the line end behind it.
    buffer: Vec<u8>,
    /// Where the last whole line ends in the file.
    end: u64,
    is_done: bool,
}

impl LinesFromEnd {
    /// # Errors
    /// The file cannot be read.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let start = file.metadata()?.len();
        let mut lines = LinesFromEnd { file, start, buffer: Vec::new(), end: 0, is_done: false };
        loop {
            lines.read_back()?;
            if let Some(at) = lines.buffer.iter().rposition(|&byte| byte == b'\n') {
                lines.end = lines.start + at as u64 + 1;
                lines.buffer.truncate(at);
                return Ok(lines);
            }
            if lines.start == 0 {
                lines.is_done = true;
                return Ok(lines);
            }
            lines.buffer.clear();
        }
    }

    /// The length of the file up to the end of its last whole line.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The line before those returned; `None` if there is none, or it is longer than any record.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        // What was searched has no line end.
        let mut searched = 0;
        while !self.is_done {
            let unsearched = &self.buffer[..self.buffer.len() - searched];
            if let Some(at) = unsearched.iter().rposition(|&byte| byte == b'\n') {
                let line = self.buffer.split_off(at + 1);
                self.buffer.truncate(at);
                return Ok(Some(line));
            }
            searched = self.buffer.len();
            if self.start == 0 {
                self.is_done = true;
                return Ok(Some(std::mem::take(&mut self.buffer)));
            }
            if searched > MAX_LINE {
                self.is_done = true;
            } else {
                self.read_back()?;
            }
        }
        Ok(None)
    }

    /// Reads the block before what was read.
    fn read_back(&mut self) -> io::Result<()> {
        let size = self.start.min(BLOCK);
        self.start -= size;
        self.file.seek(SeekFrom::Start(self.start))?;
        let mut block = Vec::new();
        (&mut self.file).take(size).read_to_end(&mut block)?;
        block.append(&mut self.buffer);
        self.buffer = block;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> (Vec<Vec<u8>>, u64) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut lines = LinesFromEnd::open(file.path()).unwrap();
        let end = lines.end();
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            all.insert(0, line);
        }
        (all, end)
    }

    #[test]
    fn lines_from_end_are_those_of_the_whole_text() {
        let long = "x".repeat(3 * 16 * 1024);
        let texts = ["", "a", "a\n", "\n", "\n\n", "a\nb", "a\nb\n", "a\n\nb\nc"].map(str::to_owned);
        let long = [format!("{long}\n"), format!("a\n{long}\nb\n{long}"), format!("{long}\n\n{long}\n")];
        for text in texts.into_iter().chain(long) {
            let whole = text.rfind('\n').map_or("", |at| &text[..=at]);
            let expected: Vec<Vec<u8>> = whole.lines().map(|line| line.as_bytes().to_vec()).collect();
            let shown: String = text.chars().take(20).collect();
            assert_eq!(read(text.as_bytes()), (expected, whole.len() as u64), "{shown:?}");
        }
    }

    #[test]
    fn lines_from_end_stop_at_a_line_that_is_longer_than_any_record() {
        let text = [b"a\n".as_slice(), &vec![b'x'; MAX_LINE + 100_000], b"\nb\n"].concat();
        assert_eq!(read(&text), (vec![b"b".to_vec()], text.len() as u64));
    }
}
