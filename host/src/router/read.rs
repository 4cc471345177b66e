//! A call and the bytes that it was read from.

use bytes::Bytes;
use contract::{Call, Dialect, EncodingError, ReadError};
use self_cell::self_cell;

/// From this size on a message is read off the I/O threads.
pub(super) const LARGE: usize = 64 * 1024;

self_cell!(
    /// A call together with its bytes: its texts are borrowed from them, wherever it is moved.
    pub(super) struct ReadCall {
        owner: Bytes,
        #[covariant]
        dependent: Call,
    }
);

impl ReadCall {
    /// Reads a message in UTF-8; `undecided` is its dialect where it does not show one.
    pub(super) fn read(message: Bytes, action: Option<&str>, undecided: Dialect) -> Result<Self, ReadError> {
        ReadCall::try_new(message, |bytes| contract::read_call_as(bytes, action, undecided))
    }

    pub(super) fn call(&self) -> &Call<'_> {
        self.borrow_dependent()
    }
}

/// The message in UTF-8 without byte order mark; the same bytes, unless they came in another encoding.
pub(super) fn decode(message: Bytes, charset: Option<&str>) -> Result<Bytes, EncodingError> {
    match contract::decode(&message, charset)? {
        std::borrow::Cow::Borrowed(utf8) => Ok(message.slice_ref(utf8)),
        std::borrow::Cow::Owned(utf8) => Ok(utf8.into()),
    }
}
