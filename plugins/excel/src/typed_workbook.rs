//! The workbook with the field types of one connection: those that were reported to it.

use std::collections::HashSet;
use std::sync::Arc;

use plugin_api::{Columns, Field, FieldType, Result, SearchColumn, Value};

use crate::reported_types::ReportedTypes;
use crate::workbook::column::Column;
use crate::workbook::{Styles, Table, Workbook};

/// A workbook, and the fields of its tables as one connection sees them.
#[derive(Debug)]
pub(crate) struct TypedWorkbook {
    pub(crate) workbook: Arc<Workbook>,
    /// By table, then by column.
    fields: Vec<Vec<Field>>,
    /// The fields whose type was declared or reported, by actor type and key; the types of the others are inferred.
    fixed: HashSet<(&'static str, String)>,
}

/// The actors of one type, as one connection sees them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TypedTable<'w> {
    pub(crate) table: &'w Table,
    fields: &'w [Field],
    fixed: &'w HashSet<(&'static str, String)>,
    styles: &'w Styles,
}

impl TypedWorkbook {
    pub(crate) fn new(workbook: Arc<Workbook>, reported: &ReportedTypes) -> Self {
        let mut fixed = HashSet::new();
        let mut field = |table: &Table, column: &Column| {
            let (field, is_fixed) = reported.field(table.actor_type, column);
            if is_fixed {
                fixed.insert((table.actor_type, field.key.clone()));
            }
            field
        };
        let mut fields =
            |table: &Table| table.columns.iter().map(|column| field(table, column)).collect::<Vec<_>>();
        let fields = workbook.tables.iter().map(&mut fields).collect();
        TypedWorkbook { workbook, fields, fixed }
    }

    /// The table of an actor type.
    ///
    /// # Errors
    /// There is no sheet for it.
    pub(crate) fn table(&self, actor_type: &str) -> Result<TypedTable<'_>> {
        let at = self.workbook.position(actor_type)?;
        Ok(self.typed(&self.workbook.tables[at], &self.fields[at]))
    }

    /// All tables.
    pub(crate) fn tables(&self) -> impl Iterator<Item = TypedTable<'_>> {
        self.workbook.tables.iter().zip(&self.fields).map(|(table, fields)| self.typed(table, fields))
    }

    fn typed<'w>(&'w self, table: &'w Table, fields: &'w [Field]) -> TypedTable<'w> {
        TypedTable { table, fields, fixed: &self.fixed, styles: &self.workbook.styles }
    }
}

impl<'w> TypedTable<'w> {
    /// The fields, in the sheet's order.
    pub(crate) fn fields(&self) -> &'w [Field] {
        self.fields
    }

    /// The columns with their fields, in the sheet's order.
    pub(crate) fn columns(&self) -> impl Iterator<Item = (&'w Column, &'w Field)> + use<'w> {
        self.table.columns.iter().zip(self.fields)
    }

    /// The column of a field.
    pub(crate) fn find(&self, key: &str) -> Option<(&'w Column, &'w Field)> {
        self.columns().find(|(_, field)| field.key == key)
    }

    /// Whether the type of a field was declared or reported.
    pub(crate) fn is_fixed(&self, key: &str) -> bool {
        self.fixed.contains(&(self.table.actor_type, key.to_owned()))
    }

    /// The value of an actor.
    pub(crate) fn value(&self, column: &'w Column, field_type: FieldType, actor: usize) -> Value<'w> {
        column.value(actor, field_type, self.styles)
    }

    /// The value of an actor in wire form. All values of the column are converted once, and kept.
    pub(crate) fn wire_value(&self, key: &str, actor: usize) -> Option<&'w str> {
        let (column, field) = self.find(key)?;
        column.wire_values(field.field_type, self.styles).value(actor)
    }

    /// Values that no longer fit the reported types, for the test of the connection.
    pub(crate) fn misfits(&self) -> Vec<String> {
        let misfit = |(column, field): (&Column, &Field)| {
            if column.field.field_type == field.field_type {
                return None;
            }
            let (actor, shown) = column.misfit(field.field_type, self.styles)?;
            Some(format!(
                "the field {} of {} was reported as {}, which row {} does not fit with {shown:?}: correct the cell, or \
                 save the connection anew",
                field.key,
                self.table.actor_type,
                field.field_type,
                self.table.row(actor) + 1
            ))
        };
        self.columns().filter_map(misfit).collect()
    }
}

/// Advanced searches look at columns, not at actors.
impl Columns for TypedTable<'_> {
    fn actors(&self) -> usize {
        self.table.len()
    }

    fn column(&self, field: &str) -> Option<&SearchColumn> {
        let (column, field) = self.find(field)?;
        Some(column.wire_values(field.field_type, self.styles).search(field.field_type))
    }

    fn parent(&self, actor: usize) -> Option<(&str, &str)> {
        self.table.parent(actor)
    }
}
