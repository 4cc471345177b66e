//! The encoding of values and rows in messages. Rows are written and read in it on both sides of the boundary, and by the
//! tools for tests.

mod message;
mod row;

pub use message::{Malformed, Message, MessageRef, Reader};
pub use row::{RowRef, RowWriter};
