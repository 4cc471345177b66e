//! Writing: calls, replies and faults, appended to a buffer.

mod carriers;
mod characters;
mod fault;
mod reply;
mod request;
mod rows;

pub use characters::{Cleaner, clean};
pub use fault::write_fault;
pub use reply::write_reply;
pub use request::write_request;
pub use rows::{ActorRow, ReplyWriter};
