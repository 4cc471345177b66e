//! Reading: from bytes to calls and replies. The dialect of a message is decided in `dialect`.

mod action;
mod call;
mod dialect;
mod encoding;
mod envelope;
mod error;
mod losses;
mod members;
mod reader;
mod reply;

pub use action::soap_action;
pub use call::{read_call, read_call_as};
pub use encoding::{EncodingError, decode};
pub use error::{ReadError, Refusal};
pub use losses::{Loss, LossKind, losses};
pub use reply::{ReplyError, ReplyMessage, read_reply};
