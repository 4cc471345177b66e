//! The text matcher: whether an actor fits a text search.

use crate::abi::RowRef;
use crate::folded::Folded;
use crate::{Candidate, Field, FieldType, Parent, RowFilter};

/// A text search, prepared once and then compared with any number of actors. The text is found in any case within a
/// field of type Text, or as the whole key. Spaces around it do not count, and an empty one is found everywhere.
///
/// ```
/// use plugin_api::{Actor, Field, Parent, TextMatcher};
///
/// let company = Parent::new("Customer", "1");
/// let matcher = TextMatcher::new("BERG", &[Field::text("NAME"), Field::text("CITY")], Some(&company));
/// assert!(matcher.matches(&Actor::new("Person", "7").with("NAME", "Ada Bergen").below("Customer", "1")));
/// assert!(!matcher.matches(&Actor::new("Person", "8").with("NAME", "Ada Bergen")), "has no parent");
/// ```
#[derive(Debug, Clone)]
pub struct TextMatcher {
    text: Folded,
    fields: Vec<String>,
    parent: Option<Parent>,
}

impl TextMatcher {
    /// Prepares a search that looks into those of the fields that are text, below the parent if there is one.
    pub fn new(text: &str, fields: &[Field], parent: Option<&Parent>) -> Self {
        let text = Folded::new(text.trim());
        // Fields that are not searched need not be written.
        let looked_at = |field: &&Field| field.field_type == FieldType::Text && !text.is_empty();
        let fields = fields.iter().filter(looked_at).map(|field| field.key.clone()).collect();
        TextMatcher { text, fields, parent: parent.cloned() }
    }

    /// Whether the search finds an actor.
    pub fn matches(&self, actor: &(impl Candidate + ?Sized)) -> bool {
        let is_in = |field: &String| actor.value(field).is_some_and(|value| self.text.is_in(value));
        self.is_below(actor.parent()) && (self.is_key(actor.key()) || self.fields.iter().any(is_in))
    }

    fn is_below(&self, parent: Option<(&str, &str)>) -> bool {
        self.parent.as_ref().is_none_or(|wanted| wanted.is(parent))
    }

    fn is_key(&self, key: &str) -> bool {
        self.text.is_empty() || self.text.is(key)
    }
}

impl RowFilter for TextMatcher {
    fn needs(&self, field: &str) -> bool {
        self.fields.iter().any(|key| key == field)
    }

    fn matches(&self, row: &RowRef<'_>) -> bool {
        // The fields of a row are found by going through them: so once, and not for each that is looked at.
        let has_text = |(key, value): (&str, Option<&str>)| {
            self.needs(key) && value.is_some_and(|value| self.text.is_in(value))
        };
        self.is_below(row.parent) && (self.is_key(row.key) || row.fields().any(has_text))
    }
}
