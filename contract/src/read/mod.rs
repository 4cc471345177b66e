//! From bytes to calls and replies.

mod action;
mod body;
mod call;
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
pub use reply::{Answer, ReplyError, read_reply};
