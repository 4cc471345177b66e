//! A column of texts, one after the other in memory.

/// Texts or nothing, by number: one block of memory, quick to look through.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    text: String,
    /// Where each text ends, and whether it is one.
    ends: Vec<(usize, bool)>,
}

impl Texts {
    pub(crate) fn push(&mut self, text: Option<&str>) {
        self.text.push_str(text.unwrap_or_default());
        self.ends.push((self.text.len(), text.is_some()));
    }

    pub(crate) fn get(&self, index: usize) -> Option<&str> {
        let (end, is_text) = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1].0 };
        is_text.then(|| &self.text[start..end])
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Option<&str>> {
        (0..self.ends.len()).map(|index| self.get(index))
    }
}
