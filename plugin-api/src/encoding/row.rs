//! The encoding of rows (actors) in a message. A row is actor type and key, then tagged parts in any order, then an end tag.
//! So an author can write fields, stamp and parent in any order, and nothing is buffered until the row ends.

use std::fmt::Display;

use super::message::{Malformed, Message, Reader};
use crate::{Actor, Parent, Value};

const END: u32 = 0;
/// Followed by key and value.
const FIELD: u32 = 1;
/// Followed by the stamp.
const LAST_MODIFIED: u32 = 2;
/// Followed by actor type and key.
const PARENT: u32 = 3;
/// Followed by the key of a field that a caller sends back as it is.
const UNCHANGED: u32 = 4;

/// Writes a row to the end of a message.
pub struct RowWriter<'m> {
    message: &'m mut Message,
}

/// A decoded row, borrowed from its message.
#[derive(Debug, Clone)]
pub struct RowRef<'a> {
    /// The actor type.
    pub actor_type: &'a str,
    /// The key in the ERP system.
    pub key: &'a str,
    /// The stamp of the last change.
    pub last_modified: Option<&'a str>,
    /// Actor type and key of the parent.
    pub parent: Option<(&'a str, &'a str)>,
    /// The tagged parts.
    parts: Reader<'a>,
}

/// A part that a row may have several of.
enum Part<'a> {
    /// Key and value.
    Field(&'a str, Option<&'a str>),
    /// The key of a field that a caller sends back as it is.
    Unchanged(&'a str),
}

impl<'m> RowWriter<'m> {
    /// A writer that appends to this message.
    pub fn new(message: &'m mut Message) -> Self {
        RowWriter { message }
    }

    /// Begins a row.
    pub fn begin(&mut self, actor_type: &str, key: impl Display) {
        self.message.put_text(actor_type);
        self.message.put_display(key);
    }

    /// Writes the stamp.
    pub fn last_modified(&mut self, stamp: &str) {
        self.message.put_number(LAST_MODIFIED);
        self.message.put_text(stamp);
    }

    /// Writes the parent.
    pub fn parent(&mut self, actor_type: &str, key: &str) {
        self.message.put_number(PARENT);
        self.message.put_text(actor_type);
        self.message.put_text(key);
    }

    /// Writes a field.
    pub fn field(&mut self, key: &str, value: &Value<'_>) {
        self.message.put_number(FIELD);
        self.message.put_text(key);
        match value {
            Value::Null => self.message.put_optional(None),
            Value::Text(text) => self.message.put_text(text),
            typed => self.message.put_display(typed),
        }
    }

    /// Writes an actor as a whole row.
    pub fn actor(&mut self, actor: &Actor) {
        self.begin(&actor.actor_type, &actor.key);
        if let Some(stamp) = &actor.last_modified {
            self.last_modified(stamp);
        }
        if let Some(parent) = &actor.parent {
            self.parent(&parent.actor_type, &parent.key);
        }
        for (key, value) in &actor.fields {
            self.field(key, &Value::from(value.as_deref()));
        }
        for key in &actor.unchanged {
            self.message.put_number(UNCHANGED);
            self.message.put_text(key);
        }
        self.end();
    }

    /// Ends the row.
    pub fn end(&mut self) {
        self.message.put_number(END);
    }
}

impl<'a> RowRef<'a> {
    /// Decodes the next row.
    ///
    /// # Errors
    /// There is no complete row.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let (actor_type, key) = (reader.text()?, reader.text()?);
        let mut row = RowRef { actor_type, key, last_modified: None, parent: None, parts: reader.clone() };
        loop {
            match reader.number()? {
                END => return Ok(row),
                FIELD => {
                    reader.text()?;
                    reader.optional()?;
                }
                UNCHANGED => drop(reader.text()?),
                LAST_MODIFIED => row.last_modified = Some(reader.text()?),
                PARENT => row.parent = Some((reader.text()?, reader.text()?)),
                _ => return Err(Malformed),
            }
        }
    }

    /// Field keys and their values in wire form, in the order they were written.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        self.parts().filter_map(|part| match part {
            Part::Field(key, value) => Some((key, value)),
            Part::Unchanged(_) => None,
        })
    }

    /// The parts that a row may have several of.
    fn parts(&self) -> impl Iterator<Item = Part<'a>> + use<'a> {
        let mut parts = self.parts.clone();
        // `read` has decoded all parts once: nothing is malformed, and the end tag ends the iteration.
        std::iter::from_fn(move || {
            loop {
                match parts.number().ok()? {
                    FIELD => return Some(Part::Field(parts.text().ok()?, parts.optional().ok()?)),
                    UNCHANGED => return Some(Part::Unchanged(parts.text().ok()?)),
                    LAST_MODIFIED => drop(parts.text().ok()?),
                    PARENT => drop((parts.text().ok()?, parts.text().ok()?)),
                    _ => return None,
                }
            }
        })
    }

    /// The value of a field: `None` when the row has no such field, `Some(None)` when it is null.
    pub fn field(&self, key: &str) -> Option<Option<&'a str>> {
        self.fields().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// An owned copy.
    pub fn to_actor(&self) -> Actor {
        Actor {
            actor_type: self.actor_type.to_owned(),
            key: self.key.to_owned(),
            last_modified: self.last_modified.map(str::to_owned),
            parent: self
                .parent
                .map(|(actor_type, key)| Parent { actor_type: actor_type.to_owned(), key: key.to_owned() }),
            fields: self.fields().map(|(key, value)| (key.to_owned(), value.map(str::to_owned))).collect(),
            unchanged: self
                .parts()
                .filter_map(|part| match part {
                    Part::Unchanged(key) => Some(key.to_owned()),
                    Part::Field(..) => None,
                })
                .collect(),
        }
    }

    /// Encodes the same row with only some of its fields.
    pub fn with_fields(&self, mut keep: impl FnMut(&str) -> bool) -> Message {
        let mut message = Message::new();
        let mut writer = RowWriter::new(&mut message);
        writer.begin(self.actor_type, self.key);
        if let Some(stamp) = self.last_modified {
            writer.last_modified(stamp);
        }
        if let Some((actor_type, key)) = self.parent {
            writer.parent(actor_type, key);
        }
        for (key, value) in self.fields().filter(|(key, _)| keep(key)) {
            writer.field(key, &Value::from(value));
        }
        writer.end();
        message
    }
}
