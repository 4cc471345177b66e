//! Reads a request: from the bytes of a message to a [`Call`], off the I/O threads if it is large.
//!
//! The profile of a call is recognised from its message, in the contract crate. Only where the message fits several profiles,
//! the one that the address names counts, or else the order of members of the address.

use std::sync::Arc;

use bytes::Bytes;
use contract::xml::{Limits, XmlError, XmlErrorKind};
use contract::{
    Call, EncodingError, Fault, MemberOrder, Profile, Profiles, ReadError, ReadOptions, Refusal, SoapVersion,
};
use self_cell::self_cell;
use tokio::task::spawn_blocking;

use super::SoapRequest;
use super::profiles::ServedProfiles;

/// A message of so many bytes or more is read on a blocking thread.
const LARGE_MESSAGE: usize = 64 * 1024;

self_cell!(
    /// A call together with the bytes of its message, from which its texts are borrowed.
    pub(super) struct OwnedCall {
        owner: Bytes,
        #[covariant]
        dependent: Call,
    }
);

impl OwnedCall {
    /// Reads a message in UTF-8.
    fn read(
        message: Bytes,
        profiles: &Profiles,
        action: Option<&str>,
        preferred: Option<&Profile>,
        limits: Limits,
    ) -> Result<Self, ReadError> {
        let options = ReadOptions { action, preferred, limits };
        OwnedCall::try_new(message, |bytes| profiles.read_call(bytes, &options))
    }

    pub(super) fn call(&self) -> &Call<'_> {
        self.borrow_dependent()
    }

    /// The same message, read with the profiles of another order of members first.
    pub(super) fn in_order(
        &self,
        profiles: &ServedProfiles,
        order: MemberOrder,
        action: Option<&str>,
        limits: Limits,
    ) -> Result<Self, ReadError> {
        let message = self.borrow_owner().clone();
        OwnedCall::read(message, profiles.in_order(order).profiles(), action, None, limits)
    }
}

/// Decodes a message to UTF-8 without byte order mark. Bytes that are UTF-8 already are not copied.
fn decode(message: Bytes, charset: Option<&str>) -> Result<Bytes, EncodingError> {
    match contract::decode(&message, charset)? {
        std::borrow::Cow::Borrowed(utf8) => Ok(message.slice_ref(utf8)),
        std::borrow::Cow::Owned(utf8) => Ok(utf8.into()),
    }
}

/// A message that is not a call.
pub(super) enum InvalidMessage {
    Charset(EncodingError),
    Fault {
        soap: SoapVersion,
        fault: Fault,
        /// The reason for the log, without values of the message: they may be secrets in the wrong element.
        reason: String,
    },
}

impl InvalidMessage {
    /// A fault whose text has no value of the message.
    fn fault(soap: SoapVersion, fault: Fault) -> Self {
        let reason = fault.text.clone();
        InvalidMessage::Fault { soap, fault, reason }
    }
}

impl From<ReadError> for InvalidMessage {
    fn from(error: ReadError) -> Self {
        let fault = Fault::from(&error);
        let reason = match error.refusal {
            Refusal::Value { member, expected, .. } => format!("the value of <{member}> is not {expected}"),
            Refusal::TextAmongElements { element, .. } => format!("<{element}> holds text"),
            Refusal::ElementInText { member, .. } => format!("<{member}> holds an element, expected text"),
            Refusal::OtherAction { .. } => "the header <Action> is not the SOAPAction".to_owned(),
            Refusal::UnknownAction(action) if !action.starts_with("http") && !action.starts_with("urn:") => {
                format!("unknown SOAPAction of {} characters", action.chars().count())
            }
            Refusal::Instruction(_) => "a processing instruction in the envelope".to_owned(),
            Refusal::Xml(error) => without_names(&error),
            refusal => refusal.to_string(),
        };
        InvalidMessage::Fault { soap: error.soap, fault, reason }
    }
}

/// What is not well-formed, and where. A password that was not escaped may have become the name of an element or entity.
fn without_names(error: &XmlError) -> String {
    let at = error.at;
    let what = match &error.kind {
        XmlErrorKind::Entity(_) => "an unknown entity",
        XmlErrorKind::CharacterReference(_) => "a character reference that is not a character",
        XmlErrorKind::EndTag { .. } => "an element is closed by the end tag of another one",
        XmlErrorKind::NotClosed(_) => "an element is not closed",
        XmlErrorKind::NotOpen(_) => "an end tag closes nothing",
        XmlErrorKind::AttributeTwice(_) => "an attribute comes twice",
        XmlErrorKind::PrefixNotBound(_) => "a prefix is not bound to a namespace",
        XmlErrorKind::QualifiedName(_) => "a name is not valid, or has a prefix where none may be",
        XmlErrorKind::NamespaceDeclaration(_) => "a namespace declaration is not allowed",
        _ => return format!("the message is not well-formed: {error}"),
    };
    format!("the message is not well-formed: {what} at byte {at}")
}

/// Reads a call with these profiles, of which those of `order` come first.
pub(super) async fn read(
    request: SoapRequest,
    profiles: Arc<ServedProfiles>,
    order: MemberOrder,
    limits: Limits,
) -> Result<OwnedCall, InvalidMessage> {
    let is_large = request.body.len() >= LARGE_MESSAGE;
    let read = move || {
        let SoapRequest { body, charset, action, connector: _, profile, caller: _ } = request;
        let message = decode(body, charset.as_deref()).map_err(|error| match error {
            EncodingError::Unsupported(_) => InvalidMessage::Charset(error),
            EncodingError::InvalidUtf16 => InvalidMessage::fault(SoapVersion::V11, Fault::from(&error)),
        })?;
        let profiles = profiles.in_order(order).profiles();
        Ok(OwnedCall::read(message, profiles, action.as_deref(), profile.as_deref(), limits)?)
    };
    if !is_large {
        return read();
    }
    spawn_blocking(read).await.unwrap_or_else(|error| {
        tracing::error!(%error, "reading a message panicked");
        Err(InvalidMessage::fault(SoapVersion::V11, Fault::server("the message could not be read")))
    })
}
