//! The frozen boundary between the host and a plugin file. Authors need nothing of it; the export macro does.
//!
//! Everything that crosses is a [`Message`]: one run of text and the lengths that cut it, borrowed by the other side
//! for as long as the call lasts. A call is one request message, then any number of reply messages pushed into a sink
//! of the caller's, the last of which is the outcome. The same messages travel to a plugin in a process of its own.

mod message;
mod row;

pub use message::{Malformed, Message, MessageRef, Reader};
pub use row::{RowRef, RowWriter};
