//! Examples of a problem, and how many there are: a warning must not grow with the workbook.

use std::fmt;

/// The first few examples of a problem, as a warning shows them.
#[derive(Debug)]
pub(crate) struct Examples {
    limit: usize,
    shown: Vec<String>,
    count: usize,
}

impl Examples {
    /// Shows at most `limit` examples.
    pub(crate) fn up_to(limit: usize) -> Self {
        Examples { limit, shown: Vec::new(), count: 0 }
    }

    /// Adds an example; its text is made only if it will be shown.
    pub(crate) fn add(&mut self, text: impl FnOnce() -> String) {
        self.count += 1;
        if self.shown.len() < self.limit {
            self.shown.push(text());
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many are not shown.
    pub(crate) fn more(&self) -> usize {
        self.count - self.shown.len()
    }

    pub(crate) fn into_shown(self) -> Vec<String> {
        self.shown
    }
}

impl Default for Examples {
    fn default() -> Self {
        Examples::up_to(5)
    }
}

impl<F: FnOnce() -> String> FromIterator<F> for Examples {
    fn from_iter<I: IntoIterator<Item = F>>(texts: I) -> Self {
        let mut examples = Examples::default();
        texts.into_iter().for_each(|text| examples.add(text));
        examples
    }
}

impl fmt::Display for Examples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown.join(", "))?;
        match self.more() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// A text as a warning shows it: at most 40 characters.
pub(crate) fn truncated(text: &str) -> String {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}
