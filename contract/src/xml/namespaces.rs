//! Namespaces: the declarations in force, and what a prefix is bound to.

use std::borrow::Cow;

use super::cursor::{QName, cut};
use super::{MAX_BINDINGS, XmlErrorKind};

const XML: &str = "http://www.w3.org/XML/1998/namespace";
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// A namespace: of the XML specification itself, or by its place among the declarations in force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Namespace {
    #[default]
    None,
    Xml,
    Bound(usize),
}

/// The namespace declarations in force, innermost last.
#[derive(Debug, Default)]
pub(super) struct Namespaces<'a> {
    bindings: Vec<Binding<'a>>,
}

/// A prefix (empty for the default namespace) and its namespace.
#[derive(Debug)]
struct Binding<'a> {
    prefix: &'a str,
    namespace: Cow<'a, str>,
}

impl<'a> Namespaces<'a> {
    /// How many declarations are in force.
    pub(super) fn count(&self) -> usize {
        self.bindings.len()
    }

    /// Ends the declarations of an element: `count` are in force outside it.
    pub(super) fn truncate(&mut self, count: usize) {
        self.bindings.truncate(count);
    }

    /// Adds the declaration that the attribute `name` of a start tag makes; `outer` are in force outside its element.
    pub(super) fn declare(
        &mut self,
        outer: usize,
        name: QName<'a>,
        namespace: Cow<'a, str>,
    ) -> Result<(), XmlErrorKind> {
        let prefix = if name.prefix.is_empty() { "" } else { name.local };
        let allowed = match prefix {
            "xmlns" => false,
            "xml" => namespace == XML,
            "" => namespace != XML && namespace != XMLNS,
            _ => !namespace.is_empty() && namespace != XML && namespace != XMLNS,
        };
        if !allowed {
            return Err(XmlErrorKind::NamespaceDeclaration(cut(name.whole)));
        }
        if self.bindings[outer..].iter().any(|binding| binding.prefix == prefix) {
            return Err(XmlErrorKind::AttributeTwice(cut(name.whole)));
        }
        if self.bindings.len() == MAX_BINDINGS {
            return Err(XmlErrorKind::Bindings);
        }
        self.bindings.push(Binding { prefix, namespace });
        Ok(())
    }

    /// The namespace of a prefix. Attributes without a prefix have none.
    pub(super) fn resolve(&self, prefix: &str, is_element: bool) -> Result<Namespace, XmlErrorKind> {
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
}
