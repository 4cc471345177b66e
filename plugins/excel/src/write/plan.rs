//! From actors to changes of cells. Nothing is written here: a plan that cannot be made changes nothing.

use std::collections::BTreeMap;

use plugin_api::{
    Access, Actor, DateTime, Error, Field, FieldType, Parent, Result, Value, actor_type, error_code,
};

use crate::cell::MAX_ROWS;
use crate::keys;
use crate::stamps::{Ledger, later};
use crate::workbook::column::Column;
use crate::workbook::lines::KeyColumn;
use crate::workbook::{GivenStamps, Table, Workbook};

use super::patch::{CellEdit, NewValue, SheetEdits};

/// The most characters that Excel keeps in a cell (UTF-16 units).
const MAX_CELL_TEXT: usize = 32_767;
/// The greatest whole number that a cell keeps exactly.
const MAX_WHOLE: i64 = 9_007_199_254_740_991;

/// Changes of a workbook.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// By actor type.
    pub(crate) edits: BTreeMap<&'static str, SheetEdits>,
    /// The stamps of the rows that change.
    pub(crate) given: GivenStamps,
    /// Actor type and key of the actors that were created or saved, in the order they came.
    pub(crate) touched: Vec<(&'static str, String)>,
}

/// Makes a plan against a workbook as it was read.
pub(crate) struct Planner<'a> {
    workbook: &'a Workbook,
    now: DateTime,
    newest: Option<DateTime>,
    ledger: &'a Ledger,
    plan: Plan,
}

impl<'a> Planner<'a> {
    /// `ledger` knows what was given out before.
    pub(crate) fn new(workbook: &'a Workbook, now: DateTime, ledger: &'a Ledger) -> Self {
        Planner { workbook, now, newest: ledger.newest, ledger, plan: Plan::default() }
    }

    /// The plan that makes a new row.
    ///
    /// # Errors
    /// The actor type has no sheet; a field, a value or the parent is not right; the key is taken.
    pub(crate) fn create(mut self, actor: &Actor) -> Result<Plan> {
        let table = self.workbook.table(&actor.actor_type)?;
        for column in table.columns.iter().filter(|column| column.field.access == Access::Mandatory) {
            if actor.field(&column.field.key).flatten().is_none_or(|value| value.trim().is_empty()) {
                return Err(missing(&column.field, table));
            }
        }
        let key = match actor.key.trim() {
            "" => self.next_key(table),
            given if table.find(given).is_some() => {
                return Err(Error::user(format!("the {} {given:?} exists already", table.actor_type)));
            }
            given => given.to_owned(),
        };
        let row = table.next_row;
        if row >= MAX_ROWS {
            return Err(Error::user(format!("the sheet {} is full", table.sheet)));
        }
        self.edit(table, row, table.id.column, key_value(&key, table.id), table.id.style);
        self.fields(table, None, row, actor)?;
        self.parent(table, None, row, actor)?;
        self.stamp(table, row, key);
        Ok(self.plan)
    }

    /// The plan that changes rows.
    ///
    /// # Errors
    /// An actor does not exist; a field, a value or a parent is not right.
    pub(crate) fn save(mut self, actors: &[Actor]) -> Result<Plan> {
        let mut unknown = Vec::new();
        for actor in actors {
            let table = self.workbook.table(&actor.actor_type)?;
            let Some(number) = table.find(actor.key.trim()) else {
                unknown.push(format!("{} {:?}", table.actor_type, actor.key));
                continue;
            };
            let row = table.row(number);
            let told = |error: Error| {
                let text = format!("{} {}: {}", table.actor_type, actor.key, error.user_text());
                let code = error.error_code().map(str::to_owned);
                let told = Error::user(text);
                code.into_iter().fold(told, Error::code)
            };
            self.fields(table, Some(number), row, actor).map_err(told)?;
            self.parent(table, Some(number), row, actor).map_err(told)?;
            self.stamp(table, row, table.key(number).to_owned());
        }
        if !unknown.is_empty() {
            let unknown = unknown.join(", ");
            return Err(Error::user(format!("nothing was saved, the workbook does not have {unknown}")));
        }
        Ok(self.plan)
    }

    fn next_key(&self, table: &Table) -> String {
        let ever = self.ledger.sheets.get(table.actor_type).and_then(|sheet| sheet.highest_key.as_deref());
        let highest = keys::higher(keys::highest(table.keys()), ever);
        keys::next(highest, |key| table.find(key).is_some())
    }

    fn fields(&mut self, table: &Table, number: Option<usize>, row: u32, actor: &Actor) -> Result<()> {
        for (key, value) in &actor.fields {
            let Some(column) = table.columns.iter().find(|column| column.field.key == *key) else {
                return Err(unknown_field(key, table));
            };
            let now = number.and_then(|number| column.value(number));
            // A cell that holds the value already is left alone, whatever it is: read only, a formula, or out of its list.
            let same = match number {
                Some(_) => now == value.as_deref() || is_same(self.workbook, column, now, value.as_deref()),
                None => value.is_none(),
            };
            if same {
                self.keep(table, row, column.column);
                continue;
            }
            if column.field.access == Access::ReadOnly {
                return Err(Error::user(format!("the field {key} is read only")));
            }
            let new = new_value(self.workbook, column, value.as_deref())?;
            let is_empty =
                matches!(&new, NewValue::Empty) || matches!(&new, NewValue::Text(text) if text.is_empty());
            if is_empty && column.field.access == Access::Mandatory {
                return Err(missing(&column.field, table));
            }
            let style = match new {
                NewValue::Date(_) => self.date_style(column.style),
                _ => column.style,
            };
            self.edit(table, row, column.column, new, style);
        }
        Ok(())
    }

    fn parent(&mut self, table: &Table, number: Option<usize>, row: u32, actor: &Actor) -> Result<()> {
        let Some(parent) = actor.parent.as_ref().filter(|parent| !parent.key.trim().is_empty()) else {
            return Ok(());
        };
        let Parent { actor_type, key } = parent;
        let key = key.trim();
        let of_type = self.workbook.table(actor_type)?;
        if of_type.find(key).is_none() {
            return Err(Error::user(format!("the parent {actor_type} {key:?} does not exist")));
        }
        let actor_type = of_type.actor_type;
        if number.and_then(|number| table.parent(number)) == Some((actor_type, key)) {
            return Ok(());
        }
        let Some(key_column) = table.parent_key else {
            let sheet = &table.sheet;
            return Err(Error::user(format!(
                "the sheet {sheet} has no column ParentID, so no parent can be kept"
            )));
        };
        match table.parent_type {
            Some(column) => {
                self.edit(table, row, column.column, NewValue::Text(actor_type.to_owned()), column.style);
            }
            None if actor_type == actor_type::CUSTOMER => {}
            None => {
                return Err(Error::user(format!(
                    "the sheet {} has no column ParentType, so a parent can only be a Customer, not a {actor_type}",
                    table.sheet
                )));
            }
        }
        self.edit(table, row, key_column.column, key_value(key, key_column), key_column.style);
        Ok(())
    }

    /// Gives the row the next stamp.
    fn stamp(&mut self, table: &Table, row: u32, key: String) {
        let stamp = later(self.now, self.newest);
        self.newest = Some(stamp);
        if let Some(modified) = table.modified {
            let serial = modified.holds_dates.then(|| self.workbook.styles.dates.serial(stamp)).flatten();
            let value = serial.map_or_else(|| NewValue::Text(stamp.to_sortable()), NewValue::Date);
            self.edit(table, row, modified.column, value, modified.style);
        }
        self.plan.given.entry(table.actor_type).or_default().insert(key.clone(), stamp);
        self.plan.touched.push((table.actor_type, key));
    }

    fn edit(&mut self, table: &Table, row: u32, column: u32, value: NewValue, style: Option<u32>) {
        let edits = self.plan.edits.entry(table.actor_type).or_default();
        edits.insert((row, column), CellEdit { value, style });
    }

    /// Leaves a cell as it is, even if an actor before in the same call was about to change it.
    fn keep(&mut self, table: &Table, row: u32, column: u32) {
        if let Some(edits) = self.plan.edits.get_mut(table.actor_type) {
            edits.remove(&(row, column));
        }
    }

    fn date_style(&self, style: Option<u32>) -> Option<u32> {
        let styles = &self.workbook.styles;
        style.filter(|style| styles.format(*style).is_date).or_else(|| styles.date_style())
    }
}

fn unknown_field(key: &str, table: &Table) -> Error {
    let known: Vec<&str> = table.columns.iter().map(|column| column.field.key.as_str()).collect();
    let text = format!("{} has no field {key:?}, only {}", table.actor_type, known.join(", "));
    Error::user(text).code(error_code::UNKOWN_FIELDKEY)
}

fn missing(field: &Field, table: &Table) -> Error {
    Error::user(format!("the field {} of {} must be filled in", field.key, table.actor_type))
}

/// Whether two values in wire form are the same in a cell of this column.
fn is_same(workbook: &Workbook, column: &Column, one: Option<&str>, other: Option<&str>) -> bool {
    match (new_value(workbook, column, one), new_value(workbook, column, other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// What a cell of the column is to hold for a value in wire form.
fn new_value(workbook: &Workbook, column: &Column, value: Option<&str>) -> Result<NewValue> {
    let Some(text) = value else { return Ok(NewValue::Empty) };
    let field = &column.field;
    let key = &field.key;
    let parsed = Value::parse(text, field.field_type)
        .map_err(|error| Error::user(format!("the field {key}: {error}")))?;
    Ok(match parsed {
        Value::Null => NewValue::Empty,
        Value::Integer(number) if number.abs() > MAX_WHOLE => {
            let text =
                format!("the field {key}: a cell keeps whole numbers up to {MAX_WHOLE}, {number} is beyond");
            return Err(Error::user(text));
        }
        #[allow(clippy::cast_precision_loss, reason = "below 2^53, checked above")]
        Value::Integer(number) => NewValue::Number(number as f64),
        Value::Double(number) => NewValue::Number(number),
        Value::Checkbox(on) if column.holds_numbers => NewValue::Number(f64::from(u8::from(on))),
        Value::Checkbox(on) => NewValue::Bool(on),
        // .NET's way to say that there is no date.
        Value::DateTime(date) if date.ticks() == 0 => NewValue::Empty,
        Value::DateTime(date) => date_value(workbook, column, date)?,
        Value::Text(text) if field.field_type == FieldType::List => {
            list_value(workbook, column, text.trim())?
        }
        Value::Text(text) => {
            let longest = usize::try_from(field.max_length).unwrap_or(0);
            let length = text.chars().count();
            if longest > 0 && length > longest {
                let text = format!("the field {key} takes {longest} characters at most, not {length}");
                return Err(Error::user(text));
            }
            if text.encode_utf16().count() > MAX_CELL_TEXT {
                let text =
                    format!("the field {key}: a cell takes {MAX_CELL_TEXT} characters at most, not {length}");
                return Err(Error::user(text));
            }
            NewValue::Text(text.into_owned())
        }
    })
}

fn date_value(workbook: &Workbook, column: &Column, date: DateTime) -> Result<NewValue> {
    let styles = &workbook.styles;
    let serial = styles.dates.serial(date).ok_or_else(|| {
        let (year, month, day) = date.date();
        let key = &column.field.key;
        Error::user(format!(
            "the field {key}: {year:04}-{month:02}-{day:02} is before the first date of the workbook"
        ))
    })?;
    // Without a single date format in the workbook a number would not be seen to be a date.
    let can_be_date = styles.date_style().is_some();
    Ok(if can_be_date { NewValue::Date(serial) } else { NewValue::Text(date.to_sortable()) })
}

fn list_value(workbook: &Workbook, column: &Column, item: &str) -> Result<NewValue> {
    let key = &column.field.key;
    if item.is_empty() {
        return Ok(NewValue::Empty);
    }
    let list = column.field.list.as_deref().and_then(|name| workbook.list(name));
    if list.is_some_and(|list| !list.has(item)) {
        let name = column.field.list.as_deref().unwrap_or_default();
        let text = format!("the field {key}: the list {name} has no item with the key {item:?}");
        return Err(Error::user(text).code(error_code::UNKOWN_LISTITEM_ID));
    }
    let key_column = KeyColumn { column: column.column, holds_numbers: column.holds_numbers, style: None };
    Ok(key_value(item, key_column))
}

/// A key as its column keeps keys: a number among numbers, or else a text.
fn key_value(key: &str, column: KeyColumn) -> NewValue {
    let number =
        key.parse::<i64>().ok().filter(|number| number.to_string() == key && number.abs() <= MAX_WHOLE);
    match number {
        #[allow(clippy::cast_precision_loss, reason = "below 2^53, checked above")]
        Some(number) if column.holds_numbers => NewValue::Number(number as f64),
        _ => NewValue::Text(key.to_owned()),
    }
}
