//! The cursor: the text, the place in it, and the steps that all parts of the tokenizer share.

use memchr::memmem;

use super::names::{NAME_BYTES, is_name_char, is_name_start, is_space};
use super::{Limits, XmlError, XmlErrorKind};

/// A name as it is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct QName<'a> {
    pub(super) whole: &'a str,
    /// Empty for none.
    pub(super) prefix: &'a str,
    pub(super) local: &'a str,
}

/// A place in the text that is read.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    /// Bytes before the place.
    pub(super) at: usize,
    pub(super) limits: Limits,
}

impl<'a> Cursor<'a> {
    /// Checks the length of the text that began at `start` and ends here.
    pub(super) fn check_length(&self, start: usize) -> Result<(), XmlError> {
        if self.at - start > self.limits.text {
            return Err(XmlError { kind: XmlErrorKind::TextLength(self.limits.text), at: start });
        }
        Ok(())
    }

    pub(super) fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Whether there was any.
    pub(super) fn skip_space(&mut self) -> bool {
        let start = self.at;
        while self.byte().is_some_and(is_space) {
            self.at += 1;
        }
        self.at > start
    }

    pub(super) fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), XmlError> {
        match self.byte() {
            Some(found) if found == byte => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(self.error(XmlErrorKind::Expected(what))),
            None => Err(self.error(XmlErrorKind::End(what))),
        }
    }

    /// Bytes from `from` to the next `needle`.
    pub(super) fn find(&self, from: usize, needle: &[u8], what: &'static str) -> Result<usize, XmlError> {
        let rest = &self.text.as_bytes()[from..];
        memmem::find(rest, needle).ok_or(XmlError { kind: XmlErrorKind::End(what), at: self.text.len() })
    }

    pub(super) fn error(&self, kind: XmlErrorKind) -> XmlError {
        XmlError { kind, at: self.at }
    }

    /// Reads a name: `local` or `prefix:local`.
    pub(super) fn qname(&mut self, what: &'static str) -> Result<QName<'a>, XmlError> {
        let start = self.at;
        let first = self.name_part();
        if self.byte() != Some(b':') {
            if first.is_empty() {
                let at_end = self.at == self.text.len();
                let kind = if at_end { XmlErrorKind::End(what) } else { XmlErrorKind::Expected(what) };
                return Err(self.error(kind));
            }
            if !first.starts_with(is_name_start) {
                return Err(XmlError { kind: XmlErrorKind::Expected(what), at: start });
            }
            return Ok(QName { whole: first, prefix: "", local: first });
        }
        self.at += 1;
        let second = self.name_part();
        let whole = &self.text[start..self.at];
        if !first.starts_with(is_name_start)
            || !second.starts_with(is_name_start)
            || self.byte() == Some(b':')
        {
            return Err(XmlError { kind: XmlErrorKind::QualifiedName(cut(whole)), at: start });
        }
        Ok(QName { whole, prefix: first, local: second })
    }

    /// Characters of a name up to something else or a colon.
    fn name_part(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let mut length = 0;
        loop {
            let bytes = &rest.as_bytes()[length..];
            length += bytes.iter().position(|&byte| !NAME_BYTES[usize::from(byte)]).unwrap_or(bytes.len());
            match rest[length..].chars().next() {
                Some(c) if !c.is_ascii() && is_name_char(c) => length += c.len_utf8(),
                _ => break,
            }
        }
        self.at += length;
        &rest[..length]
    }
}

/// As much of a text as an error message needs.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}
