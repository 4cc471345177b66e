//! Descriptions of fields and list items, and their labels.

use crate::{Access, FieldType, LocalizedText, Value};

/// Describes a setting of a connection, or a field of an actor type (`FieldMetadataInfoWS` of the contract).
///
/// ```
/// use plugin_api::{Field, us};
///
/// let field = Field::text("Filename").label(us("File name").no("Filnavn")).mandatory().max_length(260);
/// assert_eq!(field.label.as_deref(), Some("US:\"File name\";NO:\"Filnavn\""));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field {
    /// The key, unique within its form or actor type. SuperOffice maps keys such as `NAME` by itself.
    pub key: String,
    /// The label that a person sees, plain or localised; the key when not set.
    pub label: Option<String>,
    /// The description, plain or localised.
    pub description: Option<String>,
    /// The type.
    pub field_type: FieldType,
    /// Whether it may or must be filled in.
    pub access: Access,
    /// The list that a field of type List takes its values from.
    pub list: Option<String>,
    /// The value to begin with, in wire form.
    pub default: Option<String>,
    /// The longest text in characters; 0 for no limit.
    pub max_length: i32,
    /// Where it stands among the others; its place in the answer when not set.
    pub rank: Option<i32>,
}

impl Field {
    /// A field of the given type that may be left empty.
    pub fn new(key: impl Into<String>, field_type: FieldType) -> Self {
        Field {
            key: key.into(),
            label: None,
            description: None,
            field_type,
            access: Access::Normal,
            list: None,
            default: None,
            max_length: 0,
            rank: None,
        }
    }

    /// A text field.
    pub fn text(key: impl Into<String>) -> Self {
        Field::new(key, FieldType::Text)
    }

    /// A password field: masked on screen, encrypted in the host's store.
    pub fn password(key: impl Into<String>) -> Self {
        Field::new(key, FieldType::Password)
    }

    /// A whole number.
    pub fn integer(key: impl Into<String>) -> Self {
        Field::new(key, FieldType::Integer)
    }

    /// A number.
    pub fn double(key: impl Into<String>) -> Self {
        Field::new(key, FieldType::Double)
    }

    /// Yes or no.
    pub fn checkbox(key: impl Into<String>) -> Self {
        Field::new(key, FieldType::Checkbox)
    }

    /// Date and time.
    pub fn date_time(key: impl Into<String>) -> Self {
        Field::new(key, FieldType::Datetime)
    }

    /// The key of an item of a list.
    pub fn list(key: impl Into<String>, list: impl Into<String>) -> Self {
        Field { list: Some(list.into()), ..Field::new(key, FieldType::List) }
    }

    /// Sets what a person sees.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Sets the description.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// It must be filled in.
    #[must_use]
    pub fn mandatory(mut self) -> Self {
        self.access = Access::Mandatory;
        self
    }

    /// It may be read only.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.access = Access::ReadOnly;
        self
    }

    /// Sets the value to begin with.
    #[must_use]
    pub fn default<'v>(mut self, value: impl Into<Value<'v>>) -> Self {
        self.default = value.into().to_wire().map(std::borrow::Cow::into_owned);
        self
    }

    /// Sets the longest text in characters.
    #[must_use]
    pub fn max_length(mut self, characters: i32) -> Self {
        self.max_length = characters;
        self
    }

    /// Sets where it stands among the others.
    #[must_use]
    pub fn rank(mut self, rank: i32) -> Self {
        self.rank = Some(rank);
        self
    }
}

/// An item of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListItem {
    /// The key that a field of type List holds.
    pub key: String,
    /// What a person sees, plain or localised.
    pub text: String,
}

impl ListItem {
    /// A list item.
    pub fn new(key: impl Into<String>, text: impl Into<String>) -> Self {
        ListItem { key: key.into(), text: text.into() }
    }
}

/// A text in several languages, begun by [`us`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label(LocalizedText);

/// A label in English, to which other languages are added: `us("Name").no("Navn")`.
pub fn us(text: impl Into<String>) -> Label {
    Label(LocalizedText::default().with("US", text))
}

impl Label {
    /// Adds the text in a language, by SuperOffice's code such as `NO`.
    #[must_use]
    pub fn with(self, language: &str, text: impl Into<String>) -> Self {
        Label(self.0.with(language, text))
    }

    /// Adds the Norwegian text.
    #[must_use]
    pub fn no(self, text: impl Into<String>) -> Self {
        self.with("NO", text)
    }

    /// Adds the Swedish text.
    #[must_use]
    pub fn sw(self, text: impl Into<String>) -> Self {
        self.with("SW", text)
    }

    /// Adds the Danish text.
    #[must_use]
    pub fn da(self, text: impl Into<String>) -> Self {
        self.with("DA", text)
    }

    /// Adds the German text.
    #[must_use]
    pub fn ge(self, text: impl Into<String>) -> Self {
        self.with("GE", text)
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.0.to_string()
    }
}
