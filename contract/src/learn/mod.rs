//! Learning: from the WSDL of a running service to the [`Layout`] of its contract. The documents are fetched by the caller.
//!
//! - `definitions`: the operations of a WSDL, with the elements of their messages;
//! - `schema`: elements and types of its schemas, by name;
//! - `layout`: from these to a layout;
//! - `completeness`: what of the contract page a layout does not have, and the other way round;
//! - `included`: schemas without a namespace of their own, in that of the schema which includes them;
//! - `differences`: how two layouts differ, in sentences;
//! - `sentences`: sentences about many operations, each once.

mod completeness;
mod definitions;
mod differences;
mod included;
mod layout;
mod schema;
mod sentences;

use std::ops::Range;

use roxmltree::{Attribute, Document, Node, ParsingOptions};
use thiserror::Error;

pub use self::completeness::{missing, unknown};
pub use self::differences::{Comparison, compare, differences};
use crate::Operation;
use crate::profile::Layout;

pub(crate) const WSDL: &str = "http://schemas.xmlsoap.org/wsdl/";
/// The namespaces of the SOAP extensions of WSDL, for SOAP 1.1 and 1.2.
const SOAP: [&str; 2] = ["http://schemas.xmlsoap.org/wsdl/soap/", "http://schemas.xmlsoap.org/wsdl/soap12/"];
const WS_ADDRESSING: &str = "http://www.w3.org/2005/08/addressing";
const SCHEMA: &str = "http://www.w3.org/2001/XMLSchema";

/// The most elements of a document.
const MAX_NODES: u32 = 500_000;

/// The most elements inside each other. Readers of documents may be recursive, and a WSDL has about ten.
const MAX_DEPTH: usize = 64;

/// Why a WSDL gives no profile.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the messages name each field")]
pub enum LearnError {
    #[error(
        "{url} is an HTML page, perhaps for a login; a WSDL is needed: add ?singleWsdl or ?wsdl to the address"
    )]
    Html { url: String },
    #[error("{url} is no XML: {why}")]
    NoXml { url: String, why: String },
    #[error("{url} has a DTD, which is not read")]
    Dtd { url: String },
    #[error("line {line} of {url} is inside more than {limit} elements, which no WSDL needs")]
    TooDeep { url: String, line: u32, limit: usize },
    #[error("the root element of {url} is <{found}>, expected <definitions> of a WSDL or <schema>")]
    NoWsdl { url: String, found: String },
    #[error("no WSDL was given")]
    NoDocuments,
    #[error("the WSDL has no operation of IErpConnectorWS{found}: it is that of another service")]
    OtherService { found: String },
    #[error("{place}: {name} is not in the WSDL or what it imports")]
    Missing { place: String, name: String },
    #[error("{place}: the type {name} contains itself")]
    Recursive { place: String, name: String },
    #[error("{place}: the type {name} is derived from another one over more than {limit} levels")]
    TooManyLevels { place: String, name: String, limit: usize },
    #[error("{place}: {problem}")]
    Unsupported { place: String, problem: String },
    #[error("{first} and {second} have the same SOAPAction {action:?}")]
    ActionTwice { first: String, second: String, action: String },
}

/// A document of a WSDL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WsdlDocument {
    /// Its absolute URL, `file:` for a file.
    pub url: String,
    /// Its text.
    pub text: String,
}

/// What a WSDL says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learned {
    /// The layout.
    pub layout: Layout,
    /// What the service has that the contract page does not: operations and members, one sentence each.
    pub unknown: Vec<String>,
    /// What the contract page has that the service does not: operations and members, one sentence each.
    pub missing: Vec<String>,
}

/// The documents that a document imports or includes: the values of `location` and `schemaLocation`, relative to its URL.
///
/// # Errors
/// It is no XML, or neither a WSDL nor a schema.
pub fn imports(document: &WsdlDocument) -> Result<Vec<String>, LearnError> {
    let parsed = parse(document)?;
    Ok(parsed.descendants().filter_map(import_location).map(|location| location.value().to_owned()).collect())
}

/// The addresses of the service: the locations of `soap:address`.
///
/// # Errors
/// A document is no XML, or neither a WSDL nor a schema.
pub fn addresses(documents: &[WsdlDocument]) -> Result<Vec<String>, LearnError> {
    let mut all = Vec::new();
    for document in documents {
        let parsed = parse(document)?;
        let is_address = |node: &Node<'_, '_>| SOAP.iter().any(|namespace| is(*node, namespace, "address"));
        let locations = parsed.descendants().filter(is_address).filter_map(|node| node.attribute("location"));
        all.extend(locations.map(str::to_owned));
    }
    Ok(all)
}

/// Reads a WSDL with all that it imports. `name` is that of the profile.
///
/// # Errors
/// It is not the WSDL of a connector service, or one that no WCF service has.
pub fn learn(name: &str, documents: &[WsdlDocument]) -> Result<Learned, LearnError> {
    let documents = included::with_namespaces(documents)?;
    let parsed = documents.iter().map(|document| parse(document)).collect::<Result<Vec<_>, _>>()?;
    if parsed.is_empty() {
        return Err(LearnError::NoDocuments);
    }
    let definitions = definitions::Definitions::read(&parsed)?;
    let schemas = schema::Schemas::read(&parsed);
    layout::layout(name, &definitions, &schemas)
}

/// An address in a document.
pub(crate) struct Located {
    /// Where it stands in the text of the document.
    pub(crate) range: Range<usize>,
    /// The address.
    pub(crate) value: String,
    /// It is that of another document, and not of the service.
    pub(crate) is_import: bool,
}

/// The address in a node, if it has one.
pub(crate) fn located(node: Node<'_, '_>) -> Option<Located> {
    let of_attribute = |attribute: Attribute<'_, '_>, is_import| Located {
        range: attribute.range_value(),
        value: attribute.value().to_owned(),
        is_import,
    };
    if let Some(location) = import_location(node) {
        return Some(of_attribute(location, true));
    }
    if SOAP.iter().any(|namespace| is(node, namespace, "address")) {
        let location = node.attributes().find(|attribute| attribute.name() == "location")?;
        return Some(of_attribute(location, false));
    }
    let is_address = |node: Node<'_, '_>| is(node, WS_ADDRESSING, "Address");
    if node.is_text() && node.parent().is_some_and(is_address) && elements(node.parent()?).next().is_none() {
        let value = node.text().unwrap_or_default().to_owned();
        return Some(Located { range: node.range(), value, is_import: false });
    }
    None
}

/// The attribute with the location of an import or include.
fn import_location<'n>(node: Node<'n, 'n>) -> Option<Attribute<'n, 'n>> {
    let is_import = matches!(
        (node.tag_name().namespace(), node.tag_name().name()),
        (Some(WSDL | SCHEMA), "import" | "include" | "redefine")
    );
    let attribute = |name: &str| node.attributes().find(|attribute| attribute.name() == name);
    if is_import { attribute("location").or_else(|| attribute("schemaLocation")) } else { None }
}

pub(crate) fn parse(document: &WsdlDocument) -> Result<Document<'_>, LearnError> {
    let url = || document.url.clone();
    let text = document.text.trim_start_matches('\u{feff}').trim_start();
    let begins_with =
        |start: &str| text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start));
    if begins_with("<!doctype html") || begins_with("<html") {
        return Err(LearnError::Html { url: url() });
    }
    let options = ParsingOptions { nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    let parsed = Document::parse_with_options(text, options).map_err(|error| match error {
        roxmltree::Error::DtdDetected => LearnError::Dtd { url: url() },
        error => LearnError::NoXml { url: url(), why: error.to_string() },
    })?;
    // The document itself is above the root element.
    let is_too_deep = |node: &Node<'_, '_>| node.ancestors().nth(MAX_DEPTH + 1).is_some();
    if let Some(deep) = parsed.descendants().filter(Node::is_element).find(is_too_deep) {
        let line = parsed.text_pos_at(deep.range().start).row;
        return Err(LearnError::TooDeep { url: url(), line, limit: MAX_DEPTH });
    }
    let root = parsed.root_element().tag_name();
    match (root.namespace(), root.name()) {
        (Some(WSDL), "definitions") | (Some(SCHEMA), "schema") => Ok(parsed),
        (_, name) if name.eq_ignore_ascii_case("html") => Err(LearnError::Html { url: url() }),
        (_, found) => Err(LearnError::NoWsdl { url: url(), found: found.to_owned() }),
    }
}

/// A name with its namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Name {
    namespace: String,
    local: String,
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<{}> of {:?}", self.local, self.namespace)
    }
}

/// The name in an attribute such as `type="tns:Name"`.
fn resolve(node: Node<'_, '_>, name: &str) -> Name {
    let (prefix, local) =
        name.trim().split_once(':').map_or((None, name.trim()), |(prefix, local)| (Some(prefix), local));
    Name {
        namespace: node.lookup_namespace_uri(prefix).unwrap_or_default().to_owned(),
        local: local.to_owned(),
    }
}

/// The name that a definition gives itself, in the target namespace of its document or schema.
fn defined(node: Node<'_, '_>) -> Name {
    let scope = node.ancestors().find(|node| is(*node, SCHEMA, "schema") || is(*node, WSDL, "definitions"));
    let target = scope.and_then(|scope| scope.attribute("targetNamespace"));
    let local = node.attribute("name").unwrap_or_default();
    Name { namespace: target.unwrap_or_default().to_owned(), local: local.to_owned() }
}

/// The elements inside a node.
fn elements<'n>(node: Node<'n, 'n>) -> impl Iterator<Item = Node<'n, 'n>> {
    node.children().filter(Node::is_element)
}

fn is(node: Node<'_, '_>, namespace: &str, local: &str) -> bool {
    node.tag_name().namespace() == Some(namespace) && node.tag_name().name() == local
}

/// The direction and the operation, for messages of errors.
fn place(direction: &str, operation: Operation) -> String {
    format!("the {direction} of {operation}")
}
