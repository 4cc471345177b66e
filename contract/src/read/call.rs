//! Reading requests.

use super::action::soap_action;
use super::envelope::{self, Headers};
use super::error::{ReadError, Refusal, cut};
use super::members::Members;
use super::reader::Reader;
use super::wrapping;
use crate::class::{self, Class};
use crate::profile::{Direction, Profile, Profiles};
use crate::xml::Limits;
use crate::{Call, Operation, SoapVersion};

/// The class of a request without parameter.
static NO_MEMBERS: Class = Class { name: "request", base: None, own: &[] };

/// What a reader of requests has to know besides the message.
#[derive(Debug, Clone, Copy)]
pub struct ReadOptions<'o> {
    /// The SOAPAction that came with the message, quoted or not; without one, the body element names the operation.
    pub action: Option<&'o str>,
    /// The profile that counts where the message fits several equally: a body element that is named after an operation and
    /// holds no member, as that of WSGetConfigData always does, is the same in `data` and `plain`.
    pub preferred: Option<&'o Profile>,
    /// Limits of the message.
    pub limits: Limits,
}

impl Default for ReadOptions<'_> {
    fn default() -> Self {
        ReadOptions { action: None, preferred: None, limits: Limits::REQUEST }
    }
}

/// Reads a request in a built-in profile. `soap_action` is the SOAPAction that came with it.
///
/// The message is UTF-8; see [`crate::decode`] for others.
///
/// # Errors
/// As [`Profiles::read_call`].
pub fn read_call<'a>(body: &'a [u8], soap_action: Option<&str>) -> Result<Call<'a>, ReadError> {
    Profiles::builtin().read_call(body, &ReadOptions { action: soap_action, ..ReadOptions::default() })
}

impl Profiles {
    /// Reads a request, and recognises its profile.
    ///
    /// The message is UTF-8; see [`crate::decode`] for others.
    ///
    /// # Errors
    /// The message is one that has to be refused by the contract page. The error becomes a [`crate::Fault`].
    pub fn read_call<'a>(&self, body: &'a [u8], options: &ReadOptions<'_>) -> Result<Call<'a>, ReadError> {
        let mut soap = SoapVersion::V11;
        call(self, body, options, &mut soap).map_err(|refusal| ReadError { soap, refusal })
    }
}

fn call<'a>(
    profiles: &Profiles,
    body: &'a [u8],
    options: &ReadOptions<'_>,
    soap: &mut SoapVersion,
) -> Result<Call<'a>, Refusal> {
    let mut reader = Reader::new(envelope::text(body)?, options.limits, profiles);
    let Headers { members: headers, action: in_header } = envelope::open(&mut reader, soap)?;
    let in_header = in_header.as_deref().map(str::trim).filter(|action| !action.is_empty());
    let action = match (options.action.and_then(soap_action), in_header) {
        (Some(action), Some(in_header)) if action != in_header => {
            return Err(Refusal::OtherAction { header: cut(in_header), action: cut(action) });
        }
        (action, in_header) => action.or(in_header),
    };
    let by_action = match action {
        None => None,
        Some(action) => {
            let parts = profiles.operation_of_action(action);
            Some(parts.ok_or_else(|| Refusal::UnknownAction(cut(action)))?)
        }
    };
    let mut members = Members::default();
    let operation = match (reader.child("Body")?, by_action) {
        (None, None) => return Err(Refusal::NoOperation),
        (None, Some((_, operation))) => {
            check_empty_body(profiles, operation)?;
            envelope::close_after_body(&mut reader)?;
            operation
        }
        (Some(element), Some((_, operation))) if means_no_parameter(profiles, element, operation) => {
            wrapping::read_flat(&mut reader, &NO_MEMBERS, element, &mut members)?;
            envelope::close(&mut reader)?;
            operation
        }
        (Some(element), by_action) => {
            let operation = operation_of(profiles, element, by_action.map(|(_, operation)| operation))?;
            if reader.namespace().is_empty() && profiles.known_namespace("").is_none() {
                return Err(Refusal::NoNamespace(cut(element)));
            }
            reader.note_outer(element);
            let class = operation.request().unwrap_or(&NO_MEMBERS);
            match profiles.depth(operation, Direction::Request, element) {
                Some(0) => wrapping::read_bare(&mut reader, class, element, &mut members)?,
                Some(1) => wrapping::read_flat(&mut reader, class, element, &mut members)?,
                _ => wrapping::read_nested(&mut reader, class, element, &mut members)?,
            }
            envelope::close(&mut reader)?;
            operation
        }
    };
    let action_namespace = by_action.and_then(|(namespace, _)| namespace);
    let envelope = reader.structure.envelope(
        profiles,
        operation,
        Direction::Request,
        options.preferred,
        *soap,
        action_namespace,
    );
    let mut members = members.or(headers);
    let connection_guid = members.connection_guid.take();
    Ok(Call { envelope, connection_guid, request: members.into_request(operation) })
}

/// Whether a body element stands for the empty body of an operation without parameter. Some clients cannot send an empty
/// body, and send an element of the name that the WSDL gives to the message (seen by node-soap and strong-soap). What
/// names another operation is still a disagreement.
fn means_no_parameter(profiles: &Profiles, element: &str, operation: Operation) -> bool {
    let names = |operation: Operation| profiles.depth(operation, Direction::Request, element).is_some();
    operation.request().is_none() && !Operation::ALL.iter().any(|&operation| names(operation))
}

/// The operation of a body element, which has to be the one that the action names.
fn operation_of(
    profiles: &Profiles,
    element: &str,
    by_action: Option<Operation>,
) -> Result<Operation, Refusal> {
    let names = |operation: Operation| profiles.depth(operation, Direction::Request, element).is_some();
    if let Some(operation) = by_action {
        if names(operation) {
            return Ok(operation);
        }
        let expected = operation.request_class().unwrap_or(operation.name());
        return Err(Refusal::Disagreement { operation: operation.name(), found: cut(element), expected });
    }
    let mut candidates = Operation::ALL.iter().copied().filter(|&operation| names(operation));
    match (candidates.next(), candidates.next()) {
        (Some(operation), None) => Ok(operation),
        (Some(_), Some(_)) => Err(Refusal::AmbiguousBodyElement(cut(element))),
        _ => Err(Refusal::UnknownBodyElement(cut(element))),
    }
}

/// An empty body is right for WSGetConfigData, and will do where all that a request has may stand in the header.
fn check_empty_body(profiles: &Profiles, operation: Operation) -> Result<(), Refusal> {
    let is_empty = |profile: &Profile| {
        let message = profile.message(operation, Direction::Request);
        message.is_some_and(|message| message.wrappers.is_empty() && message.members.is_empty())
    };
    match operation.request() {
        None => Ok(()),
        Some(class) if std::ptr::eq(class, &class::REQUEST_BASE) => Ok(()),
        Some(class) if std::ptr::eq(class, &class::AUTHENTICATION_REQUEST) => Ok(()),
        Some(_) if profiles.all().iter().any(|profile| is_empty(profile)) => Ok(()),
        Some(class) => Err(Refusal::EmptyBody { operation: operation.name(), expected: class.name }),
    }
}
