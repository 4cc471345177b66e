//! A column of a sheet of actors: from its heading and cells to a field and its values.

use std::borrow::Cow;
use std::sync::OnceLock;

use plugin_api::{Access, Field, FieldType, SearchColumn, Value};

use crate::cell::CellValue;
use crate::fields::{self, plain_name};
use crate::stamps::Digest;
use crate::xlsx::range::column_name;

use super::Styles;
use super::lines::Lines;
use super::table::Surroundings;
use super::texts::Texts;

/// A column that is offered as a field.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) column: u32,
    pub(super) heading: String,
    /// The field, of the type that today's cells and the sheet `Fields` give.
    pub(crate) field: Field,
    /// The sheet `Fields` says the type.
    pub(crate) has_declared_type: bool,
    /// Its cells hold numbers, which matters where keys of list items are to be written.
    pub(crate) holds_numbers: bool,
    pub(crate) style: Option<u32>,
    /// What the cells hold, by the number of the actor, with the cells' styles.
    cells: Vec<Held>,
    /// How many actors there are.
    actors: usize,
    /// The values in wire form, for each type that somebody has asked for.
    wired: [OnceLock<Wired>; TYPES.len()],
}

/// What the cell of an actor holds, and its style. Cells that are not there are left out.
#[derive(Debug)]
struct Held {
    actor: usize,
    value: CellValue,
    style: u32,
}

/// The values of a column in the wire form of a type.
#[derive(Debug)]
pub(crate) struct Wired {
    values: Texts,
    /// The same, made ready for searches by the first one.
    search: OnceLock<SearchColumn>,
}

/// The types that a column can have.
const TYPES: [FieldType; 6] = [
    FieldType::Text,
    FieldType::Integer,
    FieldType::Double,
    FieldType::Datetime,
    FieldType::Checkbox,
    FieldType::List,
];

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
            None => format!("{heading} ({})", column_name(column)),
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
        let declared = said.and_then(|said| said.field_type);
        let field_type = match declared {
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
        if let Some(said) = said {
            field.label = said.label.clone().or(field.label);
            field.access = said.access.unwrap_or(field.access);
            field.max_length = said.max_length.unwrap_or(0);
            field.rank = said.rank.or(field.rank);
        }
        let held = |(actor, (line, _)): (usize, &(usize, String))| {
            let cell = self.lines.cell(*line, column)?;
            Some(Held { actor, value: cell.value.clone(), style: cell.style })
        };
        Column {
            column,
            heading: heading.to_owned(),
            field,
            has_declared_type: declared.is_some(),
            holds_numbers: self.lines.holds_numbers(column),
            style: self.lines.style(column),
            cells: self.kept.iter().enumerate().filter_map(held).collect(),
            actors: self.kept.len(),
            wired: Default::default(),
        }
    }
}

impl Column {
    /// The value of an actor as a value of this type.
    pub(crate) fn value(&self, actor: usize, field_type: FieldType, styles: &Styles) -> Value<'_> {
        self.held(actor).map_or(Value::Null, |held| value_of(&held.value, held.style, field_type, styles))
    }

    fn held(&self, actor: usize) -> Option<&Held> {
        // Most columns have a cell for every actor.
        match self.cells.get(actor) {
            Some(held) if held.actor == actor => Some(held),
            _ => self.cells.binary_search_by_key(&actor, |held| held.actor).ok().map(|at| &self.cells[at]),
        }
    }

    /// The style of the cell of an actor.
    pub(crate) fn style_at(&self, actor: usize) -> Option<u32> {
        self.held(actor).map(|held| held.style)
    }

    /// The cell of an actor holds a time of day without a day.
    pub(crate) fn holds_time(&self, actor: usize) -> bool {
        let is_time =
            |held: &Held| matches!(held.value, CellValue::Date(serial) if (0.0..1.0).contains(&serial));
        self.held(actor).is_some_and(is_time)
    }

    /// The text that the cell of an actor holds, if it is one.
    pub(super) fn text(&self, actor: usize) -> Option<&str> {
        match &self.held(actor)?.value {
            CellValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// All values in the wire form of a type: made once, for searches and for long answers.
    pub(crate) fn wired(&self, field_type: FieldType, styles: &Styles) -> &Wired {
        let place = TYPES.iter().position(|known| *known == field_type).unwrap_or(0);
        self.wired[place].get_or_init(|| {
            let mut values = Texts::default();
            for actor in 0..self.actors {
                values.push(self.value(actor, field_type, styles).to_wire().as_deref());
            }
            Wired { values, search: OnceLock::new() }
        })
    }

    /// The first actor whose cell holds something that is no value of this type, and what it shows.
    pub(crate) fn misfit(&self, field_type: FieldType, styles: &Styles) -> Option<(usize, String)> {
        if matches!(field_type, FieldType::Text | FieldType::List) {
            return None;
        }
        self.cells.iter().find_map(|held| {
            let value = value_of(&held.value, held.style, field_type, styles);
            let fits = match (&value, field_type) {
                (Value::Text(text), _) => text.is_empty(),
                (Value::Double(_), FieldType::Integer) => false,
                _ => true,
            };
            (!fits).then(|| (held.actor, held.value.text(held.style, styles).unwrap_or_default()))
        })
    }

    /// The actors whose cell holds a number that Excel cannot keep whole: it keeps 15 digits.
    pub(super) fn long_numbers(&self) -> impl Iterator<Item = usize> {
        let is_long = |value: &CellValue| matches!(value, CellValue::Number(number) if is_long(*number));
        self.cells.iter().filter(move |held| is_long(&held.value)).map(|held| held.actor)
    }

    /// The keys of list items that the cells hold, with the actors' numbers.
    pub(super) fn list_keys(&self, styles: &Styles) -> impl Iterator<Item = (usize, String)> {
        self.cells.iter().filter_map(|held| Some((held.actor, held.value.key(held.style, styles)?)))
    }

    /// A number for what a cell holds and shows, whatever the type of the column; `None` for an empty one.
    pub(super) fn digest(&self, actor: usize, styles: &Styles) -> Option<u64> {
        let Held { value, style, .. } = self.held(actor)?;
        let digest = Digest::new().with(self.heading.as_bytes());
        let digest = match value {
            CellValue::Empty | CellValue::Error => return None,
            CellValue::Number(number) | CellValue::Date(number) => digest
                .with(&number.to_bits().to_le_bytes())
                .with(&styles.format(*style).digest().to_le_bytes()),
            CellValue::Text(text) => digest.with(text.as_bytes()),
            CellValue::Bool(on) => digest.with(&[u8::from(*on)]).with(b"bool"),
        };
        Some(digest.finish())
    }
}

impl Wired {
    /// The value of an actor in wire form.
    pub(crate) fn value(&self, actor: usize) -> Option<&str> {
        self.values.get(actor)
    }

    /// The values, made ready for searches.
    pub(crate) fn search(&self, field_type: FieldType) -> &SearchColumn {
        self.search.get_or_init(|| SearchColumn::new(field_type, self.values.iter()))
    }
}

/// A number with 16 digits or more before its decimal point.
pub(super) fn is_long(number: f64) -> bool {
    number.abs() >= 1e15
}

/// What a cell holds as a value of a type. A cell that does not suit the type gives the text that it shows.
fn value_of<'c>(cell: &'c CellValue, style: u32, field_type: FieldType, styles: &Styles) -> Value<'c> {
    let text = |text: Option<String>| text.map_or(Value::Null, |text| Value::Text(Cow::Owned(text)));
    let shown = || text(cell.text(style, styles));
    let parsed =
        |text: &'c str| Value::parse(text.trim(), field_type).unwrap_or(Value::Text(Cow::Borrowed(text)));
    match (field_type, cell) {
        (FieldType::Text, CellValue::Text(text)) => Value::Text(Cow::Borrowed(text)),
        (FieldType::Text, _) => shown(),
        (_, CellValue::Empty | CellValue::Error) => Value::Null,
        (FieldType::Integer, CellValue::Number(number)) if fields::is_whole(*number) =>
        {
            #[allow(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
            Value::Integer(*number as i64)
        }
        (FieldType::Integer | FieldType::Double, CellValue::Number(number)) => Value::Double(*number),
        (FieldType::Datetime, CellValue::Date(serial) | CellValue::Number(serial)) => {
            styles.dates.date(*serial).map_or_else(shown, Value::DateTime)
        }
        (FieldType::Checkbox, CellValue::Bool(on)) => Value::Checkbox(*on),
        (FieldType::Checkbox, CellValue::Number(number)) if *number == 0.0 || *number == 1.0 => {
            Value::Checkbox(*number == 1.0)
        }
        (FieldType::Checkbox, CellValue::Text(text)) => match plain_name(text).as_str() {
            "yes" | "y" | "ja" | "x" => Value::Checkbox(true),
            "no" | "n" | "nei" => Value::Checkbox(false),
            _ => parsed(text),
        },
        (FieldType::Integer | FieldType::Double | FieldType::Datetime, CellValue::Text(text)) => parsed(text),
        (FieldType::List, _) => text(cell.key(style, styles)),
        _ => shown(),
    }
}
