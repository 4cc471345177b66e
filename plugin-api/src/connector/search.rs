//! The default implementations of a connection's searches: they filter all actors.

use std::collections::HashSet;

use crate::abi::RowRef;
use crate::{
    Connection, Error, Field, FieldType, Matcher, Outcome, Parent, Restriction, Result, RowFilter, Rows,
    TextMatcher,
};

/// The keys of the fields that hold a value that may be searched.
pub(crate) fn searchable(fields: Vec<Field>) -> Result<Vec<String>> {
    let holds_value = |field: &Field| !matches!(field.field_type, FieldType::Label | FieldType::Password);
    Ok(fields.into_iter().filter(holds_value).map(|field| field.key).collect())
}

pub(crate) fn by_keys<C: Connection + ?Sized>(
    connection: &C,
    actor_type: &str,
    keys: &[&str],
    rows: &mut Rows<'_>,
) -> Result<Outcome> {
    if keys.is_empty() {
        return Ok(Outcome::ok());
    }
    connection.actors(actor_type, &mut rows.filtered(&Keys(keys.iter().copied().collect()))?)
}

pub(crate) fn by_restrictions<C: Connection + ?Sized>(
    connection: &C,
    actor_type: &str,
    restrictions: &[Restriction],
    rows: &mut Rows<'_>,
) -> Result<Outcome> {
    let matcher = Matcher::new(restrictions, &searchable_fields(connection, actor_type)?)?;
    connection.actors(actor_type, &mut rows.filtered(&matcher)?)
}

pub(crate) fn by_text<C: Connection + ?Sized>(
    connection: &C,
    actor_type: &str,
    text: &str,
    parent: Option<&Parent>,
    rows: &mut Rows<'_>,
) -> Result<Outcome> {
    let matcher = TextMatcher::new(text, &searchable_fields(connection, actor_type)?, parent);
    connection.actors(actor_type, &mut rows.filtered(&matcher)?)
}

pub(crate) fn by_stamp<C: Connection + ?Sized>(
    connection: &C,
    actor_type: &str,
    stamp: Option<&str>,
    rows: &mut Rows<'_>,
) -> Result<Outcome> {
    match stamp.filter(|stamp| !stamp.is_empty()) {
        None => connection.actors(actor_type, rows),
        Some(stamp) => connection.actors(actor_type, &mut rows.filtered(&ChangedSince(stamp))?),
    }
}

/// The error of a connection that cannot write.
pub(crate) fn read_only(what: &str, actor_type: &str) -> Error {
    Error::user(format!("{actor_type} cannot be {what}: this connector is read only"))
}

/// The fields that the connection lets search in.
fn searchable_fields<C: Connection + ?Sized>(connection: &C, actor_type: &str) -> Result<Vec<Field>> {
    let keys = connection.searchable_fields(actor_type)?;
    let mut fields = connection.fields(actor_type)?;
    fields.retain(|field| keys.contains(&field.key));
    Ok(fields)
}

struct Keys<'a>(HashSet<&'a str>);

impl RowFilter for Keys<'_> {
    fn needs(&self, _field: &str) -> bool {
        false
    }

    fn matches(&self, row: &RowRef<'_>) -> bool {
        self.0.contains(row.key)
    }
}

struct ChangedSince<'a>(&'a str);

impl RowFilter for ChangedSince<'_> {
    fn needs(&self, _field: &str) -> bool {
        false
    }

    fn matches(&self, row: &RowRef<'_>) -> bool {
        // An actor without a stamp may have changed at any time.
        row.last_modified.is_none_or(|stamp| stamp >= self.0)
    }
}
