//! Rules of services only: HTTP, SOAP, the WSDL, and the connections that a service stores.

pub(super) mod addresses;
pub(super) mod connections;
pub(super) mod faults;
mod message;
pub(super) mod replies;
pub(super) mod requests;
pub(super) mod unusual_requests;
pub(super) mod wsdl;
