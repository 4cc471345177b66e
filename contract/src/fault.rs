//! SOAP faults: the message itself could not be served (contract page, section 5).

use std::fmt;

/// Which side caused a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultCode {
    /// The caller's: `s:Client`, `s:Sender` in SOAP 1.2.
    Client,
    /// The service's: `s:Server`, `s:Receiver` in SOAP 1.2.
    Server,
    /// A header that must be understood is not.
    MustUnderstand,
    /// The envelope is of an unknown version of SOAP.
    VersionMismatch,
    /// Another one, by its local name; only ever read, and written as `Server`.
    Other(String),
}

/// A SOAP fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which side caused it.
    pub code: FaultCode,
    /// What is wrong and what was expected, in English.
    pub text: String,
}

impl Fault {
    /// A fault of the caller.
    pub fn client(text: impl Into<String>) -> Self {
        Fault { code: FaultCode::Client, text: text.into() }
    }

    /// A fault of the service, or it cannot serve just now.
    pub fn server(text: impl Into<String>) -> Self {
        Fault { code: FaultCode::Server, text: text.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = match &self.code {
            FaultCode::Client => "Client",
            FaultCode::Server => "Server",
            FaultCode::MustUnderstand => "MustUnderstand",
            FaultCode::VersionMismatch => "VersionMismatch",
            FaultCode::Other(name) => name,
        };
        write!(f, "{code}: {}", self.text)
    }
}

impl std::error::Error for Fault {}
