//! The settings of a connection.

use std::fmt;

use zeroize::Zeroize;

use crate::{DateTime, Error, FieldType, Result, Value};

/// What an administrator filled in for a connection (`ConnectionInfo` of the contract): field keys and values in wire
/// form. Its `Debug` shows the keys only, because values may be secrets; they are wiped from memory when it is dropped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings {
    values: Vec<(String, Option<String>)>,
    connection: Option<ConnectionRevision>,
}

/// Which stored connection settings belong to, and which save of it they come from: another save, also of the same
/// settings, has a higher revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionRevision {
    /// The ConnectionGuid, in small letters with hyphens.
    pub guid: String,
    /// Grows with every save of a connection.
    pub revision: u64,
}

impl Settings {
    /// The connection that these settings are stored for. `None` for settings that are only tried out.
    pub fn connection(&self) -> Option<&ConnectionRevision> {
        self.connection.as_ref()
    }

    /// The settings as those of a stored connection. For hosts, and for tests of what a connector keeps for a connection.
    #[must_use]
    pub fn of_connection(mut self, guid: impl Into<String>, revision: u64) -> Self {
        self.connection = Some(ConnectionRevision { guid: guid.into(), revision });
        self
    }

    /// The value of a setting in wire form; `None` when it is missing or null. The first one counts when a key comes twice.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.iter().find(|(name, _)| name == key).and_then(|(_, value)| value.as_deref())
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// It is missing or empty.
    pub fn text(&self, key: &str) -> Result<&str> {
        self.get(key).filter(|text| !text.trim().is_empty()).ok_or_else(|| missing(key))
    }

    /// A whole number; `None` when it is missing or empty.
    ///
    /// # Errors
    /// It is no whole number.
    pub fn integer(&self, key: &str) -> Result<Option<i64>> {
        Ok(match self.value(key, FieldType::Integer)? {
            Value::Integer(number) => Some(number),
            _ => None,
        })
    }

    /// A number; `None` when it is missing or empty.
    ///
    /// # Errors
    /// It is no number.
    pub fn double(&self, key: &str) -> Result<Option<f64>> {
        Ok(match self.value(key, FieldType::Double)? {
            Value::Double(number) => Some(number),
            _ => None,
        })
    }

    /// Yes or no; no when it is missing or empty.
    ///
    /// # Errors
    /// It is neither.
    pub fn checkbox(&self, key: &str) -> Result<bool> {
        Ok(matches!(self.value(key, FieldType::Checkbox)?, Value::Checkbox(true)))
    }

    /// Date and time; `None` when it is missing or empty.
    ///
    /// # Errors
    /// It is no date.
    pub fn date_time(&self, key: &str) -> Result<Option<DateTime>> {
        Ok(match self.value(key, FieldType::Datetime)? {
            Value::DateTime(date) => Some(date),
            _ => None,
        })
    }

    /// All keys and values, in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.values.iter().map(|(key, value)| (key.as_str(), value.as_deref()))
    }

    fn value(&self, key: &str, field_type: FieldType) -> Result<Value<'_>> {
        let text = self.get(key).unwrap_or_default();
        // The value itself stays out of the error: it may be a secret in the wrong field.
        Value::parse(text, field_type)
            .map_err(|_| Error::user(format!("the setting {key} is not a valid value of type {field_type}")))
    }
}

/// The error for a mandatory setting that is not there.
pub(crate) fn missing(key: &str) -> Error {
    Error::user(format!("the setting {key} is missing, it must be filled in"))
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, Option<V>)> for Settings {
    fn from_iter<I: IntoIterator<Item = (K, Option<V>)>>(values: I) -> Self {
        Settings {
            values: values.into_iter().map(|(key, value)| (key.into(), value.map(Into::into))).collect(),
            connection: None,
        }
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Settings {
    fn from(values: [(&str, &str); N]) -> Self {
        values.into_iter().map(|(key, value)| (key, Some(value))).collect()
    }
}

/// Values may be secrets: they do not stay behind in memory.
impl Drop for Settings {
    fn drop(&mut self) {
        for (_, value) in &mut self.values {
            value.zeroize();
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.values.iter().map(|(key, _)| key)).finish()
    }
}
