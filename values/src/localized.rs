//! Texts in several languages.

use std::fmt;

/// A text in one or several languages, as user texts and labels carry it: `US:"File name";NO:"Filnavn"`. A text
/// without language codes stands for every language.
///
/// The wire form has no escape for quotes; a quote inside a text is kept as it is, and a text ends at a quote that is
/// followed by `;`, another language code, or the end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalizedText {
    texts: Vec<(String, String)>,
}

impl LocalizedText {
    /// The same text in every language.
    pub fn plain(text: impl Into<String>) -> Self {
        LocalizedText { texts: vec![(String::new(), text.into())] }
    }

    /// Adds the text in a language. `language` is SuperOffice's code: `US`, `NO`, `SW`, `DA`, `GE`, ...
    #[must_use]
    pub fn with(mut self, language: impl Into<String>, text: impl Into<String>) -> Self {
        self.texts.push((language.into(), text.into()));
        self
    }

    /// Reads the wire form. Whatever is not of the form `XX:".."` is one plain text.
    pub fn parse(text: &str) -> Self {
        let mut texts = Vec::new();
        let mut rest = text.trim();
        loop {
            let parts =
                split_language(rest).and_then(|(language, after)| Some((language, split_quoted(after)?)));
            let Some((language, (value, next))) = parts else { return LocalizedText::plain(text) };
            texts.push((language.to_owned(), value.to_owned()));
            rest = next;
            if rest.is_empty() {
                break;
            }
        }
        LocalizedText { texts }
    }

    /// The text in a language (any case); else in `US`; else the first one.
    pub fn get(&self, language: &str) -> &str {
        let find = |wanted: &str| self.texts.iter().find(|(code, _)| code.eq_ignore_ascii_case(wanted));
        find(language).or_else(|| find("US")).or(self.texts.first()).map_or("", |(_, text)| text)
    }

    /// Language codes and texts, in their order; the code is empty for a plain text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(code, text)| (code.as_str(), text.as_str()))
    }
}

/// `US:"rest` -> (`US`, `rest`).
fn split_language(text: &str) -> Option<(&str, &str)> {
    let (language, rest) = text.split_once(":\"")?;
    let is_code = (2..=8).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_code.then_some((language, rest))
}

/// `text";NO:"..` -> (`text`, `NO:"..`): a quote ends the text when what follows is the end or another language.
/// `None` when no quote ends it.
fn split_quoted(text: &str) -> Option<(&str, &str)> {
    for (at, _) in text.match_indices('"') {
        let after = text[at + 1..].trim_start();
        if after.is_empty() {
            return Some((&text[..at], ""));
        }
        if let Some(next) = after.strip_prefix(';') {
            let next = next.trim_start();
            if next.is_empty() || split_language(next).is_some() {
                return Some((&text[..at], next));
            }
        }
    }
    None
}

impl fmt::Display for LocalizedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (language, text)) in self.texts.iter().enumerate() {
            if at > 0 {
                f.write_str(";")?;
            }
            if language.is_empty() {
                f.write_str(text)?;
            } else {
                write!(f, "{language}:\"{text}\"")?;
            }
        }
        Ok(())
    }
}

impl From<&str> for LocalizedText {
    /// Reads the wire form, as [`LocalizedText::parse`].
    fn from(text: &str) -> Self {
        LocalizedText::parse(text)
    }
}
