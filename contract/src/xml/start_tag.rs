//! Start tags: names, attributes, namespaces.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::names::{NAME_BYTES, is_name_char, is_name_start};
use super::tokenizer::{Binding, MAX_BINDINGS, Tokenizer, cut};
use super::{XmlError, XmlErrorKind};

const XML: &str = "http://www.w3.org/XML/1998/namespace";
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// So many attributes are compared with each other directly; more are sorted.
const FEW: usize = 8;

/// A name as it is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct QName<'a> {
    pub(super) whole: &'a str,
    /// Empty for none.
    pub(super) prefix: &'a str,
    pub(super) local: &'a str,
}

/// A namespace: of the XML specification itself, or by its place among the bindings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Namespace {
    None,
    Xml,
    Bound(usize),
}

#[derive(Debug)]
pub(super) struct Attribute<'a> {
    pub(super) name: QName<'a>,
    pub(super) namespace: Namespace,
    pub(super) value: Cow<'a, str>,
}

impl<'a> Tokenizer<'a> {
    /// Reads a start tag, at its `<`; gives its name and whether the element is empty.
    pub(super) fn start_tag(&mut self) -> Result<(QName<'a>, bool), XmlError> {
        let start = self.at;
        self.at += 1;
        let name = self.qname("an element's name")?;
        let outer = self.bindings.len();
        self.attributes.clear();
        let empty = loop {
            let spaced = self.skip_space();
            match self.byte() {
                Some(b'>') => {
                    self.at += 1;
                    break false;
                }
                Some(b'/') => {
                    self.at += 1;
                    self.expect(b'>', "'>' after '/'")?;
                    break true;
                }
                Some(_) if spaced => self.attribute_at(outer)?,
                Some(_) => {
                    return Err(self.error(XmlErrorKind::Expected("white space or '>' in a start tag")));
                }
                None => return Err(self.error(XmlErrorKind::End("'>' of a start tag"))),
            }
        };
        let at = |kind| XmlError { kind, at: start };
        self.namespace = self.resolve(name.prefix, true).map_err(at)?;
        for index in 0..self.attributes.len() {
            let prefix = self.attributes[index].name.prefix;
            self.attributes[index].namespace = self.resolve(prefix, false).map_err(at)?;
        }
        self.check_unique().map_err(at)?;
        Ok((name, empty))
    }

    /// Reads an attribute. `outer` bindings were there before this start tag.
    fn attribute_at(&mut self, outer: usize) -> Result<(), XmlError> {
        let start = self.at;
        let name = self.qname("an attribute's name")?;
        self.skip_space();
        self.expect(b'=', "'=' after an attribute's name")?;
        self.skip_space();
        let value_start = self.at;
        let value = self.attribute_value()?;
        self.check_length(value_start)?;
        let at = |kind| Err(XmlError { kind, at: start });
        let declared = match (name.prefix, name.local) {
            ("", "xmlns") => "",
            ("xmlns", prefix) => prefix,
            _ if self.attributes.len() == self.limits.attributes => {
                return at(XmlErrorKind::Attributes(self.limits.attributes));
            }
            _ => {
                self.attributes.push(Attribute { name, namespace: Namespace::None, value });
                return Ok(());
            }
        };
        let allowed = match declared {
            "xmlns" => false,
            "xml" => value == XML,
            "" => value != XML && value != XMLNS,
            _ => !value.is_empty() && value != XML && value != XMLNS,
        };
        if !allowed {
            return at(XmlErrorKind::NamespaceDeclaration(cut(name.whole)));
        }
        if self.bindings[outer..].iter().any(|binding| binding.prefix == declared) {
            return at(XmlErrorKind::AttributeTwice(cut(name.whole)));
        }
        if self.bindings.len() == MAX_BINDINGS {
            return at(XmlErrorKind::Bindings);
        }
        self.bindings.push(Binding { prefix: declared, namespace: value });
        Ok(())
    }

    /// The namespace of a prefix. Attributes without a prefix have none.
    fn resolve(&self, prefix: &str, is_element: bool) -> Result<Namespace, XmlErrorKind> {
        if prefix.is_empty() && !is_element {
            return Ok(Namespace::None);
        }
        if prefix == "xml" {
            return Ok(Namespace::Xml);
        }
        match self.bindings.iter().rposition(|binding| binding.prefix == prefix) {
            Some(index) if self.bindings[index].namespace.is_empty() => Ok(Namespace::None),
            Some(index) => Ok(Namespace::Bound(index)),
            None if prefix.is_empty() => Ok(Namespace::None),
            None => Err(XmlErrorKind::PrefixNotBound(cut(prefix))),
        }
    }

    pub(super) fn uri(&self, namespace: Namespace) -> &str {
        match namespace {
            Namespace::None => "",
            Namespace::Xml => XML,
            Namespace::Bound(index) => self.bindings.get(index).map_or("", |binding| &binding.namespace),
        }
    }

    /// No two attributes may have the same local name and namespace.
    fn check_unique(&self) -> Result<(), XmlErrorKind> {
        let compare = |a: &Attribute<'_>, b: &Attribute<'_>| -> Ordering {
            let local = a.name.local.cmp(b.name.local);
            local.then_with(|| self.uri(a.namespace).cmp(self.uri(b.namespace)))
        };
        let twice = |attribute: &Attribute<'_>| Err(XmlErrorKind::AttributeTwice(cut(attribute.name.whole)));
        if self.attributes.len() <= FEW {
            for (index, attribute) in self.attributes.iter().enumerate() {
                if self.attributes[..index].iter().any(|other| compare(other, attribute).is_eq()) {
                    return twice(attribute);
                }
            }
            return Ok(());
        }
        let mut sorted: Vec<&Attribute<'_>> = self.attributes.iter().collect();
        sorted.sort_unstable_by(|a, b| compare(a, b));
        match sorted.windows(2).find(|pair| compare(pair[0], pair[1]).is_eq()) {
            Some(pair) => twice(pair[1]),
            None => Ok(()),
        }
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
