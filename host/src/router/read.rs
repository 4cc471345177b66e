//! A call and the bytes that it was read from.

use bytes::Bytes;
use contract::xml::{Limits, XmlError, XmlErrorKind};
use contract::{Call, Dialect, EncodingError, Fault, ReadError, Refusal, SoapVersion};
use self_cell::self_cell;
use tokio::task::spawn_blocking;

use super::SoapRequest;

/// From this size on a message is read off the I/O threads.
const LARGE: usize = 64 * 1024;

self_cell!(
    /// A call together with its bytes: its texts are borrowed from them, wherever it is moved.
    pub(super) struct ReadCall {
        owner: Bytes,
        #[covariant]
        dependent: Call,
    }
);

impl ReadCall {
    /// Reads a message in UTF-8; `undecided` is its dialect where it does not show one.
    fn read(
        message: Bytes,
        action: Option<&str>,
        undecided: Dialect,
        limits: Limits,
    ) -> Result<Self, ReadError> {
        ReadCall::try_new(message, |bytes| contract::read_call_as(bytes, action, undecided, limits))
    }

    pub(super) fn call(&self) -> &Call<'_> {
        self.borrow_dependent()
    }
}

/// The message in UTF-8 without byte order mark; the same bytes, unless they came in another encoding.
fn decode(message: Bytes, charset: Option<&str>) -> Result<Bytes, EncodingError> {
    match contract::decode(&message, charset)? {
        std::borrow::Cow::Borrowed(utf8) => Ok(message.slice_ref(utf8)),
        std::borrow::Cow::Owned(utf8) => Ok(utf8.into()),
    }
}

/// Why there is no call.
pub(super) enum Unread {
    Charset(EncodingError),
    /// `told` is what the log tells of it.
    Fault {
        soap: SoapVersion,
        fault: Fault,
        told: String,
    },
}

impl Unread {
    fn because(soap: SoapVersion, fault: Fault) -> Self {
        let told = fault.text.clone();
        Unread::Fault { soap, fault, told }
    }
}

impl From<ReadError> for Unread {
    fn from(error: ReadError) -> Self {
        let fault = Fault::from(&error);
        // Not what a message holds, only what is wrong with it: values may be secrets in the wrong place.
        let told = match error.refusal {
            Refusal::Value { member, expected, .. } => format!("the value of <{member}> is not {expected}"),
            Refusal::TextAmongElements { element, .. } => format!("<{element}> holds text"),
            Refusal::Xml(XmlError { kind: XmlErrorKind::Entity(_), at }) => format!("entity at byte {at}"),
            Refusal::Xml(XmlError { kind: XmlErrorKind::CharacterReference(_), at }) => {
                format!("character reference at byte {at}")
            }
            refusal => refusal.to_string(),
        };
        Unread::Fault { soap: error.soap, fault, told }
    }
}

/// Reads a call; a large one where it delays nobody else.
pub(super) async fn read(request: SoapRequest, limits: Limits) -> Result<ReadCall, Unread> {
    let is_large = request.body.len() >= LARGE;
    let read = move || {
        let SoapRequest { body, charset, action, connector: _, dialect, caller: _ } = request;
        let message = decode(body, charset.as_deref()).map_err(|error| match error {
            EncodingError::Unsupported(_) => Unread::Charset(error),
            EncodingError::InvalidUtf16 => Unread::because(SoapVersion::V11, Fault::from(&error)),
        })?;
        let undecided = dialect.unwrap_or(Dialect::Data);
        Ok(ReadCall::read(message, action.as_deref(), undecided, limits)?)
    };
    if !is_large {
        return read();
    }
    spawn_blocking(read).await.unwrap_or_else(|error| {
        tracing::error!(%error, "reading a message panicked");
        Err(Unread::because(SoapVersion::V11, Fault::server("the message could not be read")))
    })
}
