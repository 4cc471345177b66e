//! The errors of reading a message.

use thiserror::Error;

use crate::xml::XmlError;
use crate::{Fault, FaultCode, SoapVersion, namespace};

/// Why a message cannot be served, and the SOAP version for the fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{refusal}")]
pub struct ReadError {
    /// The SOAP version of the message, as far as it was read.
    pub soap: SoapVersion,
    /// What is wrong.
    pub refusal: Refusal,
}

/// What is wrong with a message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the messages explain each one")]
pub enum Refusal {
    #[error("the message is not valid UTF-8 at byte {at}")]
    NotUtf8 { at: usize },
    #[error("the message is not well-formed: {0}")]
    Xml(#[from] XmlError),
    #[error("processing instruction <?{0}?> in the envelope: SOAP allows none")]
    Instruction(String),
    #[error("the root element is <{0}>, expected a SOAP <Envelope>")]
    NotSoap(String),
    #[error("the envelope is in namespace {0:?}, expected {expected_11:?} or {expected_12:?}",
        expected_11 = namespace::SOAP_11, expected_12 = namespace::SOAP_12)]
    SoapVersion(String),
    #[error("the envelope has no <Body>")]
    NoBody,
    #[error("unexpected <{found}> in <Envelope>, expected one <Header> at most and then one <Body>")]
    EnvelopeChild { found: String },
    #[error("header <{0}> says mustUnderstand and is not understood")]
    MustUnderstand(String),
    #[error("the body holds a second element <{0}>, expected one")]
    SecondBodyElement(String),
    #[error("the body is empty and there is no SOAPAction: no operation is named")]
    NoOperation,
    #[error(
        "unknown SOAPAction {0:?}, expected one like {example:?}",
        example = "http://www.superoffice.net/EIS/Connector/1.0/IErpConnectorWS/WSGetActors"
    )]
    UnknownAction(String),
    #[error(
        "the header <Action> says {header:?}, but the SOAPAction is {action:?}: both must name the same operation"
    )]
    OtherAction { header: String, action: String },
    #[error(
        "unknown body element <{0}>, expected an operation such as <WSGetActors> or a request class such as <GetActorsRequestWS>"
    )]
    UnknownBodyElement(String),
    #[error("body element <{0}> belongs to several operations and there is no SOAPAction that names one")]
    AmbiguousBodyElement(String),
    #[error(
        "SOAPAction names operation {operation}, but the body element is <{found}>, expected <{expected}>"
    )]
    Disagreement { operation: &'static str, found: String, expected: &'static str },
    #[error("the body is empty, but operation {operation} expects <{expected}>")]
    EmptyBody { operation: &'static str, expected: &'static str },
    #[error("body element <{0}> is in no namespace, expected {expected:?}", expected = namespace::CONTRACT)]
    NoNamespace(String),
    #[error("<{member}> holds element <{found}>, expected text")]
    ElementInText { member: &'static str, found: String },
    #[error("<{element}> holds text {text:?}, expected elements")]
    TextAmongElements { element: String, text: String },
    #[error("an entry of <{0}> has no <Key>")]
    NoKey(&'static str),
    #[error("<{member}> holds {text:?}, expected {expected}")]
    Value { member: &'static str, text: String, expected: String },
}

impl Refusal {
    /// Whose fault it is.
    pub const fn code(&self) -> FaultCode {
        match self {
            Refusal::SoapVersion(_) => FaultCode::VersionMismatch,
            Refusal::MustUnderstand(_) => FaultCode::MustUnderstand,
            _ => FaultCode::Client,
        }
    }
}

impl From<&ReadError> for Fault {
    fn from(error: &ReadError) -> Self {
        Fault { code: error.refusal.code(), text: error.to_string() }
    }
}

impl From<&super::EncodingError> for Fault {
    fn from(error: &super::EncodingError) -> Self {
        Fault::client(error.to_string())
    }
}

/// As much of a text as an error message needs.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(100).collect()
}
