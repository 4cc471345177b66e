//! Which characters are XML's (XML 1.0, fifth edition).

/// White space.
pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// The ASCII bytes that a name may hold, without `:`. Other characters need `is_name_char`.
pub(super) const NAME_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut b = 0u8;
    loop {
        table[b as usize] = b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        if b == 255 {
            break table;
        }
        b += 1;
    }
};

/// A character that a name may begin with; `:` is left out.
pub(super) const fn is_name_start(c: char) -> bool {
    matches!(c,
        'A'..='Z' | 'a'..='z' | '_'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}'
        | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}'
        | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

/// A character of a name; `:` is left out.
pub(super) const fn is_name_char(c: char) -> bool {
    is_name_start(c)
        || matches!(c, '0'..='9' | '-' | '.' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// Bytes that text cannot be taken over as it is at: markup, line ends, controls, and the first byte of U+FFFE and
/// U+FFFF.
pub(super) const TEXT_STOPS: [bool; 256] = stops_at(b"<&]\xEF");

/// Bytes that the value of an attribute cannot be taken over as it is at: quotes, markup, all white space but spaces,
/// controls, and the first byte of U+FFFE and U+FFFF.
pub(super) const VALUE_STOPS: [bool; 256] = {
    let mut table = stops_at(b"<&\"'\xEF");
    table[b'\t' as usize] = true;
    table[b'\n' as usize] = true;
    table
};

/// A table of bytes to stop at: these, and all controls but tab and newline.
pub(super) const fn stops_at(bytes: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut control = 0;
    while control < b' ' {
        table[control as usize] = !matches!(control, b'\t' | b'\n');
        control += 1;
    }
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] = true;
        at += 1;
    }
    table
}

/// U+FFFE or U+FFFF begins here.
pub(super) fn is_noncharacter(bytes: &[u8]) -> bool {
    matches!(bytes, [0xEF, 0xBF, 0xBE | 0xBF, ..])
}

/// Whether it is a name without prefix (NCName).
pub(crate) fn is_local_name(name: &str) -> bool {
    name.starts_with(is_name_start) && name.chars().all(is_name_char)
}
