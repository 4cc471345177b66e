//! The definitions of a WSDL that matter to a client: operations with their actions, the elements of messages, and their
//! types.

use std::collections::BTreeMap;

use contract::{Operation, namespace};
use roxmltree::{Document, Node};

/// A name with its namespace, `{namespace}local`.
type Name = String;

/// The definitions of a WSDL with its imports.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    pub(super) operations: BTreeMap<String, Described>,
    pub(super) addresses: Vec<String>,
    /// The members of elements, in order.
    elements: BTreeMap<Name, Vec<Member>>,
    /// The members of types, in order, inherited ones first; or the names of an enumeration.
    types: BTreeMap<Name, Vec<Member>>,
}

#[derive(Debug, Default)]
pub(super) struct Described {
    action: String,
    /// Elements of the body.
    input: Vec<Name>,
    output: Vec<Name>,
    is_literal: bool,
}

/// A member: its path below the element or type, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    path: String,
    is: String,
}

/// The addresses of the documents that this one imports.
pub(super) fn imports(text: &str) -> Result<Vec<String>, String> {
    let document = Document::parse(text).map_err(|error| error.to_string())?;
    let places = document.descendants().filter(|node| matches!(node.tag_name().name(), "import" | "include"));
    Ok(places
        .filter_map(|node| node.attribute("location").or(node.attribute("schemaLocation")))
        .map(str::to_owned)
        .collect())
}

impl Definitions {
    /// Reads a description and what it imports.
    pub(super) fn read(documents: &[String]) -> Result<Self, String> {
        let parsed: Vec<Document<'_>> = documents
            .iter()
            .map(|text| Document::parse(text).map_err(|error| error.to_string()))
            .collect::<Result<_, _>>()?;
        let is_wsdl = |document: &&Document<'_>| document.root_element().tag_name().name() == "definitions";
        if !parsed.iter().any(|document| is_wsdl(&document)) {
            let root = parsed.first().map(|document| document.root_element().tag_name().name().to_owned());
            return Err(format!(
                "its root element is <{}>, expected <definitions>",
                root.unwrap_or_default()
            ));
        }
        let mut definitions = Definitions::default();
        let nodes = || parsed.iter().flat_map(Document::descendants).filter(Node::is_element);
        let (mut complex, mut messages) = (BTreeMap::new(), BTreeMap::new());
        for node in nodes() {
            match (node.tag_name().name(), node.parent_element().map(|parent| parent.tag_name().name())) {
                ("complexType" | "simpleType", Some("schema")) => {
                    complex.insert(named(node), node);
                }
                ("message", Some("definitions")) => {
                    let parts = node
                        .children()
                        .filter_map(|part| part.attribute("element").map(|name| resolve(part, name)));
                    messages.insert(
                        node.attribute("name").unwrap_or_default().to_owned(),
                        parts.collect::<Vec<_>>(),
                    );
                }
                ("address", _) => definitions.addresses.extend(node.attribute("location").map(str::to_owned)),
                _ => {}
            }
        }
        for node in nodes() {
            match (node.tag_name().name(), node.parent_element().map(|parent| parent.tag_name().name())) {
                ("element", Some("schema")) => {
                    let members = match node.attribute("type") {
                        Some(name) => vec![Member { path: ".".to_owned(), is: resolve(node, name) }],
                        None => members(node, "", &complex, 0),
                    };
                    definitions.elements.insert(named(node), members);
                }
                ("complexType" | "simpleType", Some("schema")) => {
                    definitions.types.insert(named(node), members(node, "", &complex, 0));
                }
                ("operation", Some("portType")) => {
                    let name = node.attribute("name").unwrap_or_default().to_owned();
                    let body = |direction: &str| {
                        let child = node.children().find(|child| child.tag_name().name() == direction);
                        let message = child.and_then(|child| child.attribute("message")).unwrap_or_default();
                        messages.get(local(message)).cloned().unwrap_or_default()
                    };
                    let described = definitions.operations.entry(name).or_default();
                    (described.input, described.output) = (body("input"), body("output"));
                }
                ("operation", Some("binding")) => {
                    let name = node.attribute("name").unwrap_or_default().to_owned();
                    let described = definitions.operations.entry(name).or_default();
                    let action = node.descendants().find_map(|child| child.attribute("soapAction"));
                    if let Some(action) = action {
                        action.clone_into(&mut described.action);
                    }
                    described.is_literal = node
                        .descendants()
                        .filter_map(|child| child.attribute("use"))
                        .all(|use_of| use_of == "literal");
                }
                _ => {}
            }
        }
        Ok(definitions)
    }

    /// All differences of these operations, with their types.
    pub(super) fn differences(&self, expected: &Definitions, operations: &[Operation]) -> Vec<String> {
        let mut all = self.differences_of_operations(expected, operations);
        all.extend(self.differences_of_messages(expected, operations));
        if operations.len() > 1 {
            all.extend(self.differences_of_types(expected));
        }
        all
    }

    /// Missing operations, and other actions.
    pub(super) fn differences_of_operations(
        &self,
        expected: &Definitions,
        operations: &[Operation],
    ) -> Vec<String> {
        let mut all = Vec::new();
        for operation in operations {
            let name = operation.name();
            let Some(wanted) = expected.operations.get(name) else { continue };
            match self.operations.get(name) {
                None => all.push(format!("the operation {name} is not described")),
                Some(found) => {
                    if found.action != wanted.action {
                        all.push(format!(
                            "{name} has the SOAPAction {:?}, expected {:?}",
                            found.action, wanted.action
                        ));
                    }
                    if !found.is_literal {
                        all.push(format!("{name} is not literal: a WCF client cannot use it"));
                    }
                }
            }
        }
        all
    }

    /// Other elements of bodies, and other members of them.
    pub(super) fn differences_of_messages(
        &self,
        expected: &Definitions,
        operations: &[Operation],
    ) -> Vec<String> {
        let mut all = Vec::new();
        for operation in operations {
            let name = operation.name();
            let (Some(found), Some(wanted)) = (self.operations.get(name), expected.operations.get(name))
            else {
                continue;
            };
            for (direction, found, wanted) in
                [("request", &found.input, &wanted.input), ("reply", &found.output, &wanted.output)]
            {
                if found != wanted {
                    all.push(format!("the {direction} of {name} is {found:?}, expected {wanted:?}"));
                    continue;
                }
                for element in wanted {
                    let place = format!("the {direction} of {name}");
                    compare(&mut all, &place, self.elements.get(element), expected.elements.get(element));
                }
            }
        }
        all.dedup();
        all
    }

    /// Types that differ, as far as requests and replies use them.
    pub(super) fn differences_of_types(&self, expected: &Definitions) -> Vec<String> {
        let mut all = Vec::new();
        for (name, wanted) in &expected.types {
            // .NET's own, which nothing refers to.
            if name.starts_with("{http://schemas.microsoft.com/2003/10/Serialization/}") {
                continue;
            }
            compare(&mut all, &format!("the type {}", short(name)), self.types.get(name), Some(wanted));
        }
        all
    }
}

fn compare(all: &mut Vec<String>, place: &str, found: Option<&Vec<Member>>, wanted: Option<&Vec<Member>>) {
    let Some(wanted) = wanted else { return };
    let Some(found) = found else {
        all.push(format!("{place} is not described"));
        return;
    };
    let before = all.len();
    for member in wanted {
        match found.iter().find(|other| other.path == member.path) {
            None => all.push(format!("{place} has no {}", member.path)),
            Some(other) if other.is != member.is => {
                all.push(format!(
                    "{place}: {} is {}, expected {}",
                    member.path,
                    short(&other.is),
                    short(&member.is)
                ));
            }
            Some(_) => {}
        }
    }
    for member in found.iter().filter(|member| !wanted.iter().any(|other| other.path == member.path)) {
        all.push(format!("{place} has a {} besides", member.path));
    }
    let paths = |members: &[Member]| members.iter().map(|member| member.path.clone()).collect::<Vec<_>>();
    if all.len() == before && paths(found) != paths(wanted) {
        all.push(format!(
            "{place} has its members in the order {:?}, expected {:?}",
            paths(found),
            paths(wanted)
        ));
    }
}

/// A name without the namespaces that everybody knows.
fn short(name: &str) -> String {
    name.replace(&format!("{{{}}}", namespace::CONTRACT), "")
        .replace("{http://www.w3.org/2001/XMLSchema}", "xs:")
}

/// The members below a node, each with its path; those of a base type first.
fn members(
    node: Node<'_, '_>,
    path: &str,
    types: &BTreeMap<Name, Node<'_, '_>>,
    depth: usize,
) -> Vec<Member> {
    let mut all = Vec::new();
    // No schema of the contract is deeper; one that refers to itself would be.
    if depth > 32 {
        return all;
    }
    for child in node.children().filter(Node::is_element) {
        match child.tag_name().name() {
            "element" => {
                let name = child.attribute("name").or(child.attribute("ref")).unwrap_or_default();
                let path = format!("{path}{}", local(name));
                let many = child.attribute("maxOccurs").is_some_and(|most| most != "1" && most != "0");
                let nillable = child.attribute("nillable").is_some_and(|nil| nil == "true" || nil == "1");
                let described = child.attribute("type").map(|name| resolve(child, name));
                let is = described.clone().unwrap_or_else(|| "of its own type".to_owned());
                let (many, nillable) =
                    (if many { ", many" } else { "" }, if nillable { ", nillable" } else { "" });
                all.push(Member { path: path.clone(), is: format!("{is}{many}{nillable}") });
                if described.is_none() {
                    all.extend(members(child, &format!("{path}/"), types, depth + 1));
                }
            }
            "extension" => {
                let base = child
                    .attribute("base")
                    .map(|name| resolve(child, name))
                    .and_then(|name| types.get(&name));
                if let Some(base) = base {
                    all.extend(members(*base, path, types, depth + 1));
                }
                all.extend(members(child, path, types, depth + 1));
            }
            "enumeration" => {
                let value = child.attribute("value").unwrap_or_default();
                all.push(Member { path: format!("{path}{value}"), is: "a name".to_owned() });
            }
            "annotation" => {}
            _ => all.extend(members(child, path, types, depth + 1)),
        }
    }
    all
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or_default()
}

/// The name of a definition, in the namespace of its schema.
fn named(node: Node<'_, '_>) -> Name {
    let schema = node.ancestors().find(|node| node.tag_name().name() == "schema");
    let target = schema.and_then(|schema| schema.attribute("targetNamespace")).unwrap_or_default();
    format!("{{{target}}}{}", node.attribute("name").unwrap_or_default())
}

/// `tns:GetActorsRequestWS` with the namespace for the prefix.
fn resolve(node: Node<'_, '_>, name: &str) -> Name {
    let (prefix, local) = name.split_once(':').map_or((None, name), |(prefix, local)| (Some(prefix), local));
    format!("{{{}}}{local}", node.lookup_namespace_uri(prefix).unwrap_or_default())
}
