//! NUL, which no XML reader accepts, not even as a reference: one in one value would make the whole reply unreadable. Replies of
//! connectors have U+FFFD in its place. Other control characters are written as references, as .NET writes and reads them
//! (contract page, section 5).

use std::borrow::Cow;

use memchr::memmem;

use crate::{Actor, Dictionary, Outcome, Payload, Text};

/// What NUL is replaced with.
const REPLACEMENT: &str = "\u{fffd}";

/// Whether these bytes, which the writer of this crate wrote, have a reference to NUL.
pub(super) fn has_nul_reference(written: &[u8]) -> bool {
    memmem::find(written, b"&#x0;").is_some()
}

/// The text without NUL.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', REPLACEMENT)) } else { Cow::Borrowed(text) }
}

/// Replaces NUL, and keeps where the first one was: it names a place, and no value.
#[derive(Debug, Default)]
pub struct Cleaner {
    /// The place of the first one.
    pub first: Option<String>,
}

impl Cleaner {
    /// A text that is borrowed for the time of writing.
    pub(super) fn text<'t>(&mut self, text: &'t str, place: impl FnOnce() -> String) -> Cow<'t, str> {
        let cleaned = clean(text);
        if let Cow::Owned(_) = cleaned {
            self.first.get_or_insert_with(place);
        }
        cleaned
    }

    fn in_place(&mut self, text: &mut Cow<'_, str>, place: impl FnOnce() -> String) {
        if let Cow::Owned(cleaned) = self.text(text, place) {
            *text = Cow::Owned(cleaned);
        }
    }

    fn optional(&mut self, text: &mut Text<'_>, place: impl FnOnce() -> String) {
        if let Some(text) = text {
            self.in_place(text, place);
        }
    }

    /// The texts of an outcome.
    pub fn outcome(&mut self, outcome: &mut Outcome<'_>) {
        for text in [&mut outcome.user_explanation, &mut outcome.tech_explanation, &mut outcome.error_code] {
            self.optional(text, || "the explanations of the outcome".to_owned());
        }
    }

    /// The texts of a payload.
    pub fn payload(&mut self, payload: &mut Payload<'_>) {
        match payload {
            Payload::Items(Some(items)) => {
                items.iter_mut().for_each(|item| self.optional(item, || "an array of texts".to_owned()));
            }
            Payload::Fields(Some(fields)) => {
                for field in fields {
                    let key = field.field_key.clone().unwrap_or_default();
                    for text in [
                        &mut field.default_value,
                        &mut field.display_description,
                        &mut field.display_name,
                        &mut field.field_key,
                        &mut field.list_name,
                    ] {
                        self.optional(text, || format!("the description of the field {key:?}"));
                    }
                }
            }
            Payload::ListItems(Some(items)) => self.dictionary(items, |_| "an item of a list".to_owned()),
            Payload::Actor(Some(actor)) => self.actor(actor),
            Payload::Actors(Some(actors)) => actors.iter_mut().for_each(|actor| self.actor(actor)),
            _ => {}
        }
    }

    fn actor(&mut self, actor: &mut Actor<'_>) {
        if let Some(fields) = &mut actor.field_values {
            self.dictionary(fields, place_of_field);
        }
        for text in [
            &mut actor.actor_type,
            &mut actor.erp_key,
            &mut actor.last_modified,
            &mut actor.parent_actor_type,
            &mut actor.parent_erp_key,
        ] {
            self.optional(text, place_of_key);
        }
    }

    fn dictionary(&mut self, dictionary: &mut Dictionary<'_>, place: impl Fn(&str) -> String) {
        for (key, value) in &mut dictionary.entries {
            self.optional(value, || place(key));
            let whole = key.clone();
            self.in_place(key, || place(&whole));
        }
    }
}

/// A field of an actor, as a place.
pub(super) fn place_of_field(key: &str) -> String {
    format!("the field {key:?} of an actor")
}

/// Everything of an actor but its fields, as a place.
pub(super) fn place_of_key() -> String {
    "the key, type or stamp of an actor".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_replaces_nul_and_nothing_else() {
        let all: Vec<char> =
            ('\0'..='\u{ffff}').filter(|&c| clean(c.encode_utf8(&mut [0; 4])) != c.to_string()).collect();
        assert_eq!(all, ['\0']);
        assert_eq!(clean("a\0b"), "a\u{fffd}b");
        let written = |text: &str| {
            let mut written = Vec::new();
            crate::xml::escape(&mut written, text);
            written
        };
        assert!(has_nul_reference(&written("a\0b")));
        assert!(!has_nul_reference(&written("&#x0; \u{1}\r\n\t\u{7f}\u{fffe}")));
    }
}
