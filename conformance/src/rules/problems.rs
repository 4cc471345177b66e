//! What can be wrong with descriptions of fields and with the items of lists.

use std::collections::HashSet;

use plugin_api::{Field, FieldType, ListItem, Value};

/// What is wrong with the keys of fields.
pub(super) fn key_problems(fields: &[Field]) -> Vec<String> {
    let mut problems = Vec::new();
    for (index, field) in fields.iter().enumerate() {
        let key = &field.key;
        if key.trim().is_empty() {
            problems.push(format!("the field at place {} has no key", index + 1));
        } else if fields[..index].iter().any(|before| before.key == *key) {
            problems.push(format!("the key {key:?} comes twice"));
        }
    }
    problems
}

/// What is wrong with the default of a field.
pub(super) fn default_problem(field: &Field) -> Option<String> {
    let key = &field.key;
    let default = field.default.as_deref().filter(|default| !default.is_empty())?;
    if field.field_type == FieldType::Password {
        return Some(format!("{key} is a password and has a default, which everybody can read"));
    }
    if Value::parse(default, field.field_type).is_err() {
        return Some(format!("{key} has the default {default:?}, which is no {}", field.field_type));
    }
    let longest = usize::try_from(field.max_length).unwrap_or(0);
    (longest > 0 && default.chars().count() > longest)
        .then(|| format!("{key} has the default {default:?}, which is longer than {longest} characters"))
}

/// What is wrong with the keys of a list's items.
pub(super) fn item_problems(items: &[ListItem]) -> Option<String> {
    let mut seen = HashSet::new();
    items.iter().find_map(|item| match item.key.as_str() {
        "" => Some(format!("has an item without a key: {:?}", item.text)),
        key if !seen.insert(key) => Some(format!("has the key {key:?} twice")),
        _ => None,
    })
}
