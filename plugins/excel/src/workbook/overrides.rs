//! The sheet `Fields`: overrides for the fields that columns give by themselves.

use std::collections::{HashMap, HashSet};

use plugin_api::{Access, FieldType};

use super::Styles;
use super::examples::{Examples, truncated};
use super::field_keys::normalized_name;
use super::grid::Grid;

/// The rows of the sheet `Fields`.
#[derive(Debug, Default)]
pub(crate) struct Overrides {
    rows: Vec<Override>,
    /// The rows by the plain name of their column.
    by_column: HashMap<String, Vec<usize>>,
}

/// A row of the sheet `Fields`: the overrides of one column. `None` where a cell is empty.
#[derive(Debug, Default)]
pub(crate) struct Override {
    /// The row, counted from 1, for messages.
    pub(crate) row: u32,
    /// `None` for every actor type.
    actor_type: Option<String>,
    column: String,
    pub(crate) key: Option<String>,
    pub(crate) label: Option<String>,
    pub(crate) field_type: Option<FieldType>,
    pub(crate) list: Option<String>,
    pub(crate) access: Option<Access>,
    pub(crate) max_length: Option<i32>,
    pub(crate) rank: Option<i32>,
}

impl Overrides {
    /// Reads the sheet `Fields`; what is invalid is left out and reported in `problems`.
    pub(crate) fn read(grid: &Grid, styles: &Styles, problems: &mut Vec<String>) -> Self {
        const NAMES: [&str; 9] =
            ["actortype", "column", "fieldkey", "label", "type", "list", "access", "maxlength", "rank"];
        let headings = grid.headings(styles);
        let column =
            |name: &str| headings.iter().find(|(_, text)| normalized_name(text) == name).map(|(at, _)| *at);
        let columns = NAMES.map(column);
        if columns[1].is_none() {
            problems.push("the sheet Fields has no column \"Column\": it is not used".to_owned());
            return Overrides::default();
        }
        let mut rows = Vec::new();
        // As many as are shown: a warning must not grow with the workbook.
        let mut invalid = Examples::up_to(20);
        for (row, texts) in grid.text_rows(&columns, styles) {
            let row = row + 1;
            let mut texts = texts.into_iter();
            let mut next = || texts.next().flatten();
            let actor_type = next().filter(|name| name != "*");
            let Some(column) = next() else {
                invalid.add(|| format!("row {row} of the sheet Fields names no column: it is not used"));
                continue;
            };
            let mut found =
                Override { row, actor_type, column, key: next(), label: next(), ..Override::default() };
            let mut wrong = |what: &str, text: &str, expected: &str| {
                invalid.add(|| {
                    let text = truncated(text);
                    format!(
                        "row {row} of the sheet Fields: {text:?} is no {what}, expected {expected}; it is not used"
                    )
                });
            };
            if let Some(text) = next() {
                found.field_type = field_type(&text);
                if found.field_type.is_none() {
                    wrong("type", &text, "Text, Integer, Double, Date, Checkbox or List");
                }
            }
            found.list = next();
            if let Some(text) = next() {
                found.access = Access::ALL
                    .iter()
                    .copied()
                    .find(|access| normalized_name(access.as_str()) == normalized_name(&text));
                if found.access.is_none() {
                    wrong("access", &text, "Normal, Mandatory or ReadOnly");
                }
            }
            if let Some(text) = next() {
                found.max_length = text.parse().ok().filter(|length| *length >= 0);
                if found.max_length.is_none() {
                    wrong("length", &text, "a whole number from 0");
                }
            }
            if let Some(text) = next() {
                found.rank = text.parse().ok();
                if found.rank.is_none() {
                    wrong("rank", &text, "a whole number");
                }
            }
            rows.push(found);
        }
        let is_cut_off = invalid.more() > 0;
        problems.extend(invalid.into_shown());
        if is_cut_off {
            problems.push("more rows of the sheet Fields make no sense and are not used".to_owned());
        }
        let mut by_column: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, row) in rows.iter().enumerate() {
            by_column.entry(normalized_name(&row.column)).or_default().push(at);
        }
        Overrides { rows, by_column }
    }

    /// The overrides of a column; a row for the actor type comes before one for all.
    pub(crate) fn find(&self, actor_type: &str, heading: &str) -> Option<&Override> {
        let named =
            || self.by_column.get(&normalized_name(heading)).into_iter().flatten().map(|at| &self.rows[*at]);
        let own = |row: &&Override| {
            row.actor_type.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(actor_type))
        };
        named().find(own).or_else(|| named().find(|row| row.actor_type.is_none()))
    }

    /// The rows for an actor type whose column is not among these headings.
    pub(crate) fn without_column<'o>(
        &'o self,
        actor_type: &'o str,
        headings: &'o [(u32, String)],
    ) -> impl Iterator<Item = (u32, &'o str)> {
        let own = move |row: &&Override| {
            row.actor_type.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(actor_type))
        };
        let headings: HashSet<String> = headings.iter().map(|(_, text)| normalized_name(text)).collect();
        let missing = move |row: &&Override| !headings.contains(&normalized_name(&row.column));
        self.rows.iter().filter(own).filter(missing).map(|row| (row.row, row.column.as_str()))
    }

    /// The rows for an actor type that no sheet is there for.
    pub(crate) fn without_sheet<'o>(&'o self, sheets: &'o [&str]) -> impl Iterator<Item = (u32, &'o str)> {
        self.rows
            .iter()
            .filter_map(|row| Some((row.row, row.actor_type.as_deref()?)))
            .filter(|(_, name)| !sheets.iter().any(|sheet| sheet.eq_ignore_ascii_case(name)))
    }
}

fn field_type(name: &str) -> Option<FieldType> {
    Some(match normalized_name(name).as_str() {
        "text" | "string" => FieldType::Text,
        "integer" | "int" => FieldType::Integer,
        "double" | "decimal" | "number" => FieldType::Double,
        "date" | "datetime" => FieldType::Datetime,
        "checkbox" | "bool" | "boolean" => FieldType::Checkbox,
        "list" => FieldType::List,
        _ => return None,
    })
}
