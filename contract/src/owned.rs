//! Owned copies of replies, for clients, which keep a reply after its message is gone.

use std::borrow::Cow;

use crate::carriers::{Actor, Dictionary, Field, Text, Texts, Token};
use crate::{Authentication, Outcome, Payload, Reply, ReplyMessage};

fn text(text: Text<'_>) -> Text<'static> {
    text.map(|text| Cow::Owned(text.into_owned()))
}

fn texts(texts: Texts<'_>) -> Texts<'static> {
    texts.into_iter().map(text).collect()
}

fn all<T, U>(items: Option<Vec<T>>, own: impl Fn(T) -> U) -> Option<Vec<U>> {
    items.map(|items| items.into_iter().map(own).collect())
}

impl ReplyMessage<'_> {
    /// An owned copy.
    pub fn into_owned(self) -> ReplyMessage<'static> {
        ReplyMessage { envelope: self.envelope, reply: self.reply.into_owned() }
    }
}

impl Reply<'_> {
    /// An owned copy.
    pub fn into_owned(self) -> Reply<'static> {
        match self {
            Reply::Result { outcome, payload } => {
                Reply::Result { outcome: outcome.into_owned(), payload: payload.into_owned() }
            }
            Reply::Authentication(Authentication { reason, signed_application_token, succeeded }) => {
                Reply::Authentication(Authentication {
                    reason: text(reason),
                    signed_application_token: signed_application_token
                        .map(|token| Token(Cow::Owned(token.0.into_owned()))),
                    succeeded,
                })
            }
        }
    }
}

impl Outcome<'_> {
    /// An owned copy.
    pub fn into_owned(self) -> Outcome<'static> {
        Outcome {
            state: self.state,
            user_explanation: text(self.user_explanation),
            tech_explanation: text(self.tech_explanation),
            error_code: text(self.error_code),
        }
    }
}

impl Payload<'_> {
    /// An owned copy.
    pub fn into_owned(self) -> Payload<'static> {
        match self {
            Payload::None => Payload::None,
            Payload::Fields(fields) => Payload::Fields(all(fields, Field::into_owned)),
            Payload::Items(items) => Payload::Items(items.map(texts)),
            Payload::Actors(actors) => Payload::Actors(all(actors, Actor::into_owned)),
            Payload::Actor(actor) => Payload::Actor(actor.map(Actor::into_owned)),
            Payload::ListItems(items) => Payload::ListItems(items.map(Dictionary::into_owned)),
        }
    }
}

impl Actor<'_> {
    /// An owned copy.
    pub fn into_owned(self) -> Actor<'static> {
        Actor {
            actor_type: text(self.actor_type),
            erp_key: text(self.erp_key),
            field_values: self.field_values.map(Dictionary::into_owned),
            last_modified: text(self.last_modified),
            parent_actor_type: text(self.parent_actor_type),
            parent_erp_key: text(self.parent_erp_key),
        }
    }
}

impl Field<'_> {
    /// An owned copy.
    pub fn into_owned(self) -> Field<'static> {
        Field {
            access: self.access,
            default_value: text(self.default_value),
            display_description: text(self.display_description),
            display_name: text(self.display_name),
            field_key: text(self.field_key),
            field_type: self.field_type,
            list_name: text(self.list_name),
            max_length: self.max_length,
            rank: self.rank,
        }
    }
}

impl Dictionary<'_> {
    /// An owned copy.
    pub fn into_owned(self) -> Dictionary<'static> {
        let owned = |(key, value): (Cow<'_, str>, Text<'_>)| (Cow::Owned(key.into_owned()), text(value));
        Dictionary { entries: self.entries.into_iter().map(owned).collect() }
    }
}
