//! Reading replies, for the client side.

use thiserror::Error;

use super::envelope;
use super::error::{ReadError, Refusal, cut};
use super::members::Members;
use super::reader::Reader;
use super::wrapping;
use crate::profile::{Direction, Profile, Profiles};
use crate::xml::Limits;
use crate::{Envelope, Fault, FaultCode, Operation, Reply, SoapVersion};

/// A reply, and how it was wrapped.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplyMessage<'a> {
    /// How it was wrapped.
    pub envelope: Envelope,
    /// Its content.
    pub reply: Reply<'a>,
}

/// Why there is no reply to read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReplyError {
    /// The service answered with a fault.
    #[error("the service answered with a fault: {0}")]
    Fault(Fault),
    /// The answer cannot be read.
    #[error("the service's answer cannot be read: {0}")]
    Read(#[from] ReadError),
}

/// Reads the reply of an operation in a built-in profile.
///
/// # Errors
/// As [`Profiles::read_reply`].
pub fn read_reply(body: &[u8], operation: Operation) -> Result<ReplyMessage<'_>, ReplyError> {
    Profiles::builtin().read_reply(body, operation, None)
}

impl Profiles {
    /// Reads the reply of an operation, and recognises its profile. `preferred` counts where it fits several.
    ///
    /// # Errors
    /// The answer is a fault, or not a reply of this operation.
    pub fn read_reply<'a>(
        &self,
        body: &'a [u8],
        operation: Operation,
        preferred: Option<&Profile>,
    ) -> Result<ReplyMessage<'a>, ReplyError> {
        let mut soap = SoapVersion::V11;
        match answer(self, body, operation, preferred, &mut soap) {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(fault)) => Err(ReplyError::Fault(fault)),
            Err(refusal) => Err(ReplyError::Read(ReadError { soap, refusal })),
        }
    }
}

fn answer<'a>(
    profiles: &Profiles,
    body: &'a [u8],
    operation: Operation,
    preferred: Option<&Profile>,
    soap: &mut SoapVersion,
) -> Result<Result<ReplyMessage<'a>, Fault>, Refusal> {
    let mut reader = Reader::new(envelope::text(body)?, Limits::REPLY, profiles);
    let headers = envelope::open(&mut reader, soap)?.members;
    let class = operation.reply();
    let empty = Refusal::EmptyBody { operation: operation.name(), expected: class.name };
    let element = reader.child("Body")?.ok_or(empty)?;
    if element == "Fault" && reader.namespace() == soap.namespace() {
        let fault = fault(&mut reader)?;
        envelope::close(&mut reader)?;
        return Ok(Err(fault));
    }
    reader.note_outer(element);
    let mut members = Members::default();
    match profiles.depth(operation, Direction::Reply, element) {
        Some(0) => wrapping::read_bare(&mut reader, class, element, &mut members)?,
        Some(1) => wrapping::read_flat(&mut reader, class, element, &mut members)?,
        Some(_) => wrapping::read_nested(&mut reader, class, element, &mut members)?,
        None => {
            return Err(Refusal::Disagreement {
                operation: operation.name(),
                found: cut(element),
                expected: class.name,
            });
        }
    }
    envelope::close(&mut reader)?;
    let envelope = reader.structure.envelope(profiles, operation, Direction::Reply, preferred, *soap, None);
    Ok(Ok(ReplyMessage { envelope, reply: members.or(headers).into_reply(operation) }))
}

/// A fault of SOAP 1.1 (`faultcode`, `faultstring`) or 1.2 (`Code/Value`, `Reason/Text`).
fn fault(reader: &mut Reader<'_, '_>) -> Result<Fault, Refusal> {
    let (mut code, mut text) = (String::new(), String::new());
    while let Some(local) = reader.child("Fault")? {
        match local {
            "faultcode" => code = reader.text("faultcode")?.unwrap_or_default().into_owned(),
            "faultstring" => text = reader.text("faultstring")?.unwrap_or_default().into_owned(),
            "Code" | "Reason" => {
                while let Some(inner) = reader.element()? {
                    match inner {
                        "Value" => code = reader.text("Value")?.unwrap_or_default().into_owned(),
                        "Text" if text.is_empty() => {
                            text = reader.text("Text")?.unwrap_or_default().into_owned();
                        }
                        _ => reader.skip()?,
                    }
                }
            }
            _ => reader.skip()?,
        }
    }
    let local = code.trim().rsplit(':').next().unwrap_or_default();
    let code = match local {
        "Client" | "Sender" => FaultCode::Client,
        "Server" | "Receiver" => FaultCode::Server,
        "MustUnderstand" => FaultCode::MustUnderstand,
        "VersionMismatch" => FaultCode::VersionMismatch,
        other => FaultCode::Other(other.to_owned()),
    };
    Ok(Fault { code, text })
}
