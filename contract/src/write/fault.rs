//! Writing faults.

use crate::profile::plan::{BODY_START, ENVELOPE_END, envelope_start};
use crate::xml::escape;
use crate::{Fault, FaultCode, SoapVersion};

/// Appends a fault in this version of SOAP (contract page, section 5). With HTTP it goes out with status 500.
pub fn write_fault(out: &mut Vec<u8>, soap: SoapVersion, fault: &Fault) {
    out.extend_from_slice(envelope_start(soap));
    out.extend_from_slice(BODY_START);
    match soap {
        SoapVersion::V11 => {
            let code = match fault.code {
                FaultCode::Client => "Client",
                FaultCode::Server | FaultCode::Other(_) => "Server",
                FaultCode::MustUnderstand => "MustUnderstand",
                FaultCode::VersionMismatch => "VersionMismatch",
            };
            out.extend_from_slice(b"<s:Fault><faultcode>s:");
            out.extend_from_slice(code.as_bytes());
            out.extend_from_slice(b"</faultcode><faultstring>");
            escape(out, &fault.text);
            out.extend_from_slice(b"</faultstring></s:Fault>");
        }
        SoapVersion::V12 => {
            let code = match fault.code {
                FaultCode::Client => "Sender",
                FaultCode::Server | FaultCode::Other(_) => "Receiver",
                FaultCode::MustUnderstand => "MustUnderstand",
                FaultCode::VersionMismatch => "VersionMismatch",
            };
            out.extend_from_slice(b"<s:Fault><s:Code><s:Value>s:");
            out.extend_from_slice(code.as_bytes());
            out.extend_from_slice(br#"</s:Value></s:Code><s:Reason><s:Text xml:lang="en">"#);
            escape(out, &fault.text);
            out.extend_from_slice(b"</s:Text></s:Reason></s:Fault>");
        }
    }
    out.extend_from_slice(ENVELOPE_END);
}
