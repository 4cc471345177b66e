//! The carriers: what requests and replies hold (contract page, section 2). Texts borrow from the message unless they had
//! to be unescaped.

use std::borrow::Cow;
use std::fmt;

use values::{Access, FieldType};

/// A text, or null. Null and empty are not the same.
pub type Text<'a> = Option<Cow<'a, str>>;

/// An array of texts.
pub type Texts<'a> = Vec<Text<'a>>;

/// Keys and texts, in the order of the message. `Debug` shows keys and lengths only: settings hold passwords.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Dictionary<'a> {
    /// The entries. A key is expected once, but that is not checked.
    pub entries: Vec<(Cow<'a, str>, Text<'a>)>,
}

impl<'a> Dictionary<'a> {
    /// The value of the first entry with this key: `Some(None)` when it is null.
    pub fn get(&self, key: &str) -> Option<Option<&str>> {
        self.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// Keys and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.entries.iter().map(|(key, value)| (key.as_ref(), value.as_deref()))
    }
}

impl<'a, K: Into<Cow<'a, str>>, V: Into<Cow<'a, str>>> FromIterator<(K, Option<V>)> for Dictionary<'a> {
    fn from_iter<I: IntoIterator<Item = (K, Option<V>)>>(entries: I) -> Self {
        Dictionary {
            entries: entries.into_iter().map(|(key, value)| (key.into(), value.map(Into::into))).collect(),
        }
    }
}

impl fmt::Debug for Dictionary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lengths = self.iter().map(|(key, value)| (key, value.map(str::len)));
        f.debug_map().entries(lengths).finish()
    }
}

/// A signed token. `Debug` shows its length only.
#[derive(Clone, PartialEq, Eq)]
pub struct Token<'a>(pub Cow<'a, str>);

impl fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({} bytes)", self.0.len())
    }
}

impl<'a, T: Into<Cow<'a, str>>> From<T> for Token<'a> {
    fn from(text: T) -> Self {
        Token(text.into())
    }
}

/// `ErpActorWS`: a customer, supplier, person, project, ...
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Actor<'a> {
    /// The actor type.
    pub actor_type: Text<'a>,
    /// The key in the ERP system.
    pub erp_key: Text<'a>,
    /// Field keys and values in their wire form, such as `[I:123]`.
    pub field_values: Option<Dictionary<'a>>,
    /// The connector's stamp of the last change.
    pub last_modified: Text<'a>,
    /// The actor type of the parent.
    pub parent_actor_type: Text<'a>,
    /// The key of the parent.
    pub parent_erp_key: Text<'a>,
}

/// `FieldMetadataInfoWS`: what a field is, on an actor or in the settings of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field<'a> {
    /// What may be done with it.
    pub access: Access,
    /// The value that it begins with.
    pub default_value: Text<'a>,
    /// An explanation, perhaps in several languages.
    pub display_description: Text<'a>,
    /// The label, perhaps in several languages.
    pub display_name: Text<'a>,
    /// The key.
    pub field_key: Text<'a>,
    /// The type of its values.
    pub field_type: FieldType,
    /// The list that the values come from, for the type List.
    pub list_name: Text<'a>,
    /// The greatest length of a value; 0 for no limit.
    pub max_length: i32,
    /// The place among the fields.
    pub rank: i32,
}

impl Default for Field<'_> {
    /// A checkbox with normal access: what .NET's zero values mean, and so what absent members mean.
    fn default() -> Self {
        Field {
            access: Access::Normal,
            default_value: None,
            display_description: None,
            display_name: None,
            field_key: None,
            field_type: FieldType::Checkbox,
            list_name: None,
            max_length: 0,
            rank: 0,
        }
    }
}

/// `SearchRestrictionInfoWS`: a condition on a field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Restriction<'a> {
    /// The key of the field.
    pub field_key: Text<'a>,
    /// The operator's name; see [`values::Operator`].
    pub operator: Text<'a>,
    /// A shortcut for the only element of `values`.
    pub scalar_value: Text<'a>,
    /// The values.
    pub values: Option<Texts<'a>>,
}

impl<'a> Restriction<'a> {
    /// The values that count: `values`, or `scalar_value` alone when `values` is absent, null or empty (contract page,
    /// section 2).
    pub fn effective_values(&self) -> &[Text<'a>] {
        match &self.values {
            Some(values) if !values.is_empty() => values,
            _ if self.scalar_value.is_some() => std::slice::from_ref(&self.scalar_value),
            _ => &[],
        }
    }
}
