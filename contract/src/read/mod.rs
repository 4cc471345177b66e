//! Reading: from bytes to calls and replies. The profile that a message follows is decided in `structure`.

mod action;
mod call;
mod encoding;
mod envelope;
mod error;
mod losses;
mod members;
mod reader;
mod reply;
mod structure;
mod wrapping;

pub use action::soap_action;
pub use call::{ReadOptions, read_call};
pub use encoding::{EncodingError, decode};
pub use error::{ReadError, Refusal};
pub use losses::{Loss, LossKind, losses};
pub use reply::{ReplyError, ReplyMessage, read_reply};
