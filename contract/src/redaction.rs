//! Redaction: takes the values of a request out of texts that are kept, such as a log. A caller may have put a password into
//! any element, and errors quote values.

use std::borrow::Cow;
use std::ops::Range;

use zeroize::Zeroizing;

use crate::{Actor, Call, Dictionary, Request, Text, Texts};

/// The most bytes of a text for the log.
const MAX_TEXT: usize = 4096;

/// The most bytes of a text that are searched.
const MAX_SEARCHED: usize = 1 << 20;

/// So many bytes of a longer value are enough to find it: errors may quote only its beginning.
const BEGINNING: usize = 24;

/// A value that is shorter is replaced only where it is a word of its own: it may stand in any text by chance.
const SHORT: usize = 4;

/// The texts of a request, each with the member that it is in.
#[derive(Default)]
pub struct RequestTexts<'c>(Vec<(&'static str, Cow<'c, str>)>);

impl<'c> RequestTexts<'c> {
    /// The texts of this request.
    pub fn of(call: &'c Call<'c>) -> Self {
        let mut texts = RequestTexts::default();
        texts.add("ConnectionGuid", call.connection_guid.as_deref());
        match &call.request {
            Request::GetConfigData | Request::TestConnection | Request::DeleteConnection => {}
            Request::GetSupportedActorTypes => {}
            Request::TestConfigData { connection_info } | Request::SaveConnection { connection_info } => {
                texts.dictionary("ConnectionInfo", connection_info.as_ref());
            }
            Request::GetSupportedActorTypeFields { actor_type }
            | Request::GetSearchableFields { actor_type } => texts.text("ActorType", actor_type),
            Request::GetActors { actor_type, erp_keys, field_keys } => {
                texts.text("ActorType", actor_type);
                texts.texts("ErpKeys", erp_keys.as_ref());
                texts.texts("FieldKeys", field_keys.as_ref());
            }
            Request::SearchActorsAdvanced { actor_type, restrictions, field_keys } => {
                texts.text("ActorType", actor_type);
                for restriction in restrictions.iter().flatten() {
                    texts.text("FieldKey", &restriction.field_key);
                    texts.text("Operator", &restriction.operator);
                    texts.text("ScalarValue", &restriction.scalar_value);
                    texts.texts("Values", restriction.values.as_ref());
                }
                texts.texts("FieldKeys", field_keys.as_ref());
            }
            Request::SearchActors { actor_type, search_text, field_keys } => {
                texts.text("ActorType", actor_type);
                texts.text("SearchText", search_text);
                texts.texts("FieldKeys", field_keys.as_ref());
            }
            Request::SearchActorByParent {
                actor_type,
                search_text,
                parent_actor_type,
                parent_actor_erp_key,
                field_keys,
            } => {
                texts.text("ActorType", actor_type);
                texts.text("SearchText", search_text);
                texts.text("ParentActorType", parent_actor_type);
                texts.text("ParentActorErpKey", parent_actor_erp_key);
                texts.texts("FieldKeys", field_keys.as_ref());
            }
            Request::CreateActor { actor } => texts.actors(actor.iter()),
            Request::SaveActors { actors } => texts.actors(actors.iter().flatten()),
            Request::GetList { list_name } => texts.text("ListName", list_name),
            Request::GetListItems { list_name, list_item_keys } => {
                texts.text("ListName", list_name);
                texts.texts("ListItemKeys", list_item_keys.as_ref());
            }
            Request::GetActorsByTimestamp { updated_on_or_after, actor_type, field_keys } => {
                texts.text("UpdatedOnOrAfter", updated_on_or_after);
                texts.text("ActorType", actor_type);
                texts.texts("FieldKeys", field_keys.as_ref());
            }
            Request::Authenticate { signed_token } => {
                texts.add("SignedToken", signed_token.as_ref().map(|token| &*token.0));
            }
        }
        texts
    }

    fn add(&mut self, member: &'static str, text: Option<&'c str>) {
        let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return };
        self.0.push((member, Cow::Borrowed(text)));
        // As errors quote it.
        let escaped = text.escape_debug().to_string();
        if escaped != text {
            self.0.push((member, Cow::Owned(escaped)));
        }
        // `[I:123]` is 123.
        let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')?.split_once(':'));
        if let Some((_, inner)) = inner.filter(|(_, inner)| !inner.is_empty()) {
            self.0.push((member, Cow::Borrowed(inner)));
        }
    }

    fn text(&mut self, member: &'static str, text: &'c Text<'_>) {
        self.add(member, text.as_deref());
    }

    fn texts(&mut self, member: &'static str, texts: Option<&'c Texts<'_>>) {
        texts.into_iter().flatten().for_each(|text| self.text(member, text));
    }

    fn dictionary(&mut self, member: &'static str, dictionary: Option<&'c Dictionary<'_>>) {
        for (key, value) in dictionary.into_iter().flat_map(Dictionary::iter) {
            self.add(member, Some(key));
            self.add(member, value);
        }
    }

    fn actors<'a>(&mut self, actors: impl Iterator<Item = &'c Actor<'a>>)
    where
        'a: 'c,
    {
        for actor in actors {
            self.text("ActorType", &actor.actor_type);
            self.text("ErpKey", &actor.erp_key);
            self.dictionary("FieldValues", actor.field_values.as_ref());
            self.text("LastModified", &actor.last_modified);
            self.text("ParentActorType", &actor.parent_actor_type);
            self.text("ParentErpKey", &actor.parent_erp_key);
        }
    }

    /// The text with the name of the member in place of each value of the request. Case does not count.
    pub fn redact(&self, text: &str) -> String {
        let text = &text[..text.floor_char_boundary(MAX_SEARCHED)];
        let folded = Zeroizing::new(text.to_ascii_lowercase());
        let mut found: Vec<(Range<usize>, &'static str)> = Vec::new();
        for (member, value) in &self.0 {
            let value = Zeroizing::new(value.to_ascii_lowercase());
            let beginning = &value[..value.floor_char_boundary(BEGINNING)];
            let places =
                folded.match_indices(beginning).map(|(at, _)| at..at + common(&folded[at..], &value));
            let places = places.filter(|place| value.len() >= SHORT || is_word(&folded, place));
            found.extend(places.map(|place| (place, *member)));
        }
        found.sort_by_key(|(place, _)| (place.start, usize::MAX - place.end));
        let mut redacted = String::with_capacity(text.len());
        let mut end = 0;
        for (place, member) in found {
            if place.start >= end {
                redacted.push_str(&text[end..place.start]);
                redacted.push_str(&format!("[{member}]"));
            }
            end = end.max(place.end);
        }
        redacted.push_str(&text[end..]);
        redacted.truncate(redacted.floor_char_boundary(MAX_TEXT));
        redacted
    }
}

/// How many bytes both texts begin with, in whole characters.
fn common(one: &str, other: &str) -> usize {
    one.chars().zip(other.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum()
}

/// Whether neither a letter nor a digit is next to it.
fn is_word(text: &str, place: &Range<usize>) -> bool {
    let before = text[..place.start].chars().next_back();
    let after = text[place.end..].chars().next();
    !before.into_iter().chain(after).any(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dialect, Envelope};

    #[test]
    fn redact_replaces_every_text_of_a_request() {
        let fields: Dictionary<'_> =
            [("NAME", Some("hunter2 \"x\"")), ("CREDIT", Some("[F:12.5]")), ("N", Some("7"))]
                .into_iter()
                .collect();
        let actor = Actor { erp_key: Some("hunter".into()), field_values: Some(fields), ..Actor::default() };
        let call = Call {
            envelope: Envelope::new(Dialect::Message),
            connection_guid: Some(" Swordfish ".into()),
            request: Request::CreateActor { actor: Some(actor) },
        };
        let texts = RequestTexts::of(&call);
        for (text, expected) in [
            ("ConnectionGuid \"swordfish\" is no GUID", "ConnectionGuid \"[ConnectionGuid]\" is no GUID"),
            ("no field 'name' in \"hunter2 \\\"x\\\"\"", "no field '[FieldValues]' in \"[FieldValues]\""),
            ("12.5 is [F:12.5], hunter2", "[FieldValues] is [FieldValues], [ErpKey]2"),
            ("7 of 17 in v7", "[FieldValues] of 17 in v7"),
            ("swordfishhunter2 \"x\"", "[ConnectionGuid][FieldValues]"),
            ("\u{130}swordfish\u{130}", "\u{130}[ConnectionGuid]\u{130}"),
            ("nothing of it", "nothing of it"),
        ] {
            assert_eq!(texts.redact(text), expected);
        }
        // A long value of which an error quotes only the beginning.
        let long = Call { connection_guid: Some("s3cret".repeat(50).into()), ..call.clone() };
        let quoted = format!("'{}..' is no GUID", "s3cret".repeat(9));
        assert_eq!(RequestTexts::of(&long).redact(&quoted), "'[ConnectionGuid]..' is no GUID");
        assert!(texts.redact(&"\u{e9}".repeat(MAX_TEXT)).len() <= MAX_TEXT);
    }
}
