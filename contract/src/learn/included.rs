//! Schemas without a target namespace: each is part of the namespace of the schema that includes it (XML Schema, "chameleon
//! include").

use std::borrow::Cow;

use url::Url;

use super::{LearnError, SCHEMA, WsdlDocument, import_location, is, parse};
use crate::xml::escape::escape_attribute;

/// The most levels of includes.
const MAX_DEPTH: usize = 16;
/// The most schemas that are placed in a namespace. What is in others is missing then, which is an error where it is needed.
const MAX_PLACED: usize = 64;

/// The documents, in which each included schema has the namespace of the schema that includes it: one that several namespaces
/// include is there once for each.
pub(super) fn with_namespaces(documents: &[WsdlDocument]) -> Result<Vec<Cow<'_, WsdlDocument>>, LearnError> {
    let mut all: Vec<Cow<'_, WsdlDocument>> = documents.iter().map(Cow::Borrowed).collect();
    let mut next = 0;
    let mut end = all.len();
    for _ in 0..MAX_DEPTH {
        for at in next..end {
            for (url, namespace) in includes(&all[at])? {
                for document in documents.iter().filter(|document| is_at(document, &url)) {
                    let Some(placed) = in_namespace(document, &namespace)? else { continue };
                    if all.len() < documents.len() + MAX_PLACED && !all.iter().any(|known| **known == placed)
                    {
                        all.push(Cow::Owned(placed));
                    }
                }
            }
        }
        (next, end) = (end, all.len());
    }
    Ok(all)
}

/// What the schemas of a document include, with their target namespace.
fn includes(document: &WsdlDocument) -> Result<Vec<(Url, String)>, LearnError> {
    let parsed = parse(document)?;
    let Ok(base) = Url::parse(&document.url) else { return Ok(Vec::new()) };
    let all = parsed.descendants().filter(|node| is(*node, SCHEMA, "include")).filter_map(|include| {
        let schema = include.ancestors().find(|node| is(*node, SCHEMA, "schema"))?;
        let url = base.join(import_location(include)?.value()).ok()?;
        Some((url, schema.attribute("targetNamespace")?.to_owned()))
    });
    Ok(all.collect())
}

fn is_at(document: &WsdlDocument, url: &Url) -> bool {
    Url::parse(&document.url).is_ok_and(|of_document| of_document == *url)
}

/// The schema in a namespace; `None` when it has one already, or is no schema.
fn in_namespace(document: &WsdlDocument, namespace: &str) -> Result<Option<WsdlDocument>, LearnError> {
    let parsed = parse(document)?;
    let root = parsed.root_element();
    if !is(root, SCHEMA, "schema") || root.has_attribute("targetNamespace") {
        return Ok(None);
    }
    let text = parsed.input_text();
    let tag = &text[root.range().start..];
    let name_end =
        root.range().start + tag.find(|c: char| c.is_whitespace() || c == '>' || c == '/').unwrap_or(0);
    let mut placed = text[..name_end].to_owned();
    // Names without a prefix mean definitions of this schema.
    let names: &[&str] =
        if root.default_namespace().is_none() { &["targetNamespace", "xmlns"] } else { &["targetNamespace"] };
    for name in names {
        let mut value = Vec::new();
        escape_attribute(&mut value, namespace);
        placed += &format!(" {name}=\"{}\"", String::from_utf8_lossy(&value));
    }
    placed += &text[name_end..];
    Ok(Some(WsdlDocument { url: document.url.clone(), text: placed }))
}
