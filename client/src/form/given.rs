//! What is filled in.

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

/// Settings by key, as they were given. `Debug` shows keys only.
#[derive(Clone, Default)]
pub struct Given(BTreeMap<String, Zeroizing<String>>);

impl Given {
    /// Adds a setting, unless it was given.
    pub fn otherwise(&mut self, key: &str, value: &str) {
        self.0.entry(key.to_owned()).or_insert_with(|| Zeroizing::new(value.to_owned()));
    }

    /// What was given for this key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|value| value.as_str())
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether nothing was given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.keys()).finish()
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Given {
    fn from(pairs: [(&str, &str); N]) -> Self {
        pairs.into_iter().map(|(key, value)| (key.to_owned(), Some(value.to_owned()))).collect()
    }
}

impl FromIterator<(String, Option<String>)> for Given {
    /// A null value is one that is left empty.
    fn from_iter<I: IntoIterator<Item = (String, Option<String>)>>(pairs: I) -> Self {
        let value = |value: Option<String>| Zeroizing::new(value.unwrap_or_default());
        Given(pairs.into_iter().map(|(key, given)| (key, value(given))).collect())
    }
}
