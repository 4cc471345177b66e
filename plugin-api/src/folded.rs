//! Comparing texts in any case.

use std::cmp::Ordering;

/// A text to compare others with, in any case. It is folded once; the others are compared as they stand, without a
/// copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folded {
    text: String,
}

impl Folded {
    pub(crate) fn new(text: &str) -> Self {
        Folded { text: fold(text).collect() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether the other text is the same.
    pub(crate) fn is(&self, other: &str) -> bool {
        if other.is_ascii() {
            return other.eq_ignore_ascii_case(&self.text);
        }
        fold(other).eq(self.text.chars())
    }

    /// Whether the other text begins with this one.
    pub(crate) fn begins(&self, other: &str) -> bool {
        if other.is_ascii() {
            return starts_with(other.as_bytes(), self.text.as_bytes());
        }
        is_prefix(self.text.chars(), fold(other))
    }

    /// Whether the other text ends with this one.
    pub(crate) fn ends(&self, other: &str) -> bool {
        if other.is_ascii() {
            let tail = other.len().checked_sub(self.text.len());
            return tail.is_some_and(|at| starts_with(&other.as_bytes()[at..], self.text.as_bytes()));
        }
        is_prefix(self.text.chars().rev(), fold(other).rev())
    }

    /// Whether the other text contains this one.
    pub(crate) fn is_in(&self, other: &str) -> bool {
        let Some(first) = self.text.chars().next() else { return true };
        if other.is_ascii() {
            let (wanted, lower) = (self.text.as_bytes(), self.text.as_bytes()[0]);
            // What begins differently is sorted out before anything is compared at length.
            return other
                .as_bytes()
                .windows(wanted.len())
                .any(|part| part[0].to_ascii_lowercase() == lower && part.eq_ignore_ascii_case(wanted));
        }
        let mut rest = fold(other);
        loop {
            let here = rest.clone();
            match rest.next() {
                None => return false,
                Some(char) if char == first && is_prefix(self.text.chars(), here) => return true,
                Some(_) => {}
            }
        }
    }

    /// How the other text is ordered to this one, by code points.
    pub(crate) fn order_of(&self, other: &str) -> Ordering {
        if other.is_ascii() {
            return other.bytes().map(|byte| byte.to_ascii_lowercase()).cmp(self.text.bytes());
        }
        fold(other).cmp(self.text.chars())
    }
}

/// The text without its case. Through upper case first, for letters whose small forms differ: `ß` and `SS`, `ς` and `σ`.
fn fold(text: &str) -> impl DoubleEndedIterator<Item = char> + Clone {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

fn starts_with(text: &[u8], wanted: &[u8]) -> bool {
    text.get(..wanted.len()).is_some_and(|start| start.eq_ignore_ascii_case(wanted))
}

fn is_prefix(mut wanted: impl Iterator<Item = char>, mut text: impl Iterator<Item = char>) -> bool {
    wanted.all(|char| text.next() == Some(char))
}
