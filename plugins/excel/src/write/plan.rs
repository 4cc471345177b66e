//! From actors to changes of cells. Nothing is written here: a plan that cannot be made changes nothing.

use std::collections::BTreeMap;

use plugin_api::{Access, Actor, DateTime, Error, Field, Parent, Result, actor_type, error_code};

use crate::keys::{self, NoKey};
use crate::stamps::{Ledger, later};
use crate::typed_workbook::{TypedTable, TypedWorkbook};
use crate::workbook::{GivenStamps, MAX_KEY, Table, Workbook};
use crate::xlsx::range::MAX_ROWS;

use super::edits::{CellEdit, NewValue, SheetEdits};
use super::value::{Target, key_value};

/// Changes of a workbook.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// By actor type.
    pub(crate) edits: BTreeMap<&'static str, SheetEdits>,
    /// Actor types whose sheet gets a row.
    pub(crate) grown: Vec<&'static str>,
    /// The stamps of the rows that change.
    pub(crate) given: GivenStamps,
    /// Actor type and key of the actors that were created or saved, in the order they came.
    pub(crate) touched: Vec<(&'static str, String)>,
    /// The actors of a save that cannot be saved, by their positions.
    pub(crate) refused: Vec<(usize, Error)>,
}

/// Makes a plan against a workbook as it was read.
pub(crate) struct Planner<'a> {
    typed: &'a TypedWorkbook,
    workbook: &'a Workbook,
    now: DateTime,
    newest: Option<DateTime>,
    ledger: &'a Ledger,
    plan: Plan,
}

impl<'a> Planner<'a> {
    /// `ledger` holds the stamps and keys that were given out before.
    pub(crate) fn new(typed: &'a TypedWorkbook, now: DateTime, ledger: &'a Ledger) -> Self {
        let workbook = &typed.workbook;
        Planner { typed, workbook, now, newest: ledger.newest, ledger, plan: Plan::default() }
    }

    /// The plan that makes a new row.
    ///
    /// # Errors
    /// The actor type has no sheet; a field, a value or the parent is not right; the key is taken.
    pub(crate) fn create(mut self, actor: &Actor) -> Result<Plan> {
        let typed = self.typed.table(&actor.actor_type)?;
        let table = typed.table;
        for (_, field) in typed.columns().filter(|(_, field)| field.access == Access::Mandatory) {
            if actor.field(&field.key).flatten().is_none_or(|value| value.trim().is_empty()) {
                return Err(missing(field, table));
            }
        }
        let key = match actor.key.trim() {
            "" => self.next_key(table)?,
            given => free_key(table, given)?,
        };
        let row = table.next.row;
        if row >= MAX_ROWS {
            return Err(Error::user(format!("the sheet {} is full", table.sheet)));
        }
        self.plan.grown.push(table.actor_type);
        self.edit(table, row, table.id.column, key_value(&key, table.id), table.id.style);
        self.fields(typed, None, row, actor)?;
        self.computed(table, row);
        self.parent(table, None, row, actor)?;
        self.stamp(table, row, key);
        Ok(self.plan)
    }

    /// Gives a new row of an Excel table the formulas of its columns, as Excel does.
    fn computed(&mut self, table: &Table, row: u32) {
        for part in table
            .tables
            .iter()
            .filter(|part| part.range.has_row(row) || part.grows_by(row, table.next.pushes_down))
        {
            for formula in part.formulas.iter().filter(|formula| formula.can_fill) {
                let edit = CellEdit { value: NewValue::Formula(formula.text.clone()), style: None };
                let edits = self.plan.edits.entry(table.actor_type).or_default();
                edits.entry((row, formula.column)).or_insert(edit);
            }
        }
    }

    /// The plan that changes rows: those of the actors that can be saved.
    pub(crate) fn save(mut self, actors: &[&Actor]) -> Plan {
        for (position, actor) in actors.iter().enumerate() {
            if let Err(why) = self.change(actor) {
                self.plan.refused.push((position, why));
            }
        }
        self.plan
    }

    /// Plans the change of a row.
    ///
    /// # Errors
    /// The actor does not exist; a field, a value or the parent is not right. The plan is as it was.
    fn change(&mut self, actor: &Actor) -> Result<()> {
        let typed = self.typed.table(&actor.actor_type)?;
        let table = typed.table;
        let Some(number) = table.find(actor.key.trim()) else {
            return Err(Error::not_found("the workbook has no such row"));
        };
        let row = table.row(number);
        let before = self.edits_of(table, row);
        let planned = self
            .fields(typed, Some(number), row, actor)
            .and_then(|()| self.parent(table, Some(number), row, actor));
        match planned {
            Ok(()) => self.stamp(table, row, table.key(number).to_owned()),
            Err(_) => {
                self.plan.edits.entry(table.actor_type).or_default().retain(|(of, _), _| *of != row);
                self.plan.edits.entry(table.actor_type).or_default().extend(before);
            }
        }
        planned
    }

    /// What is planned for a row.
    fn edits_of(&self, table: &Table, row: u32) -> SheetEdits {
        let edits = self.plan.edits.get(table.actor_type);
        let of_row = edits.into_iter().flat_map(|edits| edits.range((row, 0)..=(row, u32::MAX)));
        of_row.map(|(place, edit)| (*place, edit.clone())).collect()
    }

    fn next_key(&self, table: &Table) -> Result<String> {
        let ever = self.ledger.sheets.get(table.actor_type).and_then(|sheet| sheet.highest_key.as_deref());
        let keys: Vec<&str> = table.keys().collect();
        let taken = |key: &str| table.find(key).is_some() || table.find_in_other_case(key).is_some();
        let key = keys::next(keys.iter().copied(), ever, taken).map_err(|why| {
            let sheet = &table.sheet;
            match why {
                NoKey::NoPattern => Error::user(format!(
                    "the IDs of the sheet {sheet} show no pattern that a new one could follow: nothing was created, the \
                     row has to be added to the workbook with an ID of its own"
                )),
                NoKey::NoRandom => Error::user("the system gives no random numbers for a new ID"),
            }
        })?;
        free_key(table, &key)
    }

    fn fields(
        &mut self,
        typed: TypedTable<'a>,
        number: Option<usize>,
        row: u32,
        actor: &Actor,
    ) -> Result<()> {
        let table = typed.table;
        for (key, value) in &actor.fields {
            let Some((column, field)) = typed.find(key) else {
                return Err(unknown_field(key, table));
            };
            let style = number.and_then(|number| column.style_at(number)).or(column.style);
            let holds_time = number.is_some_and(|number| column.holds_time(number));
            let may_change_type = !typed.is_fixed(key);
            let cell = Target { workbook: self.workbook, column, field, style, holds_time, may_change_type };
            // A cell that holds the value already is left alone, whatever it is: read only, a formula, or out of its list.
            let same = match number {
                Some(number) => {
                    let now = typed.value(column, field.field_type, number);
                    let now = now.to_wire();
                    now.as_deref() == value.as_deref() || cell.is_same(now.as_deref(), value.as_deref())
                }
                // Nothing is what a new cell holds; an empty text for a computed cell is no change either.
                None => {
                    let is_computed = field.access == Access::ReadOnly || table.has_formula(column.column);
                    value.as_ref().is_none_or(|value| is_computed && value.is_empty())
                }
            };
            if same {
                self.keep(table, row, column.column);
                continue;
            }
            if field.access == Access::ReadOnly {
                return Err(Error::user(format!("the field {key} is read only")));
            }
            let new = cell.new_value(value.as_deref())?;
            let is_empty =
                matches!(&new, NewValue::Empty) || matches!(&new, NewValue::Text(text) if text.is_empty());
            if is_empty && field.access == Access::Mandatory {
                return Err(missing(field, table));
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
        let planned = |column: u32| self.plan.edits.get(table.actor_type)?.get(&(row, column));
        let is_computed = |column: u32| {
            table.computed_stamps.contains(&row)
                || planned(column).is_some_and(|edit| matches!(edit.value, NewValue::Formula(_)))
        };
        if let Some(modified) = table.modified.filter(|modified| !is_computed(modified.column)) {
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

/// The key, if it can be that of a new actor.
fn free_key(table: &Table, key: &str) -> Result<String> {
    if table.find(key).is_some() {
        return Err(Error::user(format!("the {} {key:?} exists already", table.actor_type)));
    }
    if let Some(other) = table.find_in_other_case(key) {
        let text = format!(
            "the {} {key:?} exists already as {other:?}, which SuperOffice takes for the same",
            table.actor_type
        );
        return Err(Error::user(text));
    }
    if key.contains('\0') {
        return Err(Error::user("an ID cannot hold the character U+0000"));
    }
    let length = key.chars().count();
    if length > MAX_KEY {
        return Err(Error::user(format!("an ID has {MAX_KEY} characters at most, not {length}")));
    }
    Ok(key.to_owned())
}
