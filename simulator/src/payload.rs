//! What a payload holds. A payload of another kind, or a null one, is empty.

use std::borrow::Cow;

use contract::{Dictionary, Payload};

/// Keys and values as the contract has them.
pub(super) fn dictionary<'a>(
    values: impl IntoIterator<Item = &'a (String, Option<String>)>,
) -> Dictionary<'a> {
    values.into_iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect()
}

/// The items of an array that are not null.
pub(super) fn items(payload: Payload<'static>) -> Vec<String> {
    match payload {
        Payload::Items(items) => items.into_iter().flatten().flatten().map(Cow::into_owned).collect(),
        _ => Vec::new(),
    }
}

/// The fields of a form or an actor type.
pub(super) fn fields(payload: Payload<'static>) -> Vec<contract::Field<'static>> {
    match payload {
        Payload::Fields(fields) => fields.unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// Keys and texts of a list.
pub(super) fn list(payload: Payload<'static>) -> Vec<(String, String)> {
    let Payload::ListItems(Some(items)) = payload else { return Vec::new() };
    let entries = items.entries.into_iter();
    entries.map(|(key, text)| (key.into_owned(), text.map(Cow::into_owned).unwrap_or_default())).collect()
}
