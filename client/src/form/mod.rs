//! The settings form of a connection: fields from the connector, input from the command line, values in their wire form.
//!
//! SuperOffice shows this form to an administrator. Its fields come from WSGetConfigData, or through NetServer from
//! GetConfigurationFields. Every error names the field, the value and what was expected.

mod fill;
mod input;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use values::{Access, FieldType, LocalizedText};

pub use fill::FormError;
pub use input::FormInput;

/// Shown instead of a secret.
const MASK: &str = "********";

/// A field of the form, with localised label and description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormField {
    /// The key.
    pub key: String,
    /// The label.
    pub name: LocalizedText,
    /// An explanation.
    pub description: LocalizedText,
    /// The type of its value.
    pub field_type: FieldType,
    /// Whether it is read-only, optional or mandatory.
    pub access: Access,
    /// The list of allowed values.
    pub list: Option<String>,
    /// The default value.
    pub default: Option<String>,
    /// The maximum length of the value in characters; 0 for no limit.
    pub max_length: usize,
    /// The position in the form: fields are ordered by it.
    pub rank: i32,
}

/// A form, with its fields in the order in which they are shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Form {
    fields: Vec<FormField>,
    lists: BTreeMap<String, Vec<(String, String)>>,
}

/// The values that a connection is saved with, in their wire form and in the order of the form. `Debug` shows keys only.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct FilledForm {
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

    /// The names of lists that fields use and that [`Form::set_list`] has not set yet.
    pub fn missing_lists(&self) -> Vec<String> {
        let mut names: Vec<String> = self.fields.iter().filter_map(|field| field.list.clone()).collect();
        names.retain(|name| !self.lists.contains_key(name));
        names.sort();
        names.dedup();
        names
    }

    /// Sets the items of a list: keys and texts.
    pub fn set_list(&mut self, name: impl Into<String>, items: Vec<(String, String)>) {
        self.lists.insert(name.into(), items);
    }

    /// Fills in the form: each field takes its input, else its stored value, else its default. Input may be in the wire
    /// form or as people write it (`5`, `true`, `2026-01-31`, the text of a list item).
    ///
    /// # Errors
    /// A value is not valid, or a mandatory field is empty. The error lists every problem.
    pub fn fill(
        &self,
        input: &FormInput,
        stored: &BTreeMap<String, String>,
    ) -> Result<FilledForm, FormError> {
        fill::fill(&self.fields, &self.lists, input, stored)
    }

    /// The form as text, a line for each field, with its values. Secrets are masked.
    pub fn show(&self, language: &str, filled: Option<&FilledForm>) -> String {
        let width = |text: fn(&FormField) -> usize| self.fields.iter().map(text).max().unwrap_or_default();
        let key_width = width(|field| field.key.chars().count());
        let type_width = width(|field| field.field_type.as_str().len());
        let mut shown = String::new();
        for field in &self.fields {
            let marker = if field.access == Access::Mandatory { '*' } else { ' ' };
            let name = field.name.get(language);
            let _ =
                write!(shown, "  {:key_width$}{marker} {:type_width$}  {name}", field.key, field.field_type);
            if let Some(value) = filled.and_then(|filled| filled.get(&field.key)) {
                let value = if field.field_type == FieldType::Password || values::is_secret_name(&field.key) {
                    MASK
                } else {
                    value
                };
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

impl FilledForm {
    /// The value of a field; `None` if it is null.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| known == key).and_then(|(_, value)| value.as_deref())
    }
}

impl std::fmt::Debug for FilledForm {
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
