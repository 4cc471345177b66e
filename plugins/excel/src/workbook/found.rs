//! The first few of what was found, and how many there are: a warning must not grow with the workbook.

use std::fmt;

/// As many as are shown.
const SHOWN: usize = 5;

/// What was found, to be shown in a warning.
#[derive(Debug, Default)]
pub(crate) struct Found {
    shown: Vec<String>,
    count: usize,
}

impl Found {
    /// Notes one more; its text is made only if it will be shown.
    pub(crate) fn note(&mut self, text: impl FnOnce() -> String) {
        self.count += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(text());
        }
    }

    /// Of all that come.
    pub(crate) fn of(texts: impl Iterator<Item = impl FnOnce() -> String>) -> Self {
        let mut found = Found::default();
        texts.for_each(|text| found.note(text));
        found
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown.join(", "))?;
        match self.count - self.shown.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// A key as a warning shows it.
pub(crate) fn cut(key: &str) -> String {
    const LONGEST: usize = 40;
    match key.char_indices().nth(LONGEST) {
        None => key.to_owned(),
        Some((end, _)) => format!("{}...", &key[..end]),
    }
}
