//! Replies: outcome and payload of each operation.

use std::borrow::Cow;

use values::State;

use crate::carriers::{Actor, Dictionary, Field, Text, Texts, Token};

/// How a call ended: the members that every reply has. `IsOk` follows from the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome<'a> {
    /// The state.
    pub state: State,
    /// For the user, perhaps in several languages.
    pub user_explanation: Text<'a>,
    /// For the technician, in English.
    pub tech_explanation: Text<'a>,
    /// A code that SuperOffice acts upon: see [`values::error_code`].
    pub error_code: Text<'a>,
}

impl<'a> Outcome<'a> {
    /// It worked.
    pub const fn ok() -> Self {
        Outcome { state: State::Ok, user_explanation: None, tech_explanation: None, error_code: None }
    }

    /// It did not work.
    pub fn error(user_explanation: impl Into<Cow<'a, str>>) -> Self {
        Outcome { state: State::Error, user_explanation: Some(user_explanation.into()), ..Outcome::ok() }
    }

    /// With an explanation for the technician.
    #[must_use]
    pub fn with_tech_explanation(self, text: impl Into<Cow<'a, str>>) -> Self {
        Outcome { tech_explanation: Some(text.into()), ..self }
    }

    /// With a code.
    #[must_use]
    pub fn with_error_code(self, code: impl Into<Cow<'a, str>>) -> Self {
        Outcome { error_code: Some(code.into()), ..self }
    }
}

/// What a reply carries besides its state. `None` inside is null, which every error reply carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload<'a> {
    /// The operation has no payload, or it is null.
    None,
    /// `FieldMetaDataObjects`.
    Fields(Option<Vec<Field<'a>>>),
    /// `Items`.
    Items(Option<Texts<'a>>),
    /// `Actors`. Use [`crate::ReplyWriter`] to write them as they arrive.
    Actors(Option<Vec<Actor<'a>>>),
    /// `Actor`.
    Actor(Option<Actor<'a>>),
    /// `ListItems`.
    ListItems(Option<Dictionary<'a>>),
}

/// The reply of Authenticate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Authentication<'a> {
    /// Why it failed, in words that help no attacker.
    pub reason: Text<'a>,
    /// `<nonce>.<yyyyMMddHHmm>.<signature>`.
    pub signed_application_token: Option<Token<'a>>,
    /// Whether the caller's token was accepted.
    pub succeeded: bool,
}

/// A whole reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply<'a> {
    /// The reply of every operation but Authenticate.
    Result {
        /// How the call ended.
        outcome: Outcome<'a>,
        /// What it gave.
        payload: Payload<'a>,
    },
    /// The reply of Authenticate.
    Authentication(Authentication<'a>),
}

impl<'a> Reply<'a> {
    /// A reply without payload, or with a null one.
    pub fn plain(outcome: Outcome<'a>) -> Self {
        Reply::Result { outcome, payload: Payload::None }
    }

    /// A reply with a payload.
    pub fn with(outcome: Outcome<'a>, payload: Payload<'a>) -> Self {
        Reply::Result { outcome, payload }
    }

    /// How the call ended; `None` for Authenticate.
    pub fn outcome(&self) -> Option<&Outcome<'a>> {
        match self {
            Reply::Result { outcome, .. } => Some(outcome),
            Reply::Authentication(_) => None,
        }
    }
}
