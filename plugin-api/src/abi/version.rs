//! The version of the plugin API.

use std::fmt;

/// A version of the plugin API, which is the version of `erp-host-plugin-api`. A host and a plugin need the same major
/// version. A host serves every plugin that needs its own minor version or an older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiVersion {
    /// Raised when the boundary changes incompatibly.
    pub major: u32,
    /// Raised when something is added to the boundary.
    pub minor: u32,
    /// Raised when the boundary does not change.
    pub patch: u32,
}

impl ApiVersion {
    /// The version of this crate.
    pub const OURS: ApiVersion = ApiVersion {
        major: number(env!("CARGO_PKG_VERSION_MAJOR")),
        minor: number(env!("CARGO_PKG_VERSION_MINOR")),
        patch: number(env!("CARGO_PKG_VERSION_PATCH")),
    };
}

/// Parses a number of a version, which cargo has checked.
const fn number(text: &str) -> u32 {
    let digits = text.as_bytes();
    let (mut number, mut index) = (0, 0);
    while index < digits.len() {
        number = number * 10 + (digits[index] - b'0') as u32;
        index += 1;
    }
    number
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}
