//! Validates input against a form, and collects every problem.

use std::collections::BTreeMap;
use std::fmt;

use values::{Access, FieldType, LocalizedText, Value};

use super::{FilledForm, FormField, FormInput};

/// Why a form cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormError {
    /// A sentence for each problem.
    pub problems: Vec<String>,
}

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("; "))
    }
}

impl std::error::Error for FormError {}

type Lists = BTreeMap<String, Vec<(String, String)>>;

pub(super) fn fill(
    fields: &[FormField],
    lists: &Lists,
    input: &FormInput,
    stored: &BTreeMap<String, String>,
) -> Result<FilledForm, FormError> {
    let mut problems = unknown_keys(fields, input);
    let mut values = Vec::new();
    let mut missing = Vec::new();
    for field in fields.iter().filter(|field| field.field_type != FieldType::Label) {
        let entered = input.get(&field.key);
        if entered.is_some() && field.access == Access::ReadOnly {
            problems.push(format!("the setting {} is read-only", field.key));
        }
        let text = entered.or(stored.get(&field.key).map(String::as_str)).or(field.default.as_deref());
        let value = match text.map(|text| wire_form(field, lists, text)) {
            None => None,
            Some(Ok(value)) => value,
            Some(Err(problem)) => {
                problems.push(problem);
                continue;
            }
        };
        // An empty checkbox is not ticked.
        let value = match value {
            None if field.field_type == FieldType::Checkbox => Some("[I:0]".to_owned()),
            value => value,
        };
        if field.access == Access::Mandatory && value.as_deref().is_none_or(|value| value.trim().is_empty()) {
            missing.push(key_and_label(field));
        }
        values.push((field.key.clone(), value));
    }
    if !missing.is_empty() {
        problems.push(format!(
            "mandatory settings are missing: {}; give each with --set KEY=VALUE",
            missing.join(", ")
        ));
    }
    if problems.is_empty() { Ok(FilledForm { values }) } else { Err(FormError { problems }) }
}

fn unknown_keys(fields: &[FormField], input: &FormInput) -> Vec<String> {
    let is_known =
        |key: &str| fields.iter().any(|field| field.key == key && field.field_type != FieldType::Label);
    let known: Vec<&str> = fields
        .iter()
        .filter(|field| field.field_type != FieldType::Label)
        .map(|field| field.key.as_str())
        .collect();
    let known = if known.is_empty() { "no settings at all".to_owned() } else { known.join(", ") };
    input
        .keys()
        .filter(|key| !is_known(key))
        .map(|key| format!("the connector has no setting {key:?}, it has: {known}"))
        .collect()
}

/// Such as `Filename (File name)`.
fn key_and_label(field: &FormField) -> String {
    match field.name.get("US") {
        "" => field.key.clone(),
        name if name == field.key => field.key.clone(),
        name => format!("{} ({name})", field.key),
    }
}

/// The value in its wire form; `None` for an empty one of a typed field.
fn wire_form(field: &FormField, lists: &Lists, text: &str) -> Result<Option<String>, String> {
    let key = &field.key;
    if field.field_type == FieldType::List {
        return list_key(field, lists, text).map(Some);
    }
    if field.max_length > 0 && text.chars().count() > field.max_length {
        let length = text.chars().count();
        return Err(format!("the setting {key} is too long: {length} characters of {}", field.max_length));
    }
    match Value::parse(text, field.field_type) {
        Ok(value) => Ok(value.to_wire().map(std::borrow::Cow::into_owned)),
        Err(error) => Err(format!("the setting {key}: {error}")),
    }
}

fn list_key(field: &FormField, lists: &Lists, text: &str) -> Result<String, String> {
    let Some(items) = field.list.as_ref().and_then(|list| lists.get(list)) else {
        return Ok(text.to_owned());
    };
    if text.is_empty() && field.access != Access::Mandatory {
        return Ok(String::new());
    }
    let by_text = |item: &&(String, String)| {
        LocalizedText::parse(&item.1).iter().any(|(_, known)| known.eq_ignore_ascii_case(text))
    };
    let found = items.iter().find(|(key, _)| key == text).or_else(|| items.iter().find(by_text));
    match found {
        Some((key, _)) => Ok(key.clone()),
        None => {
            let known: Vec<String> =
                items.iter().take(20).map(|(key, text)| format!("{key} {text}")).collect();
            let key = &field.key;
            Err(format!(
                "the setting {key}: {text:?} is no item of its list, expected one of: {}",
                known.join(", ")
            ))
        }
    }
}
