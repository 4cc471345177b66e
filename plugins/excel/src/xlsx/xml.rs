//! A strict reader of XML: what it takes, every conforming reader takes.
//!
//! quick-xml cuts the text into events and matches end tags. What it leaves to its user is checked here: one root element
//! and nothing beside it, names, attributes, bound prefixes, references, and the characters that XML allows. Documents
//! with a DOCTYPE are refused.

mod rules;

use std::borrow::Cow;
use std::fmt;
use std::io::BufRead;
use std::ops::Range;
use std::sync::Arc;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::error::XlsxError;

use rules::{
    AttributePlace, Fault, XML_NAMESPACE, attribute_places, can_bind, check_characters, check_declaration,
    check_qualified_name, check_text, check_value, is_name, is_space, prefix_of, resolve, unescaped,
};
pub(crate) use rules::{tag_attributes, with_colon};

/// What was read. What it holds is asked of the reader until the next one is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// A start tag.
    Start,
    /// An element that closes itself: no end tag follows.
    Empty,
    /// An end tag.
    End,
    /// A piece of text, references resolved. Comments, references and sections cut a text into several.
    Text,
    /// The document is complete.
    Eof,
}

/// Deeper than any part of a workbook is.
const MAX_DEPTH: usize = 128;
/// More than any element of a workbook has: looking for one twice takes time that grows with the square.
const MAX_ATTRIBUTES: usize = 1024;
/// More namespaces than any part of a workbook binds.
const MAX_BINDINGS: usize = 1024;

/// Reads a document piece by piece. Offsets count the bytes of the text in UTF-8, without a byte order mark.
pub(crate) struct XmlReader<R> {
    reader: Reader<R>,
    buffer: Vec<u8>,
    /// The tag without its brackets, or the text.
    content: String,
    name: Range<usize>,
    /// Where the local name begins in the tag, if the element is of the root element's namespace.
    local: Option<usize>,
    attributes: Vec<AttributePlace>,
    span: Range<usize>,
    depth: usize,
    root: Root,
    bindings: Vec<Binding>,
    root_namespace: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Root {
    Before,
    Within,
    After,
}

/// A namespace that is bound to a prefix; the default namespace has the prefix "".
struct Binding {
    prefix: String,
    namespace: String,
    /// It is the namespace of the root element.
    is_of_root: bool,
    /// How deep the element is that binds it.
    depth: usize,
}

impl Binding {
    fn binds(&self, prefix: &str) -> bool {
        // Two empty texts need not be compared: that took a third of the time of reading (a masked load from a dangling
        // pointer is slow).
        self.prefix.len() == prefix.len() && (prefix.is_empty() || self.prefix == prefix)
    }
}

impl<'x> XmlReader<&'x [u8]> {
    pub(crate) fn of(text: &'x str) -> Self {
        XmlReader::new(text.as_bytes())
    }
}

impl<R: BufRead> XmlReader<R> {
    pub(crate) fn new(text: R) -> Self {
        let mut reader = Reader::from_reader(text);
        reader.config_mut().check_comments = true;
        XmlReader {
            reader,
            buffer: Vec::new(),
            content: String::new(),
            name: 0..0,
            local: None,
            attributes: Vec::new(),
            span: 0..0,
            depth: 0,
            root: Root::Before,
            bindings: Vec::new(),
            root_namespace: String::new(),
        }
    }

    /// Reads on.
    ///
    /// # Errors
    /// The document is not well-formed XML, or has a DOCTYPE, or cannot be read.
    pub(crate) fn next(&mut self) -> Result<Token, XmlError> {
        self.read().map_err(|fault| match fault {
            Fault::Read(error) => XmlError::Read(error),
            Fault::Xml(why) => XmlError::IllFormed { at: self.span.start, why },
        })
    }

    fn read(&mut self) -> Result<Token, Fault> {
        loop {
            let start = self.position();
            self.buffer.clear();
            let event = self.reader.read_event_into(&mut self.buffer);
            let end = usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX);
            self.span = start..end;
            self.content.clear();
            let (token, tag_name) = match event.map_err(Fault::from)? {
                Event::Start(tag) => {
                    self.content.push_str(&tag);
                    (Token::Start, tag.name().as_ref().len())
                }
                Event::Empty(tag) => {
                    self.content.push_str(&tag);
                    (Token::Empty, tag.name().as_ref().len())
                }
                Event::End(tag) => {
                    self.content.push_str(tag.name().as_ref());
                    (Token::End, self.content.len())
                }
                Event::Text(text) => {
                    check_text(&text)?;
                    self.content.push_str(&text.xml10_content());
                    (Token::Text, 0)
                }
                Event::CData(text) if self.root == Root::Within => {
                    check_characters(&text)?;
                    self.content.push_str(&text.xml10_content());
                    (Token::Text, 0)
                }
                Event::GeneralRef(reference) if self.root == Root::Within => {
                    self.content.push(resolve(&reference)?);
                    (Token::Text, 0)
                }
                Event::CData(_) | Event::GeneralRef(_) => {
                    return Err("text outside of the root element".into());
                }
                Event::Comment(comment) => {
                    check_characters(&comment)?;
                    // `--->` ends with the hyphen of the comment itself.
                    if comment.ends_with('-') {
                        return Err("a comment ends with a hyphen".into());
                    }
                    continue;
                }
                Event::PI(instruction) => {
                    check_characters(&instruction)?;
                    let target = instruction.target();
                    if !is_name(target) || target.contains(':') || target.eq_ignore_ascii_case("xml") {
                        return Err(format!("a processing instruction for {target:?}").into());
                    }
                    continue;
                }
                Event::Decl(declaration) => {
                    if start != 0 {
                        return Err("an XML declaration that is not at the beginning".into());
                    }
                    check_declaration(&declaration)?;
                    continue;
                }
                Event::DocType(_) => return Err("a DOCTYPE, which is not read".into()),
                Event::Eof => (Token::Eof, 0),
            };
            match token {
                Token::Start | Token::Empty => self.start(tag_name, token)?,
                Token::End => self.end(),
                Token::Text if self.root != Root::Within => {
                    if !self.content.bytes().all(is_space) {
                        return Err("text outside of the root element".into());
                    }
                    continue;
                }
                Token::Text => {}
                Token::Eof if self.depth > 0 => return Err("it ends within an element".into()),
                Token::Eof if self.root == Root::Before => return Err("it has no element".into()),
                Token::Eof => {}
            }
            return Ok(token);
        }
    }

    fn start(&mut self, name: usize, token: Token) -> Result<(), Fault> {
        if self.root == Root::After {
            return Err("an element after the root element".into());
        }
        if self.depth == MAX_DEPTH {
            return Err(format!("elements are nested more than {MAX_DEPTH} deep").into());
        }
        // What an element that closed itself has bound is bound no longer.
        self.unbind();
        let is_root = self.root == Root::Before;
        self.root = Root::Within;
        self.depth += 1;
        self.name = 0..name;
        attribute_places(&self.content, name, &mut self.attributes)?;
        check_qualified_name(&self.content[..name])?;
        if self.attributes.len() > MAX_ATTRIBUTES || self.bindings.len() > MAX_BINDINGS {
            return Err(format!("an element with more than {MAX_ATTRIBUTES} attributes or namespaces").into());
        }
        let mut prefixed = 0;
        for at in 0..self.attributes.len() {
            let (name, value) = (self.attributes[at].name.clone(), self.attributes[at].value.clone());
            let (name, value) = (&self.content[name], &self.content[value]);
            check_qualified_name(name)?;
            check_value(value)?;
            let same = |other: &AttributePlace| self.content[other.name.clone()] == *name;
            if self.attributes[..at].iter().any(same) {
                return Err(format!("the attribute {name} twice").into());
            }
            let bound = if name == "xmlns" { Some("") } else { name.strip_prefix("xmlns:") };
            match bound {
                Some(prefix) => {
                    let namespace = unescaped(value)?.into_owned();
                    if !can_bind(prefix, &namespace) {
                        return Err(format!("the prefix {prefix:?} cannot stand for {namespace:?}").into());
                    }
                    let (prefix, depth) = (prefix.to_owned(), self.depth);
                    let is_of_root = namespace == self.root_namespace;
                    self.bindings.push(Binding { prefix, namespace, is_of_root, depth });
                }
                None => prefixed += usize::from(name.contains(':')),
            }
        }
        if prefixed > 0 {
            self.check_prefixed_attributes()?;
        }
        let prefix = prefix_of(&self.content[..name]);
        let local = if prefix.is_empty() { 0 } else { prefix.len() + 1 };
        let binding = self.bindings.iter().rposition(|binding| binding.binds(prefix));
        if is_root {
            self.root_namespace = binding.map(|at| self.bindings[at].namespace.clone()).unwrap_or_default();
            for binding in &mut self.bindings {
                binding.is_of_root = binding.namespace == self.root_namespace;
            }
        }
        let is_of_root = match binding {
            Some(at) => self.bindings[at].is_of_root,
            None if prefix.is_empty() => self.root_namespace.is_empty(),
            None if prefix == "xml" => false,
            None => return Err(format!("the prefix {prefix} stands for no namespace").into()),
        };
        self.local = is_of_root.then_some(local);
        if token == Token::Empty {
            self.end();
        }
        Ok(())
    }

    /// Prefixes are bound, and no two attributes are the same one by different prefixes.
    fn check_prefixed_attributes(&self) -> Result<(), Fault> {
        let mut seen: Vec<(&str, &str)> = Vec::new();
        for (name, _) in self.attributes() {
            let Some((prefix, local)) = name.split_once(':').filter(|(prefix, _)| *prefix != "xmlns") else {
                continue;
            };
            let Some(namespace) = self.namespace_of(prefix) else {
                return Err(format!("the prefix {prefix} stands for no namespace").into());
            };
            if seen.contains(&(namespace, local)) {
                return Err(format!("the attribute {local} twice").into());
            }
            seen.push((namespace, local));
        }
        Ok(())
    }

    fn end(&mut self) {
        self.depth -= 1;
        if self.depth == 0 {
            self.root = Root::After;
        }
    }

    /// Forgets bindings of elements that have ended.
    fn unbind(&mut self) {
        while self.bindings.last().is_some_and(|binding| binding.depth > self.depth) {
            self.bindings.pop();
        }
    }

    fn namespace_of(&self, prefix: &str) -> Option<&str> {
        if prefix == "xml" {
            return Some(XML_NAMESPACE);
        }
        self.bindings
            .iter()
            .rev()
            .find(|binding| binding.binds(prefix))
            .map(|binding| binding.namespace.as_str())
    }

    fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    /// Where what was read stands in the document, in bytes.
    pub(crate) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The text that was read.
    pub(crate) fn text(&self) -> &str {
        &self.content
    }

    /// How many elements are open, one that was just begun included.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// The name of the start tag, as it stands in the document.
    pub(crate) fn name(&self) -> &str {
        &self.content[self.name.clone()]
    }

    /// The local name of the start tag, if the element is of the root element's namespace, which is that of the part.
    pub(crate) fn local_name(&self) -> Option<&str> {
        self.local.map(|local| &self.content[local..self.name.end])
    }

    /// The attributes of the start tag: names as they stand in the document, and raw values.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes
            .iter()
            .map(|place| (&self.content[place.name.clone()], &self.content[place.value.clone()]))
    }

    /// The value of an attribute without a prefix, references resolved.
    pub(crate) fn attribute(&self, name: &str) -> Option<Cow<'_, str>> {
        let (_, value) = self.attributes().find(|(found, _)| *found == name)?;
        unescaped(value).ok()
    }

    /// The value of an attribute of another namespace, whose name ends with `namespace_end`, references resolved.
    pub(crate) fn foreign_attribute(&self, namespace_end: &str, local: &str) -> Option<Cow<'_, str>> {
        let is_it = |name: &str| {
            name.split_once(':').is_some_and(|(prefix, found)| {
                found == local && self.namespace_of(prefix).is_some_and(|uri| uri.ends_with(namespace_end))
            })
        };
        let (_, value) = self.attributes().find(|(name, _)| is_it(name))?;
        unescaped(value).ok()
    }

    /// Goes behind the end of the element whose start tag was read last.
    ///
    /// # Errors
    /// As for [`XmlReader::next`].
    pub(crate) fn skip(&mut self) -> Result<(), XmlError> {
        let outside = self.depth - 1;
        while self.depth > outside {
            self.next()?;
        }
        Ok(())
    }
}

/// Why a document cannot be read.
#[derive(Debug, Clone)]
pub(crate) enum XmlError {
    /// Its bytes cannot be had.
    Read(Arc<std::io::Error>),
    /// It is not well-formed; the byte where that shows.
    IllFormed { at: usize, why: String },
}

impl XmlError {
    /// The error of the part that holds the document.
    pub(crate) fn of(self, part: &str) -> XlsxError {
        match &self {
            XmlError::Read(error) => XlsxError::from_read(part, error),
            XmlError::IllFormed { .. } => XlsxError::Damaged(format!("{part}: {self}")),
        }
    }
}

impl fmt::Display for XmlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            XmlError::Read(error) => error.fmt(f),
            XmlError::IllFormed { at, why } => write!(f, "no well-formed XML at byte {at}: {why}"),
        }
    }
}

#[cfg(test)]
mod tests;
