//! What is refused in an answer, because no caller could use it or because it can only be a mistake. The text says what
//! and where, and tells no value.

use std::fmt;

use super::{Kind, Malformed, MessageRef, RowRef};
use crate::{Access, FieldType, State};

/// Keys and names are not longer, in bytes.
const LONGEST_KEY: usize = 4096;
/// Values and other texts are not longer, in bytes.
const LONGEST_TEXT: usize = 16 << 20;
/// Everything in an answer but its rows is not larger: it is kept in memory.
const LARGEST: usize = 64 << 20;
/// A row does not have more fields.
const MOST_FIELDS: usize = 10_000;

/// Why an answer is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Invalid(String);

/// Looks at the replies to a call, one after the other.
#[derive(Debug, Default)]
pub(super) struct Validity {
    /// Bytes that came, but for rows.
    kept: usize,
}

impl Validity {
    /// Looks at a reply. Cheap: the text is searched once for what must not be there, and a reply is taken apart only
    /// if something in it is long.
    pub(super) fn check(&mut self, kind: Kind, reply: MessageRef<'_>) -> Result<(), Invalid> {
        if reply.text.as_bytes().contains(&0) {
            return Err(Invalid(format!("{} with a NUL character in it", place_of(kind, reply))));
        }
        if kind == Kind::ROWS {
            // A null is a mark, too, and may stand for anything.
            let may_be_long = |&mark: &u32| mark as usize > LONGEST_KEY && mark != u32::MAX;
            let is_large = reply.marks.len() > MOST_FIELDS || reply.marks.iter().any(may_be_long);
            return if is_large { check_rows(reply) } else { Ok(()) };
        }
        self.kept = self.kept.saturating_add(reply.text.len() + size_of_val(reply.marks));
        if self.kept > LARGEST {
            return Err(Invalid(format!("more than {} MiB that are not rows", LARGEST >> 20)));
        }
        let length = match kind {
            Kind::TEXT | Kind::FIELD | Kind::LIST_ITEM => reply.reader().text().map_or(0, str::len),
            _ => 0,
        };
        too_long(length, LONGEST_KEY, || format!("the key of {}", name_of(kind)))
    }
}

fn check_rows(reply: MessageRef<'_>) -> Result<(), Invalid> {
    let mut reader = reply.reader();
    while !reader.is_empty() {
        let row = RowRef::read(&mut reader)?;
        too_long(row.key.len(), LONGEST_KEY, || "the key of a row".to_owned())?;
        let (parent_type, parent_key) = row.parent.unwrap_or_default();
        for (what, text) in [
            ("the actor type", row.actor_type),
            ("the stamp", row.last_modified.unwrap_or_default()),
            ("the parent's actor type", parent_type),
            ("the parent's key", parent_key),
        ] {
            too_long(text.len(), LONGEST_KEY, || format!("{what} of a row"))?;
        }
        let mut count = 0;
        for (key, value) in row.fields() {
            count += 1;
            too_long(key.len(), LONGEST_KEY, || "the key of a field".to_owned())?;
            too_long(value.map_or(0, str::len), LONGEST_TEXT, || format!("the value of the field {key}"))?;
        }
        if count > MOST_FIELDS {
            return Err(Invalid(format!("a row of {count} fields; at most {MOST_FIELDS} are taken")));
        }
    }
    Ok(())
}

fn too_long(length: usize, most: usize, what: impl FnOnce() -> String) -> Result<(), Invalid> {
    if length <= most {
        return Ok(());
    }
    Err(Invalid(format!("{} has {length} bytes; at most {most} are taken", what())))
}

/// What the description of a field holds that is not known here.
pub(super) fn unknown_in_field(reply: MessageRef<'_>) -> Invalid {
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
    Invalid(unknown().unwrap_or_else(|malformed: Malformed| malformed.to_string()))
}

/// What an outcome holds that is not known here.
pub(super) fn unknown_in_outcome(reply: MessageRef<'_>) -> Invalid {
    Invalid(match reply.reader().text() {
        Ok(state) if state.parse::<State>().is_err() => {
            format!("the outcome has the unknown state {state:?}")
        }
        _ => Malformed.to_string(),
    })
}

/// Which part of an answer a NUL character is in.
fn place_of(kind: Kind, reply: MessageRef<'_>) -> String {
    let has_nul = |text: &str| text.contains('\0');
    let mut reader = reply.reader();
    while kind == Kind::ROWS && !reader.is_empty() {
        let Ok(row) = RowRef::read(&mut reader) else { break };
        let is_bad = |(key, value): &(&str, Option<&str>)| !has_nul(key) && value.is_some_and(has_nul);
        if let Some((key, _)) = row.fields().find(is_bad) {
            return format!("a value of the field {key}");
        }
    }
    format!("a text of {}", name_of(kind))
}

fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::OUTCOME => "the outcome",
        Kind::DESCRIPTION => "the connector's description",
        Kind::TEXT => "an array of texts",
        Kind::FIELD => "the description of a field",
        Kind::LIST_ITEM => "an item of a list",
        Kind::ROWS => "a row",
        _ => "an answer",
    }
}

impl From<Malformed> for Invalid {
    fn from(malformed: Malformed) -> Self {
        Invalid(malformed.to_string())
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
