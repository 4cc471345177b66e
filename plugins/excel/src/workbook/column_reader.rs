//! Reading a column: from its heading, its cells and the sheet `Fields` to a field and its values.

use plugin_api::{Access, Field, FieldType};

use crate::xlsx::range::column_name;

use super::column::{Column, ColumnCell};
use super::field_keys::{is_text_key, superoffice_key};
use super::lines::Lines;
use super::read_context::ReadContext;
use super::type_inference::inferred_type;

/// Reads the columns of a sheet.
pub(super) struct ColumnReader<'a> {
    pub(super) actor_type: &'static str,
    /// The name of the sheet.
    pub(super) sheet: &'a str,
    pub(super) lines: &'a Lines<'a>,
    /// The lines that hold actors, with their keys.
    pub(super) keyed_lines: &'a [(usize, String)],
    pub(super) context: &'a ReadContext<'a>,
}

impl ColumnReader<'_> {
    /// Reads a column; `others` are those before it.
    pub(super) fn read(
        &self,
        column: u32,
        heading: &str,
        others: &[Column],
        problems: &mut Vec<String>,
    ) -> Column {
        let overrides = self.context.overrides.find(self.actor_type, heading);
        let named = |name: &str| self.context.lists.iter().find(|list| list.is_named(name));
        let automatic = superoffice_key(self.actor_type, heading);
        let wanted_key =
            overrides.and_then(|overrides| overrides.key.as_deref()).or(automatic).unwrap_or(heading);
        let taken = |key: &str| others.iter().any(|column| column.field.key.eq_ignore_ascii_case(key));
        let key = match [wanted_key, heading].into_iter().find(|key| !taken(key)) {
            Some(key) => key.to_owned(),
            None => format!("{heading} ({})", column_name(column)),
        };
        if overrides.is_some_and(|overrides| overrides.key.as_ref().is_some_and(|wanted| *wanted != key)) {
            problems.push(format!(
                "the field key {wanted_key} stands for two columns of the sheet {}: {heading:?} is offered as {key}",
                self.sheet
            ));
        }

        let list = match overrides.and_then(|overrides| overrides.list.as_deref()) {
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
        let declared = overrides.and_then(|overrides| overrides.field_type);
        let field_type = match declared {
            Some(FieldType::List) if list.is_none() => {
                problems.push(format!(
                    "the sheet Fields makes {heading:?} of the sheet {} a list, but there is no list for it",
                    self.sheet
                ));
                FieldType::Text
            }
            Some(declared) => declared,
            None if list.is_some() => FieldType::List,
            None if is_text_key(wanted_key) => FieldType::Text,
            None => inferred_type(self.lines.cells(column), self.context.styles),
        };
        let mut field = Field::new(key, field_type).label(heading);
        if field_type == FieldType::List {
            field.list = list.map(|list| list.name.clone());
        }
        field.rank = i32::try_from(others.len() + 1).ok();
        if self.lines.is_computed(column) {
            field.access = Access::ReadOnly;
            if !self.lines.cells(column).any(|cell| cell.has_value()) {
                problems.push(format!(
                    "the column {heading:?} of the sheet {} holds formulas without their results: open the workbook \
                     in Excel and save it",
                    self.sheet
                ));
            }
        }
        if let Some(overrides) = overrides {
            field.label = overrides.label.clone().or(field.label);
            field.access = overrides.access.unwrap_or(field.access);
            field.max_length = overrides.max_length.unwrap_or(0);
            field.rank = overrides.rank.or(field.rank);
        }
        let cell = |(actor, (line, _)): (usize, &(usize, String))| {
            let cell = self.lines.cell(*line, column)?;
            Some(ColumnCell { actor, value: cell.value.clone(), style: cell.style })
        };
        Column {
            column,
            heading: heading.to_owned(),
            field,
            has_declared_type: declared.is_some(),
            holds_numbers: self.lines.holds_numbers(column),
            style: self.lines.style(column),
            cells: self.keyed_lines.iter().enumerate().filter_map(cell).collect(),
            actors: self.keyed_lines.len(),
            wire_values: Default::default(),
        }
    }
}
