//! Writing whole replies.

use super::carriers::{actor, actors, dictionary, fields, nullable, text, texts};
use super::frame::Frame;
use crate::class::Member;
use crate::{Authentication, Envelope, Operation, Outcome, Payload, Reply};

/// Appends a reply in the caller's envelope. A payload that is not the operation's is written as null.
pub fn write_reply(out: &mut Vec<u8>, envelope: &Envelope, operation: Operation, reply: &Reply<'_>) {
    let frame = Frame::of_reply(envelope, operation);
    out.extend_from_slice(&frame.start);
    for member in operation.reply().members(frame.inherited_first) {
        match reply {
            Reply::Result { outcome, payload } => {
                if !outcome_member(out, frame.prefix, member, outcome) {
                    payload_member(out, frame.prefix, member, payload);
                }
            }
            Reply::Authentication(authentication) => {
                authentication_member(out, frame.prefix, member, authentication);
            }
        }
    }
    out.extend_from_slice(&frame.end);
}

/// Writes a member that every reply has; false when it is another one.
pub(super) fn outcome_member(out: &mut Vec<u8>, prefix: &str, member: Member, outcome: &Outcome<'_>) -> bool {
    let value = match member {
        Member::ErrorCode => outcome.error_code.as_deref(),
        Member::IsOk => Some(if outcome.state.is_ok() { "true" } else { "false" }),
        Member::State => Some(outcome.state.as_str()),
        Member::TechExplanation => outcome.tech_explanation.as_deref(),
        Member::UserExplanation => outcome.user_explanation.as_deref(),
        _ => return false,
    };
    text(out, prefix, member.name(), value);
    true
}

fn payload_member(out: &mut Vec<u8>, prefix: &str, member: Member, payload: &Payload<'_>) {
    let name = member.name();
    match (member, payload) {
        (Member::FieldMetaDataObjects, Payload::Fields(value)) => {
            nullable(out, prefix, name, value.as_deref(), fields);
        }
        (Member::Items, Payload::Items(value)) => nullable(out, prefix, name, value.as_deref(), texts),
        (Member::Actors, Payload::Actors(value)) => nullable(out, prefix, name, value.as_deref(), actors),
        (Member::Actor, Payload::Actor(value)) => nullable(out, prefix, name, value.as_ref(), actor),
        (Member::ListItems, Payload::ListItems(value)) => {
            nullable(out, prefix, name, value.as_ref(), dictionary);
        }
        _ => text(out, prefix, name, None),
    }
}

fn authentication_member(
    out: &mut Vec<u8>,
    prefix: &str,
    member: Member,
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
    text(out, prefix, member.name(), value);
}
