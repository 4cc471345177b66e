//! Replies: a call has any number of them, each a [`Kind`] and a message. The last one is the outcome.
//!
//! Compatibility: an older plugin may write fewer values than a newer host reads. A value that is added later goes to the
//! end, and counts as absent when the message ends before it.

use std::time::Duration;

use abi_stable::StableAbi;

use super::{Malformed, Message, MessageRef, Reader, RowRef};
use crate::connector::DESCRIPTION_LIFETIME;
use crate::{ActorType, ErrorKind, Field, Input, Lifetime, ListItem, Outcome, State};

/// The kind of a reply. It is a number and not an enum, so that later versions can add kinds.
#[repr(transparent)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind(pub u32);

/// The numbers of the kinds; they never change.
impl Kind {
    /// The outcome of the call; the last reply.
    pub const OUTCOME: Kind = Kind(1);
    /// The description of a connector: the first reply when it is made.
    pub const DESCRIPTION: Kind = Kind(2);
    /// A text, such as the key of a searchable field.
    pub const TEXT: Kind = Kind(3);
    /// The description of a field.
    pub const FIELD: Kind = Kind(4);
    /// An item of a list.
    pub const LIST_ITEM: Kind = Kind(5);
    /// There is no list of that name.
    pub const NO_SUCH_LIST: Kind = Kind(6);
    /// Rows, one after the other.
    pub const ROWS: Kind = Kind(7);
    /// An actor type, with those of its parents.
    pub const ACTOR_TYPE: Kind = Kind(8);
    /// What is fixed for a connection that was opened.
    pub const OPENED: Kind = Kind(9);
    /// An actor of a save was saved: its position among the actors, and its row.
    pub const SAVED: Kind = Kind(10);
    /// An actor of a save was not saved, or may not have been: its position, and the reason as an outcome.
    pub const NOT_SAVED: Kind = Kind(11);
}

/// The constants of a connector.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Description {
    /// [`crate::Connector::NAME`].
    pub name: String,
    /// [`crate::Connector::DESCRIPTION`].
    pub description: String,
    /// [`crate::Connector::ACTOR_TYPES`].
    pub actor_types: Vec<String>,
}

impl Description {
    /// Encodes it.
    pub fn encode(&self, message: &mut Message) {
        message.put_text(&self.name);
        message.put_text(&self.description);
        message.put_count(self.actor_types.len());
        self.actor_types.iter().for_each(|actor_type| message.put_text(actor_type));
    }

    /// Decodes it.
    ///
    /// # Errors
    /// The message has another content.
    pub fn decode(message: MessageRef<'_>) -> Result<Self, Malformed> {
        let mut reader = message.reader();
        let (name, description) = (reader.text()?.to_owned(), reader.text()?.to_owned());
        let count = reader.count()?;
        let actor_types = (0..count).map(|_| reader.text().map(str::to_owned)).collect::<Result<_, _>>()?;
        Ok(Description { name, description, actor_types })
    }
}

/// What is fixed for a connection while it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// [`crate::Connector::INPUT`].
    pub input: Input,
    /// [`crate::Connection::description_lifetime`], in whole milliseconds.
    pub description_lifetime: Duration,
    /// [`crate::Connection::lifetime`], in whole milliseconds.
    pub lifetime: Lifetime,
    /// [`crate::Connection::SAVES_TOGETHER`].
    pub saves_together: bool,
}

impl Default for Opened {
    fn default() -> Self {
        Opened {
            input: Input::Checked,
            description_lifetime: DESCRIPTION_LIFETIME,
            lifetime: Lifetime::default(),
            saves_together: false,
        }
    }
}

impl Opened {
    /// Encodes it. A time of more than 49 days is cut to that.
    pub fn encode(&self, message: &mut Message) {
        message.put_number(u32::from(self.input == Input::Raw));
        message.put_number(u32::try_from(self.description_lifetime.as_millis()).unwrap_or(u32::MAX));
        let Lifetime { idle, age, refresh_every } = self.lifetime;
        [idle, age, refresh_every].into_iter().for_each(|time| put_time(message, time));
        message.put_number(u32::from(self.saves_together));
    }

    /// Decodes it.
    ///
    /// # Errors
    /// The message has another content.
    pub fn decode(message: MessageRef<'_>) -> Result<Self, Malformed> {
        let mut reader = message.reader();
        let input = if reader.number()? == 0 { Input::Checked } else { Input::Raw };
        let description_lifetime = Duration::from_millis(reader.number()?.into());
        let mut lifetime = Lifetime::default();
        for part in [&mut lifetime.idle, &mut lifetime.age, &mut lifetime.refresh_every] {
            *part = time(&mut reader)?;
        }
        let saves_together = reader.number()? != 0;
        Ok(Opened { input, description_lifetime, lifetime, saves_together })
    }
}

/// No time.
const NO_TIME: u32 = u32::MAX;

/// Encodes a time in whole milliseconds, of 49 days at most.
fn put_time(message: &mut Message, time: Option<Duration>) {
    let milliseconds = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(NO_TIME).min(NO_TIME - 1);
    message.put_number(time.map_or(NO_TIME, milliseconds));
}

fn time(reader: &mut Reader<'_>) -> Result<Option<Duration>, Malformed> {
    let milliseconds = reader.number()?;
    Ok((milliseconds != NO_TIME).then(|| Duration::from_millis(milliseconds.into())))
}

/// Encodes an outcome.
pub(super) fn put_outcome(message: &mut Message, outcome: &Outcome) {
    message.put_text(outcome.state.as_str());
    message.put_optional(outcome.user.as_deref());
    message.put_optional(outcome.tech.as_deref());
    message.put_optional(outcome.code.as_deref());
    message.put_text(outcome.kind.as_str());
}

/// An outcome as a reply.
pub fn outcome_message(outcome: &Outcome) -> Message {
    let mut message = Message::new();
    put_outcome(&mut message, outcome);
    message
}

/// Decodes an outcome. An unknown state is malformed.
pub(super) fn outcome(message: MessageRef<'_>) -> Result<Outcome, Malformed> {
    read_outcome(&mut message.reader())
}

fn read_outcome(reader: &mut Reader<'_>) -> Result<Outcome, Malformed> {
    let state: State = reader.text()?.parse().map_err(|_| Malformed)?;
    let mut text = || reader.optional().map(|text| text.map(str::to_owned));
    let (user, tech, code) = (text()?, text()?, text()?);
    let kind = reader.text()?;
    // A newer plugin may have more kinds.
    let kind = ErrorKind::ALL.iter().copied().find(|known| known.as_str() == kind).unwrap_or_default();
    Ok(Outcome { state, user, tech, code, kind })
}

/// Encodes the row of a saved actor, with its position.
pub(super) fn put_saved(message: &mut Message, position: usize, row: MessageRef<'_>) {
    message.put_count(position);
    message.put_message(row);
}

/// Encodes the reason why an actor was not saved, with its position.
pub(super) fn put_not_saved(message: &mut Message, position: usize, why: &Outcome) {
    message.put_count(position);
    put_outcome(message, why);
}

/// Decodes the position of an actor, and its row.
pub(super) fn saved(message: MessageRef<'_>) -> Result<(usize, RowRef<'_>), Malformed> {
    let mut reader = message.reader();
    let position = reader.number()? as usize;
    let row = RowRef::read(&mut reader)?;
    if reader.is_empty() { Ok((position, row)) } else { Err(Malformed) }
}

/// Decodes the position of an actor, and why it was not saved. The reason is always an error.
pub(super) fn not_saved(message: MessageRef<'_>) -> Result<(usize, Outcome), Malformed> {
    let mut reader = message.reader();
    let position = reader.number()? as usize;
    Ok((position, Outcome { state: State::Error, ..read_outcome(&mut reader)? }))
}

/// Encodes an actor type.
pub(super) fn put_actor_type(message: &mut Message, actor_type: &ActorType) {
    message.put_text(&actor_type.name);
    message.put_count(actor_type.parents.len());
    actor_type.parents.iter().for_each(|parent| message.put_text(parent));
}

/// Decodes an actor type.
pub(super) fn actor_type(message: MessageRef<'_>) -> Result<ActorType, Malformed> {
    let mut reader = message.reader();
    let mut actor_type = ActorType::new(reader.text()?);
    for _ in 0..reader.count()? {
        actor_type.parents.push(reader.text()?.to_owned());
    }
    Ok(actor_type)
}

/// Encodes the description of a field.
pub(super) fn put_field(message: &mut Message, field: &Field) {
    message.put_text(&field.key);
    message.put_optional(field.label.as_deref());
    message.put_optional(field.description.as_deref());
    message.put_text(field.field_type.as_str());
    message.put_text(field.access.as_str());
    message.put_optional(field.list.as_deref());
    message.put_optional(field.default.as_deref());
    message.put_number(field.max_length.cast_unsigned());
    message.put_number(u32::from(field.rank.is_some()));
    message.put_number(field.rank.unwrap_or_default().cast_unsigned());
}

/// Decodes the description of a field. An unknown type or access is malformed.
pub(super) fn field(message: MessageRef<'_>) -> Result<Field, Malformed> {
    let reader = &mut message.reader();
    let owned = |reader: &mut Reader<'_>| reader.optional().map(|text| text.map(str::to_owned));
    Ok(Field {
        key: reader.text()?.to_owned(),
        label: owned(reader)?,
        description: owned(reader)?,
        field_type: reader.text()?.parse().map_err(|_| Malformed)?,
        access: reader.text()?.parse().map_err(|_| Malformed)?,
        list: owned(reader)?,
        default: owned(reader)?,
        max_length: reader.number()?.cast_signed(),
        rank: {
            let is_set = reader.number()? != 0;
            let rank = reader.number()?.cast_signed();
            is_set.then_some(rank)
        },
    })
}

/// Encodes an item of a list.
pub(super) fn put_list_item(message: &mut Message, item: &ListItem) {
    message.put_text(&item.key);
    message.put_text(&item.text);
}

/// Decodes an item of a list.
pub(super) fn list_item(message: MessageRef<'_>) -> Result<ListItem, Malformed> {
    let mut reader = message.reader();
    Ok(ListItem { key: reader.text()?.to_owned(), text: reader.text()?.to_owned() })
}
