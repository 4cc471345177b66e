//! Character data: text, CDATA sections, references, attribute values.

use std::borrow::Cow;

use super::cursor::{Cursor, cut};
use super::names::{TEXT_STOPS, VALUE_STOPS, is_noncharacter};
use super::{XmlError, XmlErrorKind};

impl<'a> Cursor<'a> {
    /// Text up to the next `<` or the end.
    pub(super) fn character_data(&mut self) -> Result<Cow<'a, str>, XmlError> {
        let bytes = self.text.as_bytes();
        let mut text = Piecewise::new(self.text, self.at);
        while let Some(offset) = bytes[self.at..].iter().position(|&byte| TEXT_STOPS[usize::from(byte)]) {
            self.at += offset;
            match bytes[self.at] {
                b'<' => return Ok(text.finish(self.at)),
                b'&' => self.reference(&mut text)?,
                b'\r' => self.line_end(&mut text),
                b']' if bytes[self.at..].starts_with(b"]]>") => {
                    return Err(self.error(XmlErrorKind::SectionEndInText));
                }
                b']' => self.at += 1,
                _ => self.check_character()?,
            }
        }
        self.at = bytes.len();
        Ok(text.finish(self.at))
    }

    /// `<![CDATA[..]]>`, at its `<`.
    pub(super) fn section(&mut self) -> Result<Cow<'a, str>, XmlError> {
        let start = self.at + "<![CDATA[".len();
        let end = start + self.find(start, b"]]>", "']]>' of a CDATA section")?;
        let bytes = &self.text.as_bytes()[..end];
        let mut text = Piecewise::new(self.text, start);
        self.at = start;
        while let Some(offset) = bytes[self.at..].iter().position(|&byte| TEXT_STOPS[usize::from(byte)]) {
            self.at += offset;
            match bytes[self.at] {
                b'<' | b'&' | b']' => self.at += 1,
                b'\r' => self.line_end(&mut text),
                _ => self.check_character()?,
            }
        }
        self.at = end + 3;
        Ok(text.finish(end))
    }

    /// The value of an attribute, at its opening quote. White space becomes spaces.
    pub(super) fn attribute_value(&mut self) -> Result<Cow<'a, str>, XmlError> {
        let quote = match self.byte() {
            Some(quote @ (b'"' | b'\'')) => quote,
            Some(_) => return Err(self.error(XmlErrorKind::Expected("an attribute's value in quotes"))),
            None => return Err(self.error(XmlErrorKind::End("an attribute's value in quotes"))),
        };
        self.at += 1;
        let mut text = Piecewise::new(self.text, self.at);
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            self.at += rest.iter().position(|&byte| VALUE_STOPS[usize::from(byte)]).unwrap_or(rest.len());
            match self.byte() {
                None => return Err(self.error(XmlErrorKind::End("the quote that ends an attribute's value"))),
                Some(byte) if byte == quote => {
                    let value = text.finish(self.at);
                    self.at += 1;
                    return Ok(value);
                }
                Some(b'<') => return Err(self.error(XmlErrorKind::LessThanInAttribute)),
                Some(b'&') => self.reference(&mut text)?,
                Some(b'\t' | b'\n') => {
                    text.replace(self.at, ' ', self.at + 1);
                    self.at += 1;
                }
                Some(b'\r') => {
                    let end = self.at + if self.text[self.at..].starts_with("\r\n") { 2 } else { 1 };
                    text.replace(self.at, ' ', end);
                    self.at = end;
                }
                Some(b'"' | b'\'') => self.at += 1,
                Some(_) => self.check_character()?,
            }
        }
    }

    /// `&lt;`, `&#13;`, `&#xD;`, at its `&`. References to control characters are accepted, as .NET writes them
    /// (contract page, section 5).
    fn reference(&mut self, text: &mut Piecewise<'a>) -> Result<(), XmlError> {
        let rest = &self.text[self.at + 1..];
        // The longest reference that means anything is far shorter: so bad ones cost no more than a look.
        let length = rest.bytes().take(64).position(|byte| byte == b';');
        let Some(length) = length else {
            return Err(self.error(XmlErrorKind::Expected("a reference such as &amp; after '&'")));
        };
        let name = &rest[..length];
        let character = match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "apos" => '\'',
            "quot" => '"',
            _ => match name.strip_prefix('#') {
                Some(number) => character(number)
                    .ok_or_else(|| self.error(XmlErrorKind::CharacterReference(cut(number))))?,
                None => return Err(self.error(XmlErrorKind::Entity(cut(name)))),
            },
        };
        let end = self.at + 1 + length + 1;
        text.replace(self.at, character, end);
        self.at = end;
        Ok(())
    }

    /// `\r\n` and `\r` mean `\n`.
    fn line_end(&mut self, text: &mut Piecewise<'a>) {
        let end = self.at + if self.text[self.at..].starts_with("\r\n") { 2 } else { 1 };
        text.replace(self.at, '\n', end);
        self.at = end;
    }

    /// Checks the character at a byte that may begin a forbidden one, and goes past that byte.
    fn check_character(&mut self) -> Result<(), XmlError> {
        let rest = &self.text.as_bytes()[self.at..];
        match rest.first() {
            Some(0xEF) if is_noncharacter(rest) => {
                Err(self.error(XmlErrorKind::Character(if rest[2] == 0xBE { 0xFFFE } else { 0xFFFF })))
            }
            Some(&control) if control < b' ' && !matches!(control, b'\t' | b'\n' | b'\r') => {
                Err(self.error(XmlErrorKind::Character(control.into())))
            }
            _ => {
                self.at += 1;
                Ok(())
            }
        }
    }

    /// Checks characters whose meaning does not matter: comments and processing instructions.
    pub(super) fn check_characters(&mut self, start: usize, end: usize) -> Result<(), XmlError> {
        self.at = start;
        while let Some(offset) =
            self.text.as_bytes()[self.at..end].iter().position(|&byte| TEXT_STOPS[usize::from(byte)])
        {
            self.at += offset;
            self.check_character()?;
        }
        Ok(())
    }
}

/// The number of a character reference: decimal, or hexadecimal after `x`.
fn character(number: &str) -> Option<char> {
    let (digits, radix) = match number.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    // `from_str_radix` would take a sign.
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    char::from_u32(u32::from_str_radix(digits, radix).ok()?)
}

/// A text that is borrowed as long as nothing in it is replaced.
struct Piecewise<'a> {
    source: &'a str,
    /// Where the part begins that is not taken over yet.
    run: usize,
    owned: Option<String>,
}

impl<'a> Piecewise<'a> {
    fn new(source: &'a str, start: usize) -> Self {
        Piecewise { source, run: start, owned: None }
    }

    /// Puts a character in place of `start..end`.
    fn replace(&mut self, start: usize, character: char, end: usize) {
        let owned = self.owned.get_or_insert_default();
        owned.push_str(&self.source[self.run..start]);
        owned.push(character);
        self.run = end;
    }

    fn finish(self, end: usize) -> Cow<'a, str> {
        let rest = &self.source[self.run..end];
        match self.owned {
            None => Cow::Borrowed(rest),
            Some(mut owned) => {
                owned.push_str(rest);
                Cow::Owned(owned)
            }
        }
    }
}
