//! The SOAP envelope: version, headers, body.

use super::error::{Refusal, cut};
use super::members::Members;
use super::reader::Reader;
use crate::carriers::Text;
use crate::class::Member;
use crate::{SoapVersion, namespace};

/// What stands in the header of a message.
#[derive(Default)]
pub(super) struct Headers<'a> {
    /// Members that may stand there instead of the body (contract page, section 3).
    pub(super) members: Members<'a>,
    /// `Action` of a WCF message without WS-Addressing: the SOAPAction once more.
    pub(super) action: Text<'a>,
}

/// The text of a message.
pub(super) fn text(body: &[u8]) -> Result<&str, Refusal> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    std::str::from_utf8(body).map_err(|error| Refusal::NotUtf8 { at: error.valid_up_to() })
}

/// Reads up to the body's content. `soap` is set as soon as it is known, so that a refusal can be sent in it.
///
/// Members may be headers (contract page, section 3).
pub(super) fn open<'a>(reader: &mut Reader<'a, '_>, soap: &mut SoapVersion) -> Result<Headers<'a>, Refusal> {
    let root = reader.root()?;
    if root != "Envelope" {
        return Err(Refusal::NotSoap(cut(root)));
    }
    *soap = match reader.namespace() {
        namespace::SOAP_11 => SoapVersion::V11,
        namespace::SOAP_12 => SoapVersion::V12,
        other => return Err(Refusal::SoapVersion(cut(other))),
    };
    let mut headers = Headers::default();
    let mut had_header = false;
    while let Some(local) = reader.child("Envelope")? {
        match local {
            _ if reader.namespace() != soap.namespace() => {
                return Err(Refusal::EnvelopeChild { found: cut(local) });
            }
            "Body" => return Ok(headers),
            "Header" if !had_header => {
                had_header = true;
                while let Some(local) = reader.child("Header")? {
                    header(reader, *soap, local, &mut headers)?;
                }
            }
            _ => return Err(Refusal::EnvelopeChild { found: cut(local) }),
        }
    }
    Err(Refusal::NoBody)
}

/// Reads from the end of the body's element to the end of the message.
pub(super) fn close(reader: &mut Reader<'_, '_>) -> Result<(), Refusal> {
    if let Some(local) = reader.child("Body")? {
        return Err(Refusal::SecondBodyElement(cut(local)));
    }
    close_after_body(reader)
}

/// Reads from the end of the body to the end of the message.
pub(super) fn close_after_body(reader: &mut Reader<'_, '_>) -> Result<(), Refusal> {
    if let Some(local) = reader.child("Envelope")? {
        return Err(Refusal::EnvelopeChild { found: cut(local) });
    }
    reader.finish()
}

fn header<'a>(
    reader: &mut Reader<'a, '_>,
    soap: SoapVersion,
    local: &'a str,
    headers: &mut Headers<'a>,
) -> Result<(), Refusal> {
    let member = match Member::from_name(local) {
        // A sibling service has headers of its own for these, in namespaces of its own.
        Some(member @ (Member::ConnectionGuid | Member::SignedToken)) => member,
        Some(member) if !reader.is_foreign() && !reader.namespace().is_empty() => member,
        None if local == "Action" && reader.namespace() == namespace::ADDRESSING_NONE => {
            headers.action = reader.text("Action")?;
            return Ok(());
        }
        // The address that the client has sent the message to: it is here.
        None if local == "To" && reader.namespace() == namespace::ADDRESSING_NONE => return reader.skip(),
        // A member that only a configured contract has.
        None if reader.is_known_header(local) => return reader.skip(),
        _ if must_understand(reader, soap) => return Err(Refusal::MustUnderstand(cut(local))),
        _ => return reader.skip(),
    };
    reader.note_header(member);
    headers.members.read(member, reader)
}

/// Whether the header that begins here is for us and must be understood.
fn must_understand(reader: &Reader<'_, '_>, soap: SoapVersion) -> bool {
    let attribute = |local| reader.attribute(soap.namespace(), local).map(str::trim);
    let is_for_us = match soap {
        SoapVersion::V11 => {
            matches!(attribute("actor"), None | Some("" | "http://schemas.xmlsoap.org/soap/actor/next"))
        }
        SoapVersion::V12 => match attribute("role") {
            None | Some("") => true,
            Some(role) => role.ends_with("/role/next") || role.ends_with("/role/ultimateReceiver"),
        },
    };
    is_for_us && matches!(attribute("mustUnderstand"), Some("1" | "true"))
}
