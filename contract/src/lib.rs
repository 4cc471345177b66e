//! The SuperOffice ERP Sync connector contract in plain Rust: operations, requests, replies, carriers and values; a
//! reader from bytes to a [`Call`] that recognises its dialect, a writer that appends a reply in the caller's dialect,
//! the client side of both, and the WSDL.
//!
//! This crate knows neither HTTP nor plugins, and does no I/O. Where its documentation names a rule's source, "the
//! contract page" is the specification that `docs/contract/overview.md` sums up.
//!
//! A message goes through these modules: [`decode`] to UTF-8, the tokenizer of [`xml`] that refuses what is not
//! well-formed, the reader that recognises envelope, operation and dialect and collects members by the tables of
//! `class`; and back through the writer, which follows the same tables. The tables make the [`wsdl`] too.
//!
//! ```
//! use contract::{Outcome, Reply, Request, SoapVersion, read_call, write_reply};
//!
//! let body = br#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>
//!     <GetListRequestWS xmlns="http://www.superoffice.net/EIS/Connector/1.0">
//!         <ConnectionGuid>3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf</ConnectionGuid><ListName>Category</ListName>
//!     </GetListRequestWS></s:Body></s:Envelope>"#;
//! let call = read_call(body, None).unwrap();
//! assert_eq!(call.operation().name(), "WSGetList");
//! assert!(matches!(&call.request, Request::GetList { list_name: Some(name) } if name == "Category"));
//!
//! let mut answer = Vec::new();
//! write_reply(&mut answer, &call.envelope, call.operation(), &Reply::plain(Outcome::ok()));
//! assert!(answer.starts_with(b"<s:Envelope"));
//! ```

mod carriers;
mod class;
mod envelope;
mod fault;
pub mod namespace;
mod operation;
mod owned;
mod read;
mod reply;
mod request;
mod write;
mod wsdl;
pub mod xml;

pub use carriers::{Actor, Dictionary, Field, Restriction, Text, Texts, Token};
pub use envelope::{Dialect, Envelope, SoapVersion};
pub use fault::{Fault, FaultCode};
pub use operation::{Operation, PayloadKind};
pub use read::{
    Answer, EncodingError, Loss, LossKind, ReadError, Refusal, ReplyError, decode, losses, read_call,
    read_call_as, read_reply, soap_action,
};
pub use reply::{Authentication, Outcome, Payload, Reply};
pub use request::{Call, Request};
pub use values::{
    Access, DateTime, FieldType, Guid, LocalizedText, Operator, State, Value, actor_type, error_code,
};
pub use write::{ActorRow, ReplyWriter, write_fault, write_reply, write_request};
pub use wsdl::wsdl;

#[cfg(test)]
mod tests;
