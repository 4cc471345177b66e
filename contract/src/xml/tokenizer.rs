//! The pull tokenizer: markup, the tree's shape, namespaces in force.

use std::borrow::Cow;

use super::cursor::{Cursor, QName, cut};
use super::names::is_space;
use super::namespaces::Namespaces;
use super::start_tag::StartTag;
use super::{Limits, XmlError, XmlErrorKind};

/// A piece of a document. An empty element gives a start and an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token<'a> {
    /// An element begins; its local name. Namespace and attributes are asked of the tokenizer, until the next token.
    Start(&'a str),
    /// The innermost element ends.
    End,
    /// Text of the innermost element, references resolved and line ends made `\n`. Comments and CDATA sections cut a
    /// text into several.
    Text(Cow<'a, str>),
    /// A processing instruction inside the root element; its target.
    Instruction(&'a str),
}

/// Reads a document token by token.
#[derive(Debug)]
pub struct Tokenizer<'a> {
    cursor: Cursor<'a>,
    elements: usize,
    phase: Phase,
    open: Vec<Open<'a>>,
    /// An empty element was given as a start; its end comes next.
    end_is_due: bool,
    /// Those in force.
    namespaces: Namespaces<'a>,
    /// The one that was read last.
    start_tag: StartTag<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Prolog,
    Content,
    Epilog,
}

/// An element that is not closed yet.
#[derive(Debug)]
struct Open<'a> {
    name: &'a str,
    /// How many namespaces are declared outside it.
    bindings: usize,
}

impl<'a> Tokenizer<'a> {
    /// Reads this text, which begins after the byte order mark, if there was one, within these limits.
    pub fn new(text: &'a str, limits: Limits) -> Self {
        Tokenizer {
            cursor: Cursor { text, at: 0, limits },
            elements: 0,
            phase: Phase::Prolog,
            // As deep as most requests are.
            open: Vec::with_capacity(8),
            end_is_due: false,
            namespaces: Namespaces::default(),
            start_tag: StartTag::default(),
        }
    }

    /// The next token; `None` at the end of a complete document.
    ///
    /// # Errors
    /// The document is not well-formed, or not accepted. Nothing may be read after that.
    #[allow(clippy::should_implement_trait, reason = "it can fail, and the tokenizer lends the attributes")]
    pub fn next(&mut self) -> Result<Option<Token<'a>>, XmlError> {
        if self.end_is_due {
            self.end_is_due = false;
            self.close();
            return Ok(Some(Token::End));
        }
        if self.cursor.at == 0 {
            self.declaration()?;
        }
        loop {
            match self.cursor.byte() {
                None => return self.end_of_document(),
                Some(b'<') => {
                    if let Some(token) = self.markup()? {
                        return Ok(Some(token));
                    }
                }
                Some(_) if self.phase == Phase::Content => {
                    let start = self.cursor.at;
                    let text = self.cursor.character_data()?;
                    self.cursor.check_length(start)?;
                    return Ok(Some(Token::Text(text)));
                }
                Some(byte) if is_space(byte) => self.cursor.at += 1,
                Some(_) if self.phase == Phase::Prolog => {
                    return Err(self.cursor.error(XmlErrorKind::BeforeRoot));
                }
                Some(_) => return Err(self.cursor.error(XmlErrorKind::AfterRoot)),
            }
        }
    }

    /// The namespace of the element whose start was given last; empty for none.
    pub fn namespace(&self) -> &str {
        self.start_tag.namespace(&self.namespaces)
    }

    /// The value of an attribute of the element whose start was given last. An empty namespace means none.
    pub fn attribute(&self, namespace: &str, local: &str) -> Option<&str> {
        self.start_tag.attribute(&self.namespaces, namespace, local)
    }

    /// How much the document may be.
    pub fn limits(&self) -> Limits {
        self.cursor.limits
    }

    /// How many elements are open.
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.cursor.at
    }

    /// What stands at `<`. Comments, and instructions outside the root element, give nothing.
    fn markup(&mut self) -> Result<Option<Token<'a>>, XmlError> {
        let rest = &self.cursor.text.as_bytes()[self.cursor.at..];
        match rest.get(1) {
            Some(b'/') => self.end_tag().map(Some),
            Some(b'!') if rest.starts_with(b"<!--") => self.comment().map(|()| None),
            Some(b'!') if rest.starts_with(b"<![CDATA[") && self.phase == Phase::Content => {
                let start = self.cursor.at;
                let text = self.cursor.section()?;
                self.cursor.check_length(start)?;
                Ok(Some(Token::Text(text)))
            }
            Some(b'!') if rest.starts_with(b"<!DOCTYPE") => Err(self.cursor.error(XmlErrorKind::Doctype)),
            Some(b'!') => Err(self.cursor.error(XmlErrorKind::Expected("a comment or an element"))),
            Some(b'?') => {
                let target = self.instruction()?;
                Ok((self.phase == Phase::Content).then_some(Token::Instruction(target)))
            }
            Some(_) if self.phase == Phase::Epilog => Err(self.cursor.error(XmlErrorKind::AfterRoot)),
            Some(_) => self.start(),
            None => Err(self.cursor.error(XmlErrorKind::End("markup"))),
        }
    }

    fn start(&mut self) -> Result<Option<Token<'a>>, XmlError> {
        if self.open.len() == self.cursor.limits.depth {
            return Err(self.cursor.error(XmlErrorKind::Depth(self.cursor.limits.depth)));
        }
        if self.elements == self.cursor.limits.elements {
            return Err(self.cursor.error(XmlErrorKind::Elements(self.cursor.limits.elements)));
        }
        self.elements += 1;
        let bindings = self.namespaces.count();
        let (name, empty) = self.start_tag.read(&mut self.cursor, &mut self.namespaces)?;
        self.phase = Phase::Content;
        self.open.push(Open { name: name.whole, bindings });
        self.end_is_due = empty;
        Ok(Some(Token::Start(name.local)))
    }

    fn end_tag(&mut self) -> Result<Token<'a>, XmlError> {
        let start = self.cursor.at;
        self.cursor.at += 2;
        // The usual end tag is compared in one go; a name is read only for the error message.
        let rest = &self.cursor.text[self.cursor.at..];
        let name = match self.open.last() {
            Some(open) if rest.starts_with(open.name) => open.name,
            _ => "",
        };
        let after = self.cursor.at + name.len();
        if name.is_empty()
            || !matches!(self.cursor.text.as_bytes().get(after), Some(b'>' | b' ' | b'\t' | b'\n' | b'\r'))
        {
            let QName { whole, .. } = self.cursor.qname("an element's name")?;
            let kind = match self.open.last() {
                None => XmlErrorKind::NotOpen(cut(whole)),
                Some(open) if open.name == whole => {
                    return Err(self.cursor.error(XmlErrorKind::Expected("'>' of an end tag")));
                }
                Some(open) => XmlErrorKind::EndTag { open: cut(open.name), close: cut(whole) },
            };
            return Err(XmlError { kind, at: start });
        }
        self.cursor.at = after;
        self.cursor.skip_space();
        self.cursor.expect(b'>', "'>' of an end tag")?;
        self.close();
        Ok(Token::End)
    }

    fn close(&mut self) {
        if let Some(open) = self.open.pop() {
            self.namespaces.truncate(open.bindings);
        }
        if self.open.is_empty() {
            self.phase = Phase::Epilog;
        }
    }

    fn comment(&mut self) -> Result<(), XmlError> {
        let body = self.cursor.at + 4;
        let length = self.cursor.find(body, b"--", "'-->' of a comment")?;
        self.cursor.check_characters(body, body + length)?;
        self.cursor.at = body + length + 2;
        if self.cursor.byte() != Some(b'>') {
            return Err(self.cursor.error(XmlErrorKind::HyphensInComment));
        }
        self.cursor.at += 1;
        Ok(())
    }

    /// A processing instruction; gives its target.
    fn instruction(&mut self) -> Result<&'a str, XmlError> {
        let start = self.cursor.at;
        self.cursor.at += 2;
        let QName { whole, prefix, .. } = self.cursor.qname("the target of a processing instruction")?;
        if !prefix.is_empty() {
            return Err(XmlError { kind: XmlErrorKind::QualifiedName(cut(whole)), at: start });
        }
        if whole.eq_ignore_ascii_case("xml") {
            return Err(XmlError { kind: XmlErrorKind::DeclarationPlace, at: start });
        }
        let body = self.cursor.at;
        let length = self.cursor.find(body, b"?>", "'?>' of a processing instruction")?;
        if length > 0 && !self.cursor.byte().is_some_and(is_space) {
            return Err(self
                .cursor
                .error(XmlErrorKind::Expected("white space after the target of a processing instruction")));
        }
        self.cursor.check_characters(body, body + length)?;
        self.cursor.at = body + length + 2;
        Ok(whole)
    }

    /// `<?xml version="1.0" encoding="utf-8" standalone="yes"?>`, if it is there.
    fn declaration(&mut self) -> Result<(), XmlError> {
        let Some(rest) = self.cursor.text.strip_prefix("<?xml") else { return Ok(()) };
        if !rest.as_bytes().first().copied().is_some_and(is_space) {
            return Ok(());
        }
        let error = |at| XmlError { kind: XmlErrorKind::Declaration, at };
        self.cursor.at = "<?xml".len();
        let mut last = 0;
        loop {
            let spaced = self.cursor.skip_space();
            if self.cursor.text[self.cursor.at..].starts_with("?>") {
                self.cursor.at += 2;
                return if last == 0 { Err(error(0)) } else { Ok(()) };
            }
            let start = self.cursor.at;
            let name_length = self.cursor.text[start..].bytes().take_while(u8::is_ascii_alphabetic).count();
            let name = &self.cursor.text[start..start + name_length];
            self.cursor.at += name_length;
            self.cursor.skip_space();
            let equals = self.cursor.byte() == Some(b'=');
            self.cursor.at += usize::from(equals);
            self.cursor.skip_space();
            let quote = self.cursor.byte().filter(|byte| matches!(byte, b'"' | b'\''));
            let (true, true, Some(quote)) = (spaced, equals, quote) else { return Err(error(start)) };
            let value_start = self.cursor.at + 1;
            let value_length =
                self.cursor.text.as_bytes()[value_start..].iter().position(|&byte| byte == quote);
            let value_length = value_length.ok_or_else(|| error(start))?;
            let value = &self.cursor.text[value_start..value_start + value_length];
            self.cursor.at = value_start + value_length + 1;
            let place = match name {
                "version" if is_version(value) => 1,
                "encoding" if is_encoding_name(value) => 2,
                "standalone" if matches!(value, "yes" | "no") => 3,
                _ => return Err(error(start)),
            };
            // In this order, each at most once, the version always.
            if place <= last || (last == 0 && place != 1) {
                return Err(error(start));
            }
            last = place;
        }
    }

    fn end_of_document(&self) -> Result<Option<Token<'a>>, XmlError> {
        match (self.phase, self.open.last()) {
            (Phase::Epilog, _) => Ok(None),
            (_, Some(open)) => Err(self.cursor.error(XmlErrorKind::NotClosed(cut(open.name)))),
            (_, None) => Err(self.cursor.error(XmlErrorKind::NoRoot)),
        }
    }
}

fn is_version(value: &str) -> bool {
    value
        .strip_prefix("1.")
        .is_some_and(|minor| !minor.is_empty() && minor.bytes().all(|b| b.is_ascii_digit()))
}

fn is_encoding_name(value: &str) -> bool {
    value.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}
