//! Checks what a caller sends by what the connection has described, before the connector is called: actor types, fields,
//! parents, restrictions, and the values of actors that are created or saved. Values are brought into the one form of their
//! type. The host and the kit of authors check with this.
//!
//! SuperOffice sends whole actors back. So a value of an actor that is saved may be one that nobody may set, if it is the one
//! that the connection answers with: the actor is read, only then, and the value is marked as unchanged.
//!
//! - `check`: [`InputCheck`], with what is done to values;
//! - `descriptions`: what a connection has described, kept for a time;
//! - `refusal`: why something is refused, for the caller and for the log.

mod check;
mod descriptions;
mod refusal;

#[cfg(test)]
mod tests;

pub use check::{InputCheck, NotPassed};
pub use descriptions::{Descriptions, Source};
pub use refusal::Refusal;
