//! What is filled in on the command line.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

/// The flags that fill in a form.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct GivenArgs {
    /// A setting of the connection; may be given many times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// A setting whose value is the first line of a file: for passwords, which other users could see on a command line
    #[arg(long = "set-file", value_name = "KEY=FILE")]
    set_file: Vec<String>,
}

/// Settings by key, as they were given. `Debug` shows keys only.
#[derive(Clone, Default)]
pub struct Given(BTreeMap<String, Zeroizing<String>>);

impl GivenArgs {
    /// Reads the settings.
    ///
    /// # Errors
    /// One has no `=`, comes twice, or its file cannot be read.
    pub fn read(&self) -> Result<Given, String> {
        let mut given = Given::default();
        for text in &self.set {
            let (key, value) = pair("--set", text, "VALUE")?;
            given.add(key, value)?;
        }
        for text in &self.set_file {
            let (key, file) = pair("--set-file", text, "FILE")?;
            let path = PathBuf::from(file);
            let content = std::fs::read_to_string(&path)
                .map_err(|error| format!("--set-file {key}: {} cannot be read: {error}", path.display()))?;
            let content = Zeroizing::new(content);
            given.add(key, content.lines().next().unwrap_or_default())?;
        }
        Ok(given)
    }
}

impl Given {
    fn add(&mut self, key: &str, value: &str) -> Result<(), String> {
        match self.0.insert(key.to_owned(), Zeroizing::new(value.to_owned())) {
            None => Ok(()),
            Some(_) => Err(format!("the setting {key} is given twice")),
        }
    }

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
        Given(
            pairs
                .into_iter()
                .map(|(key, value)| (key.to_owned(), Zeroizing::new(value.to_owned())))
                .collect(),
        )
    }
}

/// Whoever forgets the `=` may have typed a password: the text is not repeated.
fn pair<'t>(flag: &str, text: &'t str, value: &str) -> Result<(&'t str, &'t str), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim(), value)),
        _ => Err(format!("{flag}: expected KEY={value}, found a text without a key and '='")),
    }
}
