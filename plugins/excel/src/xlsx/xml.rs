//! A strict reader of XML: what it takes, every conforming reader takes.
//!
//! quick-xml cuts the text into events and matches end tags. What it leaves to its user is checked here: one root element
//! and nothing beside it, names, attributes, bound prefixes, references, and the characters that XML allows. Documents
//! with a DOCTYPE are refused.

use std::borrow::Cow;
use std::fmt;
use std::io::BufRead;
use std::ops::Range;
use std::sync::Arc;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::error::XlsxError;

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

/// Where an attribute stands in the tag.
struct AttributePlace {
    name: Range<usize>,
    value: Range<usize>,
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

const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";
const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";

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
                    let is_allowed = match prefix {
                        "xmlns" => false,
                        "xml" => namespace == XML_NAMESPACE,
                        // Only the default namespace can be taken back.
                        _ => {
                            namespace != XML_NAMESPACE
                                && namespace != XMLNS_NAMESPACE
                                && (prefix.is_empty() || !namespace.is_empty())
                        }
                    };
                    if !is_allowed {
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

/// Why a document cannot be read on, before it is known where.
enum Fault {
    /// Its bytes cannot be had.
    Read(Arc<std::io::Error>),
    /// It is not well-formed.
    Xml(String),
}

impl From<String> for Fault {
    fn from(why: String) -> Self {
        Fault::Xml(why)
    }
}

impl From<&str> for Fault {
    fn from(why: &str) -> Self {
        Fault::Xml(why.to_owned())
    }
}

impl From<quick_xml::Error> for Fault {
    fn from(error: quick_xml::Error) -> Self {
        match error {
            quick_xml::Error::Io(error) => Fault::Read(error),
            other => Fault::Xml(other.to_string()),
        }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Finds the attributes of a tag: each behind white space, with a value in quotes.
fn attribute_places(tag: &str, name: usize, places: &mut Vec<AttributePlace>) -> Result<(), Fault> {
    places.clear();
    let bytes = tag.as_bytes();
    let spaces = |at: usize| at + bytes[at..].iter().take_while(|byte| is_space(**byte)).count();
    let mut at = name;
    loop {
        let start = spaces(at);
        if start == bytes.len() {
            return Ok(());
        }
        let wrong = || Fault::Xml(format!("the attributes of <{}>", &tag[..name]));
        if start == at {
            return Err(wrong());
        }
        let name_end =
            start + bytes[start..].iter().take_while(|byte| !is_space(**byte) && **byte != b'=').count();
        let equals = spaces(name_end);
        if bytes.get(equals) != Some(&b'=') {
            return Err(wrong());
        }
        let opening = spaces(equals + 1);
        let quote = *bytes.get(opening).filter(|byte| matches!(byte, b'"' | b'\'')).ok_or_else(wrong)?;
        let length = bytes[opening + 1..].iter().position(|byte| *byte == quote).ok_or_else(wrong)?;
        let value = opening + 1..opening + 1 + length;
        at = value.end + 1;
        places.push(AttributePlace { name: start..name_end, value });
    }
}

fn prefix_of(name: &str) -> &str {
    name.split_once(':').map_or("", |(prefix, _)| prefix)
}

/// `local` or `prefix:local`.
fn check_qualified_name(name: &str) -> Result<(), Fault> {
    // Nearly all names are plain.
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_plain && name.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) {
        return Ok(());
    }
    let (prefix, local) = name.split_once(':').map_or((None, name), |(prefix, local)| (Some(prefix), local));
    if local.contains(':') || !is_name(local) || prefix.is_some_and(|prefix| !is_name(prefix)) {
        return Err(format!("{name:?} is no name").into());
    }
    Ok(())
}

/// Whether it is a `Name` of XML 1.0, fifth edition.
fn is_name(name: &str) -> bool {
    let starts = |sign: char| {
        matches!(sign, ':' | 'A'..='Z' | '_' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}'
            | '\u{f8}'..='\u{2ff}' | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}'
            | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}'
            | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}' | '\u{10000}'..='\u{effff}')
    };
    let goes_on = |sign: char| {
        starts(sign)
            || matches!(sign, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
    };
    name.chars().next().is_some_and(starts) && name.chars().all(goes_on)
}

/// Only characters that XML allows.
fn check_characters(text: &str) -> Result<(), Fault> {
    let is_control = |byte: u8| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r');
    if text.bytes().any(is_control) || (!text.is_ascii() && text.contains(['\u{fffe}', '\u{ffff}'])) {
        return Err("a character that XML does not allow".into());
    }
    Ok(())
}

fn check_text(text: &str) -> Result<(), Fault> {
    check_characters(text)?;
    if text.contains("]]>") {
        return Err("\"]]>\" in a text".into());
    }
    Ok(())
}

fn check_value(value: &str) -> Result<(), Fault> {
    // Nearly all values are plain.
    if value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'<' && byte != b'&') {
        return Ok(());
    }
    if value.contains('<') {
        return Err("\"<\" in an attribute".into());
    }
    check_characters(value)?;
    unescaped(value).map(drop)
}

/// The value of an attribute with its references resolved and its white space made spaces.
fn unescaped(value: &str) -> Result<Cow<'_, str>, Fault> {
    if !value.contains(['&', '\t', '\n', '\r']) {
        return Ok(value.into());
    }
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find(['&', '\t', '\n', '\r']) {
        out.push_str(&rest[..at]);
        let found = &rest[at..];
        let length = if found.starts_with('&') {
            let end = found.find(';').ok_or("a reference without its end")?;
            out.push(resolve(&found[1..end])?);
            end + 1
        } else {
            out.push(' ');
            if found.starts_with("\r\n") { 2 } else { 1 }
        };
        rest = &found[length..];
    }
    out.push_str(rest);
    Ok(out.into())
}

/// The character that a reference stands for, given without `&` and `;`.
fn resolve(reference: &str) -> Result<char, Fault> {
    Ok(match reference {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = reference.strip_prefix('#').and_then(|number| match number.strip_prefix('x') {
                Some(hex) if hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                    u32::from_str_radix(hex, 16).ok()
                }
                None if number.bytes().all(|byte| byte.is_ascii_digit()) => number.parse().ok(),
                _ => None,
            });
            let sign = number.and_then(char::from_u32);
            let sign = sign.filter(|sign| {
                !matches!(sign, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
            });
            sign.ok_or_else(|| format!("the reference &{reference};"))?
        }
    })
}

/// `xml version="1.0" encoding=".." standalone=".."`, given without its brackets.
fn check_declaration(declaration: &str) -> Result<(), Fault> {
    let mut places = Vec::new();
    attribute_places(declaration, "xml".len(), &mut places)?;
    let mut last = 0;
    for place in &places {
        let at = match (&declaration[place.name.clone()], &declaration[place.value.clone()]) {
            ("version", "1.0") => 1,
            ("version", other) => return Err(format!("the version {other:?} of XML").into()),
            ("encoding", _) => 2,
            ("standalone", "yes" | "no") => 3,
            _ => 0,
        };
        if at <= last || (last == 0 && at != 1) {
            return Err("the XML declaration".into());
        }
        last = at;
    }
    if last == 0 {
        return Err("the XML declaration".into());
    }
    Ok(())
}

/// The attributes of a start tag as it stands in a document that was read: names, raw values, and where in the tag these
/// stand.
pub(crate) fn tag_attributes(tag: &str) -> impl Iterator<Item = (&str, &str, Range<usize>)> {
    let inner = tag.trim_start_matches('<').trim_end_matches('>').trim_end_matches('/');
    let start = tag.len() - tag.trim_start_matches('<').len();
    let name = inner.find(|sign: char| sign.is_ascii_whitespace()).unwrap_or(inner.len());
    let mut places = Vec::new();
    // A tag of a document that was read has no errors.
    let _ = attribute_places(inner, name, &mut places);
    places.into_iter().map(move |place| {
        (&inner[place.name], &inner[place.value.clone()], place.value.start + start..place.value.end + start)
    })
}

#[cfg(test)]
mod tests;
