//! Escaping text as .NET does.

use super::names::{is_noncharacter, stops_at};

/// Bytes that text cannot be written as they are at.
const STOPS: [bool; 256] = stops_at(b"<>&\xEF");

/// Appends the text as the content of an element: `&lt;` `&gt;` `&amp;`, and references for what XML would change
/// (carriage return) or forbids (control characters, U+FFFE, U+FFFF); tab and newline as they are (contract page,
/// section 5).
pub fn escape(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut run = 0;
    let mut at = 0;
    while let Some(offset) = bytes[at..].iter().position(|&byte| STOPS[usize::from(byte)]) {
        at += offset;
        let mut reference = *b"&#x??;";
        let (escaped, length): (&[u8], usize) = match bytes[at] {
            b'<' => (b"&lt;", 1),
            b'>' => (b"&gt;", 1),
            b'&' => (b"&amp;", 1),
            0xEF if is_noncharacter(&bytes[at..]) => {
                (if bytes[at + 2] == 0xBE { b"&#xFFFE;" } else { b"&#xFFFF;" }, 3)
            }
            0xEF => {
                at += 1;
                continue;
            }
            control => (control_reference(&mut reference, control), 1),
        };
        out.extend_from_slice(&bytes[run..at]);
        out.extend_from_slice(escaped);
        at += length;
        run = at;
    }
    out.extend_from_slice(&bytes[run..]);
}

/// Appends the text as the value of an attribute in double quotes.
pub(crate) fn escape_attribute(out: &mut Vec<u8>, text: &str) {
    for part in text.split_inclusive(['"', '\t', '\n']) {
        let (rest, last) = match part.as_bytes().last() {
            Some(b'"') => (&part[..part.len() - 1], "&quot;"),
            Some(b'\t') => (&part[..part.len() - 1], "&#x9;"),
            Some(b'\n') => (&part[..part.len() - 1], "&#xA;"),
            _ => (part, ""),
        };
        escape(out, rest);
        out.extend_from_slice(last.as_bytes());
    }
}

/// `&#x1;`, `&#x1F;`: without leading zeros, as .NET writes them.
fn control_reference(space: &mut [u8; 6], control: u8) -> &[u8] {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let low = DIGITS[usize::from(control & 15)];
    if control < 16 {
        space[3] = low;
        space[4] = b';';
        return &space[..5];
    }
    space[3] = DIGITS[usize::from(control >> 4)];
    space[4] = low;
    &space[..]
}
