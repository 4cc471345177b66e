//! The SuperOffice ERP Sync connector contract in plain Rust: operations, requests, replies, carriers and values; a
//! reader from bytes to a [`Call`] that recognises its dialect, a writer that appends a reply in the caller's dialect,
//! the client side of both, and the WSDL.
//!
//! This crate does no I/O, and depends neither on HTTP nor on plugins. Where its documentation names a rule's source, "the
//! contract page" is the specification that `docs/contract/overview.md` sums up.
//!
//! | module | what it holds |
//! |---|---|
//! | [`xml`] | the strict tokenizer, its limits, and escaping |
//! | `read` | [`decode`] to UTF-8; the reader of calls and replies; `read::structure` decides the profile |
//! | `write` | the writers of calls, replies and faults; [`ReplyWriter`] writes actors as they arrive |
//! | [`profile`] | profiles: how messages are wrapped and ordered; the built-in dialects among them |
//! | `contract_file` | a profile as TOML |
//! | [`learn`] | a profile from the WSDL of a running service |
//! | [`sample`] | sample messages of each operation |
//! | `envelope` | SOAP version, profile and namespaces of a message |
//! | `operation`, `class` | the tables of operations, classes and members that `read`, `write` and [`wsdl`] follow |
//! | `request`, `reply`, `carriers`, `fault` | the types of what a message holds |
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
mod contract_file;
mod dialect;
mod envelope;
mod fault;
pub mod learn;
pub mod namespace;
mod operation;
mod owned;
pub mod profile;
mod read;
mod redaction;
mod reply;
mod request;
pub mod sample;
mod soap_version;
mod write;
mod wsdl;
pub mod xml;

pub use carriers::{Actor, Dictionary, Field, Restriction, Text, Texts, Token};
pub use class::MemberOrder;
pub use contract_file::{ContractFile, ContractFileError, MAX_CONTRACT_FILE};
pub use dialect::Dialect;
pub use envelope::Envelope;
pub use fault::{Fault, FaultCode};
pub use operation::{Operation, PayloadKind};
pub use profile::{Profile, Profiles};
pub use read::{
    EncodingError, Loss, LossKind, ReadError, ReadOptions, Refusal, ReplyError, ReplyMessage, decode, losses,
    read_call, read_reply, soap_action,
};
pub use redaction::RequestTexts;
pub use reply::{Authentication, Outcome, Payload, Reply};
pub use request::{Call, Request};
pub use soap_version::SoapVersion;
pub use values::is_secret_name;
pub use values::{
    Access, DateTime, FieldType, Guid, LocalizedText, Operator, State, Value, actor_type, error_code,
};
pub use write::{ActorRow, Cleaner, ReplyWriter, clean, write_fault, write_reply, write_request};
pub use wsdl::{LearnedWsdl, wsdl};

#[cfg(test)]
mod tests;
