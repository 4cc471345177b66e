//! The versions of SOAP.

use crate::namespace;

/// The version of SOAP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SoapVersion {
    /// SOAP 1.1, `text/xml`.
    #[default]
    V11,
    /// SOAP 1.2, `application/soap+xml`.
    V12,
}

impl SoapVersion {
    /// The namespace of the envelope.
    pub const fn namespace(self) -> &'static str {
        match self {
            SoapVersion::V11 => namespace::SOAP_11,
            SoapVersion::V12 => namespace::SOAP_12,
        }
    }

    /// The media type of a message, without its charset.
    pub const fn media_type(self) -> &'static str {
        match self {
            SoapVersion::V11 => "text/xml",
            SoapVersion::V12 => "application/soap+xml",
        }
    }
}
