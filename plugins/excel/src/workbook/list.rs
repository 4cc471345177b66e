//! A sheet that is a list.

use std::collections::{HashMap, HashSet};

use plugin_api::ListItem;

use crate::fields::plain_name;

use super::Styles;
use super::found::{Found, cut};
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
        let has = |name| headings.iter().any(|(_, heading)| plain_name(heading) == name);
        has("id") && has("text")
    }

    /// Reads a list; rows without a key, or with one that came before, are told in `problems`.
    pub(crate) fn read(name: &str, grid: &Grid, styles: &Styles, problems: &mut Vec<String>) -> Self {
        let headings = grid.headings(styles);
        let column =
            |name| headings.iter().find(|(_, heading)| plain_name(heading) == name).map(|(at, _)| *at);
        let mut list = List { name: name.to_owned(), items: Vec::new(), keys: HashSet::new() };
        let (mut nameless, mut doubled, mut alike) = (Found::default(), Found::default(), Found::default());
        let mut by_lower_case: HashMap<String, String> = HashMap::new();
        for (row, texts) in grid.text_rows(&[column("id"), column("text")], styles) {
            let mut texts = texts.into_iter();
            let (key, text) = (texts.next().flatten(), texts.next().flatten());
            let row = row + 1;
            match key {
                None => nameless.note(|| row.to_string()),
                Some(key) if list.keys.contains(&key) => {
                    doubled.note(|| format!("{} in row {row}", cut(&key)));
                }
                Some(key) => {
                    if let Some(other) = by_lower_case.insert(key.to_lowercase(), key.clone()) {
                        alike.note(|| format!("{} and {}", cut(&other), cut(&key)));
                    }
                    list.keys.insert(key.clone());
                    list.items.push(ListItem { text: text.unwrap_or_else(|| key.clone()), key });
                }
            }
        }
        for (found, text) in [
            (nameless, "has rows without an ID, they are left out"),
            (doubled, "has an ID twice, the first row counts"),
            (alike, "has IDs that differ only in case, which SuperOffice takes for one"),
        ] {
            if !found.is_empty() {
                problems.push(format!("the list {name} {text}: {found}"));
            }
        }
        list
    }

    /// Whether a column or a caller means this list.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        plain_name(&self.name) == plain_name(name)
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.keys.contains(key)
    }
}
