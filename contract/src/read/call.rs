//! Reading requests.

use super::action::soap_action;
use super::dialect::{self, DetectedDialect, known_or_owned};
use super::envelope::{self, Headers};
use super::error::{ReadError, Refusal, cut};
use super::members::Members;
use super::reader::Reader;
use crate::class::{self, Class};
use crate::xml::Limits;
use crate::{Call, Dialect, Envelope, Operation, SoapVersion};

/// The class of a request without parameter.
static NO_MEMBERS: Class = Class { name: "request", base: None, own: &[] };

/// Reads a request. `soap_action` is the SOAPAction that came with it, quoted or not; without one, the body element
/// names the operation.
///
/// The message is UTF-8; see [`crate::decode`] for others.
///
/// # Errors
/// The message is one that has to be refused by the contract page. The error becomes a [`crate::Fault`].
pub fn read_call<'a>(body: &'a [u8], soap_action: Option<&str>) -> Result<Call<'a>, ReadError> {
    read_call_as(body, soap_action, Dialect::Data, Limits::REQUEST)
}

/// As [`read_call`], within limits, and for a caller whose dialect is known from elsewhere. A body element that is named
/// after an operation and holds no member, as that of WSGetConfigData always does, is the same in `data` and `plain`: then
/// the dialect is `undecided`, which is `data` for [`read_call`].
///
/// # Errors
/// As [`read_call`].
pub fn read_call_as<'a>(
    body: &'a [u8],
    soap_action: Option<&str>,
    undecided: Dialect,
    limits: Limits,
) -> Result<Call<'a>, ReadError> {
    let mut soap = SoapVersion::V11;
    call(body, soap_action, undecided, limits, &mut soap).map_err(|refusal| ReadError { soap, refusal })
}

fn call<'a>(
    body: &'a [u8],
    action: Option<&str>,
    undecided: Dialect,
    limits: Limits,
    soap: &mut SoapVersion,
) -> Result<Call<'a>, Refusal> {
    let mut reader = Reader::new(envelope::text(body)?, limits);
    let mut headers = envelope::open(&mut reader, soap)?;
    let in_header = headers.action.take();
    let in_header = in_header.as_deref().map(str::trim).filter(|action| !action.is_empty());
    let action = match (action.and_then(soap_action), in_header) {
        (Some(action), Some(in_header)) if action != in_header => {
            return Err(Refusal::OtherAction { header: cut(in_header), action: cut(action) });
        }
        (action, in_header) => action.or(in_header),
    };
    let by_action = match action {
        None => None,
        Some(action) => {
            let parts = Operation::from_action(action);
            Some(parts.ok_or_else(|| Refusal::UnknownAction(cut(action)))?)
        }
    };
    let mut envelope = Envelope { soap: *soap, ..Envelope::default() };
    let Some(element) = reader.child("Body")? else {
        let (namespace, operation) = by_action.ok_or(Refusal::NoOperation)?;
        envelope.namespace = known_or_owned(namespace);
        check_empty_body(operation)?;
        envelope::close_after_body(&mut reader)?;
        return Ok(assemble(envelope, operation, Members::default(), headers));
    };
    if let Some((namespace, operation)) = by_action
        && means_no_parameter(element, operation)
    {
        envelope.namespace = known_or_owned(namespace);
        dialect::read_class_element(&mut reader, &NO_MEMBERS, &mut Members::default())?;
        envelope::close(&mut reader)?;
        return Ok(assemble(envelope, operation, Members::default(), headers));
    }
    let operation = operation_of(element, by_action.map(|(_, operation)| operation))?;
    if reader.namespace().is_empty() {
        return Err(Refusal::NoNamespace(cut(element)));
    }
    envelope.namespace = known_or_owned(reader.namespace());
    reader.contract = envelope.namespace.clone();
    let mut members = Members::default();
    let class = operation.request().unwrap_or(&NO_MEMBERS);
    if element == class.name {
        dialect::read_class_element(&mut reader, class, &mut members)?;
    } else {
        let DetectedDialect { dialect, plain_namespace } =
            dialect::read_operation_element(&mut reader, class, element, &mut members)?;
        envelope.dialect = dialect.unwrap_or(undecided);
        envelope.note_plain_namespace(operation, plain_namespace);
    }
    envelope::close(&mut reader)?;
    Ok(assemble(envelope, operation, members, headers))
}

/// Whether a body element stands for the empty body of an operation without parameter. Some clients cannot send an empty
/// body, and send an element of the name that the WSDL gives to the message (seen by node-soap and strong-soap). What
/// names another operation is still a disagreement.
fn means_no_parameter(element: &str, operation: Operation) -> bool {
    operation.request().is_none()
        && !Operation::ALL
            .iter()
            .any(|other| other.name() == element || other.request_class() == Some(element))
}

/// The operation of a body element, which has to be the one that the action names.
fn operation_of(element: &str, by_action: Option<Operation>) -> Result<Operation, Refusal> {
    if let Some(operation) = by_action {
        let class = operation.request_class();
        if element == operation.name() || Some(element) == class {
            return Ok(operation);
        }
        let expected = class.unwrap_or(operation.name());
        return Err(Refusal::Disagreement { operation: operation.name(), found: cut(element), expected });
    }
    if let Some(operation) = Operation::from_name(element) {
        return Ok(operation);
    }
    let mut candidates = Operation::ALL.iter().filter(|operation| operation.request_class() == Some(element));
    match (candidates.next(), candidates.next()) {
        (Some(&operation), None) => Ok(operation),
        (Some(_), Some(_)) => Err(Refusal::AmbiguousBodyElement(cut(element))),
        _ => Err(Refusal::UnknownBodyElement(cut(element))),
    }
}

/// An empty body is right for WSGetConfigData, and will do where all that a request has may stand in the header.
fn check_empty_body(operation: Operation) -> Result<(), Refusal> {
    match operation.request() {
        None => Ok(()),
        Some(class) if std::ptr::eq(class, &class::REQUEST_BASE) => Ok(()),
        Some(class) if std::ptr::eq(class, &class::AUTHENTICATION_REQUEST) => Ok(()),
        Some(class) => Err(Refusal::EmptyBody { operation: operation.name(), expected: class.name }),
    }
}

fn assemble<'a>(
    envelope: Envelope,
    operation: Operation,
    mut members: Members<'a>,
    headers: Headers<'a>,
) -> Call<'a> {
    let connection_guid = members.connection_guid.take().or(headers.connection_guid);
    members.token = members.token.or(headers.signed_token);
    Call { envelope, connection_guid, request: members.into_request(operation) }
}
