//! The schemas of a WSDL: elements and types by name, and the members of a type.

use std::collections::HashMap;

use roxmltree::{Document, Node};

use super::{LearnError, Name, SCHEMA, defined, elements, is, resolve};

/// All elements and types.
pub(super) struct Schemas<'d> {
    elements: HashMap<Name, Node<'d, 'd>>,
    types: HashMap<Name, Node<'d, 'd>>,
}

/// A member of a type.
#[derive(Debug, Clone)]
pub(super) struct SchemaMember<'d> {
    pub(super) name: Name,
    pub(super) content: Content<'d>,
    pub(super) nillable: bool,
    pub(super) optional: bool,
    /// It may come more than once.
    pub(super) repeated: bool,
}

/// What an element holds.
#[derive(Debug, Clone)]
pub(super) enum Content<'d> {
    /// A type of XML Schema itself, such as `string`.
    BuiltIn(String),
    /// A type of the WSDL, with its name if it has one.
    Defined(Option<Name>, Node<'d, 'd>),
}

impl Content<'_> {
    /// The local name of the type.
    pub(super) fn type_name(&self) -> String {
        match self {
            Content::BuiltIn(name) => name.clone(),
            Content::Defined(Some(name), _) => name.local.clone(),
            Content::Defined(None, _) => "anonymous".to_owned(),
        }
    }
}

impl<'d> Schemas<'d> {
    pub(super) fn read(documents: &'d [Document<'d>]) -> Self {
        let mut schemas = Schemas { elements: HashMap::new(), types: HashMap::new() };
        let schema_nodes = documents
            .iter()
            .flat_map(|document| document.descendants())
            .filter(|node| is(*node, SCHEMA, "schema"));
        for node in schema_nodes.flat_map(elements) {
            match node.tag_name().name() {
                "element" => drop(schemas.elements.insert(defined(node), node)),
                "complexType" | "simpleType" => drop(schemas.types.insert(defined(node), node)),
                _ => {}
            }
        }
        schemas
    }

    /// A global element. `place` is for errors.
    pub(super) fn element(&self, name: &Name, place: &str) -> Result<SchemaMember<'d>, LearnError> {
        let missing = || LearnError::Missing { place: place.to_owned(), name: name.to_string() };
        let node = *self.elements.get(name).ok_or_else(missing)?;
        self.member(node, name.clone(), place)
    }

    fn member(&self, node: Node<'d, 'd>, name: Name, place: &str) -> Result<SchemaMember<'d>, LearnError> {
        Ok(SchemaMember {
            content: self.content(node, place)?,
            name,
            nillable: matches!(node.attribute("nillable"), Some("true" | "1")),
            optional: is_optional(node),
            repeated: is_repeated(node),
        })
    }

    /// What an element holds.
    fn content(&self, element: Node<'d, 'd>, place: &str) -> Result<Content<'d>, LearnError> {
        if let Some(name) = element.attribute("type") {
            return self.named(&resolve(element, name), place);
        }
        let inline = elements(element)
            .find(|child| is(*child, SCHEMA, "complexType") || is(*child, SCHEMA, "simpleType"));
        Ok(inline.map_or_else(|| Content::BuiltIn("anyType".to_owned()), |node| Content::Defined(None, node)))
    }

    fn named(&self, name: &Name, place: &str) -> Result<Content<'d>, LearnError> {
        if name.namespace == SCHEMA {
            return Ok(Content::BuiltIn(name.local.clone()));
        }
        let missing = || LearnError::Missing { place: place.to_owned(), name: format!("the type {name}") };
        self.types.get(name).map(|node| Content::Defined(Some(name.clone()), *node)).ok_or_else(missing)
    }

    /// The base type of XML Schema that a simple type restricts, and the values of an enumeration; `None` for a complex type.
    pub(super) fn simple(
        &self,
        content: &Content<'d>,
        place: &str,
    ) -> Result<Option<(String, Vec<String>)>, LearnError> {
        let mut values = Vec::new();
        let mut levels = Levels::default();
        let mut content = content.clone();
        loop {
            let node = match content {
                Content::BuiltIn(name) => return Ok(Some((name, values))),
                Content::Defined(_, node) if is(node, SCHEMA, "complexType") => return Ok(None),
                Content::Defined(_, node) => node,
            };
            levels.add(&content, node, place)?;
            let Some(restriction) = elements(node).find(|child| is(*child, SCHEMA, "restriction")) else {
                return Ok(Some(("string".to_owned(), values)));
            };
            if values.is_empty() {
                let facets = elements(restriction).filter(|child| is(*child, SCHEMA, "enumeration"));
                values.extend(facets.filter_map(|facet| facet.attribute("value").map(str::to_owned)));
            }
            content = match restriction.attribute("base") {
                Some(base) => self.named(&resolve(restriction, base), place)?,
                None => Content::BuiltIn("string".to_owned()),
            };
        }
    }

    /// The members of a complex type, inherited ones first.
    pub(super) fn members(
        &self,
        content: &Content<'d>,
        place: &str,
    ) -> Result<Vec<SchemaMember<'d>>, LearnError> {
        let mut levels = Levels::default();
        let mut content = content.clone();
        while let Content::Defined(_, node) = content {
            levels.add(&content, node, place)?;
            let base = extension(node).and_then(|node| Some(resolve(node, node.attribute("base")?)));
            let Some(base) = base else { break };
            content = self.named(&base, place)?;
        }
        let mut members = Vec::new();
        for node in levels.nodes.into_iter().rev() {
            for group in elements(node).chain(extension(node).into_iter().flat_map(elements)) {
                self.particles(group, place, &mut members)?;
            }
        }
        Ok(members)
    }

    /// The members of a group of elements; nothing for what is none, such as an attribute. What counts for the whole group
    /// counts for each of its members.
    fn particles(
        &self,
        group: Node<'d, 'd>,
        place: &str,
        into: &mut Vec<SchemaMember<'d>>,
    ) -> Result<(), LearnError> {
        let local = group.tag_name().name();
        let particles: Vec<_> = elements(group).filter(|child| !is(*child, SCHEMA, "annotation")).collect();
        match local {
            "sequence" | "all" => {}
            // A choice of one element is that element.
            "choice" if particles.len() == 1 => {}
            "choice" | "group" => {
                return Err(LearnError::Unsupported {
                    place: place.to_owned(),
                    problem: format!("its members are a <{local}>, expected a sequence"),
                });
            }
            _ => return Ok(()),
        }
        let first = into.len();
        for particle in particles {
            if !is(particle, SCHEMA, "element") {
                self.particles(particle, place, into)?;
                continue;
            }
            if let Some(reference) = particle.attribute("ref") {
                let referred = self.element(&resolve(particle, reference), place)?;
                let (optional, repeated) = (is_optional(particle), is_repeated(particle));
                into.push(SchemaMember { optional, repeated, ..referred });
            } else {
                let mut name = defined(particle);
                if !is_qualified(particle) {
                    name.namespace.clear();
                }
                into.push(self.member(particle, name, place)?);
            }
        }
        for member in &mut into[first..] {
            member.optional |= is_optional(group);
            member.repeated |= is_repeated(group);
        }
        Ok(())
    }
}

fn is_optional(particle: Node<'_, '_>) -> bool {
    particle.attribute("minOccurs") == Some("0")
}

fn is_repeated(particle: Node<'_, '_>) -> bool {
    particle.attribute("maxOccurs").is_some_and(|most| most != "1")
}

/// The most levels of inheritance.
const MAX_LEVELS: usize = 16;

/// A type, and those that it is derived from.
#[derive(Default)]
struct Levels<'d> {
    nodes: Vec<Node<'d, 'd>>,
}

impl<'d> Levels<'d> {
    fn add(&mut self, content: &Content<'d>, node: Node<'d, 'd>, place: &str) -> Result<(), LearnError> {
        let (place, name) = (|| place.to_owned(), || content.type_name());
        if self.nodes.contains(&node) {
            return Err(LearnError::Recursive { place: place(), name: name() });
        }
        if self.nodes.len() > MAX_LEVELS {
            let first = self.nodes[0].attribute("name").unwrap_or("anonymous").to_owned();
            return Err(LearnError::TooManyLevels { place: place(), name: first, limit: MAX_LEVELS });
        }
        self.nodes.push(node);
        Ok(())
    }
}

/// What a complex type adds to another one.
fn extension<'d>(of_type: Node<'d, 'd>) -> Option<Node<'d, 'd>> {
    elements(of_type).flat_map(elements).find(|node| is(*node, SCHEMA, "extension"))
}

/// Whether a local element is in the target namespace of its schema.
fn is_qualified(element: Node<'_, '_>) -> bool {
    let form = element.attribute("form").or_else(|| {
        let schema = element.ancestors().find(|ancestor| is(*ancestor, SCHEMA, "schema"))?;
        schema.attribute("elementFormDefault")
    });
    form == Some("qualified")
}
