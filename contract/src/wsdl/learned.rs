//! The WSDL that a profile was learned from, with other addresses.

use roxmltree::Node;
use url::Url;

use super::attribute;
use crate::learn::{LearnError, Located, WSDL, WsdlDocument, located, parse};

/// The documents of a learned WSDL. They are served as .NET serves them: the first one as `?wsdl`, what it imports as
/// `?wsdl=wsdl0` and `?xsd=xsd0`.
#[derive(Debug, Clone)]
pub struct LearnedWsdl {
    documents: Vec<Document>,
}

#[derive(Debug, Clone)]
struct Document {
    /// The query that it is served under, such as `xsd=xsd0`.
    query: String,
    pieces: Vec<Piece>,
}

/// A part of a document.
#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    /// The address of the service.
    Address,
    /// The address of another document, by its place.
    Import(usize),
}

impl LearnedWsdl {
    /// The documents of a contract file.
    ///
    /// # Errors
    /// A document is no XML.
    pub fn new(documents: &[WsdlDocument]) -> Result<Self, LearnError> {
        let (mut definitions, mut schemas) = (0, 0);
        let next = |count: &mut u32, kind: &str| {
            *count += 1;
            format!("{kind}={kind}{}", *count - 1)
        };
        let mut made = Vec::new();
        for (place, document) in documents.iter().enumerate() {
            let parsed = parse(document)?;
            let query = match parsed.root_element().tag_name().namespace() {
                _ if place == 0 => "wsdl".to_owned(),
                Some(WSDL) => next(&mut definitions, "wsdl"),
                _ => next(&mut schemas, "xsd"),
            };
            made.push(Document { query, pieces: pieces(document, &parsed, documents) });
        }
        Ok(LearnedWsdl { documents: made })
    }

    /// A document for a service at this address. `part`: the value of the query, such as `wsdl0` or `xsd0`; empty for the
    /// first one. `None`: there is no such document.
    pub fn document(&self, part: &str, address: &str) -> Option<String> {
        let is_wanted = |document: &&Document| {
            let of_query = document.query.split_once('=').map_or("", |(_, part)| part);
            of_query.eq_ignore_ascii_case(part)
        };
        let document = self.documents.iter().find(is_wanted)?;
        let mut out = r#"<?xml version="1.0" encoding="utf-8"?>"#.to_owned();
        for piece in &document.pieces {
            match piece {
                Piece::Text(text) => out += text,
                Piece::Address => out += &attribute(address),
                Piece::Import(place) => {
                    let separator = if address.contains('?') { '&' } else { '?' };
                    out += &attribute(&format!("{address}{separator}{}", self.documents[*place].query));
                }
            }
        }
        Some(out)
    }
}

fn pieces(document: &WsdlDocument, parsed: &roxmltree::Document<'_>, all: &[WsdlDocument]) -> Vec<Piece> {
    let text = parsed.input_text();
    let mut pieces = Vec::new();
    let mut done = if text.starts_with("<?xml") { text.find("?>").map_or(0, |end| end + 2) } else { 0 };
    for node in parsed.descendants() {
        let Some((range, piece)) = replaced(node, document, all) else { continue };
        pieces.push(Piece::Text(text[done..range.start].to_owned()));
        pieces.push(piece);
        done = range.end;
    }
    pieces.push(Piece::Text(text[done..].to_owned()));
    pieces
}

/// What has to be replaced in a node.
fn replaced(
    node: Node<'_, '_>,
    document: &WsdlDocument,
    all: &[WsdlDocument],
) -> Option<(std::ops::Range<usize>, Piece)> {
    let Located { range, value, is_import } = located(node)?;
    if !is_import {
        return Some((range, Piece::Address));
    }
    let url = Url::parse(&document.url).ok()?.join(&value).ok()?;
    let place = all.iter().position(|other| Url::parse(&other.url).is_ok_and(|other| other == url))?;
    Some((range, Piece::Import(place)))
}
