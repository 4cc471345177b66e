//! The pull tokenizer: markup, the tree's shape, namespaces in force.

use std::borrow::Cow;

use memchr::memmem;

use super::names::is_space;
use super::start_tag::{Attribute, Namespace, QName};
use super::{Limits, XmlError, XmlErrorKind};

/// Namespace declarations in force at a time: every prefix is looked up among them.
pub const MAX_BINDINGS: usize = 64;

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
    pub(super) text: &'a str,
    pub(super) at: usize,
    pub(super) limits: Limits,
    elements: usize,
    phase: Phase,
    open: Vec<Open<'a>>,
    /// An empty element was given as a start; its end comes next.
    end_is_due: bool,
    pub(super) bindings: Vec<Binding<'a>>,
    pub(super) attributes: Vec<Attribute<'a>>,
    /// The namespace of the element that was last given.
    pub(super) namespace: Namespace,
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
    /// Bindings in force outside it.
    bindings: usize,
}

/// A prefix (empty for the default namespace) and its namespace.
#[derive(Debug)]
pub(super) struct Binding<'a> {
    pub(super) prefix: &'a str,
    pub(super) namespace: Cow<'a, str>,
}

impl<'a> Tokenizer<'a> {
    /// Reads this text, which begins after the byte order mark, if there was one, within these limits.
    pub fn new(text: &'a str, limits: Limits) -> Self {
        Tokenizer {
            text,
            at: 0,
            limits,
            elements: 0,
            phase: Phase::Prolog,
            // As deep as most requests are.
            open: Vec::with_capacity(8),
            end_is_due: false,
            bindings: Vec::new(),
            attributes: Vec::new(),
            namespace: Namespace::None,
        }
    }

    /// The next token; `None` at the end of a complete document.
    ///
    /// # Errors
    /// The document is not well-formed, or not accepted. Nothing may be read after that.
    #[allow(clippy::should_implement_trait, reason = "fails, and lends what it says about an element")]
    pub fn next(&mut self) -> Result<Option<Token<'a>>, XmlError> {
        if self.end_is_due {
            self.end_is_due = false;
            self.close();
            return Ok(Some(Token::End));
        }
        if self.at == 0 {
            self.declaration()?;
        }
        loop {
            match self.byte() {
                None => return self.end_of_document(),
                Some(b'<') => {
                    if let Some(token) = self.markup()? {
                        return Ok(Some(token));
                    }
                }
                Some(_) if self.phase == Phase::Content => {
                    let start = self.at;
                    let text = self.character_data()?;
                    self.check_length(start)?;
                    return Ok(Some(text));
                }
                Some(byte) if is_space(byte) => self.at += 1,
                Some(_) if self.phase == Phase::Prolog => return Err(self.error(XmlErrorKind::BeforeRoot)),
                Some(_) => return Err(self.error(XmlErrorKind::AfterRoot)),
            }
        }
    }

    /// The namespace of the element whose start was given last; empty for none.
    pub fn namespace(&self) -> &str {
        self.uri(self.namespace)
    }

    /// The value of an attribute of the element whose start was given last. An empty namespace means none.
    pub fn attribute(&self, namespace: &str, local: &str) -> Option<&str> {
        let found = self
            .attributes
            .iter()
            .find(|attribute| attribute.name.local == local && self.uri(attribute.namespace) == namespace);
        found.map(|attribute| attribute.value.as_ref())
    }

    /// How much the document may be.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// How many elements are open.
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.at
    }

    /// What stands at `<`. Comments, and instructions outside the root element, give nothing.
    fn markup(&mut self) -> Result<Option<Token<'a>>, XmlError> {
        let rest = &self.text.as_bytes()[self.at..];
        match rest.get(1) {
            Some(b'/') => self.end_tag().map(Some),
            Some(b'!') if rest.starts_with(b"<!--") => self.comment().map(|()| None),
            Some(b'!') if rest.starts_with(b"<![CDATA[") && self.phase == Phase::Content => {
                let start = self.at;
                let text = self.section()?;
                self.check_length(start)?;
                Ok(Some(text))
            }
            Some(b'!') if rest.starts_with(b"<!DOCTYPE") => Err(self.error(XmlErrorKind::Doctype)),
            Some(b'!') => Err(self.error(XmlErrorKind::Expected("a comment or an element"))),
            Some(b'?') => {
                let target = self.instruction()?;
                Ok((self.phase == Phase::Content).then_some(Token::Instruction(target)))
            }
            Some(_) if self.phase == Phase::Epilog => Err(self.error(XmlErrorKind::AfterRoot)),
            Some(_) => self.start(),
            None => Err(self.error(XmlErrorKind::End("markup"))),
        }
    }

    fn start(&mut self) -> Result<Option<Token<'a>>, XmlError> {
        if self.open.len() == self.limits.depth {
            return Err(self.error(XmlErrorKind::Depth(self.limits.depth)));
        }
        if self.elements == self.limits.elements {
            return Err(self.error(XmlErrorKind::Elements(self.limits.elements)));
        }
        self.elements += 1;
        let bindings = self.bindings.len();
        let (name, empty) = self.start_tag()?;
        self.phase = Phase::Content;
        self.open.push(Open { name: name.whole, bindings });
        self.end_is_due = empty;
        Ok(Some(Token::Start(name.local)))
    }

    fn end_tag(&mut self) -> Result<Token<'a>, XmlError> {
        let start = self.at;
        self.at += 2;
        // The usual end tag is compared in one go; a name is read only to say what is wrong.
        let rest = &self.text[self.at..];
        let name = match self.open.last() {
            Some(open) if rest.starts_with(open.name) => open.name,
            _ => "",
        };
        let after = self.at + name.len();
        if name.is_empty()
            || !matches!(self.text.as_bytes().get(after), Some(b'>' | b' ' | b'\t' | b'\n' | b'\r'))
        {
            let QName { whole, .. } = self.qname("an element's name")?;
            let kind = match self.open.last() {
                None => XmlErrorKind::NotOpen(cut(whole)),
                Some(open) if open.name == whole => {
                    return Err(self.error(XmlErrorKind::Expected("'>' of an end tag")));
                }
                Some(open) => XmlErrorKind::EndTag { open: cut(open.name), close: cut(whole) },
            };
            return Err(XmlError { kind, at: start });
        }
        self.at = after;
        self.skip_space();
        self.expect(b'>', "'>' of an end tag")?;
        self.close();
        Ok(Token::End)
    }

    fn close(&mut self) {
        if let Some(open) = self.open.pop() {
            self.bindings.truncate(open.bindings);
        }
        if self.open.is_empty() {
            self.phase = Phase::Epilog;
        }
    }

    fn comment(&mut self) -> Result<(), XmlError> {
        let body = self.at + 4;
        let length = self.find(body, b"--", "'-->' of a comment")?;
        self.check_characters(body, body + length)?;
        self.at = body + length + 2;
        if self.byte() != Some(b'>') {
            return Err(self.error(XmlErrorKind::HyphensInComment));
        }
        self.at += 1;
        Ok(())
    }

    /// A processing instruction; gives its target.
    fn instruction(&mut self) -> Result<&'a str, XmlError> {
        let start = self.at;
        self.at += 2;
        let QName { whole, prefix, .. } = self.qname("the target of a processing instruction")?;
        if !prefix.is_empty() {
            return Err(XmlError { kind: XmlErrorKind::QualifiedName(cut(whole)), at: start });
        }
        if whole.eq_ignore_ascii_case("xml") {
            return Err(XmlError { kind: XmlErrorKind::DeclarationPlace, at: start });
        }
        let body = self.at;
        let length = self.find(body, b"?>", "'?>' of a processing instruction")?;
        if length > 0 && !self.byte().is_some_and(is_space) {
            return Err(self
                .error(XmlErrorKind::Expected("white space after the target of a processing instruction")));
        }
        self.check_characters(body, body + length)?;
        self.at = body + length + 2;
        Ok(whole)
    }

    /// `<?xml version="1.0" encoding="utf-8" standalone="yes"?>`, if it is there.
    fn declaration(&mut self) -> Result<(), XmlError> {
        let Some(rest) = self.text.strip_prefix("<?xml") else { return Ok(()) };
        if !rest.as_bytes().first().copied().is_some_and(is_space) {
            return Ok(());
        }
        let error = |at| XmlError { kind: XmlErrorKind::Declaration, at };
        self.at = "<?xml".len();
        let mut last = 0;
        loop {
            let spaced = self.skip_space();
            if self.text[self.at..].starts_with("?>") {
                self.at += 2;
                return if last == 0 { Err(error(0)) } else { Ok(()) };
            }
            let start = self.at;
            let name_length = self.text[start..].bytes().take_while(u8::is_ascii_alphabetic).count();
            let name = &self.text[start..start + name_length];
            self.at += name_length;
            self.skip_space();
            let equals = self.byte() == Some(b'=');
            self.at += usize::from(equals);
            self.skip_space();
            let quote = self.byte().filter(|byte| matches!(byte, b'"' | b'\''));
            let (true, true, Some(quote)) = (spaced, equals, quote) else { return Err(error(start)) };
            let value_start = self.at + 1;
            let value_length = self.text.as_bytes()[value_start..].iter().position(|&byte| byte == quote);
            let value_length = value_length.ok_or_else(|| error(start))?;
            let value = &self.text[value_start..value_start + value_length];
            self.at = value_start + value_length + 1;
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
            (_, Some(open)) => Err(self.error(XmlErrorKind::NotClosed(cut(open.name)))),
            (_, None) => Err(self.error(XmlErrorKind::NoRoot)),
        }
    }

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
}

/// As much of a text as an error message needs.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(64).collect()
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
