//! The input for a form.

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

/// The input for a form: values by field key. `Debug` shows keys only.
#[derive(Clone, Default)]
pub struct FormInput(BTreeMap<String, Zeroizing<String>>);

impl FormInput {
    /// Sets the value of a field that has none yet.
    pub fn set_default(&mut self, key: &str, value: &str) {
        self.0.entry(key.to_owned()).or_insert_with(|| Zeroizing::new(value.to_owned()));
    }

    /// The value for this key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|value| value.as_str())
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for FormInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.keys()).finish()
    }
}

impl<const N: usize> From<[(&str, &str); N]> for FormInput {
    fn from(pairs: [(&str, &str); N]) -> Self {
        pairs.into_iter().map(|(key, value)| (key.to_owned(), Some(value.to_owned()))).collect()
    }
}

impl FromIterator<(String, Option<String>)> for FormInput {
    /// A null value becomes an empty one.
    fn from_iter<I: IntoIterator<Item = (String, Option<String>)>>(pairs: I) -> Self {
        let value = |value: Option<String>| Zeroizing::new(value.unwrap_or_default());
        FormInput(pairs.into_iter().map(|(key, given)| (key, value(given))).collect())
    }
}
