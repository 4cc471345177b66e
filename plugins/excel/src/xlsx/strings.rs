//! Texts as a workbook keeps them: shared or in the cell, plain or in runs, and what XML cannot hold as `_x0001_`.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::BufRead;
use std::sync::Arc;

use super::XlsxError;
use super::limits::Reservation;
use super::package::Package;
use super::xml::{Token, XmlError, XmlReader};

/// The texts that cells refer to by number.
#[derive(Debug, Default)]
pub(crate) struct SharedStrings(Vec<Arc<str>>);

/// What the memory of a shared text takes besides its bytes: two counters, a pointer and a length.
const OVERHEAD: usize = 32;

impl SharedStrings {
    /// Reads the part that holds them.
    ///
    /// # Errors
    /// The part cannot be read, or there is no memory for it.
    pub(crate) fn read(
        package: &mut Package<'_>,
        part: &str,
        memory: &mut Reservation,
    ) -> Result<Self, XlsxError> {
        let mut xml = XmlReader::new(package.reader(part)?);
        let mut strings = Vec::new();
        loop {
            match xml.next().map_err(|error| error.of(part))? {
                Token::Start if xml.depth() == 2 && xml.local_name() == Some("si") => {
                    let text = read_item(&mut xml).map_err(|error| error.of(part))?;
                    memory.take(text.len() + OVERHEAD)?;
                    strings.push(text.into());
                }
                Token::Empty if xml.depth() == 1 && xml.local_name() == Some("si") => {
                    memory.take(OVERHEAD)?;
                    strings.push("".into());
                }
                Token::Eof => return Ok(SharedStrings(strings)),
                _ => {}
            }
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Arc<str>> {
        self.0.get(index)
    }
}

/// Reads the text of an item (`<si>` or `<is>`), whose start tag was read, up to its end: its runs together, without
/// phonetic guides.
///
/// # Errors
/// The document is not well-formed, or cannot be read.
pub(super) fn read_item<R: BufRead>(xml: &mut XmlReader<R>) -> Result<String, XmlError> {
    let item = xml.depth();
    let mut text = String::new();
    while xml.depth() >= item {
        let token = xml.next()?;
        if token != Token::Start {
            continue;
        }
        match xml.local_name() {
            Some("t") => {
                // Without this attribute Excel leaves out the white space around a text.
                let keeps_space = xml.attribute("xml:space").is_some_and(|value| value == "preserve");
                let run = read_text(xml)?;
                let run = if keeps_space { run.as_str() } else { run.trim_matches([' ', '\t', '\r', '\n']) };
                text.push_str(&unescaped(run));
            }
            Some("r") => {}
            _ => xml.skip()?,
        }
    }
    Ok(text)
}

/// Reads the text of the element whose start tag was read, up to its end.
pub(crate) fn read_text<R: BufRead>(xml: &mut XmlReader<R>) -> Result<String, XmlError> {
    let mut text = String::new();
    read_text_into(xml, &mut text)?;
    Ok(text)
}

/// Adds the text of the element whose start tag was read to `text`, up to its end.
pub(super) fn read_text_into<R: BufRead>(xml: &mut XmlReader<R>, text: &mut String) -> Result<(), XmlError> {
    let element = xml.depth();
    loop {
        match xml.next()? {
            Token::Text if xml.depth() == element => text.push_str(xml.text()),
            Token::End if xml.depth() < element => return Ok(()),
            _ => {}
        }
    }
}

/// The text with its escapes `_x0001_` decoded, as pairs of surrogates too.
pub(super) fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains("_x") {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("_x") {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        // A NUL stays escaped: the wire format cannot carry one.
        let decoded =
            escape(rest).filter(|unit| *unit != 0).and_then(|unit| match char::from_u32(u32::from(unit)) {
                Some(sign) => Some((sign, ESCAPE)),
                None => {
                    let low = escape(&rest[ESCAPE..])?;
                    let sign = char::decode_utf16([unit, low]).next()?.ok()?;
                    Some((sign, 2 * ESCAPE))
                }
            });
        match decoded {
            Some((sign, length)) => {
                out.push(sign);
                rest = &rest[length..];
            }
            None => {
                out.push('_');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out.into()
}

/// The length of an escape.
const ESCAPE: usize = "_x0001_".len();

/// The UTF-16 unit that an escape at the beginning of the text stands for.
fn escape(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("_x")?.get(..4)?;
    let is_escape =
        digits.bytes().all(|digit| digit.is_ascii_hexdigit()) && text.as_bytes().get(6) == Some(&b'_');
    if is_escape { u16::from_str_radix(digits, 16).ok() } else { None }
}

/// The text as a cell holds it: XML's own signs escaped, and with `_x0001_` what XML cannot hold or would change.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, sign) in text.char_indices() {
        match sign {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            _ if needs_escape(sign) => {
                let _ = write!(out, "_x{:04X}_", u32::from(sign));
            }
            // A text that would look like such an escape is escaped itself.
            '_' if would_look_escaped(&text[at..]) => out.push_str("_x005F_"),
            _ => out.push(sign),
        }
    }
    out
}

/// What XML cannot hold, or would change: a carriage return becomes a line feed.
fn needs_escape(sign: char) -> bool {
    matches!(sign, '\0'..='\x08' | '\x0b'..='\x1f' | '\u{fffe}' | '\u{ffff}')
}

/// Whether the text begins as an escape does once it is written: `_x0041_`, or `_x0041` before a sign that becomes an
/// escape, which begins with `_`. Some readers take `_X` too.
fn would_look_escaped(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 7
        && bytes[..2].eq_ignore_ascii_case(b"_x")
        && bytes[2..6].iter().all(u8::is_ascii_hexdigit)
        && text[6..].chars().next().is_some_and(|sign| sign == '_' || needs_escape(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_as_excel_does() {
        for (text, expected) in [
            ("a & <b> \"c\"", "a &amp; &lt;b&gt; \"c\""),
            (" \t\n", " \t\n"),
            ("\r\n", "_x000D_\n"),
            ("\u{1}\u{1f}\u{ffff}", "_x0001__x001F__xFFFF_"),
            ("_x0041_ _x00_ _y", "_x005F_x0041_ _x00_ _y"),
            ("_x0041\u{1}", "_x005F_x0041_x0001_"),
            ("_x0041", "_x0041"),
            ("__x0041_", "__x005F_x0041_"),
        ] {
            assert_eq!(escaped(text), expected);
            let xml = XmlText(&escaped(text)).read();
            assert_eq!(unescaped(&xml), text);
        }
    }

    #[test]
    fn escapes_are_decoded_once() {
        for (text, expected) in [
            ("_x0041_", "A"),
            ("_x005F_x0041_", "_x0041_"),
            ("_x0041_x0042_", "Ax0042_"),
            ("_xD83E__xDD80_", "🦀"),
            ("_xD83E_", "_xD83E_"),
            ("_X0041_ _x41_ _x004g_ _x", "_X0041_ _x41_ _x004g_ _x"),
            ("a_x0000_b", "a_x0000_b"),
            ("_x00é1_", "_x00é1_"),
        ] {
            assert_eq!(unescaped(text), expected, "{text}");
        }
    }

    /// A text as XML gives it back.
    struct XmlText<'a>(&'a str);

    impl XmlText<'_> {
        fn read(&self) -> String {
            let document = format!("<t>{}</t>", self.0);
            let mut xml = XmlReader::of(&document);
            assert_eq!(xml.next().unwrap(), Token::Start);
            read_text(&mut xml).unwrap()
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_back(text in "(_x[0-9a-f]{4}|_|[\\x01-\\x1f]|\u{ffff}|&|<|\\PC|_x005F_){0,12}") {
            let xml = XmlText(&escaped(&text)).read();
            proptest::prop_assert_eq!(unescaped(&xml), text);
        }
    }
}
