//! References: short correlation IDs that connect a failure in an answer with its record in the log.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A new reference: eight random hexadecimal digits.
pub fn new_reference() -> String {
    // Each `RandomState` has other keys. The first one of a thread takes them from the system's random numbers.
    let number = RandomState::new().build_hasher().finish();
    format!("{:08x}", number >> 32)
}
