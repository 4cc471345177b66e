//! Connection GUIDs.

use std::fmt;
use std::str::FromStr;

/// A GUID, as `ConnectionGuid` carries it. Reads the .NET forms `D` (`xxxxxxxx-xxxx-...`), `N` (32 digits), `B`
/// (`{...}`) and `P` (`(...)`) in any case; writes `D` in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Guid(u128);

/// A text that is not a GUID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuidError {
    text: String,
}

impl Guid {
    /// `00000000-0000-0000-0000-000000000000`: WSGetList comes with it while a connection is being set up.
    pub const ZERO: Guid = Guid(0);

    /// The GUID with these 128 bits, the first digit being the highest.
    pub const fn from_u128(bits: u128) -> Self {
        Guid(bits)
    }

    /// The 128 bits, the first digit being the highest.
    pub const fn as_u128(self) -> u128 {
        self.0
    }

    /// Whether this is [`Guid::ZERO`].
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl FromStr for Guid {
    type Err = GuidError;

    fn from_str(text: &str) -> Result<Self, GuidError> {
        let error = || GuidError { text: text.chars().take(64).collect() };
        let trimmed = text.trim().as_bytes();
        let (inner, braced) = match trimmed {
            [b'{', inner @ .., b'}'] | [b'(', inner @ .., b')'] => (inner, true),
            plain => (plain, false),
        };
        let hyphenated = inner.len() == 36;
        if !hyphenated && (braced || inner.len() != 32) {
            return Err(error());
        }
        let mut bits = 0u128;
        for (at, &byte) in inner.iter().enumerate() {
            if hyphenated && matches!(at, 8 | 13 | 18 | 23) {
                if byte != b'-' {
                    return Err(error());
                }
                continue;
            }
            let digit = (byte as char).to_digit(16).ok_or_else(error)?;
            bits = bits << 4 | u128::from(digit);
        }
        Ok(Guid(bits))
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b'-'; 36];
        let mut at = 0;
        for (place, byte) in self.0.to_be_bytes().into_iter().enumerate() {
            at += usize::from(matches!(place, 4 | 6 | 8 | 10));
            text[at] = DIGITS[usize::from(byte >> 4)];
            text[at + 1] = DIGITS[usize::from(byte & 15)];
            at += 2;
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Display for GuidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a GUID, expected a form like 3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf", self.text)
    }
}

impl std::error::Error for GuidError {}
