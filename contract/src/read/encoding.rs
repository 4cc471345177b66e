//! Decoding: from the bytes of a message to UTF-8.

use std::borrow::Cow;

use thiserror::Error;

/// Why the bytes of a message could not be made text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EncodingError {
    /// The charset is not one that the contract page names.
    #[error("charset {0:?} is not supported, expected utf-8 or utf-16")]
    Unsupported(String),
    /// UTF-16 with an odd number of bytes, or with half a surrogate pair.
    #[error("the message is not valid UTF-16")]
    InvalidUtf16,
}

#[derive(Clone, Copy)]
enum Encoding {
    Utf8,
    Utf16 { little_endian: bool },
}

/// The message in UTF-8 without byte order mark; borrowed unless it came in UTF-16. A byte order mark decides, then the
/// charset of the content type, then how the message begins. Whether it is valid UTF-8 is checked when it is read.
///
/// # Errors
/// The charset is another one, or the message is not valid UTF-16.
pub fn decode<'a>(bytes: &'a [u8], charset: Option<&str>) -> Result<Cow<'a, [u8]>, EncodingError> {
    let (encoding, rest) = match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => (Encoding::Utf8, rest),
        [0xFF, 0xFE, rest @ ..] => (Encoding::Utf16 { little_endian: true }, rest),
        [0xFE, 0xFF, rest @ ..] => (Encoding::Utf16 { little_endian: false }, rest),
        _ => (named(charset, bytes)?, bytes),
    };
    match encoding {
        Encoding::Utf8 => Ok(Cow::Borrowed(rest)),
        Encoding::Utf16 { little_endian } => {
            let (pairs, odd) = rest.as_chunks::<2>();
            if !odd.is_empty() {
                return Err(EncodingError::InvalidUtf16);
            }
            let unit = if little_endian { u16::from_le_bytes } else { u16::from_be_bytes };
            let text: Result<String, _> = char::decode_utf16(pairs.iter().map(|&pair| unit(pair))).collect();
            text.map(|text| Cow::Owned(text.into_bytes())).map_err(|_| EncodingError::InvalidUtf16)
        }
    }
}

/// The encoding of a message without byte order mark.
fn named(charset: Option<&str>, bytes: &[u8]) -> Result<Encoding, EncodingError> {
    let by_form = match bytes {
        [0, b'<', ..] => Encoding::Utf16 { little_endian: false },
        [b'<', 0, ..] => Encoding::Utf16 { little_endian: true },
        _ => Encoding::Utf8,
    };
    let Some(charset) = charset.map(|name| name.trim().trim_matches(['"', '\''])) else { return Ok(by_form) };
    let is_one_of = |names: &[&str]| names.iter().any(|name| charset.eq_ignore_ascii_case(name));
    match charset {
        "" => Ok(by_form),
        _ if is_one_of(&["utf-8", "utf8", "us-ascii", "ascii"]) => Ok(Encoding::Utf8),
        _ if is_one_of(&["utf-16le"]) => Ok(Encoding::Utf16 { little_endian: true }),
        _ if is_one_of(&["utf-16be"]) => Ok(Encoding::Utf16 { little_endian: false }),
        // Without a mark, .NET means little-endian, unless the message plainly begins otherwise.
        _ if is_one_of(&["utf-16", "unicode"]) => Ok(match by_form {
            Encoding::Utf16 { .. } => by_form,
            Encoding::Utf8 => Encoding::Utf16 { little_endian: true },
        }),
        _ => Err(EncodingError::Unsupported(charset.chars().take(64).collect())),
    }
}
