//! Characters that XML 1.0 has no form for: controls but tab, line feed and carriage return, U+FFFE and U+FFFF. The writer
//! writes them as references, as .NET does, which a strict reader refuses: one of them in one value makes the whole reply
//! unreadable. Replies for every reader are cleaned first: they have U+FFFD in their place.

use std::borrow::Cow;

use memchr::memmem;

use crate::{Actor, Dictionary, Outcome, Payload, Text};

/// What a forbidden character is replaced with.
const REPLACEMENT: &str = "\u{fffd}";

fn is_forbidden(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// Whether these bytes, which the writer of this crate wrote, have a reference to a forbidden character.
pub(super) fn has_forbidden_reference(written: &[u8]) -> bool {
    memmem::find_iter(written, b"&#x").any(|at| !written[at..].starts_with(b"&#xD;"))
}

/// The text without forbidden characters.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.contains(is_forbidden) {
        Cow::Owned(text.replace(is_forbidden, REPLACEMENT))
    } else {
        Cow::Borrowed(text)
    }
}

/// Replaces forbidden characters, and keeps where the first one was: it names a place, and no value.
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
    fn clean_replaces_what_xml_has_no_form_for() {
        let all: Vec<char> =
            ('\0'..='\u{ffff}').filter(|&c| clean(c.encode_utf8(&mut [0; 4])) != c.to_string()).collect();
        assert_eq!(all.len(), 32 - 3 + 2);
        for &c in &all {
            let mut written = Vec::new();
            crate::xml::escape(&mut written, &format!("a{c}b"));
            assert!(has_forbidden_reference(&written), "{c:?}");
            assert_eq!(clean(&format!("a{c}b")), "a\u{fffd}b");
        }
        let mut written = Vec::new();
        crate::xml::escape(&mut written, "&#x1; \r\n\t\u{7f}\u{85}\u{fffd}\u{ef00}");
        assert!(!has_forbidden_reference(&written), "{}", String::from_utf8_lossy(&written));
    }
}
