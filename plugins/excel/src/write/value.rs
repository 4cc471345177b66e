//! From a value in wire form to what a cell is to hold.

use plugin_api::{DateTime, Error, Field, FieldType, Result, Value, error_code};

use crate::cell::{NumberFormat, general};
use crate::workbook::Workbook;
use crate::workbook::column::Column;
use crate::workbook::lines::KeyColumn;

use super::edits::NewValue;

/// The most characters that Excel keeps in a cell (UTF-16 units).
const MAX_CELL_TEXT: usize = 32_767;
/// The greatest whole number that a cell keeps exactly.
const MAX_WHOLE: i64 = 9_007_199_254_740_991;
/// The first whole number with more digits than Excel keeps.
const MAX_KEPT: i64 = 1_000_000_000_000_000;

/// A cell of a field that is to get a value.
pub(super) struct Target<'a> {
    pub(super) workbook: &'a Workbook,
    pub(super) column: &'a Column,
    pub(super) field: &'a Field,
    /// The style of the cell, or of its column.
    pub(super) style: Option<u32>,
    /// The cell holds a time without a day.
    pub(super) holds_time: bool,
    /// The type of the field was inferred from the cells.
    pub(super) may_change_type: bool,
}

impl Target<'_> {
    /// Whether two values in wire form are the same in the cell.
    pub(super) fn is_same(&self, one: Option<&str>, other: Option<&str>) -> bool {
        match (self.new_value(one), self.new_value(other)) {
            (Ok(one), Ok(other)) => one == other,
            _ => false,
        }
    }

    /// What the cell is to hold for a value in wire form. The form decides the type of the value; the field's type counts for
    /// values that come as plain texts, and for what a typed value may be turned into.
    pub(super) fn new_value(&self, value: Option<&str>) -> Result<NewValue> {
        let Some(text) = value else { return Ok(NewValue::Empty) };
        let field_type = self.field.field_type;
        let own = own_form(text);
        match (field_type, &own) {
            (_, Value::Text(_))
            | (FieldType::Integer | FieldType::Double | FieldType::Checkbox | FieldType::Datetime, _) => {}
            // A typed value in a column of texts is written as what it is, and as the key of an item in a list.
            (FieldType::List, Value::Integer(number)) => return self.item(&number.to_string()),
            (FieldType::List, Value::Double(number)) => return self.item(&general(*number)),
            (FieldType::List, _) => {
                return Err(self.wrong(&format!("{text:?} is not the key of a list item")));
            }
            (_, _) => return self.typed_value(own),
        }
        match Value::parse(text, field_type) {
            Ok(Value::Text(text)) if field_type == FieldType::List => self.item(text.trim()),
            Ok(Value::Text(text)) => self.text(&text),
            Ok(value) => self.typed_value(value),
            // A number with decimals is a number in a column of whole ones too.
            Err(_) if field_type == FieldType::Integer && matches!(own, Value::Double(_)) => {
                self.typed_value(own)
            }
            Err(_) if self.may_change_type && !matches!(own, Value::Text(_)) => self.typed_value(own),
            Err(error) => Err(self.wrong(&error.to_string())),
        }
    }

    fn wrong(&self, why: &str) -> Error {
        Error::user(format!("the field {}: {why}", self.field.key))
    }

    fn typed_value(&self, value: Value<'_>) -> Result<NewValue> {
        Ok(match value {
            Value::Null => NewValue::Empty,
            Value::Integer(number) if number.abs() > MAX_WHOLE => {
                let why = format!("a cell keeps whole numbers up to {MAX_WHOLE}, {number} is beyond");
                return Err(self.wrong(&why));
            }
            #[allow(clippy::cast_precision_loss, reason = "below 2^53, checked above")]
            Value::Integer(number) => NewValue::Number(number as f64),
            Value::Double(number) => NewValue::Number(number),
            Value::Checkbox(on) if self.column.holds_numbers => NewValue::Number(f64::from(u8::from(on))),
            Value::Checkbox(on) => NewValue::Bool(on),
            // .NET's value for no date.
            Value::DateTime(date) if date.ticks() == 0 => NewValue::Empty,
            Value::DateTime(date) => self.date(date)?,
            Value::Text(text) => self.text(&text)?,
        })
    }

    fn text(&self, text: &str) -> Result<NewValue> {
        let longest = usize::try_from(self.field.max_length).unwrap_or(0);
        let length = text.chars().count();
        let key = &self.field.key;
        if longest > 0 && length > longest {
            let text = format!("the field {key} takes {longest} characters at most, not {length}");
            return Err(Error::user(text));
        }
        if text.contains('\0') {
            return Err(self.wrong("a cell cannot hold the character U+0000"));
        }
        if text.encode_utf16().count() > MAX_CELL_TEXT {
            let why = format!("a cell takes {MAX_CELL_TEXT} characters at most, not {length}");
            return Err(self.wrong(&why));
        }
        Ok(NewValue::Text(text.to_owned()))
    }

    fn date(&self, date: DateTime) -> Result<NewValue> {
        let styles = &self.workbook.styles;
        let format = self.style.map(|style| styles.format(style));
        if format.is_some_and(NumberFormat::is_duration) {
            return Err(self.wrong("the cell shows a duration, such as 37:30, which no date can stand for"));
        }
        let shows_time = self.holds_time || format.is_some_and(|format| format.is_time);
        let time = if shows_time { styles.dates.time_serial(date) } else { None };
        let serial = time.or_else(|| styles.dates.serial(date)).ok_or_else(|| {
            let (year, month, day) = date.date();
            self.wrong(&format!("{year:04}-{month:02}-{day:02} is before the first date of the workbook"))
        })?;
        // Without a single date format in the workbook a number would not be seen to be a date.
        let can_be_date = shows_time || styles.date_style().is_some();
        Ok(if can_be_date { NewValue::Date(serial) } else { NewValue::Text(date.to_sortable()) })
    }

    fn item(&self, item: &str) -> Result<NewValue> {
        if item.is_empty() {
            return Ok(NewValue::Empty);
        }
        let list = self.field.list.as_deref().and_then(|name| self.workbook.list(name));
        if list.is_some_and(|list| !list.has(item)) {
            let name = self.field.list.as_deref().unwrap_or_default();
            let why = format!("the list {name} has no item with the key {item:?}");
            return Err(self.wrong(&why).code(error_code::UNKOWN_LISTITEM_ID));
        }
        let Column { column, holds_numbers, .. } = *self.column;
        Ok(key_value(item, KeyColumn { column, holds_numbers, style: None }))
    }
}

/// A value by its own form; a form that lacks its end counts, as a recorded client sends it.
fn own_form(text: &str) -> Value<'_> {
    match Value::from_wire(text) {
        Value::Text(_) => {
            let field_type = match text.trim_start() {
                text if text.ends_with(']') => FieldType::Text,
                text if text.starts_with("[I:") => FieldType::Integer,
                text if text.starts_with("[F:") || text.starts_with("[M:") => FieldType::Double,
                text if text.starts_with("[DT:") || text.starts_with("[D:") => FieldType::Datetime,
                _ => FieldType::Text,
            };
            Value::parse(text, field_type).unwrap_or(text.into())
        }
        typed => typed,
    }
}

/// A key as its column keeps keys: a number among numbers, or else a text.
pub(super) fn key_value(key: &str, column: KeyColumn) -> NewValue {
    // A cell keeps 15 digits of a number: longer keys are texts.
    let number =
        key.parse::<i64>().ok().filter(|number| number.to_string() == key && number.abs() < MAX_KEPT);
    match number {
        #[allow(clippy::cast_precision_loss, reason = "below 2^53, checked above")]
        Some(number) if column.holds_numbers => NewValue::Number(number as f64),
        _ => NewValue::Text(key.to_owned()),
    }
}
