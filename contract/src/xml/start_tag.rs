//! Start tags: names, attributes, namespaces.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::cursor::{Cursor, QName, cut};
use super::namespaces::{Namespace, Namespaces};
use super::{XmlError, XmlErrorKind};

/// So many attributes are compared with each other directly; more are sorted.
const FEW: usize = 8;

/// The start tag that was read last. Its attributes are kept in memory that the next one uses again.
#[derive(Debug, Default)]
pub(super) struct StartTag<'a> {
    attributes: Vec<Attribute<'a>>,
    namespace: Namespace,
}

#[derive(Debug)]
struct Attribute<'a> {
    name: QName<'a>,
    namespace: Namespace,
    value: Cow<'a, str>,
}

impl<'a> StartTag<'a> {
    /// Reads a start tag, at its `<`; gives its name and whether the element is empty.
    pub(super) fn read(
        &mut self,
        cursor: &mut Cursor<'a>,
        namespaces: &mut Namespaces<'a>,
    ) -> Result<(QName<'a>, bool), XmlError> {
        let start = cursor.at;
        cursor.at += 1;
        let name = cursor.qname("an element's name")?;
        let outer = namespaces.count();
        self.attributes.clear();
        let empty = loop {
            let spaced = cursor.skip_space();
            match cursor.byte() {
                Some(b'>') => {
                    cursor.at += 1;
                    break false;
                }
                Some(b'/') => {
                    cursor.at += 1;
                    cursor.expect(b'>', "'>' after '/'")?;
                    break true;
                }
                Some(_) if spaced => self.read_attribute(cursor, namespaces, outer)?,
                Some(_) => {
                    return Err(cursor.error(XmlErrorKind::Expected("white space or '>' in a start tag")));
                }
                None => return Err(cursor.error(XmlErrorKind::End("'>' of a start tag"))),
            }
        };
        let at = |kind| XmlError { kind, at: start };
        self.namespace = namespaces.resolve(name.prefix, true).map_err(at)?;
        for index in 0..self.attributes.len() {
            let prefix = self.attributes[index].name.prefix;
            self.attributes[index].namespace = namespaces.resolve(prefix, false).map_err(at)?;
        }
        self.check_unique(namespaces).map_err(at)?;
        Ok((name, empty))
    }

    /// The namespace of the element; empty for none.
    pub(super) fn namespace<'n>(&self, namespaces: &'n Namespaces<'a>) -> &'n str {
        namespaces.uri(self.namespace)
    }

    /// The value of an attribute. An empty namespace means none.
    pub(super) fn attribute(
        &self,
        namespaces: &Namespaces<'a>,
        namespace: &str,
        local: &str,
    ) -> Option<&str> {
        let found = self.attributes.iter().find(|attribute| {
            attribute.name.local == local && namespaces.uri(attribute.namespace) == namespace
        });
        found.map(|attribute| attribute.value.as_ref())
    }

    /// Reads an attribute. `outer` declarations are in force outside the element.
    fn read_attribute(
        &mut self,
        cursor: &mut Cursor<'a>,
        namespaces: &mut Namespaces<'a>,
        outer: usize,
    ) -> Result<(), XmlError> {
        let start = cursor.at;
        let name = cursor.qname("an attribute's name")?;
        cursor.skip_space();
        cursor.expect(b'=', "'=' after an attribute's name")?;
        cursor.skip_space();
        let value_start = cursor.at;
        let value = cursor.attribute_value()?;
        cursor.check_length(value_start)?;
        let at = |kind| XmlError { kind, at: start };
        match (name.prefix, name.local) {
            ("", "xmlns") | ("xmlns", _) => namespaces.declare(outer, name, value).map_err(at),
            _ if self.attributes.len() == cursor.limits.attributes => {
                Err(at(XmlErrorKind::Attributes(cursor.limits.attributes)))
            }
            _ => {
                self.attributes.push(Attribute { name, namespace: Namespace::None, value });
                Ok(())
            }
        }
    }

    /// No two attributes may have the same local name and namespace.
    fn check_unique(&self, namespaces: &Namespaces<'a>) -> Result<(), XmlErrorKind> {
        let compare = |a: &Attribute<'_>, b: &Attribute<'_>| -> Ordering {
            let local = a.name.local.cmp(b.name.local);
            local.then_with(|| namespaces.uri(a.namespace).cmp(namespaces.uri(b.namespace)))
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
}
