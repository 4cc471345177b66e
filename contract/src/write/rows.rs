//! Streaming replies: actors are written as they arrive.

use super::characters::{self, Cleaner};
use super::reply::outcome_parts;
use crate::class::Member;
use crate::profile::Direction;
use crate::profile::plan::Part;
use crate::{Envelope, Operation, Outcome, PayloadKind};

/// An actor of a reply, without its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActorRow<'r> {
    /// The actor type.
    pub actor_type: &'r str,
    /// The key in the ERP system.
    pub erp_key: &'r str,
    /// The stamp of the last change.
    pub last_modified: Option<&'r str>,
    /// Actor type and key of the parent.
    pub parent: Option<(&'r str, &'r str)>,
}

/// Writes a reply with actors in three parts: head, any number of actors, tail. What comes before the actors depends on
/// the outcome in some profiles; a caller that writes rows while they arrive keeps the head apart, and writes it again
/// when the outcome is not the one it assumed. A failed call is answered with [`crate::write_reply`] instead, which
/// writes null actors.
#[derive(Debug, Clone)]
pub struct ReplyWriter {
    envelope: Envelope,
    operation: Operation,
}

impl ReplyWriter {
    /// For the reply of an operation whose payload is [`PayloadKind::Actors`].
    pub fn new(envelope: &Envelope, operation: Operation) -> Self {
        debug_assert_eq!(operation.payload(), PayloadKind::Actors, "{operation} does not answer with actors");
        ReplyWriter { envelope: envelope.clone(), operation }
    }

    /// The envelope of the reply.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Whether the outcome stands in the head.
    pub fn head_depends_on_outcome(&self) -> bool {
        let plan = self.envelope.plan(self.operation, Direction::Reply);
        let head = plan.around(Member::Actors).map_or(&[][..], |(head, ..)| head);
        head.iter().any(|part| matches!(part, Part::Member(..)))
    }

    /// Appends everything before the first actor.
    pub fn head(&self, out: &mut Vec<u8>, outcome: &Outcome<'_>) {
        let plan = self.envelope.plan(self.operation, Direction::Reply);
        if let Some((head, actors, _)) = plan.around(Member::Actors) {
            outcome_parts(out, head, outcome);
            out.extend_from_slice(&actors.open);
        }
    }

    /// Appends an actor. Field values are in their wire form.
    pub fn actor<'f>(
        &self,
        out: &mut Vec<u8>,
        row: &ActorRow<'_>,
        fields: impl IntoIterator<Item = (&'f str, Option<&'f str>)>,
    ) {
        let carriers = self.envelope.profile().carriers();
        let mut fields = Some(fields);
        out.extend_from_slice(&carriers.actor.item.open);
        carriers.actor.write(out, |out, member, tags| match member {
            Member::ActorType => tags.text(out, Some(row.actor_type)),
            Member::ErpKey => tags.text(out, Some(row.erp_key)),
            Member::FieldValues => {
                tags.nullable(out, fields.take(), |out, fields| carriers.entries(out, fields));
            }
            Member::LastModified => tags.text(out, row.last_modified),
            Member::ParentActorType => tags.text(out, row.parent.map(|(actor_type, _)| actor_type)),
            Member::ParentErpKey => tags.text(out, row.parent.map(|(_, key)| key)),
            _ => out.extend_from_slice(&tags.null),
        });
        out.extend_from_slice(&carriers.actor.item.close);
    }

    /// As [`ReplyWriter::actor`], without NUL. `fields` gives the same fields each
    /// time.
    pub fn clean_actor<'f, I: IntoIterator<Item = (&'f str, Option<&'f str>)>>(
        &self,
        out: &mut Vec<u8>,
        row: &ActorRow<'_>,
        fields: impl Fn() -> I,
        cleaner: &mut Cleaner,
    ) {
        let before = out.len();
        self.actor(out, row, fields());
        // Searched after writing: that costs little, because rows have few references.
        if !characters::has_nul_reference(&out[before..]) {
            return;
        }
        out.truncate(before);
        let fields: Vec<_> = fields()
            .into_iter()
            .map(|(key, value)| {
                let place = || characters::place_of_field(key);
                (cleaner.text(key, place), value.map(|value| cleaner.text(value, place)))
            })
            .collect();
        let mut text = |text| cleaner.text(text, characters::place_of_key);
        let (actor_type, erp_key) = (text(row.actor_type), text(row.erp_key));
        let last_modified = row.last_modified.map(&mut text);
        let parent = row.parent.map(|(actor_type, key)| (text(actor_type), text(key)));
        let row = ActorRow {
            actor_type: &actor_type,
            erp_key: &erp_key,
            last_modified: last_modified.as_deref(),
            parent: parent.as_ref().map(|(actor_type, key)| (&**actor_type, &**key)),
        };
        self.actor(out, &row, fields.iter().map(|(key, value)| (&**key, value.as_deref())));
    }

    /// Appends everything after the last actor.
    pub fn tail(&self, out: &mut Vec<u8>, outcome: &Outcome<'_>) {
        let plan = self.envelope.plan(self.operation, Direction::Reply);
        if let Some((_, actors, tail)) = plan.around(Member::Actors) {
            out.extend_from_slice(&actors.close);
            outcome_parts(out, tail, outcome);
        }
    }
}
