//! A column of a sheet of actors: its field, and the values of all actors in it.

use std::borrow::Cow;
use std::sync::OnceLock;

use plugin_api::{Field, FieldType, SearchColumn, Value};

use crate::cell::CellValue;
use crate::stamps::Digest;

use super::Styles;
use super::field_keys::normalized_name;
use super::texts::Texts;
use super::type_inference::is_whole;

/// A column that is offered as a field.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) column: u32,
    pub(super) heading: String,
    /// The field, with the type that the sheet `Fields` declares or that was inferred from the cells.
    pub(crate) field: Field,
    /// The sheet `Fields` declares the type.
    pub(crate) has_declared_type: bool,
    /// Its cells hold numbers, which matters where keys of list items are to be written.
    pub(crate) holds_numbers: bool,
    pub(crate) style: Option<u32>,
    /// What the cells hold, by the number of the actor, with the cells' styles.
    pub(super) cells: Vec<ColumnCell>,
    /// How many actors there are.
    pub(super) actors: usize,
    /// The values in wire form, for each type that was needed so far.
    pub(super) wire_values: [OnceLock<WireValues>; TYPES.len()],
}

/// What the cell of an actor holds, and its style. Cells that are not there are left out.
#[derive(Debug)]
pub(super) struct ColumnCell {
    pub(super) actor: usize,
    pub(super) value: CellValue,
    pub(super) style: u32,
}

/// The values of a column in the wire form of a type.
#[derive(Debug)]
pub(crate) struct WireValues {
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

impl Column {
    /// The value of an actor as a value of this type.
    pub(crate) fn value(&self, actor: usize, field_type: FieldType, styles: &Styles) -> Value<'_> {
        self.cell(actor).map_or(Value::Null, |cell| value_of(&cell.value, cell.style, field_type, styles))
    }

    fn cell(&self, actor: usize) -> Option<&ColumnCell> {
        // Most columns have a cell for every actor.
        match self.cells.get(actor) {
            Some(cell) if cell.actor == actor => Some(cell),
            _ => self.cells.binary_search_by_key(&actor, |cell| cell.actor).ok().map(|at| &self.cells[at]),
        }
    }

    /// The style of the cell of an actor.
    pub(crate) fn style_at(&self, actor: usize) -> Option<u32> {
        self.cell(actor).map(|cell| cell.style)
    }

    /// The cell of an actor holds a time of day without a day.
    pub(crate) fn holds_time(&self, actor: usize) -> bool {
        let is_time =
            |cell: &ColumnCell| matches!(cell.value, CellValue::Date(serial) if (0.0..1.0).contains(&serial));
        self.cell(actor).is_some_and(is_time)
    }

    /// The text that the cell of an actor holds, if it is one.
    pub(super) fn text(&self, actor: usize) -> Option<&str> {
        match &self.cell(actor)?.value {
            CellValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// All values in the wire form of a type: made once, for searches and for long answers.
    pub(crate) fn wire_values(&self, field_type: FieldType, styles: &Styles) -> &WireValues {
        let place = TYPES.iter().position(|known| *known == field_type).unwrap_or(0);
        self.wire_values[place].get_or_init(|| {
            let mut values = Texts::default();
            for actor in 0..self.actors {
                values.push(self.value(actor, field_type, styles).to_wire().as_deref());
            }
            WireValues { values, search: OnceLock::new() }
        })
    }

    /// The first actor whose cell holds something that is no value of this type, and what it shows.
    pub(crate) fn misfit(&self, field_type: FieldType, styles: &Styles) -> Option<(usize, String)> {
        if matches!(field_type, FieldType::Text | FieldType::List) {
            return None;
        }
        self.cells.iter().find_map(|cell| {
            let value = value_of(&cell.value, cell.style, field_type, styles);
            let fits = match (&value, field_type) {
                (Value::Text(text), _) => text.is_empty(),
                (Value::Double(_), FieldType::Integer) => false,
                _ => true,
            };
            (!fits).then(|| (cell.actor, cell.value.text(cell.style, styles).unwrap_or_default()))
        })
    }

    /// The actors whose cell holds a number that Excel cannot keep whole: it keeps 15 digits.
    pub(super) fn long_numbers(&self) -> impl Iterator<Item = usize> {
        let is_long = |value: &CellValue| matches!(value, CellValue::Number(number) if is_long(*number));
        self.cells.iter().filter(move |cell| is_long(&cell.value)).map(|cell| cell.actor)
    }

    /// The keys of list items that the cells hold, with the actors' numbers.
    pub(super) fn list_keys(&self, styles: &Styles) -> impl Iterator<Item = (usize, String)> {
        self.cells.iter().filter_map(|cell| Some((cell.actor, cell.value.key(cell.style, styles)?)))
    }

    /// A number for what a cell holds and shows, whatever the type of the column; `None` for an empty one.
    pub(super) fn digest(&self, actor: usize, styles: &Styles) -> Option<u64> {
        let ColumnCell { value, style, .. } = self.cell(actor)?;
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

impl WireValues {
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
        (FieldType::Integer, CellValue::Number(number)) if is_whole(*number) =>
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
        (FieldType::Checkbox, CellValue::Text(text)) => match normalized_name(text).as_str() {
            "yes" | "y" | "ja" | "x" => Value::Checkbox(true),
            "no" | "n" | "nei" => Value::Checkbox(false),
            _ => parsed(text),
        },
        (FieldType::Integer | FieldType::Double | FieldType::Datetime, CellValue::Text(text)) => parsed(text),
        (FieldType::List, _) => text(cell.key(style, styles)),
        _ => shown(),
    }
}
