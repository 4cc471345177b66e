//! Case folding: comparing texts in any case.

use std::cell::Cell;
use std::cmp::Ordering;

/// A buffer that is larger than this is given back after use.
const LARGEST_BUFFER: usize = 64 * 1024;

/// A text to compare others with, in any case. It is folded once, the others as they come: into a buffer of the
/// thread's, unless they are ASCII and can be compared as they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folded {
    text: String,
}

impl Folded {
    pub(crate) fn new(text: &str) -> Self {
        let mut folded = String::new();
        fold(text, &mut folded);
        Folded { text: folded }
    }

    /// The text without its case.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether the other text is the same.
    pub(crate) fn is(&self, other: &str) -> bool {
        if other.is_ascii() {
            return other.eq_ignore_ascii_case(&self.text);
        }
        with_folded(other, |other| other == self.text)
    }

    /// Whether the other text begins with this one.
    pub(crate) fn begins(&self, other: &str) -> bool {
        if other.is_ascii() {
            let start = other.as_bytes().get(..self.text.len());
            return start.is_some_and(|start| start.eq_ignore_ascii_case(self.text.as_bytes()));
        }
        with_folded(other, |other| other.starts_with(&self.text))
    }

    /// Whether the other text ends with this one.
    pub(crate) fn ends(&self, other: &str) -> bool {
        if other.is_ascii() {
            let at = other.len().checked_sub(self.text.len());
            let end = at.and_then(|at| other.as_bytes().get(at..));
            return end.is_some_and(|end| end.eq_ignore_ascii_case(self.text.as_bytes()));
        }
        with_folded(other, |other| other.ends_with(&self.text))
    }

    /// Whether the other text contains this one.
    pub(crate) fn is_in(&self, other: &str) -> bool {
        self.is_empty() || with_folded(other, |other| other.contains(&self.text))
    }

    /// How the other text is ordered to this one, by code points.
    pub(crate) fn order_of(&self, other: &str) -> Ordering {
        if other.is_ascii() {
            return other.bytes().map(|byte| byte.to_ascii_lowercase()).cmp(self.text.bytes());
        }
        with_folded(other, |other| other.cmp(&self.text))
    }
}

/// Looks at a text without its case.
fn with_folded<T>(text: &str, look: impl FnOnce(&str) -> T) -> T {
    thread_local!(static BUFFER: Cell<String> = const { Cell::new(String::new()) });
    let mut folded = BUFFER.take();
    folded.clear();
    fold(text, &mut folded);
    let seen = look(&folded);
    if folded.capacity() <= LARGEST_BUFFER {
        BUFFER.set(folded);
    }
    seen
}

/// Appends the text without its case. Through lower and upper case to lower case, for letters that have more than two
/// forms: `ẞ`, `ß` and `SS`, `Σ`, `ς` and `σ`.
pub(crate) fn fold(text: &str, folded: &mut String) {
    if text.is_ascii() {
        let start = folded.len();
        folded.push_str(text);
        folded[start..].make_ascii_lowercase();
        return;
    }
    for char in text.chars() {
        if char.is_ascii() {
            folded.push(char.to_ascii_lowercase());
        } else {
            let upper = char.to_lowercase().flat_map(char::to_uppercase);
            folded.extend(upper.flat_map(char::to_lowercase));
        }
    }
}
