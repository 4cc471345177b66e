//! What a failure is called, so that the one who reads of it in an answer finds it in the log.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A new reference: eight hexadecimal digits that no other failure of these days has, as far as chance allows.
pub fn new_reference() -> String {
    // Each of them has keys of its own, drawn from the system's random numbers at the first one of a thread.
    let number = RandomState::new().build_hasher().finish();
    format!("{:08x}", number >> 32)
}
