//! Splices: replacing ranges of a text and nothing else.

use std::ops::Range;

/// Pieces of a text, each to be replaced by another text.
#[derive(Debug, Default)]
pub(super) struct Splices(Vec<(Range<usize>, String)>);

impl Splices {
    /// Replaces what stands there; an empty range makes an insertion. Insertions at one place keep their order.
    pub(super) fn replace(&mut self, range: Range<usize>, text: impl Into<String>) {
        self.0.push((range, text.into()));
    }

    /// The text with all pieces replaced.
    ///
    /// # Errors
    /// Two pieces overlap.
    pub(super) fn apply(mut self, text: &str) -> Result<String, String> {
        self.0.sort_by_key(|(range, _)| (range.start, range.end));
        let more: usize = self.0.iter().map(|(_, new)| new.len()).sum();
        let mut out = String::with_capacity(text.len() + more);
        let mut copied = 0;
        for (range, new) in &self.0 {
            let kept = text.get(copied..range.start).ok_or("two changes of a part are at the same place")?;
            out.push_str(kept);
            out.push_str(new);
            copied = range.end;
        }
        out.push_str(&text[copied..]);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_replaced_whatever_the_order_they_come_in() {
        let mut splices = Splices::default();
        splices.replace(4..5, "E");
        splices.replace(1..1, "1");
        splices.replace(1..3, "bc");
        splices.replace(1..1, "2");
        assert_eq!(splices.apply("aBCde").unwrap(), "a12bcdE");
        let mut splices = Splices::default();
        splices.replace(1..3, "");
        splices.replace(2..4, "");
        assert!(splices.apply("abcde").is_err());
    }
}
