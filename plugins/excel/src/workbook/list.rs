//! A sheet that is a list.

use std::collections::{HashMap, HashSet};

use plugin_api::ListItem;

use super::field_keys::normalized_name;

use super::Styles;
use super::examples::{Examples, truncated};
use super::grid::Grid;

/// A list: a sheet with the columns `ID` and `Text`.
#[derive(Debug)]
pub(crate) struct List {
    /// The name of the sheet.
    pub(crate) name: String,
    pub(crate) items: Vec<ListItem>,
    keys: HashSet<String>,
}

impl List {
    /// Whether these headings are those of a list.
    pub(crate) fn is_list(headings: &[(u32, String)]) -> bool {
        let has = |name| headings.iter().any(|(_, heading)| normalized_name(heading) == name);
        has("id") && has("text")
    }

    /// Reads a list; rows without a key, or with one that came before, are left out and go to `problems`.
    pub(crate) fn read(name: &str, grid: &Grid, styles: &Styles, problems: &mut Vec<String>) -> Self {
        let headings = grid.headings(styles);
        let column =
            |name| headings.iter().find(|(_, heading)| normalized_name(heading) == name).map(|(at, _)| *at);
        let mut list = List { name: name.to_owned(), items: Vec::new(), keys: HashSet::new() };
        let (mut without_key, mut duplicates, mut alike) =
            (Examples::default(), Examples::default(), Examples::default());
        let mut by_lower_case: HashMap<String, String> = HashMap::new();
        for (row, texts) in grid.text_rows(&[column("id"), column("text")], styles) {
            let mut texts = texts.into_iter();
            let (key, text) = (texts.next().flatten(), texts.next().flatten());
            let row = row + 1;
            match key {
                None => without_key.add(|| row.to_string()),
                Some(key) if list.keys.contains(&key) => {
                    duplicates.add(|| format!("{} in row {row}", truncated(&key)));
                }
                Some(key) => {
                    if let Some(other) = by_lower_case.insert(key.to_lowercase(), key.clone()) {
                        alike.add(|| format!("{} and {}", truncated(&other), truncated(&key)));
                    }
                    list.keys.insert(key.clone());
                    list.items.push(ListItem { text: text.unwrap_or_else(|| key.clone()), key });
                }
            }
        }
        for (examples, text) in [
            (without_key, "has rows without an ID, they are left out"),
            (duplicates, "has an ID twice, the first row counts"),
            (alike, "has IDs that differ only in case, which SuperOffice takes for one"),
        ] {
            if !examples.is_empty() {
                problems.push(format!("the list {name} {text}: {examples}"));
            }
        }
        list
    }

    /// Whether a column or a caller means this list.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        normalized_name(&self.name) == normalized_name(name)
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.keys.contains(key)
    }
}
