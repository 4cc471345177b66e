//! A column of a sheet of actors: from its heading and cells to a field and its values.

use std::sync::OnceLock;

use plugin_api::{Access, Field, FieldType, SearchColumn, Value};

use crate::cell::CellValue;
use crate::fields::{self, plain_name};

use super::Styles;
use super::grid::Cell;
use super::lines::Lines;
use super::table::Surroundings;
use super::texts::Texts;

/// A column that is offered as a field.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) column: u32,
    pub(super) heading: String,
    pub(crate) field: Field,
    /// Its cells hold numbers, which matters where keys of list items are to be written.
    pub(crate) holds_numbers: bool,
    pub(crate) style: Option<u32>,
    /// The values in wire form, by the number of the actor.
    values: Texts,
    /// The same, made ready for searches by the first one.
    search: OnceLock<SearchColumn>,
}

/// Where columns come from.
pub(super) struct Origin<'a> {
    pub(super) actor_type: &'static str,
    /// The name of the sheet.
    pub(super) sheet: &'a str,
    pub(super) lines: &'a Lines<'a>,
    /// The lines that hold actors, with their keys.
    pub(super) kept: &'a [(usize, String)],
    pub(super) around: &'a Surroundings<'a>,
}

impl Origin<'_> {
    /// Makes the field of a column; `others` are those before it. What deserves attention is told in `problems`.
    pub(super) fn column(
        &self,
        column: u32,
        heading: &str,
        others: &[Column],
        problems: &mut Vec<String>,
    ) -> Column {
        let said = self.around.overrides.find(self.actor_type, heading);
        let named = |name: &str| self.around.lists.iter().find(|list| list.is_named(name));
        let automatic = fields::superoffice_key(self.actor_type, heading);
        let wanted_key = said.and_then(|said| said.key.as_deref()).or(automatic).unwrap_or(heading);
        let taken = |key: &str| others.iter().any(|column| column.field.key.eq_ignore_ascii_case(key));
        let key = match [wanted_key, heading].into_iter().find(|key| !taken(key)) {
            Some(key) => key.to_owned(),
            None => format!("{heading} ({})", crate::cell::column_name(column)),
        };
        if said.is_some_and(|said| said.key.as_ref().is_some_and(|wanted| *wanted != key)) {
            problems.push(format!(
                "the field key {wanted_key} stands for two columns of the sheet {}: {heading:?} is offered as {key}",
                self.sheet
            ));
        }

        let list = match said.and_then(|said| said.list.as_deref()) {
            Some(name) => {
                if named(name).is_none() {
                    problems.push(format!(
                        "the sheet Fields names the list {name:?} for the column {heading:?}, but there is no such sheet"
                    ));
                }
                named(name)
            }
            None => named(heading),
        };
        let field_type = match said.and_then(|said| said.field_type) {
            Some(FieldType::List) if list.is_none() => {
                problems.push(format!(
                    "the sheet Fields makes {heading:?} of the sheet {} a list, but there is no list for it",
                    self.sheet
                ));
                FieldType::Text
            }
            Some(said) => said,
            None if list.is_some() => FieldType::List,
            None if fields::is_text_key(wanted_key) => FieldType::Text,
            None => fields::inferred_type(self.lines.cells(column), self.around.styles),
        };
        let mut field = Field::new(key, field_type).label(heading);
        if field_type == FieldType::List {
            field.list = list.map(|list| list.name.clone());
        }
        field.rank = i32::try_from(others.len() + 1).ok();
        if self.lines.is_computed(column, self.around.formulas) {
            field.access = Access::ReadOnly;
        }
        if let Some(said) = said {
            field.label = said.label.clone().or(field.label);
            field.access = said.access.unwrap_or(field.access);
            field.max_length = said.max_length.unwrap_or(0);
            field.rank = said.rank.or(field.rank);
        }
        let mut values = Texts::default();
        for (line, _) in self.kept {
            let cell = self.lines.cell(*line, column);
            values.push(cell.and_then(|cell| wire(cell, field_type, self.around.styles)).as_deref());
        }
        Column {
            column,
            heading: heading.to_owned(),
            field,
            holds_numbers: self.lines.holds_numbers(column),
            style: self.lines.style(column),
            values,
            search: OnceLock::new(),
        }
    }
}

impl Column {
    /// The values, made ready for searches.
    pub(super) fn search(&self) -> &SearchColumn {
        self.search.get_or_init(|| SearchColumn::new(self.field.field_type, self.values.iter()))
    }

    /// The value of an actor in wire form.
    pub(crate) fn value(&self, actor: usize) -> Option<&str> {
        self.values.get(actor)
    }
}

/// The value of a cell in wire form. A cell that does not suit the type of its column gives the text that it shows.
fn wire(cell: &Cell, field_type: FieldType, styles: &Styles) -> Option<String> {
    let shown = || cell.text(styles);
    let parsed = |text: &str| match Value::parse(text.trim(), field_type) {
        Ok(value) => value.to_wire().map(std::borrow::Cow::into_owned),
        Err(_) => Some(text.to_owned()),
    };
    let value = match (field_type, &cell.value) {
        (FieldType::Text, _) => return shown(),
        (_, CellValue::Empty | CellValue::Error) => return None,
        (FieldType::Integer, CellValue::Number(number)) if fields::is_whole(*number) =>
        {
            #[allow(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
            Value::Integer(*number as i64)
        }
        (FieldType::Integer | FieldType::Double, CellValue::Number(number)) => Value::Double(*number),
        (FieldType::Datetime, CellValue::Date(serial) | CellValue::Number(serial)) => {
            match styles.dates.date(*serial) {
                Some(date) => Value::DateTime(date),
                None => return shown(),
            }
        }
        (FieldType::Checkbox, CellValue::Bool(on)) => Value::Checkbox(*on),
        (FieldType::Checkbox, CellValue::Number(number)) if *number == 0.0 || *number == 1.0 => {
            Value::Checkbox(*number == 1.0)
        }
        (FieldType::Checkbox, CellValue::Text(text)) => match plain_name(text).as_str() {
            "yes" | "y" | "ja" | "x" => Value::Checkbox(true),
            "no" | "n" | "nei" => Value::Checkbox(false),
            _ => return parsed(text),
        },
        (FieldType::Integer | FieldType::Double | FieldType::Datetime, CellValue::Text(text)) => {
            return parsed(text);
        }
        (FieldType::List, _) => return cell.key(styles),
        _ => return shown(),
    };
    value.to_wire().map(std::borrow::Cow::into_owned)
}
