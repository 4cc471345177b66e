//! Validates replies: the host refuses content that no caller can use, and sizes that can only be a mistake. The error text
//! names the place, and never a value.

use std::fmt;

use super::{Kind, Malformed, MessageRef, Reader, RowRef};
use crate::{Access, FieldType, State};

/// The longest key or name, in bytes.
const MAX_KEY: usize = 4096;
/// The longest value or other text, in bytes.
const MAX_TEXT: usize = 16 << 20;
/// The largest answer without its rows, in bytes: the host keeps it in memory.
const MAX_ANSWER: usize = 64 << 20;
/// The fields of a row at most.
const MAX_FIELDS: usize = 10_000;

/// Why a reply is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InvalidReply(String);

/// Validates the replies to one call, one after the other.
#[derive(Debug, Default)]
pub(super) struct ReplyValidator {
    /// Bytes of all replies but rows so far.
    size: usize,
}

impl ReplyValidator {
    /// Validates a reply. This is cheap: rows are only decoded when something in them is long.
    ///
    /// # Errors
    /// The reply is refused.
    pub(super) fn check(&mut self, kind: Kind, reply: MessageRef<'_>) -> Result<(), InvalidReply> {
        if kind == Kind::ROWS || kind == Kind::SAVED {
            // The mark of a null value is `u32::MAX`.
            let may_be_long = |&mark: &u32| mark as usize > MAX_KEY && mark != u32::MAX;
            let is_large = reply.marks.len() > MAX_FIELDS || reply.marks.iter().any(may_be_long);
            let mut rows = reply.reader();
            if kind == Kind::SAVED {
                rows.number()?;
            }
            return if is_large { check_rows(rows) } else { Ok(()) };
        }
        self.size = self.size.saturating_add(reply.text.len() + size_of_val(reply.marks));
        if self.size > MAX_ANSWER {
            return Err(InvalidReply(format!("more than {} MiB that are not rows", MAX_ANSWER >> 20)));
        }
        let length = match kind {
            Kind::TEXT | Kind::FIELD | Kind::LIST_ITEM | Kind::ACTOR_TYPE => {
                reply.reader().text().map_or(0, str::len)
            }
            _ => 0,
        };
        too_long(length, MAX_KEY, || format!("the key of {}", name_of(kind)))
    }
}

fn check_rows(mut reader: Reader<'_>) -> Result<(), InvalidReply> {
    while !reader.is_empty() {
        let row = RowRef::read(&mut reader)?;
        too_long(row.key.len(), MAX_KEY, || "the key of a row".to_owned())?;
        let (parent_type, parent_key) = row.parent.unwrap_or_default();
        for (what, text) in [
            ("the actor type", row.actor_type),
            ("the stamp", row.last_modified.unwrap_or_default()),
            ("the parent's actor type", parent_type),
            ("the parent's key", parent_key),
        ] {
            too_long(text.len(), MAX_KEY, || format!("{what} of a row"))?;
        }
        let mut count = 0;
        for (key, value) in row.fields() {
            count += 1;
            too_long(key.len(), MAX_KEY, || "the key of a field".to_owned())?;
            too_long(value.map_or(0, str::len), MAX_TEXT, || format!("the value of the field {key}"))?;
        }
        if count > MAX_FIELDS {
            return Err(InvalidReply(format!("a row of {count} fields; at most {MAX_FIELDS} are taken")));
        }
    }
    Ok(())
}

fn too_long(length: usize, most: usize, what: impl FnOnce() -> String) -> Result<(), InvalidReply> {
    if length <= most {
        return Ok(());
    }
    Err(InvalidReply(format!("{} has {length} bytes; at most {most} are taken", what())))
}

/// The error for a field description with an unknown type or access.
pub(super) fn unknown_in_field(reply: MessageRef<'_>) -> InvalidReply {
    let unknown = || {
        let mut reader = reply.reader();
        let key = reader.text()?;
        reader.optional()?;
        reader.optional()?;
        let (field_type, access) = (reader.text()?, reader.text()?);
        Ok(match (field_type.parse::<FieldType>(), access.parse::<Access>()) {
            (Err(_), _) => format!("the field {key:?} is of the unknown type {field_type:?}"),
            (_, Err(_)) => format!("the field {key:?} has the unknown access {access:?}"),
            _ => Malformed.to_string(),
        })
    };
    InvalidReply(unknown().unwrap_or_else(|malformed: Malformed| malformed.to_string()))
}

/// The error for an outcome with an unknown state.
pub(super) fn unknown_in_outcome(reply: MessageRef<'_>) -> InvalidReply {
    InvalidReply(match reply.reader().text() {
        Ok(state) if state.parse::<State>().is_err() => {
            format!("the outcome has the unknown state {state:?}")
        }
        _ => Malformed.to_string(),
    })
}

fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::OUTCOME => "the outcome",
        Kind::DESCRIPTION => "the connector's description",
        Kind::TEXT => "an array of texts",
        Kind::FIELD => "the description of a field",
        Kind::LIST_ITEM => "an item of a list",
        Kind::ROWS | Kind::SAVED => "a row",
        Kind::ACTOR_TYPE => "an actor type",
        _ => "an answer",
    }
}

impl From<Malformed> for InvalidReply {
    fn from(malformed: Malformed) -> Self {
        InvalidReply(malformed.to_string())
    }
}

impl fmt::Display for InvalidReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
