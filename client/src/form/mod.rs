//! The form of a connection's settings, as SuperOffice shows it to an administrator and fills it in: for the commands
//! that stand on SuperOffice's side of the wire.
//!
//! The connector says which fields there are (WSGetConfigData; through NetServer GetConfigurationFields). What is filled
//! in comes from the command line, so every refusal names the field, the value and what was expected.

mod fill;
mod given;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use values::{Access, FieldType, LocalizedText};

pub use fill::FormError;
pub use given::Given;

/// What stands in place of a secret.
const MASK: &str = "********";

/// A field of the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormField {
    /// The key.
    pub key: String,
    /// The label, perhaps in several languages.
    pub name: LocalizedText,
    /// An explanation, perhaps in several languages.
    pub description: LocalizedText,
    /// The type of its value.
    pub field_type: FieldType,
    /// Whether it may or must be filled in.
    pub access: Access,
    /// The list that the value comes from.
    pub list: Option<String>,
    /// What it holds to begin with.
    pub default: Option<String>,
    /// The greatest length of the value in characters; 0 for no limit.
    pub max_length: usize,
    /// The place in the form.
    pub rank: i32,
}

/// A form, in the order in which it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Form {
    fields: Vec<FormField>,
    lists: BTreeMap<String, Vec<(String, String)>>,
}

/// What a connection is saved with: keys and values in their wire form, in the order of the form. `Debug` shows keys
/// only.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Filled {
    /// Keys and values.
    pub values: Vec<(String, Option<String>)>,
}

impl Form {
    /// A form of these fields, ordered by rank.
    pub fn new(mut fields: Vec<FormField>) -> Self {
        fields.sort_by_key(|field| field.rank);
        Form { fields, lists: BTreeMap::new() }
    }

    /// The fields, in order.
    pub fn fields(&self) -> &[FormField] {
        &self.fields
    }

    /// The lists that fields name and that are not known yet.
    pub fn missing_lists(&self) -> Vec<String> {
        let mut names: Vec<String> = self.fields.iter().filter_map(|field| field.list.clone()).collect();
        names.retain(|name| !self.lists.contains_key(name));
        names.sort();
        names.dedup();
        names
    }

    /// Makes the items of a list known: keys and texts.
    pub fn set_list(&mut self, name: impl Into<String>, items: Vec<(String, String)>) {
        self.lists.insert(name.into(), items);
    }

    /// Fills the form: with what is given, else what is stored, else the default. Values may be written as people write
    /// them (`5`, `true`, `2026-01-31`, the text of a list's item); they get their wire form.
    ///
    /// # Errors
    /// Something given does not fit, or a mandatory field stays empty.
    pub fn fill(&self, given: &Given, stored: &BTreeMap<String, String>) -> Result<Filled, FormError> {
        fill::fill(&self.fields, &self.lists, given, stored)
    }

    /// The form as text, a line for each field, with its values; secrets masked.
    pub fn show(&self, language: &str, filled: Option<&Filled>) -> String {
        let width = |text: fn(&FormField) -> usize| self.fields.iter().map(text).max().unwrap_or_default();
        let key_width = width(|field| field.key.chars().count());
        let type_width = width(|field| field.field_type.as_str().len());
        let mut shown = String::new();
        for field in &self.fields {
            let star = if field.access == Access::Mandatory { '*' } else { ' ' };
            let name = field.name.get(language);
            let _ =
                write!(shown, "  {:key_width$}{star} {:type_width$}  {name}", field.key, field.field_type);
            if let Some(value) = filled.and_then(|filled| filled.get(&field.key)) {
                let value = if field.field_type == FieldType::Password { MASK } else { value };
                let _ = write!(shown, " = {value}");
            }
            let description = field.description.get(language);
            if !description.is_empty() {
                let _ = write!(shown, "  ({description})");
            }
            if let Some(items) = field.list.as_ref().and_then(|list| self.lists.get(list)) {
                let items: Vec<String> = items
                    .iter()
                    .take(5)
                    .map(|(key, text)| format!("{key} {}", LocalizedText::parse(text).get(language)))
                    .collect();
                let _ = write!(shown, "  one of: {}", items.join(", "));
            }
            shown.push('\n');
        }
        shown
    }
}

impl Filled {
    /// The value of a field; `None` if it is null.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| known == key).and_then(|(_, value)| value.as_deref())
    }
}

impl std::fmt::Debug for Filled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.values.iter().map(|(key, _)| key)).finish()
    }
}

impl From<contract::Field<'_>> for FormField {
    fn from(field: contract::Field<'_>) -> Self {
        let text = |text: Option<std::borrow::Cow<'_, str>>| text.map(std::borrow::Cow::into_owned);
        let localized = |text: Option<std::borrow::Cow<'_, str>>| {
            text.map_or_else(LocalizedText::default, |text| LocalizedText::parse(&text))
        };
        FormField {
            key: text(field.field_key).unwrap_or_default(),
            name: localized(field.display_name),
            description: localized(field.display_description),
            field_type: field.field_type,
            access: field.access,
            list: text(field.list_name).filter(|name| !name.is_empty()),
            default: text(field.default_value).filter(|value| !value.is_empty()),
            max_length: usize::try_from(field.max_length).unwrap_or(0),
            rank: field.rank,
        }
    }
}

#[cfg(test)]
mod tests;
