//! Streaming replies: actors are written as they arrive.

use std::borrow::Cow;

use super::carriers::{close, entries, nullable, open, text};
use super::characters::{self, Cleaner};
use super::frame::Frame;
use super::reply::outcome_member;
use crate::class::Member;
use crate::xml::escape;
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
/// the outcome in some dialects; a caller that writes rows while they arrive keeps the head apart, and writes it again
/// when the outcome is not the one it assumed. A failed call is answered with [`crate::write_reply`] instead, which
/// writes null actors.
#[derive(Debug, Clone)]
pub struct ReplyWriter {
    frame: Cow<'static, Frame>,
    operation: Operation,
}

impl ReplyWriter {
    /// For the reply of an operation whose payload is [`PayloadKind::Actors`].
    pub fn new(envelope: &Envelope, operation: Operation) -> Self {
        debug_assert_eq!(operation.payload(), PayloadKind::Actors, "{operation} does not answer with actors");
        ReplyWriter { frame: Frame::of_reply(envelope, operation), operation }
    }

    /// Whether the outcome stands in the head.
    pub fn head_depends_on_outcome(&self) -> bool {
        self.members().next() != Some(Member::Actors)
    }

    /// Appends everything before the first actor.
    pub fn head(&self, out: &mut Vec<u8>, outcome: &Outcome<'_>) {
        out.extend_from_slice(&self.frame.start);
        for member in self.members().take_while(|&member| member != Member::Actors) {
            outcome_member(out, self.frame.prefix, member, outcome);
        }
        open(out, self.frame.prefix, Member::Actors.name());
    }

    /// Appends an actor. Field values are in their wire form.
    pub fn actor<'f>(
        &self,
        out: &mut Vec<u8>,
        row: &ActorRow<'_>,
        fields: impl IntoIterator<Item = (&'f str, Option<&'f str>)>,
    ) {
        out.extend_from_slice(b"<ErpActorWS><ActorType>");
        escape(out, row.actor_type);
        out.extend_from_slice(b"</ActorType><ErpKey>");
        escape(out, row.erp_key);
        out.extend_from_slice(b"</ErpKey><FieldValues>");
        entries(out, fields);
        out.extend_from_slice(b"</FieldValues>");
        text(out, "", "LastModified", row.last_modified);
        match row.parent {
            None => out.extend_from_slice(
                br#"<ParentActorType i:nil="true"/><ParentErpKey i:nil="true"/></ErpActorWS>"#,
            ),
            Some((actor_type, key)) => {
                nullable(out, "", "ParentActorType", Some(actor_type), escape);
                nullable(out, "", "ParentErpKey", Some(key), escape);
                close(out, "", "ErpActorWS");
            }
        }
    }

    /// As [`ReplyWriter::actor`], without the characters that XML 1.0 has no form for. `fields` gives the same fields each
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
        if !characters::has_forbidden_reference(&out[before..]) {
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
        close(out, self.frame.prefix, Member::Actors.name());
        for member in self.members().skip_while(|&member| member != Member::Actors).skip(1) {
            outcome_member(out, self.frame.prefix, member, outcome);
        }
        out.extend_from_slice(&self.frame.end);
    }

    fn members(&self) -> impl Iterator<Item = Member> + use<> {
        self.operation.reply().members(self.frame.inherited_first)
    }
}
