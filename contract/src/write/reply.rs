//! Writing whole replies.

use crate::class::Member;
use crate::profile::Direction;
use crate::profile::plan::{CarrierPlans, Part, Tags};
use crate::{Authentication, Envelope, Operation, Outcome, Payload, Reply};

/// Appends a reply in the caller's envelope. A payload that is not the operation's is written as null.
pub fn write_reply(out: &mut Vec<u8>, envelope: &Envelope, operation: Operation, reply: &Reply<'_>) {
    let plan = envelope.plan(operation, Direction::Reply);
    let carriers = envelope.profile().carriers();
    for part in &plan.parts {
        match (part, reply) {
            (Part::Bytes(bytes), _) => out.extend_from_slice(bytes),
            (Part::Member(member, tags), Reply::Result { outcome, payload }) => {
                if !outcome_member(out, *member, tags, outcome) {
                    payload_member(out, *member, tags, payload, carriers);
                }
            }
            (Part::Member(member, tags), Reply::Authentication(authentication)) => {
                authentication_member(out, *member, tags, authentication);
            }
        }
    }
}

/// Writes a member that every reply has; false when it is another one.
pub(super) fn outcome_member(out: &mut Vec<u8>, member: Member, tags: &Tags, outcome: &Outcome<'_>) -> bool {
    let value = match member {
        Member::ErrorCode => outcome.error_code.as_deref(),
        Member::IsOk => Some(if outcome.state.is_ok() { "true" } else { "false" }),
        Member::State => Some(outcome.state.as_str()),
        Member::TechExplanation => outcome.tech_explanation.as_deref(),
        Member::UserExplanation => outcome.user_explanation.as_deref(),
        _ => return false,
    };
    tags.text(out, value);
    true
}

/// Writes parts of a reply that hold no payload.
pub(super) fn outcome_parts(out: &mut Vec<u8>, parts: &[Part], outcome: &Outcome<'_>) {
    for part in parts {
        match part {
            Part::Bytes(bytes) => out.extend_from_slice(bytes),
            Part::Member(member, tags) => {
                if !outcome_member(out, *member, tags, outcome) {
                    out.extend_from_slice(&tags.null);
                }
            }
        }
    }
}

fn payload_member(
    out: &mut Vec<u8>,
    member: Member,
    tags: &Tags,
    payload: &Payload<'_>,
    carriers: &CarrierPlans,
) {
    match (member, payload) {
        (Member::FieldMetaDataObjects, Payload::Fields(value)) => {
            tags.nullable(out, value.as_deref(), |out, fields| carriers.fields(out, fields));
        }
        (Member::Items, Payload::Items(value)) => {
            tags.nullable(out, value.as_deref(), |out, texts| carriers.texts(out, texts));
        }
        (Member::Actors, Payload::Actors(value)) => {
            tags.nullable(out, value.as_deref(), |out, actors| carriers.actors(out, actors));
        }
        (Member::Actor, Payload::Actor(value)) => {
            tags.nullable(out, value.as_ref(), |out, actor| carriers.actor(out, actor));
        }
        (Member::ListItems, Payload::ListItems(value)) => {
            tags.nullable(out, value.as_ref(), |out, items| carriers.dictionary(out, items));
        }
        _ => out.extend_from_slice(&tags.null),
    }
}

fn authentication_member(
    out: &mut Vec<u8>,
    member: Member,
    tags: &Tags,
    authentication: &Authentication<'_>,
) {
    let value = match member {
        Member::Reason => authentication.reason.as_deref(),
        Member::SignedApplicationToken => {
            authentication.signed_application_token.as_ref().map(|token| token.0.as_ref())
        }
        Member::Succeeded => Some(if authentication.succeeded { "true" } else { "false" }),
        _ => None,
    };
    tags.text(out, value);
}
