//! The other side of the wire: calls to a connector service, ours or anybody's, as SuperOffice makes them.
//!
//! [`Client::call`] makes a call of the contract and gives an [`Exchange`]: what was sent, what came back, and the
//! reply read. Everything that can go wrong is a [`CallError`], whose text is one sentence for the user and which keeps
//! what did come back. [`Client::send`] sends any request at all, for those who look at answers byte by byte.
//!
//! [`form`] is the settings form of a connection, filled in; [`register`] registers a connector with SuperOffice.

mod address;
mod client;
mod error;
mod exchange;
pub mod form;
mod options;
pub mod register;
mod transport;

#[cfg(test)]
mod tests;

pub use address::{AddressError, ServiceAddress};
pub use client::Client;
pub use error::{CallError, Trouble};
pub use exchange::{Answered, Body, Exchange, HttpRequest, Traffic};
pub use options::Options;
pub use transport::SetupError;
